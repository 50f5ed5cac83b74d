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
ADMINISTRATION: tuple[Link, ...] = (
    Link("/admin/system", "System", Permission.SYSTEM),
    Link("/admin/senders", "AE titles", Permission.SYSTEM),
    Link("/admin/deliveries", "Deliveries", Permission.SYSTEM),
    Link("/admin/users", "Users", Permission.USERS),
    Link("/admin/models", "Models", Permission.MODELS),
    Link("/admin/policy", "Policy", Permission.SYSTEM),
    Link("/admin/audit", "Audit", Permission.AUDIT),
)
"""The pages behind the one entry *Administration*, which leads to the first that the role opens."""
ABOUT = Link("/about", "About", Permission.ACCOUNT)


def links_for(who: Identity | None) -> tuple[Link, ...]:
    """The links that ``who`` may follow; nobody is signed in: none."""
    if who is None:
        return ()
    administration = [Link(link.path, "Administration", link.permission) for link in administration_for(who)[:1]]
    return tuple(link for link in (*LINKS, *administration, ABOUT) if who.may(link.permission))


def administration_for(who: Identity | None) -> tuple[Link, ...]:
    """The pages of the administration that ``who`` may open."""
    return tuple(link for link in ADMINISTRATION if who is not None and who.may(link.permission))
