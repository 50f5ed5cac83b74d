"""Every address that is asked with GET, as the table of permissions has them, each parameter filled from a furnished house.

A new page is found by itself; one with a parameter that is not known here fails until :data:`PARAMETERS` says what to fill in.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.unit.web.furnished import House
from triage.domain.account import GRANTS, Permission, Role
from triage.web.permissions import PUBLIC, ROUTES

ENDLESS = frozenset({"/events"})
SWITCHED_OFF = ("/oidc/",)
"""In the table, but served only where a setting asks for it; they have tests of their own."""
SEVERAL = 3
"""Of the studies of a house so many are opened where not every one is asked for."""
PARAMETERS: dict[str, Callable[[House], list[str]]] = {
    "/api/v1/instances/{uid}": lambda house: [f"{house.uids[0]}.1", f"{house.uids[0]}.2", "1.9.9"],
    "{study}": lambda house: [house.uids[0], "1.9.9"],
    "{uid}": lambda house: [*house.uids[:SEVERAL], "1.9.9"],
    "{name}": lambda house: [house.tell("account", 1), "nobody"],
    "{bundle_id}": lambda _: ["ab" * 32],
}
"""What stands for a parameter: of the longest key that the route holds. The last value of each is one that does not exist."""
BELOW = {"series": "{study}.1", "instance": "{study}.1", "frames": "1", "tag": "00282000"}
"""What stands for the parameters behind a study: its first series, film and frame, and a value that it has not."""
QUERIES: dict[str, tuple[str, ...]] = {
    "/": ("", "?page=2", "?level=flagged", "?status=all", "?sort=-patient", "?page=x"),
    "/fragments/worklist": ("", "?status=read"),
    "/fragments/study": ("?uid=1.2.1", "?uid=1.9.9", ""),
    "/sign-in": ("", "?next=%2Fstudy%2F1.2.1"),
    "/study/{uid}": ("", "?page=7"),
}
"""What an address is asked with; everything else without a query."""


@dataclass(frozen=True)
class Address:
    """A route and one way to ask for it. ``permission``: what it needs; ``None``: nothing."""

    route: str
    path: str
    permission: Permission | None

    def open_to(self, role: Role) -> bool:
        """Whether the role may see it."""
        return self.permission is None or self.permission in GRANTS[role]


def addresses(house: House) -> list[Address]:
    """All of them."""
    public = [route for route in sorted(PUBLIC) if not route.startswith(SWITCHED_OFF)]
    found = [Address(route, path, None) for route in public for path in _asked(route, house)]
    for route, methods in ROUTES.items():
        if "GET" in methods and route not in ENDLESS:
            found += [Address(route, path, methods["GET"]) for path in _asked(route, house)]
    return found


def _asked(route: str, house: House) -> Iterator[str]:
    for path in _filled(route, house):
        yield from (path + query for query in QUERIES.get(route, ("",)))


def _filled(route: str, house: House) -> list[str]:
    parameters = re.findall(r"{\w+}", route)
    if not parameters:
        return [route]
    known = sorted((key for key in PARAMETERS if key in route), key=len)
    assert known, f"{route}: say in tests/unit/web/every_page.py what stands for {parameters}"
    first, *behind = parameters
    assert all(name[1:-1] in BELOW for name in behind), f"{route}: say in BELOW what stands for {behind}"
    for name in behind:
        route = route.replace(name, BELOW[name[1:-1]])
    return [route.replace(first, value) for value in PARAMETERS[known[-1]](house)]


def is_page(text: str) -> bool:
    """Whether an answer is a whole page, not a piece of one."""
    return text.lstrip().lower().startswith("<!doctype html")
