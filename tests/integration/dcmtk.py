"""DCMTK's query tools as peers: what they were told, as data sets, and what they were sent, as files."""

import subprocess
import tempfile
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.integration.service import until


def findscu(
    port: int, *keys: str, level: str = "STUDY", root: str = "-S", calling: str = "VIEWER", called: str = "TRIAGE"
) -> list[Dataset]:
    """The answers in their order. ``keys``: ``Keyword`` or ``Keyword=value``."""
    with tempfile.TemporaryDirectory() as folder:
        options = [option for key in (f"QueryRetrieveLevel={level}", *keys) for option in ("-k", key)]
        command = ["findscu", root, "-X", "-od", folder, "-aet", calling, "-aec", called, *options, "127.0.0.1", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return [dcmread(path, force=True) for path in sorted(Path(folder).iterdir())]


def retrieve(tool: str, port: int, folder: Path, *keys: str, level: str = "STUDY", options: tuple[str, ...] = ()) -> str:
    """``getscu`` or ``movescu``; returns what it printed."""
    folder.mkdir(exist_ok=True)
    asked = [option for key in (f"QueryRetrieveLevel={level}", *keys) for option in ("-k", key)]
    command = [tool, "-v", "-S", *options, "-aet", "VIEWER", "-aec", "TRIAGE", *asked, "127.0.0.1", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


class StoreScp:
    """A running ``storescp`` that keeps what it gets bit for bit."""

    def __init__(self, port: int, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.port = folder, port
        command = ["storescp", "+B", "-xcr", "", "+xa", "-aet", "ARCHIVE", "-od", str(folder), str(port)]
        self.process = subprocess.Popen([one for one in command if one not in ("-xcr", "")])

    def __enter__(self) -> "StoreScp":
        def answers() -> bool:
            return subprocess.run(["echoscu", "127.0.0.1", str(self.port)], capture_output=True, check=False).returncode == 0

        until(answers, 20, "storescp answers")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
