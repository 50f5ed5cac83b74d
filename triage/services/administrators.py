"""Whether somebody is left who may look after accounts."""

from triage.domain.account import GRANTS, Permission
from triage.services.ports import Transaction


def can_administer(tx: Transaction, *, passwords_allowed: bool) -> bool:
    """Whether anybody who may look after accounts can come in: by a password, where those serve, the provider, or a token."""
    with_token = {token.account for token in tx.accounts.tokens()}
    return any(
        (one.password_hash and passwords_allowed)
        or (one.external and one.subject)
        or (one.name in with_token and not one.must_change)
        for one in tx.accounts.accounts()
        if not one.disabled and Permission.USERS in GRANTS[one.role]
    )
