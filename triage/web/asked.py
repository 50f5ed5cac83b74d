"""What an address asks of the list: levels, states, time, order, page. What is searched for is never in an address."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from triage.domain.level import Level
from triage.domain.selection import Selection, Sort, Status

LAST_PAGE = 10_000
"""Beyond a million rows nobody pages; the limit keeps a number in an address from becoming a huge query."""
LONGEST_SEARCH = 200


class Within(StrEnum):
    """How long ago a study arrived at most."""

    HOUR = "1h"
    SHIFT = "8h"
    DAY = "24h"
    WEEK = "7d"


SPANS: dict[Within, timedelta] = {
    Within.HOUR: timedelta(hours=1),
    Within.SHIFT: timedelta(hours=8),
    Within.DAY: timedelta(hours=24),
    Within.WEEK: timedelta(days=7),
}
USUAL: dict[Status, tuple[Sort, bool]] = {Status.READ: (Sort.ARRIVED, True)}
"""Sort and whether descending, where no sort is asked for: what is read has no place any more, so the last to come is first."""
_SORTS = "^-?(" + "|".join(Sort) + ")$"


class Search(BaseModel):
    """The words to look for: in a body, as they may name a patient."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(default="", max_length=LONGEST_SEARCH, description="Words that must all occur: name, numbers, description")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An address, understood. :attr:`query` writes it again."""

    levels: frozenset[Level] = frozenset()
    status: Status = Status.WAITING
    within: Within | None = None
    sort: Sort = Sort.PLACE
    descending: bool = False
    page: int = 1

    def selection(self, text: str = "") -> Selection:
        """As the domain has it."""
        return Selection(
            levels=self.levels,
            status=self.status,
            within=SPANS[self.within] if self.within else None,
            text=text,
            sort=self.sort,
            descending=self.descending,
        )

    @property
    def query(self) -> str:
        """The address' query, without what is the default; empty: the list as it is."""
        return urlencode(list(self._pairs()))

    def at(self, page: int) -> "Asked":
        """Another page of the same."""
        return replace(self, page=page)

    def toggled(self, level: Level) -> "Asked":
        """With a level more, or less; from its first page."""
        return replace(self, levels=self.levels ^ {level}, page=1)

    def sorted_by(self, sort: Sort) -> "Asked":
        """By a column; by the same one again: the other way round."""
        return replace(self, sort=sort, descending=self.sort is sort and not self.descending, page=1)

    def as_usual(self) -> "Asked":
        """The same studies in their usual order: that in which they are to be read."""
        sort, descending = USUAL.get(self.status, (Sort.PLACE, False))
        return replace(self, sort=sort, descending=descending, page=1)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        yield from (("level", level.value) for level in Level if level in self.levels)
        if self.status is not Status.WAITING:
            yield "status", self.status.value
        if self.within:
            yield "within", self.within.value
        if (self.sort, self.descending) != USUAL.get(self.status, (Sort.PLACE, False)):
            yield "sort", f"{'-' if self.descending else ''}{self.sort.value}"
        if self.page > 1:
            yield "page", str(self.page)


def filters(
    level: Annotated[list[Level], Query(description="Only these levels")] = [],  # noqa: B006 - FastAPI copies it
    status: Annotated[Status, Query(description="Which states of reading")] = Status.WAITING,
    within: Annotated[Within | Literal[""] | None, Query(description="Arrived so long ago at most")] = None,
    sort: Annotated[str | None, Query(pattern=_SORTS, description="A column; with - before it: descending")] = None,
) -> Asked:
    """A dependency: the filters of a request."""
    chosen = Asked(levels=frozenset(level), status=status, within=within or None).as_usual()  # a form sends what is empty, too
    return replace(chosen, sort=Sort(sort.lstrip("-")), descending=sort.startswith("-")) if sort else chosen


def asked(chosen: Annotated[Asked, Depends(filters)], page: Annotated[int, Query(ge=1, le=LAST_PAGE)] = 1) -> Asked:
    """A dependency: filters and page."""
    return chosen.at(page)
