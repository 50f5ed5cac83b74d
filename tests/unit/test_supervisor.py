"""The supervisor with tiny real child processes."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

from triage.supervisor import EXIT_CONFIGURATION, Supervisor, _Role

WAIT_FOR_TERM = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up', flush=True); signal.pause()"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def supervise(
    commands: dict[str, Callable[[int], list[str]]], stop_after: int = 0
) -> tuple[int, list[tuple[str, int, int]], threading.Event]:
    """Run until ``stop_after`` deaths were told; returns exit code and deaths."""
    stop, deaths = threading.Event(), []

    def died(role: str, exit_code: int, restarts: int) -> None:
        deaths.append((role, exit_code, restarts))
        if len(deaths) == stop_after:
            stop.set()

    code = Supervisor(list(commands), lambda role, restarts: commands[role](restarts), died).run(stop)
    return code, deaths, stop


def test_a_role_that_dies_is_started_again_and_told_how_often(tmp_path: Path) -> None:
    code, deaths, _ = supervise(
        {"web": lambda restarts: python(f"open({str(tmp_path / 'starts')!r}, 'a').write('{restarts} '); exit(3)")}, stop_after=2
    )
    assert code == 0
    assert deaths == [("web", 3, 1), ("web", 3, 2)]
    assert (tmp_path / "starts").read_text().split() == ["0", "1"]


def test_a_role_killed_by_a_signal_is_started_again() -> None:
    code, deaths, _ = supervise({"worker": lambda _: python("import os; os.kill(os.getpid(), 9)")}, stop_after=1)
    assert (code, deaths) == (0, [("worker", -9, 1)])


def test_one_roles_death_leaves_the_others_alone(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    steady = f"open({str(starts)!r}, 'a').write('x'); {WAIT_FOR_TERM}"
    _, deaths, _ = supervise({"intake": lambda _: python(steady), "worker": lambda _: python("exit(1)")}, stop_after=2)
    assert {role for role, _, _ in deaths} == {"worker"}
    assert starts.read_text() in ("", "x")


def test_a_role_that_cannot_be_configured_ends_all(tmp_path: Path) -> None:
    code, deaths, stop = supervise(
        {"web": lambda _: python(f"exit({EXIT_CONFIGURATION})"), "intake": lambda _: python(WAIT_FOR_TERM)}
    )
    assert (code, deaths, stop.is_set()) == (78, [], False)


def test_a_role_that_cannot_be_configured_at_a_restart_leaves_the_others_alone() -> None:
    code, deaths, _ = supervise(
        {
            "web": lambda restarts: python(f"exit({EXIT_CONFIGURATION if restarts else 1})"),
            "intake": lambda _: python(WAIT_FOR_TERM),
        },
        stop_after=2,
    )
    assert code == 0
    assert deaths == [("web", 1, 1), ("web", EXIT_CONFIGURATION, 2)]


def test_the_wait_before_a_restart_doubles_up_to_a_limit() -> None:
    role = _Role("web")
    told = Supervisor([], lambda *_: python("exit(1)"), lambda *_: None)
    waits = []
    for _ in range(8):
        told._start(role)
        assert role.process is not None
        role.process.wait()
        told._watch(role)
        waits.append(role.backoff)
    assert waits == [0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


def test_stopping_ends_every_role_with_sigterm(tmp_path: Path) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    role_code = f"""
        import os, signal, sys
        told = os.open({str(told)!r}, os.O_WRONLY)
        signal.signal(signal.SIGTERM, lambda *_: (os.write(told, b"drained\\n"), sys.exit(0)))
        os.write(told, b"up\\n")  # one write: two roles' lines cannot mix
        signal.pause()
    """
    stop, codes = threading.Event(), []
    watched = Supervisor(["one", "two"], lambda *_: python(textwrap.dedent(role_code)), lambda *_: None)
    thread = threading.Thread(target=lambda: codes.append(watched.run(stop)))
    thread.start()
    with told.open() as heard:
        assert [heard.readline().strip() for _ in range(2)] == ["up", "up"]
        stop.set()
        assert heard.read().split() == ["drained", "drained"]
    thread.join()
    assert codes == [0]


def test_the_roles_end_when_the_supervisor_is_killed() -> None:
    child = """
        import os
        from triage.supervisor import stop_event
        stop = stop_event(supervised=True)
        os.write(1, b"%d\\n" % os.getpid())
        stop.wait()
        os.write(1, b"ended\\n")
    """
    parent = f"""
        import sys, threading
        from triage.supervisor import Supervisor
        child = {textwrap.dedent(child)!r}
        Supervisor(["one", "two"], lambda *_: [sys.executable, "-c", child], lambda *_: None).run(threading.Event())
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(parent)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()) for _ in range(2)]
        process.kill()
        try:
            # the roles hold the other end of this pipe: it is read to its end only when both are gone
            assert process.communicate(timeout=30)[0].split() == ["ended", "ended"]
        except subprocess.TimeoutExpired:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            raise
