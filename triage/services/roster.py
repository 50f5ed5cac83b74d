"""Who has an account, and when each was last here."""

from dataclasses import dataclass
from datetime import datetime

from triage.domain.account import Account
from triage.domain.audit import Action, AuditFilter, AuditRecord
from triage.services.accounts import Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account as a list shows it. ``seen_at``: the last sign in an open session, else the last sign-in."""

    account: Account
    sessions: int
    tokens: int
    seen_at: datetime | None

    @property
    def state(self) -> str:
        """In words."""
        if self.account.disabled:
            return "disabled"
        return "has to change the password" if self.account.must_change else "enabled"


def roster(accounts: Accounts) -> list[Person]:
    """Every account, by name."""
    now = accounts.clock()
    with accounts.database.read() as tx:
        alive = [one for one in tx.accounts.sessions() if accounts.limits.alive(one, now)]
        tokens = [one.account for one in tx.accounts.tokens()]
        found = []
        for account in tx.accounts.accounts():
            mine = [one for one in alive if one.account == account.name]
            entered = tx.audit_newest(AuditFilter(action=Action.SIGN_IN.value, subject=account.name), limit=1)
            seen = [one.seen_at for one in mine] + [at for record in entered if (at := _at(record)) is not None]
            person = Person(
                account=account, sessions=len(mine), tokens=tokens.count(account.name), seen_at=max(seen, default=None)
            )
            found.append(person)
    return found


def _at(record: AuditRecord) -> datetime | None:
    try:
        return record.entry.at
    except (TypeError, ValueError, OverflowError):  # tampered with: the auditor's page tells
        return None
