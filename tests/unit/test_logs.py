"""What a log must not do: stop the process, or tell what a library quoted."""

import subprocess
import sys
from pathlib import Path

import pytest

TALK = "from triage.logs import configure; import structlog, logging; configure('intake'); "
FULL = Path("/dev/full")


def test_a_log_that_cannot_be_written_does_not_stop_the_process() -> None:
    if not FULL.exists():
        pytest.skip("no /dev/full here")
    with FULL.open("wb") as full:
        code = TALK + "structlog.get_logger().info('hello'); logging.getLogger('library').error('hello'); print('alive')"
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (0, b"alive\n")


def test_a_library_message_is_not_repeated() -> None:
    code = TALK + "logging.getLogger('library').error('Doe^Jane')"
    told = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=True).stderr
    assert b'"library": "library"' in told
    assert b"Jane" not in told
