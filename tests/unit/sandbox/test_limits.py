"""What a child may not do, tried from inside one; its server is the real one but for the tasks."""

import os
import platform
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.service import until
from tests.unit.sandbox.servers import server
from triage.sandbox import refused
from triage.sandbox.child import Child
from triage.sandbox.limits import FILES, PROTECTIONS, RESOURCES, SYSTEM_CALLS

TRY = """
def attempt(what):
    try:
        what()
    except OSError as error:
        return error.errno
    return 0
"""
IMPOSSIBLE = {
    "a socket": "socket.socket()",
    "a unix socket": "socket.socketpair()",
    "reading a file": "open('/etc/passwd')",
    "reading by a descriptor of a folder": "os.open('.', os.O_RDONLY)",
    "itself, over again": "os.open('/proc/self/fd/0', os.O_RDONLY)",
    "writing a file": "open(question['folder'] + '/written', 'w')",
    "a folder": "os.mkdir(question['folder'] + '/made')",
    "removing": "os.unlink(question['folder'] + '/kept')",
    "renaming": "os.rename(question['folder'] + '/kept', question['folder'] + '/moved')",
    "the rights of what is open": "os.fchmod(fd_of(tell), 0o777)",
    "a program": "os.execv('/bin/true', ['true'])",
    "a process": "os.fork()",
    "a shell": "subprocess.run(['true'])",
    "memory in a file": "os.memfd_create('x')",
    "killing the server": "os.kill(os.getppid(), signal.SIGKILL)",
    "killing a group": "os.kill(0, signal.SIGTERM)",
    "killing all": "os.kill(-1, signal.SIGTERM)",
    "looking into others": "os.pidfd_open(os.getppid())",
    "more memory": "resource.prlimit(0, resource.RLIMIT_AS, (1 << 40, 1 << 40))",
    "limits of others": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
}


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    tries = "\n".join(f"told[{name!r}] = attempt(lambda: {code})" for name, code in IMPOSSIBLE.items())
    child = Child(
        20,
        1 << 20,
        server(
            limits="Limits(memory_bytes=1 << 29)",
            all=f"{TRY}\ntold = {{}}\n{tries}\ntell({{'told': told, 'protections': question['protections']}}, [])",
            thread="threading.Thread(target=print).start()",
            memory="tell({'had': True}, [])\nbytearray(1 << 29)",
            spins="while True: pass",
            linger="os.closerange(3, 100)\nwhile True: pass",
        ),
    )
    yield child
    child.close()


def ask(child: Child, what: str, seconds: float | None = None, **question: Any) -> dict[str, Any]:
    return child.ask({"do": what, **question}, b"film", lambda answer, _: answer, seconds)


def in_force(child: Child) -> list[str]:
    protections: list[str] = ask(child, "all", folder="/nonexistent")["protections"]
    return protections


def test_every_protection_is_in_force_on_the_machine_that_tests(child: Child) -> None:
    found = set(in_force(child))
    assert RESOURCES in found
    missing = set(PROTECTIONS) - found
    if missing:
        pytest.skip(f"this kernel has no {', '.join(sorted(missing))}")


def test_nothing_is_to_be_had(child: Child, tmp_path: Path) -> None:
    if SYSTEM_CALLS not in in_force(child):
        pytest.skip("this kernel has no seccomp filter")
    (tmp_path / "kept").write_bytes(b"kept")
    told = ask(child, "all", folder=str(tmp_path))["told"]
    assert [name for name in IMPOSSIBLE if not told[name]] == []
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_files_stay_shut_without_the_system_call_filter(tmp_path: Path) -> None:
    """Landlock and the limits hold by themselves."""
    code = f"import triage.sandbox.refused as r\nr.refuse = lambda libc: False\n{TRY}"
    (tmp_path / "kept").write_bytes(b"kept")
    names = ("reading a file", "itself, over again", "writing a file", "a folder", "removing", "renaming", "memory in a file")
    tries = "\n".join(f"told[{name!r}] = attempt(lambda: {IMPOSSIBLE[name]})" for name in names)
    told_by = f"told = {{}}\n{TRY}\n{tries}\ntell({{'told': told, 'protections': question['protections']}}, [])"
    command = server(all=told_by)
    child = Child(20, 1 << 20, (*command[:2], f"{code}\n{command[2]}"))
    answer = child.ask({"do": "all", "folder": str(tmp_path)}, b"", lambda answer, _: answer)
    child.close()
    assert SYSTEM_CALLS not in answer["protections"]
    if FILES not in answer["protections"]:
        pytest.skip("this kernel has no Landlock")
    assert [name for name in names if not answer["told"][name]] == []


def test_memory_beyond_the_cap_costs_the_child(child: Child) -> None:
    assert ask(child, "memory") == {"had": True, "reason": "cannot_decode"}


def test_threads_are_not_to_be_had(child: Child) -> None:
    if SYSTEM_CALLS not in in_force(child):
        pytest.skip("this kernel has no seccomp filter")
    assert ask(child, "thread") == {"reason": "cannot_decode"}


def test_processor_time_is_bounded_even_where_nobody_looks_at_the_clock() -> None:
    code = "import triage.sandbox.server as s\nreal = s.confine\ns.confine = lambda limits, _, parent: real(limits, 1, parent)"
    command = server(spins="while True: pass")
    slow = Child(600, 1 << 20, (*command[:2], f"{code}\n{command[2]}"))
    with capture_logs() as lines:
        assert slow.ask({"do": "spins"}, b"", lambda answer, _: answer) == {"reason": "timed_out"}
    assert [(line["late"], line["signal"]) for line in lines] == [(False, signal.SIGXCPU)]
    slow.close()


def test_a_child_that_hides_its_life_is_ended(child: Child) -> None:
    answer = ask(child, "linger")
    assert answer == {"reason": "cannot_decode"}
    assert child.pid is not None
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    until(lambda: not children.read_text().strip(), 5, "no child lives on")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of this machine's headers are of another column")
def test_the_numbers_are_those_of_the_kernel_headers() -> None:
    headers = [path for path in map(Path, HEADERS) if path.is_file()]
    if not headers:
        pytest.skip("no kernel headers here")
    defined = dict(line.split()[1:3] for line in headers[0].read_text().splitlines() if line.startswith("#define __NR_"))
    for name, (number, _) in {**refused.REFUSED, **refused.SIGNALS}.items():
        if f"__NR_{name}" in defined:
            assert int(defined[f"__NR_{name}"]) == number, name


HEADERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h")


def test_the_service_itself_is_not_bound() -> None:
    with open(os.devnull, "rb") as opened:
        assert opened.read() == b""
