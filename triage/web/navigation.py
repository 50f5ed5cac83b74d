"""The links that every page carries, as one table: each person sees those that the role opens."""

from dataclasses import dataclass

from triage.domain.account import Identity, Permission


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the service by its address, the word for it, and what it asks for."""

    path: str
    word: str
    permission: Permission


LINKS: tuple[Link, ...] = (
    Link("/", "Worklist", Permission.VIEW),
    Link("/analytics", "Analytics", Permission.ANALYTICS),
)


def links_for(who: Identity | None) -> tuple[Link, ...]:
    """The links that ``who`` may follow; nobody is signed in: none."""
    return tuple(link for link in LINKS if who is not None and who.may(link.permission))
