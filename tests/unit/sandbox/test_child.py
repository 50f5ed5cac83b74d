"""A child that was taken over, or is broken, costs its film; a server that dies costs nobody anything."""

import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.integration.service import is_alive, until
from tests.unit.sandbox.servers import server
from triage.domain.errors import DeadlyFilm, FilmsUnavailable, PixelError
from triage.domain.reason import Reason
from triage.sandbox.child import Child

BEHAVIOURS: dict[str, tuple[str, Reason]] = {
    "dawdles": ("time.sleep(60)", Reason.TIMED_OUT),
    "spins": ("while True: pass", Reason.TIMED_OUT),
    "aborts": ("os.abort()", Reason.CANNOT_DECODE),
    "steps into nothing": ("ctypes.string_at(0)", Reason.CANNOT_DECODE),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", Reason.CANNOT_DECODE),
    "ends at once": ("os._exit(0)", Reason.CANNOT_DECODE),
    "ends with a code": ("os._exit(3)", Reason.CANNOT_DECODE),
    "raises": ("raise ZeroDivisionError", Reason.CANNOT_DECODE),
    "has no stack left": ("def deeper(): deeper()\ndeeper()", Reason.CANNOT_DECODE),
    "wants too much memory": ("bytearray(1 << 36)", Reason.CANNOT_DECODE),
    "says an unknown reason": ("tell({'reason': 'nothing'}, [])", Reason.CANNOT_DECODE),
    "says a list": ("raw(tell, b'[]\\n')", Reason.CANNOT_DECODE),
    "says nothing of use": ("tell({}, [])", Reason.CANNOT_DECODE),
    "stops halfway": ("raw(tell, b'{\"sizes\": [9, 9]}\\n123')", Reason.CANNOT_DECODE),
    "nests without end": ("raw(tell, b'[' * 4000 + b'\\n')", Reason.CANNOT_DECODE),
    "talks nonsense": ("raw(tell, b'no json\\n')", Reason.CANNOT_DECODE),
    "never ends its line": ("raw(tell, b'x' * 100_000)", Reason.CANNOT_DECODE),
    "says too many things": ("raw(tell, b'{}\\n' * 5)\ntell({'pid': 1, 'server': 1}, [b'film'])", Reason.CANNOT_DECODE),
    "floods": ("while True: raw(tell, b'\\0' * 1_000_000)", Reason.CANNOT_DECODE),
    **{
        f"announces {sizes}": (f'raw(tell, b\'{{"facts": {{}}, "sizes": {sizes}}}\\n\')', Reason.CANNOT_DECODE)
        for sizes in ("[-1]", "[true, 1]", "[1.5]", '"99"', "{}", "null", "[1e99]", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]")
    },
}

NAMES = {behaviour: re.sub(r"\W", "_", behaviour) for behaviour in BEHAVIOURS}
GOOD = "tell({'pid': os.getpid(), 'server': os.getppid()}, [film.read()])"


def understand(answer: dict[str, Any], parts: list[bytes]) -> tuple[dict[str, Any], bytes]:
    """As the callers do: a reason is raised, anything else must be there."""
    if "reason" in answer:
        raise PixelError(Reason.from_code(answer["reason"]))
    (data,) = parts
    return {"pid": answer["pid"], "server": answer["server"]}, data


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    tasks = {NAMES[behaviour]: body for behaviour, (body, _) in BEHAVIOURS.items()}
    complains = "tell({'goes_to': os.fstat(2).st_rdev}, [])"
    child = Child(20, 1 << 20, server(good=GOOD, complains=complains, **tasks))
    yield child
    child.close()


def good(child: Child, film: Any = b"film") -> dict[str, Any]:
    told, data = child.ask({"do": "good"}, film, understand)
    assert data == b"film"
    return told


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_child_that_fails_costs_one_film_only(child: Child, behaviour: str) -> None:
    _, reason = BEHAVIOURS[behaviour]
    with pytest.raises(PixelError) as caught:
        child.ask({"do": NAMES[behaviour]}, b"film", understand, 0.3 if reason is Reason.TIMED_OUT else None)
    assert caught.value.reason is reason
    good(child)


