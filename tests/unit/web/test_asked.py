"""What an address asks of the list, and that it can be written again."""

from dataclasses import fields
from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st

from triage.domain.level import Level
from triage.domain.selection import Sort, Status
from triage.web.asked import USUAL, Asked, Within, asked, filters

wishes = st.builds(
    Asked,
    levels=st.frozensets(st.sampled_from(Level)),
    status=st.sampled_from(Status),
    within=st.none() | st.sampled_from(Within),
    sort=st.sampled_from(Sort),
    descending=st.booleans(),
    page=st.integers(1, 10_000),
)


def read(query: str) -> Asked:
    """As the routes read it."""
    given = parse_qs(query, keep_blank_values=True)
    one = {name: values[0] for name, values in given.items()}
    chosen = filters(
        level=[Level(value) for value in given.get("level", [])],
        status=Status(one.get("status", "waiting")),
        within=Within(one["within"]) if "within" in one else None,
        sort=one.get("sort"),
    )
    return asked(chosen, int(one.get("page", 1)))


@given(wishes)
def test_an_address_says_everything(wish: Asked) -> None:
    assert read(wish.query) == wish


@given(wishes, st.sampled_from(Level), st.sampled_from(Sort))
def test_every_link_leads_back(wish: Asked, level: Level, sort: Sort) -> None:
    assert wish.toggled(level).toggled(level) == wish.at(1)
    assert wish.sorted_by(sort).sorted_by(sort).sort is sort
    assert wish.sorted_by(sort).page == wish.toggled(level).page == 1
    assert wish.as_usual().as_usual() == wish.as_usual()


def test_the_list_as_it_is_has_no_query() -> None:
    assert Asked().query == ""
    assert read("") == Asked()
    sort, descending = USUAL[Status.READ]
    assert read("status=read") == Asked(status=Status.READ, sort=sort, descending=descending)


def test_no_search_fits_into_an_address() -> None:
    assert {field.name for field in fields(Asked)} == {"levels", "status", "within", "sort", "descending", "page"}
