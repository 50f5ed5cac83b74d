"""The tables of accounts, beside the others in the same metadata."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table

from triage.database.tables import Moment, metadata
from triage.database.words import Words

__all__ = ["account", "account_session", "account_token", "guess", "metadata", "sign_in_attempt"]

account = Table(
    "account",
    metadata,
    Column("name", Words, primary_key=True),
    Column("role", Words, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("password_hash", Words, comment="argon2id, PHC string"),
    Column("must_change", Integer, nullable=False),
    Column("disabled", Integer, nullable=False),
    Column("external", Integer, nullable=False, server_default="0", comment="signs in by the identity provider"),
    Column("subject", Words, comment="whom the provider means by it: issuer, space, sub; null: not signed in yet"),
    Index("uq_account_subject", "subject", unique=True),
    CheckConstraint("role IN ('viewer','radiologist','pacs_admin','ml_admin','auditor','service')", name="role"),
)

account_token = Table(
    "account_token",
    metadata,
    Column("digest", Words, primary_key=True, comment="SHA-256 of the secret"),
    Column("account", Words, ForeignKey("account.name"), nullable=False, index=True),
    Column("issued_at", Moment, nullable=False),
)

account_session = Table(
    "account_session",
    metadata,
    Column("digest", Words, primary_key=True, comment="SHA-256 of the secret"),
    Column("account", Words, ForeignKey("account.name"), nullable=False, index=True),
    Column("signed_in_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

guess = Table(
    "guess",
    metadata,
    Column("key", Words, primary_key=True, comment="SHA-256 of account or address: people type passwords into the wrong field"),
    Column("failures", Integer, nullable=False),
    Column("until", Moment),
    Column("last_at", Moment),
)

sign_in_attempt = Table(
    "sign_in_attempt",
    metadata,
    Column("digest", Words, primary_key=True, comment="SHA-256 of the secret in the browser's cookie"),
    Column("begun_at", Moment, nullable=False, index=True),
    Column("next", Words, nullable=False, comment="the page that was asked for"),
)