def test_each_film_has_a_child_of_its_own_and_no_child_is_left(child: Child) -> None:
    told = [good(child) for _ in range(5)]
    assert len({one["pid"] for one in told}) == 5
    assert {one["server"] for one in told} == {child.pid}
    assert not any(is_alive(one["pid"]) for one in told)


def test_a_film_is_read_from_its_first_byte_wherever_it_stands(child: Child, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"film")
    with (tmp_path / "film").open("rb") as film:
        assert film.read(3) == b"fil"
        good(child, film)
    memory = BytesIO(b"film")
    memory.seek(2)
    good(child, memory)


def test_what_a_crashing_child_said_before_is_kept() -> None:
    child = Child(20, 1000, server(tags="tell({'by_tags': 'x'}, [b'1'])\nraw(tell, b'{\"begun')\nos.abort()"))
    answer = child.ask({"do": "tags"}, b"", lambda answer, parts: (answer, parts))
    assert answer == ({"by_tags": "x", "reason": "cannot_decode"}, [b"1"])
    child.close()


def test_a_server_killed_between_two_films_is_replaced(child: Child) -> None:
    before = good(child)["server"]
    os.kill(before, signal.SIGKILL)
    assert good(child)["server"] != before


def test_a_server_killed_in_the_middle_of_a_film_is_replaced_and_the_film_asked_again(tmp_path: Path) -> None:
    # the first child ends its server and waits to go with it; the second finds the mark
    mark = tmp_path / "mark"
    mark.write_bytes(b"")
    body = "tell({'pid': os.getpid()}, [])\nif not film.read(): time.sleep(60)\ntell({'second': True}, [])"
    child = Child(30, 1000, server(waits=body))
    child.start()
    first = child.pid
    assert first is not None
    with mark.open("rb") as film:
        asked: list[Any] = []
        thread = threading.Thread(
            target=lambda: asked.append(child.ask({"do": "waits"}, film, lambda answer, _: answer)), daemon=True
        )
        thread.start()
        grandchild = until(lambda: children(first), 20, "a child at work")[0]
        mark.write_bytes(b"second time")
        os.kill(first, signal.SIGKILL)
        thread.join(20)
    assert asked[0]["second"]
    assert child.pid != first
    until(lambda: not is_alive(grandchild), 5, "the child goes with its server")
    child.close()


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def test_a_server_that_hangs_is_replaced() -> None:
    child = Child(20, 1000, server(good=GOOD), grace_seconds=0.2)
    hung = good(child)["server"]
    os.kill(hung, signal.SIGSTOP)
    with pytest.raises(PixelError) as caught:
        child.ask({"do": "good"}, b"film", understand, 0.1)
    assert caught.value.reason is Reason.TIMED_OUT
    assert good(child)["server"] != hung
    child.close()


def test_a_server_that_does_not_start_is_no_fault_of_the_film() -> None:
    for command in (("false",), ("echo", "no json")):
        with pytest.raises(FilmsUnavailable):
            Child(20, 1000, command).ask({"do": "good"}, b"", understand)


def test_a_program_that_is_not_there_is_no_fault_of_the_film() -> None:
    child = Child(20, 1000, ("/nowhere/to/be/found",))
    with pytest.raises(FilmsUnavailable):
        child.ask({"do": "good"}, b"", understand)
    with pytest.raises(FilmsUnavailable):
        child.start()


def test_without_descriptors_no_film_is_at_fault(child: Child) -> None:
    server_pid = good(child)["server"]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    film = os.memfd_create("film")
    os.write(film, b"film")
    with os.fdopen(film, "rb") as opened:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
            for given in (b"film", opened):  # no memory for the film's bytes; no pipe for the answer
                with pytest.raises(FilmsUnavailable):
                    child.ask({"do": "good"}, given, understand)
            with pytest.raises(FilmsUnavailable):
                Child(20, 1000, server(good=GOOD)).ask({"do": "good"}, opened, understand)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert good(child, opened)["server"] == server_pid, "the server had no part in it"


