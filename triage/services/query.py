"""Answer a query of any level from the rows, in triage order: what C-FIND and QIDO-RS have in common.

Every study counts: unread ones in the order of the list, then read ones, the last to arrive first. The order is that of the
moment when the query began; what is told of each study is that of the moment when its turn came, so that no snapshot of the
database stays open for somebody who fetches slowly. At most a page of studies is held beside the UIDs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from triage.domain.instance import FACTS_BY_KEYWORD
from triage.domain.query import Attributes, Film, Found, Query, by_series
from triage.domain.query_keys import KEYS, QueryLevel
from triage.domain.study import Study
from triage.domain.worklist import level_words
from triage.services.ports import Database

PAGE = 200
"""Studies that are looked up at a time."""

NOTICE = "AI triage: {} (notification only)"
"""Study Comments (0032,4000): where viewers show a free text of the study."""

_OF_LEVEL = {level: tuple(key.keyword for key in KEYS.values() if key.level is level) for level in QueryLevel}
_ONE_OF_ALL = frozenset({"PatientID"})
"""Of these: what no film of the study can have otherwise, for then it would be set aside."""
_OF_ROWS = frozenset({key.keyword for key in KEYS.values() if key.computed or key.vr == "UI"}) - {"ModalitiesInStudy"}
"""What no header is read for."""


@dataclass(frozen=True, slots=True)
class Match:
    """One answer: every attribute of its level and those above it that is known. ``study_instance_uid``: of which study."""

    level: QueryLevel
    study_instance_uid: str
    attributes: Attributes


def find(
    database: Database,
    query: Query,
    *,
    limit: int | None = None,
    offset: int = 0,
    retrieve_ae_title: str = "",
    go_on: Callable[[], object] = lambda: None,
) -> Iterator[Match]:
    """Everything that matches, in triage order; ``go_on`` is asked now and then, and raises where nobody waits any more.

    ``offset``: how many to leave out at the beginning; ``limit``: how many to give at most. ``retrieve_ae_title``: where the
    films can be fetched; empty: nowhere.

    Raises:
        IndexUnavailable: the database does not answer.
    """
    matches = _matches(database, query, retrieve_ae_title, go_on)
    return islice(matches, offset, None if limit is None else offset + limit)


def _matches(database: Database, query: Query, retrieve_ae_title: str, go_on: Callable[[], object]) -> Iterator[Match]:
    with database.read() as tx:
        uids = tx.queries.candidates(query.coarse)
    if query.level is QueryLevel.PATIENT:
        matches = _patients(database, query, uids, go_on)
    else:
        matches = _below_patients(database, query, uids, go_on)
    beside = {"InstanceAvailability": ("ONLINE",)} | ({"RetrieveAETitle": (retrieve_ae_title,)} if retrieve_ae_title else {})
    for match in matches:
        yield Match(match.level, match.study_instance_uid, {**match.attributes, **beside})


def _studies(database: Database, uids: list[str], go_on: Callable[[], object]) -> Iterator[Found]:
    for first in range(0, len(uids), PAGE):
        with database.read() as tx:
            page = tx.queries.found(uids[first : first + PAGE])
        for found in page:
            go_on()  # a thousand wild cards take a moment for each
            yield found


def _patients(database: Database, query: Query, uids: list[str], go_on: Callable[[], object]) -> Iterator[Match]:
    """Each patient once, where the first of the patient's studies stands. Who has no ID is a patient of one study."""
    seen = set[tuple[str, ...]]()
    for found in _studies(database, uids, go_on):
        patient = patient_of(found)
        who = (*patient.get("PatientID", ("", found.study.study_instance_uid)), *patient.get("IssuerOfPatientID", ()))
        if who not in seen and query.matches(
            _said(patient, found.films), QueryLevel.PATIENT, _settled(found.study, found.films)
        ):
            seen.add(who)
            yield Match(QueryLevel.PATIENT, found.study.study_instance_uid, patient)


