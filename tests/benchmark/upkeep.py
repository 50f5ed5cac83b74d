"""``python -m tests.benchmark upkeep [--quick]``: what a start, a comparison and a scrub cost of very many small films."""

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path

from tests import films
from tests.unit.database.stores import sql_database
from triage.archive.files import FileArchive
from triage.clock import utc_now
from triage.domain.instance import Facts, Instance
from triage.domain.level import HeadStarts
from triage.domain.study import begin
from triage.services.ports import Database
from triage.services.reconcile import reconcile
from triage.services.scrub import scrub
from triage.services.verify import verify

OBJECTS = 50_000
BATCH = 1000
ROOT = "1.2.826.0.1.3680043.10.511.8"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def made(count: int) -> Iterator[tuple[Instance, bytes]]:
    """Films that differ in their SOP Instance UID, one a study."""
    template = films.film(f"{ROOT}.100000000", f"{ROOT}.100000000.1", rows=16, columns=16)
    for number in range(count):
        content = template.replace(b"100000000", b"%d" % (100_000_000 + number))
        uid = f"{ROOT}.{100_000_000 + number}"
        yield (
            Instance(
                sop_instance_uid=f"{uid}.1",
                sop_class_uid=films.DX,
                series_instance_uid=f"{uid}.1",
                study_instance_uid=uid,
                transfer_syntax_uid=films.EXPLICIT_LITTLE,
                digest=sha256(films.data_set_bytes(content)).hexdigest(),
                size_bytes=len(content),
                calling_ae_title="BENCH",
                received_at=BEGUN + timedelta(seconds=number),
            ),
            content,
        )


def fill(archive: FileArchive, database: Database, count: int) -> None:
    """Straight to their places: how they come in is measured elsewhere."""
    source = made(count)
    while batch := list(islice(source, BATCH)):
        with database.write() as transaction:
            for instance, content in batch:
                archive.path(instance.digest).write_bytes(content)
                transaction.put_study(begin(instance.study_instance_uid, Facts(), instance.received_at, HeadStarts()))
                transaction.add_instance(instance)
                transaction.jobs.enqueue(instance.study_instance_uid, instance.received_at)
    os.sync()


def main(count: int = OBJECTS) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as temporary:
        database = sql_database(Path(temporary))
        archive = FileArchive(Path(temporary) / "instances", 0)
        fill(archive, database, count)
        starts = HeadStarts()
        steps: dict[str, Callable[[], object]] = {
            "start of the intake: reconcile, nothing amiss": lambda: reconcile(archive, database, starts, utc_now),
            "names and rows (the scheduler, every six hours)": lambda: verify(archive, database, reading=False),
            "`triage verify`: every byte": lambda: verify(archive, database),
            "scrub of the whole archive": lambda: scrub(archive, database, starts, utc_now, 1 << 60),
            "peer: `sha256sum` of the same files": lambda: os.system(
                f"find {archive.objects} -type f -exec sha256sum {{}} + > /dev/null"
            ),
        }
        print(f"\n{count} films of about 2 kB, load average {os.getloadavg()[0]:.1f}\n")
        print("| step | seconds | CPU s | peak MB so far |\n|---|---|---|---|")
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |", flush=True)
        database.close()