def test_a_server_that_cannot_fork_says_so_and_lives() -> None:
    # a limit on processes does not bind root, as whom tests may run: so the server's fork refuses by itself
    command = server(good=GOOD)
    refusing = "import errno, os\ndef fork(): raise BlockingIOError(errno.EAGAIN, 'no process')\nos.fork = fork\n"
    child = Child(20, 1000, (*command[:2], refusing + command[2]))
    pids = set()
    for _ in range(2):
        with pytest.raises(FilmsUnavailable):
            child.ask({"do": "good"}, b"film", understand)
        pids.add(child.pid)
    assert len(pids) == 1
    assert None not in pids
    child.close()


DIES = "import os, triage.sandbox.server as module\nreal = module._apart\n"
DEADLY = (
    DIES
    + "def apart(tasks, question, film, *rest):\n    if {when}: os.abort()\n    return real(tasks, question, film, *rest)\n"
)


@pytest.mark.parametrize(
    ("when", "error"), [("True", FilmsUnavailable), ("os.fstat(film).st_size", DeadlyFilm)], ids=["every film", "this film"]
)
def test_servers_that_die_are_held_against_a_film_only_if_they_live_without_it(when: str, error: type[Exception]) -> None:
    command = server(good=GOOD)
    child = Child(20, 1000, (*command[:2], DEADLY.format(when=when) + "module._apart = apart\n" + command[2]))
    with pytest.raises(error):
        child.ask({"do": "good"}, b"film", understand)
    child.close()


def test_a_service_that_ends_holds_nothing_against_the_film_at_hand() -> None:
    child = Child(60, 1000, server(waits="time.sleep(60)"))
    child.start()
    pid = child.pid
    assert pid is not None
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            child.ask({"do": "waits"}, b"film", understand)
        except (FilmsUnavailable, PixelError) as error:
            raised.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    until(lambda: children(pid), 60, "a child at work")
    child.close()
    thread.join(20)
    assert [type(error) for error in raised] == [FilmsUnavailable]


@pytest.mark.parametrize("asks", [False, True])
def test_a_server_that_does_not_start_says_why(asks: bool) -> None:
    traceback = "import os\nos.write(2, b'x' * 100_000 + b'\\n')\nraise ImportError('libdecoder.so.7: no such file')"
    child = Child(20, 1000, (sys.executable, "-c", traceback))
    for _ in range(2):
        with pytest.raises(FilmsUnavailable, match=r"does not start: ImportError: libdecoder\.so\.7: no such file$"):
            child.ask({"do": "good"}, b"", understand) if asks else until(child.ready, 20, "it says why not")
    assert child.pid is None


def test_a_server_says_when_it_is_ready() -> None:
    child = Child(20, 1000, server(good=GOOD))
    assert not child.ready()
    until(child.ready, 20, "it is ready")
    assert child.pid == good(child)["server"]
    os.kill(good(child)["server"], signal.SIGKILL)
    until(lambda: not child.ready(), 5, "its death is noticed")
    until(child.ready, 20, "another is ready")
    child.close()


def test_what_a_decoder_complains_of_is_kept_nowhere(child: Child) -> None:
    told = child.ask({"do": "complains"}, b"film", lambda answer, _: answer)
    assert told == {"goes_to": os.stat(os.devnull).st_rdev}


def test_a_server_ends_when_nobody_can_ask_it_any_more() -> None:
    alone = Child(20, 1000, server(good=GOOD))
    alone.start()
    server_pid = alone.pid
    assert server_pid is not None
    assert alone._server is not None
    alone._server.wait_until_ready()
    alone._server.control.close()
    until(lambda: alone._server is not None and alone._server.process.poll() == 0, 20, "the server ends by itself")
    alone.close()


def test_signals_to_a_service_group_do_not_break_a_film(child: Child) -> None:
    server_pid = good(child)["server"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(server_pid, number)
    assert good(child)["server"] == server_pid
    assert os.getpgid(server_pid) != os.getpgid(0)


def test_no_secret_of_the_service_is_in_the_server(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_OIDC__CLIENT_SECRET", "secret-canary")
    fresh = Child(20, 100_000, server(good="tell({'pid': 1, 'server': 1}, [repr(dict(os.environ)).encode()])"))
    _, environment = fresh.ask({"do": "good"}, b"", understand)
    assert b"secret-canary" not in environment
    descriptors = os.listdir(f"/proc/{fresh.pid}/fd")
    assert len(descriptors) == 3, "its socket, and nothing of ours"
    fresh.close()
