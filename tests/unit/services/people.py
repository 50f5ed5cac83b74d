"""People with accounts, at a time that the test moves."""

from datetime import datetime, timedelta
from itertools import count

from tests.unit.domain.make import NOW
from triage.database.passwords import Argon2
from triage.domain.account import (
    Role,
    SignInRefused,
)
from triage.services.accounts import Accounts
from triage.services.ports import Database

SECRET = "four quiet herons wade"
MINUTE = timedelta(minutes=1)


class World:
    """Accounts at a time that the test moves."""

    def __init__(self, database: Database, passwords: Argon2 | None = None) -> None:
        self.now: datetime = NOW
        numbers = count(1)
        self.database = database
        self.accounts = Accounts(
            database=database,
            passwords=passwords or Argon2(time_cost=1, memory_cost=8),
            clock=lambda: self.now,
            secret=lambda: f"secret-{next(numbers)}",
        )
        self.accounts.add("anna", Role.RADIOLOGIST, "test", SECRET)

    def enter(self, name: str = "anna", password: str = SECRET, address: str = "10.0.0.1", former: str = "") -> str:
        return self.accounts.sign_in(name, password, address, former)

    def tries(self, name: str, password: str, address: str = "10.0.0.1") -> str:
        try:
            self.enter(name, password, address)
        except SignInRefused as error:
            return type(error).__name__
        return "in"
