"""The service under test: real processes, a home of their own, ports chosen by the system."""

import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from tests.integration import databases
from tests.integration.databases import Row
from triage.bootstrap import open_database
from triage.clock import utc_now
from triage.config import load
from triage.database.passwords import Argon2
from triage.domain.account import Role
from triage.services.accounts import Accounts

ROLES = ("intake", "worker", "web", "scheduler")
START_WITHIN = 60.0
STOP_WITHIN = 40.0
POLL = 0.02
PORTS = {  # several roles: the supervisor's first line; one role: its own log line
    "dimse": re.compile(r'C-STORE to \S+?:(\d+)|"port": (\d+), .*"event": "listening"'),
    "web": re.compile(r'list at \S+?:(\d+)/|"port": (\d+), .*"event": "serving"'),
}

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float, what: str = "", *, every: float = POLL) -> T:
    """The condition's first true value; an assertion error when it has none within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what or getattr(condition, '__name__', condition)}"
        time.sleep(every)
    return value


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Service:
    """``triage serve ROLES``. ``settings``: TRIAGE_… variables without the prefix; ``command``: what runs it."""

    def __init__(
        self,
        home: Path,
        roles: Sequence[str] = ROLES,
        *,
        settings: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "triage"),
    ) -> None:
        self.home, self.roles = home, tuple(roles)
        self.log = home.with_suffix(".log")
        given = {"storage__floor_bytes": "1048576", **(settings or {})}
        own = {f"TRIAGE_{name.upper()}": value for name, value in given.items()}
        self.environment = {**databases.environment(home), **own, **(environment or {})}
        self.database_url = self.environment.get("TRIAGE_DATABASE_URL") or databases.url_of(home)
        self._command = tuple(command)
        self._token = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Service":
        """Start and wait until every role named is at work."""
        begun = int(time.time() * 1e6)
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, "serve", *self.roles, "--home", str(self.home), "--dimse-port", "0", "--web-port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )

        def told(name: str) -> int:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended at once:\n{self.tail()}"
            with self.log.open(encoding="utf-8") as log:
                log.seek(before)
                found = PORTS[name].search(log.read())
            return int(next(filter(None, found.groups()))) if found else 0

        self.dimse_port = until(lambda: told("dimse"), START_WITHIN, "port told") if "intake" in self.roles else 0
        self.web_port = until(lambda: told("web"), START_WITHIN, "port told") if "web" in self.roles else 0
        for role in self.roles:
            until(lambda role=role: self.is_up(role, begun), START_WITHIN, f"{role} up")
        return self

    def is_up(self, role: str, since: int = 0) -> bool:
        """Whether a role beats and, for the web, answers."""
        row = self.role(role)
        up = row is not None and row["state"] == "running" and row["started_at"] >= since and is_alive(row["pid"])
        return bool(up and (role != "web" or self.get("/livez")[0] == 200))

    def role(self, name: str) -> Row | None:
        """A role's last sign of life, as it signs on this node."""
        node = self.environment.get("TRIAGE_NODE", "")
        try:
            rows = self.rows("SELECT * FROM role WHERE role = ?", f"{name}@{node}" if node else name)
        except DBAPIError:  # no database, no table yet, or the server is away
            return None
        return rows[0] if rows else None

    def pid(self, role: str) -> int:
        """The process of a role."""
        row = self.role(role)
        assert row is not None
        return int(row["pid"])

    def rows(self, query: str, *values: Any) -> list[Row]:
        """What the database holds, read from outside the service; ``?`` for each value."""
        return databases.rows(self.database_url, query, *values)

    @property
    def token(self) -> str:
        """A script's token, made when it is first needed."""
        if not self._token:
            self._token = self.another_token("tester")
        return self._token

    def another_token(self, name: str) -> str:
        """The token of a new account for a script, as ``triage users add`` makes one, without a process for it."""
        database = open_database(load(home=self.home, environment=self.environment))
        try:
            accounts = Accounts(database=database, passwords=Argon2(), clock=utc_now, secret=lambda: secrets.token_urlsafe(32))
            accounts.add(name, Role.SERVICE, "test")
            return accounts.issue_token(name, "test")
        finally:
            database.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """GET, with a script's token where one is needed; status 0: nobody answers."""
        public = path in ("/livez", "/readyz", "/sign-in")
        headers = {} if public else {"Authorization": f"Bearer {self.token}"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=10)) as connection:
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                return 0, b""

    def readyz(self) -> dict[str, Any]:
        """``/readyz``, whatever its status; empty: nobody answers."""
        status, body = self.get("/readyz")
        return json.loads(body) | {"status": status} if status else {}

    def worklist(self) -> list[dict[str, Any]]:
        """The unread list, as the API gives it."""
        status, body = self.get("/api/v1/worklist")
        assert status == 200
        rows: list[dict[str, Any]] = json.loads(body)
        return rows

    def triage(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A ``triage`` command on this home; ``given``: its standard input."""
        command = [sys.executable, "-m", "triage", *arguments, "--home", str(self.home)]
        return subprocess.run(
            command, env=self.environment, input=given, capture_output=True, text=True, timeout=120, check=False
        )

    def verify(self) -> dict[str, Any]:
        """``triage verify --json``; fails with the gaps when it does not exit 0."""
        done = self.triage("verify", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        account: dict[str, Any] = json.loads(done.stdout)
        return account

    def stop(self) -> None:
        """SIGTERM; it must drain and exit 0."""
        assert self.process is not None
        # one role runs in the very process that was started, save when strace runs it: that one does not pass signals on
        os.kill(self.pid(self.roles[0]) if len(self.roles) == 1 else self.process.pid, signal.SIGTERM)
        assert self.process.wait(STOP_WITHIN) == 0, self.tail()

    def kill(self) -> None:
        """End it without ceremony, and whatever it started; nothing when it has ended by itself."""
        if self.process is None or self.process.poll() is not None:
            return
        pids = [row["pid"] for row in map(self.role, self.roles) if row is not None]
        for pid in pids if len(self.roles) == 1 else []:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        for pid in pids:
            until(lambda pid=pid: not pid or not is_alive(pid), STOP_WITHIN, "roles end with their supervisor")

    def leftovers(self) -> list[str]:
        """What lies in ``incoming/`` without being received."""
        return sorted(path.name for path in (self.home / "instances/incoming").glob("*.part"))

    def wait_until_empty(self, seconds: float = 10.0) -> bool:
        """Whether ``incoming/`` becomes empty in time."""
        deadline = time.monotonic() + seconds
        while self.leftovers():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def tail(self) -> str:
        """The end of its log."""
        return "".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[-30:])

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one event."""
        lines = (line for line in self.log.read_text(encoding="utf-8").splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, lines) if line.get("event") == event]
