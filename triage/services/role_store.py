"""What signs of life ask of the database."""

from datetime import datetime
from typing import Protocol

from triage.domain.role import RoleStatus


class HasRoles(Protocol):
    """Part of a transaction (:class:`triage.services.ports.Transaction`)."""

    def put_role(self, status: RoleStatus) -> None:
        """A role's sign of life."""

    def roles(self) -> list[RoleStatus]:
        """The last sign of life of each role, by who signed it."""

    def forget_roles(self, before: datetime) -> None:
        """Drop whoever has given none since then."""
