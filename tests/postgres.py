"""A real PostgreSQL for tests: started on a free port in a folder of its own, and stopped at the end.

Debian puts its programs where only the version tells; the server refuses to run as root, so it runs as Debian's user for it.
"""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg

USER = "postgres"
_NUMBER = count(1)


def programs() -> Path | None:
    """Where ``initdb`` and ``pg_ctl`` lie; ``None``: PostgreSQL is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("pg_ctl")
    return debian[-1].parent if debian else Path(found).resolve().parent if found else None


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Server:
    """One server. ``address``: where it listens; ``subnet``: who is let in from there; ``settings``: lines of its own."""

    initdb: tuple[str, ...] = ()
    """More options for ``initdb``."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", subnet: str = "", settings: str = "") -> None:
        tools = programs()
        assert tools is not None
        self.tools, self.folder, self.port, self.address = tools, folder / "data", free_port(), address
        self.as_user = USER if os.getuid() == 0 else None
        if self.as_user:
            shutil.chown(folder, USER)
        self.make()
        with (self.folder / "postgresql.conf").open("a") as lines:
            lines.write(f"port={self.port}\nlisten_addresses='{address}'\nunix_socket_directories=''\nmax_connections=200\n")
            lines.write(settings)
        with (self.folder / "pg_hba.conf").open("a") as admitted:
            admitted.write(f"host all all {subnet} trust\n" if subnet else "")
        self.start()

    def make(self) -> None:
        """Its data folder."""
        how = ("--locale=C", "--encoding=UTF8", "--auth=trust")
        self.run("initdb", *how, *self.initdb, f"--username={USER}", "-D", str(self.folder))

    def run(self, program: str, *arguments: str) -> None:
        """One of its programs, as its user."""
        home = str(self.folder.parent)
        command = [str(self.tools / program), *arguments]
        done = subprocess.run(command, user=self.as_user, cwd=home, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{program}: {done.stdout[-500:]}{done.stderr[-500:]}"

    def start(self) -> None:
        """Start, and return once it answers."""
        log = str(self.folder.parent / "log")
        with open(os.devnull) as nothing:  # pg_ctl's child keeps what it was given
            command = [str(self.tools / "pg_ctl"), "-D", str(self.folder), "-l", log, "-w", "start"]
            subprocess.run(command, user=self.as_user, cwd=self.folder.parent, stdout=nothing.fileno(), check=True, timeout=120)

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` is as a crash: nothing is written any more, the next start recovers."""
        self.run("pg_ctl", "-D", str(self.folder), "-m", mode, "-w", "stop")

    @property
    def pid(self) -> int:
        """The server's first process."""
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    def url(self, name: str, user: str = USER) -> str:
        """The URL of one of its databases."""
        return f"postgresql://{user}@{self.address}:{self.port}/{name}"

    def say(self, statement: str) -> None:
        """One statement outside any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def asked(self, query: str) -> int:
        """A number that its own database tells."""
        with psycopg.connect(self.url("postgres")) as connection:
            found = connection.execute(query.encode()).fetchone()
        return int(found[0]) if found else 0

    def create(self, template: str = "template0") -> str:
        """The URL of a new database."""
        name = f"triage_{next(_NUMBER)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def owned(self, user: str = "triage") -> str:
        """The URL of a new database for one who owns it and has no other right, as ``docs/postgresql.md`` makes it."""
        with psycopg.connect(self.url("postgres")) as connection:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone() is None:
                connection.execute(f"CREATE ROLE {user} LOGIN".encode())
        name = f"triage_{next(_NUMBER)}"
        self.say(f"CREATE DATABASE {name} OWNER {user} TEMPLATE template0")
        return self.url(name, user)


@contextmanager
def server(
    address: str = "127.0.0.1", subnet: str = "", settings: str = "", kind: "Callable[..., Server]" = Server
) -> Iterator[Server]:
    """A server of one's own, to be killed and stopped at will. ``kind``: what makes it, if not :class:`Server`."""
    with tempfile.TemporaryDirectory(prefix="triage-postgres-", ignore_cleanup_errors=True) as folder:
        if os.getuid() == 0:
            os.chmod(folder, 0o755)
        one = kind(Path(folder), address, subnet, settings)
        try:
            yield one
        finally:
            if (one.folder / "postmaster.pid").exists():
                one.stop()


@cache
def shared() -> Server:
    """This process's server, until it ends."""
    started = server()
    one = started.__enter__()
    atexit.register(started.__exit__, None, None, None)
    return one


def has_user() -> bool:
    """Whether the server can be run: not as root, or as Debian's user."""
    try:
        return os.getuid() != 0 or pwd.getpwnam(USER) is not None
    except KeyError:
        return False


INSTALLED = programs() is not None and has_user()
