"""Search (PS3.18 10.6): studies in the order of the reading list, and their series and films, for any workstation."""

import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from triage.domain.query_keys import Key, KeyType, QueryLevel
from triage.services.query import Match, find
from triage.web.dicomweb.accept import Offer
from triage.web.dicomweb.addresses import ROOT, SERIES, STUDY, Addresses
from triage.web.dicomweb.json_model import MEDIA_TYPE, DicomJson, Model, element
from triage.web.dicomweb.refused import Refused, uid
from triage.web.dicomweb.resources import Resources, form
from triage.web.dicomweb.search_query import Search, search_of

AT_ONCE, WAIT_SECONDS = 4, 5.0
"""Searches at the same time, each of which holds a thread; and how long one more waits."""
SECONDS = 120.0
"""Of one search, whose caller may have gone long ago; half a list is no answer."""
MORE = "The number of results exceeded the maximum supported by the server. Additional results can be requested."
OFFERS = [Offer(media_type=MEDIA_TYPE), Offer(media_type="application/json")]
_WHOLE_NUMBERS = frozenset({"IS", "US", "UL", "SS", "SL"})
_NUMBERS = _WHOLE_NUMBERS | {"DS", "FL", "FD"}
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def router(resources: Resources) -> APIRouter:
    """The six routes."""
    routes = APIRouter(prefix=ROOT, include_in_schema=False)
    places = threading.BoundedSemaphore(AT_ONCE)

    @routes.get("/studies")
    def studies(request: Request) -> DicomJson:
        return answer(request, QueryLevel.STUDY)

    @routes.get("/series")
    def series(request: Request) -> DicomJson:
        return answer(request, QueryLevel.SERIES)

    @routes.get("/instances")
    def instances(request: Request) -> DicomJson:
        return answer(request, QueryLevel.IMAGE)

    @routes.get(f"{STUDY}/series")
    def series_of_study(study: str, request: Request) -> DicomJson:
        return answer(request, QueryLevel.SERIES, study)

    @routes.get(f"{STUDY}/instances")
    def instances_of_study(study: str, request: Request) -> DicomJson:
        return answer(request, QueryLevel.IMAGE, study)

    @routes.get(f"{SERIES}/instances")
    def instances_of_series(study: str, series: str, request: Request) -> DicomJson:
        return answer(request, QueryLevel.IMAGE, study, series)

    def answer(request: Request, level: QueryLevel, study: str | None = None, series: str | None = None) -> DicomJson:
        form(request, OFFERS)
        place = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
        here = {keyword: uid(value, keyword) for keyword, value in place.items() if value is not None}
        search = search_of(level, request.query_params.multi_items(), here)
        resources.site.note_list()
        if not places.acquire(timeout=WAIT_SECONDS):
            raise Refused(503, "too many searches at the same time; try again", {"Retry-After": "5"})
        try:
            matches = find(
                resources.site.database, search.query, limit=search.limit + 1, offset=search.offset, go_on=_within(SECONDS)
            )
            found = list(islice(matches, search.limit + 1))
        finally:
            places.release()
        told = [told_of(match, search, resources.addresses) for match in found[: search.limit]]
        return DicomJson(told, headers=_warned([*search.warnings, *([MORE] if len(found) > search.limit else [])]))

    return routes


def _within(seconds: float) -> Callable[[], None]:
    """Raises :class:`Refused` once so much time has gone."""
    until = time.monotonic() + seconds

    def go_on() -> None:
        if time.monotonic() > until:
            raise Refused(503, "the search takes too long; narrow it, by date for example")

    return go_on


def told_of(match: Match, search: Search, addresses: Addresses) -> Model:
    """One result (PS3.18 10.6.3.3), with the address that retrieves it; what has to be there and is not known is empty."""
    told = {"00080005": element("CS", "ISO_IR 192"), "00081190": element("UR", _address(match, addresses))}
    for key in search.keys:
        values = match.attributes.get(key.keyword, ())
        if values or key.type is not KeyType.OPTIONAL:
            told[f"{key.tag:08X}"] = element(key.vr, *(_value(key, value) for value in values))
    return dict(sorted(told.items()))


def _address(match: Match, addresses: Addresses) -> str:
    study = match.study_instance_uid
    series, sop = (match.attributes.get(keyword, ("",))[0] for keyword in ("SeriesInstanceUID", "SOPInstanceUID"))
    if match.level is QueryLevel.STUDY:
        return addresses.study(study)
    return addresses.series(study, series) if match.level is QueryLevel.SERIES else addresses.of(study, series, sop)


def _value(key: Key, value: str) -> Any:
    """As the DICOM JSON Model has it (PS3.18 F.2.3); a number that is none: nothing."""
    if key.vr == "PN":
        groups = zip(_GROUPS, value.split("="), strict=False)
        return {name: group for name, group in groups if group} or None
    if key.vr not in _NUMBERS:
        return value
    try:
        return int(value) if key.vr in _WHOLE_NUMBERS else _finite(float(value))
    except ValueError:
        return None


def _finite(number: float) -> float | None:
    return number if abs(number) < float("inf") else None


def _warned(warnings: list[str]) -> dict[str, str]:
    """The Warning header (PS3.18 8.3.4.6, 10.6.3.1): keywords and our own words, nothing of what was sent."""
    return {"Warning": ", ".join(f'299 triage "{text}"' for text in warnings)} if warnings else {}