def _below_patients(database: Database, query: Query, uids: list[str], go_on: Callable[[], object]) -> Iterator[Match]:
    for found in _studies(database, uids, go_on):
        patient, settled = patient_of(found), _settled(found.study, found.films)
        if not query.matches(_said(patient, found.films), QueryLevel.PATIENT, settled):
            continue
        study = study_of(found)
        if not query.matches(_said(study, found.films), QueryLevel.STUDY, settled):
            continue
        above = {**patient, **study}
        if query.level is QueryLevel.STUDY:
            yield Match(query.level, found.study.study_instance_uid, above)
        else:
            yield from _below_studies(query, found, above)


def _below_studies(query: Query, found: Found, above: Attributes) -> Iterator[Match]:
    uid = found.study.study_instance_uid
    for series_uid, films in by_series(found.films):
        series = series_of(found, series_uid, films)
        if not query.matches(_said(series, films), QueryLevel.SERIES, _settled(found.study, films)):
            continue
        if query.level is QueryLevel.SERIES:
            yield Match(query.level, uid, {**above, **series})
            continue
        for film in films:
            image = image_of(film)
            if query.matches(image, QueryLevel.IMAGE, _settled(found.study, [film])):
                yield Match(query.level, uid, {**above, **series, **image})


def patient_of(found: Found) -> Attributes:
    """What is known of the patient."""
    return _of(_told(found, found.films), QueryLevel.PATIENT)


def study_of(found: Found) -> Attributes:
    """What is known of the study, counted and computed values with it."""
    modalities = (_told(found, [film]).get("Modality", ()) for film in found.films)
    return {
        **_of(_told(found, found.films), QueryLevel.STUDY),
        "StudyInstanceUID": (found.study.study_instance_uid,),
        "ModalitiesInStudy": tuple(dict.fromkeys(one for values in modalities for one in values)),
        "SOPClassesInStudy": tuple(dict.fromkeys(film.instance.sop_class_uid for film in found.films)),
        "NumberOfStudyRelatedSeries": (str(len({film.instance.series_instance_uid for film in found.films})),),
        "NumberOfStudyRelatedInstances": (str(len(found.films)),),
        "StudyComments": (NOTICE.format(level_words(found.study, numbers=False)),),
    }


def series_of(found: Found, series_instance_uid: str, films: list[Film]) -> Attributes:
    """What is known of a series."""
    return {
        **_of(_told(found, films), QueryLevel.SERIES),
        "SeriesInstanceUID": (series_instance_uid,),
        "NumberOfSeriesRelatedInstances": (str(len(films)),),
    }


def image_of(film: Film) -> Attributes:
    """What is known of an image."""
    return {
        **_of(film.attributes or {}, QueryLevel.IMAGE),
        "SOPInstanceUID": (film.instance.sop_instance_uid,),
        "SOPClassUID": (film.instance.sop_class_uid,),
        "AvailableTransferSyntaxUID": (film.instance.transfer_syntax_uid,),
    }


def _of(told: Attributes, level: QueryLevel) -> Attributes:
    return {keyword: told[keyword] for keyword in _OF_LEVEL[level] if keyword in told}


def _told(found: Found, films: Sequence[Film]) -> Attributes:
    """What films tell, each keyword as the first that tells it has it; one that is to be read yet: what the list knows."""
    told: dict[str, tuple[str, ...]] = {}
    for film in reversed(films):
        told.update(film.attributes if film.attributes is not None else _listed(found.study))
    return told


def _said(told: Attributes, films: Sequence[Film]) -> Attributes:
    """What is matched: beside what is told, what any film says. A study may have films of several orders, dates and spellings
    of a name, and is found by each."""
    said = dict(told)
    for film in films[1:]:
        attributes = film.attributes or {}
        for keyword in told.keys() & attributes.keys():
            if attributes[keyword] != told[keyword]:
                said[keyword] = (*said[keyword], *attributes[keyword])
    return said


def _settled(study: Study, films: Sequence[Film]) -> frozenset[str] | None:
    """Of what no film can say more once every header was read; ``None``: all were."""
    if all(film.attributes is not None for film in films):
        return None
    return _OF_ROWS | (_ONE_OF_ALL & _listed(study).keys())


def _listed(study: Study) -> Attributes:
    """What the list knows of a study whose headers are to be read yet."""
    known = ((keyword, getattr(study.facts, name)) for keyword, name in FACTS_BY_KEYWORD.items())
    return {keyword: (value,) for keyword, value in known if value}
