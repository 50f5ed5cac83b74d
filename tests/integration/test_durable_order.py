"""Success means stored: seen from the kernel's side, and the check is shown to fail on intakes that cheat."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import film
from tests.integration.sabotage import OUT_OF_ORDER
from tests.integration.service import until
from tests.integration.syscalls import OPTIONS, Call, OutOfOrder, check_durable_order, is_success, read

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="no strace: install it (Debian: strace)")


def trace_of_one_store(serve: Serve, folder: Path, *program: str) -> list[Call]:
    """The system calls of an intake that takes one film and stops."""
    trace = folder / "trace.txt"
    service = serve("intake", command=("strace", *OPTIONS, "-o", str(trace), sys.executable, "-m", *program))
    with modality(service.dimse_port) as sender:
        assert sender.store(film(1)) == 0x0000
    until(lambda: service.rows("SELECT 1 FROM instance"), 10, "the row")
    service.stop()
    return read(trace)


def test_file_then_name_then_row_then_answer(serve: Serve, tmp_path: Path) -> None:
    steps = check_durable_order(trace_of_one_store(serve, tmp_path, "triage"))
    print(" → ".join(steps))


@pytest.mark.parametrize("sabotage", [one.__name__ for one in OUT_OF_ORDER])
def test_an_intake_that_cheats_is_caught(serve: Serve, tmp_path: Path, sabotage: str) -> None:
    calls = trace_of_one_store(serve, tmp_path, "tests.integration.sabotage", sabotage)
    assert sum(is_success(call) for call in calls) == 1, "it answered, so it is the order that is judged"
    with pytest.raises(OutOfOrder) as caught:
        check_durable_order(calls)
    print(f"{sabotage}: {caught.value}")
