"""Time from the C-STORE response to the assessed row, everything running, one film at a time."""

import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmark.receivers import free_port
from triage.dimse.store_scu import Sent, send
from triage.domain.destination import Destination


def measure(home: Path, films: list[Path]) -> list[float]:
    """Milliseconds for each film, by the study's own assessed_at; the next film goes once this one is assessed."""
    dimse_port, web_port = free_port(), free_port()
    command = [sys.executable, "-m", "triage", "serve", "--home", str(home)]
    command += ["--dimse-port", str(dimse_port), "--web-port", str(web_port)]
    service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    web = f"http://127.0.0.1:{web_port}"
    try:
        _until(lambda: bool(_get(f"{web}/readyz").get("ready")))
        token = _token(home)
        took = []
        for number, film in enumerate(films, start=1):
            answered: list[float] = []

            def note(sent: Sent, answered: list[float] = answered) -> None:
                assert sent.ok, sent.comment
                answered.append(time.time())

            send([film], Destination("TRIAGE", "127.0.0.1", dimse_port), "BENCH", note)
            _until(partial(_all_assessed, web, token, number))
            newest = max(_assessed(web, token))
            took.append((newest - answered[0]) * 1000)
        return took
    finally:
        service.terminate()
        service.wait(30)


def line(name: str, took: list[float]) -> str:
    """One line of the table: p50 and p95."""
    ordered = sorted(took)
    return f"| {name} | {len(took)} | {statistics.median(ordered):.0f} | {ordered[int(0.95 * (len(ordered) - 1))]:.0f} |"


def _assessed(web: str, token: str) -> list[float]:
    rows = _get(f"{web}/api/v1/worklist?limit=10000", token)
    return [datetime.fromisoformat(row["assessed_at"]).timestamp() for row in rows if row["assessed_at"]]


def _all_assessed(web: str, token: str, number: int) -> bool:
    return len(_assessed(web, token)) == number


def _token(home: Path) -> str:
    command = [sys.executable, "-m", "triage", "users", "add", "bench", "--role", "service", "--token", "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _get(url: str, token: str = "") -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return {}


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the service did not come to it"
        time.sleep(0.005)
