"""``python -m tests.benchmark query [STUDIES]``: what queries cost on a long list, and what a film pays at its receipt."""

import resource
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from itertools import islice
from pathlib import Path

from tests.films import film
from tests.unit.database.stores import sql_database
from tests.unit.domain import make
from triage.database.engine import SqlDatabase
from triage.dimse.identifier import Identifier, answer
from triage.dimse.query_models import MODELS
from triage.domain.query import understood
from triage.domain.query_keys import QueryLevel
from triage.imaging.header import read_header
from triage.services.query import find

STUDIES = 100_000
QUERIES: dict[str, dict[str, str]] = {
    "one study by its UID": {"StudyInstanceUID": "1.2.50000"},
    "one patient by ID": {"PatientID": "P50000"},
    "one accession number": {"AccessionNumber": "A50000"},
    "one day of 500 studies": {"StudyDate": "20260101"},
    "names that begin so (1 in 1000)": {"PatientName": "doe^7*7*7*"},
    "a hostile wild card": {"PatientName": "*a" * 100},
    "everything": {},
}


def main(studies: int = STUDIES) -> None:
    """Fill, measure, print Markdown."""
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as folder:
        database = sql_database(Path(folder))
        fill(database, studies)
        print(f"\n| query of {studies:,} studies | matches | first ms | all ms | MB more |\n|---|---|---|---|---|")
        for name, keys in QUERIES.items():
            print(line(database, name, keys), flush=True)
        database.close()
    header = BytesIO(film(StudyDate="20260101", StudyTime="101112", SeriesNumber=1, InstanceNumber=1, InstitutionName="H"))
    print(f"\nheader of a film: {best(lambda: header.seek(0) or read_header(header)):.0f} µs")
    print(f"largest process: {largest()} MB")


def fill(database: SqlDatabase, studies: int) -> None:
    """Studies of one film each, half of them read: as many as there are in a year."""
    told = dict(attributes_of_film())
    for first in range(0, studies, 2000):
        with database.write() as tx:
            for number in range(first, min(first + 2000, studies)):
                uid = f"1.2.{number}"
                study = make.study(uid, make.NOW + timedelta(minutes=number))
                tx.put_study(study)
                instance = make.instance(uid, 1, study.arrived_at)
                tx.add_instance(instance)
                day = f"2026{1 + number // 500 // 28 % 12:02}{1 + number // 500 % 28:02}"
                own = {
                    "PatientID": f"P{number}",
                    "PatientName": f"Doe^{number}",
                    "AccessionNumber": f"A{number}",
                    "StudyDate": day,
                }
                tx.queries.put_attributes(instance.sop_instance_uid, told | {name: (value,) for name, value in own.items()})


def attributes_of_film() -> dict[str, tuple[str, ...]]:
    """What a header tells."""
    return dict(read_header(BytesIO(film(StudyTime="101112", SeriesNumber=1, InstanceNumber=1, Manufacturer="M"))).attributes)


def line(database: SqlDatabase, name: str, keys: dict[str, str]) -> str:
    """A row of the table."""
    model = next(iter(MODELS.values()))
    asked = Identifier(QueryLevel.STUDY, {**keys, "PatientName": "", "StudyDate": "", "StudyInstanceUID": ""})
    syntax = "1.2.840.10008.1.2"
    before, begun = largest(), time.perf_counter()
    found = (answer(asked, one.attributes, model, syntax) for one in find(database, understood(QueryLevel.STUDY, keys)))
    first = len(list(islice(found, 1)))
    first_at = time.perf_counter() - begun
    matches = first + sum(1 for _ in found)
    whole = time.perf_counter() - begun
    return f"| {name} | {matches:,} | {first_at * 1e3:.0f} | {whole * 1e3:.0f} | {largest() - before} |"


def largest() -> int:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def best(step: Callable[[], object], rounds: int = 500) -> float:
    """Microseconds of the first quarter."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        step()
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[rounds // 4] * 1e6
