"""``triage serve intake`` again and again, in a quarter of a second: a process of its own, forked where all is imported.

What runs is the command line itself, from ``main()`` on; only the imports are not paid for again.
"""

import multiprocessing
import os
import re
import signal
import sys
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.integration.service import STOP_WITHIN, Service, until

PRELOADED = [
    "triage.cli",
    "triage.bootstrap",
    "triage.bootstrap.intake",
    "triage.dimse.listener",
    "triage.services.housekeeping",
    "tests.integration.sabotage",
]
LISTENING = re.compile(r'"port": (\d+), .*"event": "listening"')
START_WITHIN = 30.0


def _serve(arguments: list[str], settings: dict[str, str], log: str, sabotage: str, patch: str) -> None:
    """What ``python -m triage …`` does, or ``python -m tests.integration.sabotage NAME …``."""
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(settings)
    sys.argv = ["triage", *arguments]
    if sabotage:
        from tests.integration.sabotage import SABOTAGES

        SABOTAGES[sabotage]()
    if patch:
        exec(patch, {})
    from triage.cli import main

    main()


def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


class Intake(Service):
    """An intake on ``home``. ``log``: where, if not beside it.

    ``sabotage``: one of :data:`tests.integration.sabotage.SABOTAGES`; ``patch``: what else is executed before it starts.
    """

    def __init__(
        self,
        home: Path,
        *,
        settings: dict[str, str] | None = None,
        sabotage: str = "",
        patch: str = "",
        log: Path | None = None,
    ) -> None:
        super().__init__(home, ("intake",), settings=settings)
        self.log = log or self.log
        self.sabotage, self.patch = sabotage, patch
        self.child: BaseProcess | None = None

    def start(self) -> "Intake":
        """Start and wait until it listens."""
        before = self.log.stat().st_size if self.log.exists() else 0
        own = {name: value for name, value in self.environment.items() if name.startswith("TRIAGE_")}
        arguments = ["serve", "intake", "--home", str(self.home), "--dimse-port", "0"]
        child = _context().Process(target=_serve, args=(arguments, own, str(self.log), self.sabotage, self.patch))
        child.start()
        self.child = child

        def told() -> int:
            assert child.is_alive(), f"it ended at once ({child.exitcode}):\n{self.tail()}"
            if not self.log.exists():
                return 0
            with self.log.open(encoding="utf-8") as log:
                log.seek(before)
                found = LISTENING.search(log.read())
            return int(found[1]) if found else 0

        self.dimse_port = until(told, START_WITHIN, "port told", every=0.005)
        return self

    @property
    def number(self) -> int:
        """Its process."""
        assert self.child is not None
        assert self.child.pid is not None
        return self.child.pid

    def alive(self) -> bool:
        return self.child is not None and self.child.is_alive()

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.number, number)

    def wait(self, seconds: float = STOP_WITHIN) -> int | None:
        """Its exit code; ``None``: it lives on."""
        assert self.child is not None
        self.child.join(seconds)
        return self.child.exitcode

    def stop(self) -> None:
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, self.tail()

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child.join()

    def restart(self) -> "Intake":
        """``kill -9``, then a new one."""
        self.kill()
        return self.start()
