"""A film that kills the worker each time: set aside after its attempts, named on the list, and no other waits for it."""

from pathlib import Path

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import film, study_uid
from tests.integration.service import until

POISON, OTHERS, ATTEMPTS = 1, 30, 3
DELAYED_AT_MOST = 60.0
QUARANTINED_WITHIN = 120
MARK = "kills the decoder"

# what a decoder written in C does on a crafted film: the process is gone, no exception is raised
SITECUSTOMIZE = f"""
import os, sys
if "worker" in sys.orig_argv:
    import pydicom.filereader as filereader
    read = filereader.read_dataset
    def read_dataset(*arguments, **options):
        dataset = read(*arguments, **options)
        if dataset.get("ImageComments") == {MARK!r}:
            os.abort()
        return dataset
    filereader.read_dataset = read_dataset
"""


def test_a_poison_film_is_quarantined_and_delays_nobody(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    service = serve(network=True, settings={"worker__lease": "3 s"}, environment={"PYTHONPATH": str(tmp_path)})
    poison = study_uid(POISON)

    def others_done() -> int:
        return service.rows("SELECT count(*) AS n FROM study WHERE probability IS NOT NULL")[0]["n"]

    def attempts() -> int:
        return service.rows("SELECT attempts FROM job WHERE study_instance_uid = ?", poison)[0]["attempts"]

    with modality(service.dimse_port) as sender:
        assert sender.store(film(POISON, ImageComments=MARK)) == 0x0000
        for attempt in range(1, ATTEMPTS + 1):  # some films arrive about each death of the worker
            until(lambda attempt=attempt: attempts() >= attempt, QUARANTINED_WITHIN, f"attempt {attempt}")
            first = 2 + (attempt - 1) * OTHERS // ATTEMPTS
            assert {sender.store(film(number)) for number in range(first, first + OTHERS // ATTEMPTS)} == {0x0000}
    until(lambda: others_done() == OTHERS, QUARANTINED_WITHIN, "the other films assessed")
    until(lambda: service.rows("SELECT 1 FROM study WHERE reason = 'quarantined'"), QUARANTINED_WITHIN, "quarantined")

    listed = {row["study_instance_uid"]: row for row in service.worklist()}
    row = listed.pop(poison)
    assert (row["level"], row["reason"], row["probability"]) == ("not_assessed", "quarantined", None)
    assert attempts() == ATTEMPTS
    assert {row["level"] for row in listed.values()} <= {"flagged", "not_flagged"}
    waits = [row["w"] / 1e6 for row in service.rows("SELECT assessed_at - arrived_at AS w FROM study WHERE reason IS NULL")]
    took = service.rows("SELECT assessed_at - arrived_at AS w FROM study WHERE reason IS NOT NULL")[0]["w"] / 1e6
    deaths = service.role("worker")["restarts"]
    print(f"poison: {deaths} deaths, quarantined after {took:.1f} s; {len(waits)} others, slowest {max(waits):.1f} s")
    assert deaths == ATTEMPTS
    assert max(waits) < DELAYED_AT_MOST
    until(lambda: service.readyz().get("ready"), 30, "ready again")
    assert service.verify()["excused"] == 1
    service.stop()
