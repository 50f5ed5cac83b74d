"""The DICOM port is opened by somebody else, as systemd does: who calls while nobody is there yet, or no more, is answered."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import postgres
from tests.integration.service import Service, until

ACTIVATE = shutil.which("systemd-socket-activate")
ECHO = shutil.which("echoscu")
pytestmark = [pytest.mark.soak, pytest.mark.skipif(not (ACTIVATE and ECHO), reason="needs systemd-socket-activate and echoscu")]


def test_who_calls_is_answered(tmp_path: Path) -> None:
    assert ACTIVATE is not None
    assert ECHO is not None
    port = postgres.free_port()
    command = (ACTIVATE, f"--listen=127.0.0.1:{port}", "--fdname=dicom", sys.executable, "-m", "triage")
    command = (*command[:3], *(f"--setenv={name}" for name in ("PATH", "PYTHONPATH") if name in os.environ), *command[3:])
    service = Service(tmp_path / "home", command=command)
    service.home.mkdir()

    def echo() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([str(ECHO), "-to", "60", "-ta", "60", "-aec", "TRIAGE", "127.0.0.1", str(port)])

    try:
        first = echo()  # the service is started by this very connection
        service.start()
        assert first.wait(60) == 0
        assert service.dimse_port == port
        before = service.pid("intake")
        os.kill(before, signal.SIGKILL)
        second = echo()  # nobody accepts now, and nobody refuses either
        assert second.wait(60) == 0
        until(lambda: service.pid("intake") != before, 30, "another intake")
        service.stop()
    finally:
        service.kill()
