"""The fork server: libraries are loaded once; for each question a child is forked that answers it and is gone.

It is a program of its own (:mod:`triage.sandbox.__main__`), so that no connection, lock or thread of the service is in it. Its
standard input is the socket on which it is asked; when nobody holds the other end any more, it ends, and the child with it.
"""

import gc
import mmap
import os
import select
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, BinaryIO, cast

from triage.domain.errors import AssessmentError
from triage.domain.reason import Reason
from triage.sandbox.limits import LIMITS, Limits, c_library, confine, confine_for_good
from triage.sandbox.wire import message, receive, send, write

Tell = Callable[[Mapping[str, Any], Sequence[bytes | memoryview]], None]
Task = Callable[[dict[str, Any], BinaryIO, Tell], None]
"""(question, film from its first byte, says something) → nothing. May raise anything, or not come back."""


def serve(tasks: Mapping[str, Task], limits: Limits = LIMITS, *, forks: bool = True) -> None:
    """Answer questions until nobody asks any more. Without ``forks`` the process itself answers them all."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they mean the service, which drains and then closes the socket
    silence = os.open(os.devnull, os.O_WRONLY)  # while files can be opened
    if not forks:
        confine_for_good(limits)
    c_library()
    gc.collect()
    gc.freeze()  # a child that collects garbage would copy pages for nothing
    control = socket.socket(fileno=0)
    os.dup2(silence, 2)  # what came so far says why a server does not start; from now on it may quote a film
    os.close(silence)
    send(control, {"ready": True})
    while True:
        try:
            question, (film, sink) = receive(control, most_files=2)
        except EOFError:
            return
        if forks:
            ended = _apart(tasks, question, film, sink, limits, control)
        else:
            with _mapped(film) as stream:
                _answer(tasks, question, stream, sink)
            ended = {"late": False, "signal": 0, "code": 0}
        for descriptor in (film, sink):
            os.close(descriptor)
        try:
            send(control, ended)
        except OSError:
            return


def _apart(
    tasks: Mapping[str, Task], question: dict[str, Any], film: int, sink: int, limits: Limits, control: socket.socket
) -> dict[str, Any]:
    """Let a child answer; returns how it ended. It is killed when its time is over, or when nobody waits for it any more.

    Where there is no room for a child (a limit on processes or memory), that is the answer: the server lives on.
    """
    seconds, server = float(question["seconds"]), os.getpid()
    try:
        ends, life = os.pipe()
    except OSError:
        return {"unable": True}
    try:
        child = os.fork()
    except OSError:
        os.close(ends)
        os.close(life)
        return {"unable": True}
    if child == 0:
        code = 1
        try:
            os.close(ends)
            control.close()
            stream = _mapped(film)
            question["protections"] = confine(limits, seconds, server)
            _answer(tasks, question, stream, sink)
            code = 0
        finally:
            os._exit(code)
    os.close(life)
    poll = select.poll()
    poll.register(ends, select.POLLIN)  # the kernel closes what the child held, however it ended
    poll.register(control, 0)  # tells only that the other end was closed
    late = not poll.poll(max(1, round(1000 * seconds)))
    os.close(ends)
    os.kill(child, signal.SIGKILL)  # it may have closed its end and live on; a dead one notices nothing
    _, status = os.waitpid(child, 0)
    return {
        "late": late,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
    }


def _answer(tasks: Mapping[str, Task], question: dict[str, Any], film: BinaryIO, sink: int) -> None:
    def tell(said: Mapping[str, Any], parts: Sequence[bytes | memoryview] = ()) -> None:
        write(sink, message(said, parts))

    try:
        tasks[question["do"]](question, film, tell)
    except AssessmentError as error:
        tell({"reason": error.reason.code})
    except Exception:  # nobody foresaw it, MemoryError among them
        tell({"reason": Reason.CANNOT_DECODE.code})


def _mapped(film: int) -> BinaryIO:
    """The film from its first byte, without a copy. A file would make room for as many bytes as a header asks for."""
    if os.fstat(film).st_size == 0:
        return BytesIO()
    return cast(BinaryIO, mmap.mmap(film, 0, access=mmap.ACCESS_READ))
