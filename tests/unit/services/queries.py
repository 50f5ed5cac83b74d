"""Ask a database as C-FIND and QIDO-RS do."""

from typing import Any

from triage.domain.query import understood
from triage.domain.query_keys import QueryLevel
from triage.services.ports import Database
from triage.services.query import Match, find


def ask(
    database: Database, level: str = "STUDY", *, combine: bool = False, limit: Any = None, offset: int = 0, **keys: str
) -> list[Match]:
    """Everything that matches."""
    query = understood(QueryLevel(level), keys, combine=combine)
    return list(find(database, query, limit=limit, offset=offset, retrieve_ae_title="TRIAGE"))


def uids(database: Database, level: str = "STUDY", **options: Any) -> list[str]:
    """The UIDs of what matches."""
    keyword = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID", "PATIENT": "PatientID"}
    return [one.attributes[keyword[level]][0] for one in ask(database, level, **options)]
