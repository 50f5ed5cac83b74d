"""Real servers whose children do what a decoder that was taken over, or is broken, would do."""

import sys
from textwrap import indent

_PROGRAM = """
import ctypes, os, resource, signal, socket, subprocess, sys, threading, time
from triage.sandbox.limits import Limits
from triage.sandbox.server import serve

def fd_of(tell):
    return tell.__closure__[0].cell_contents

def raw(tell, line):
    os.write(fd_of(tell), line)

{tasks}
serve({{{names}}}, {limits}, forks={forks})
"""


def server(*, limits: str = "Limits()", forks: bool = True, **tasks: str) -> tuple[str, ...]:
    """The command of a server with these tasks, each the body of a function of (question, film, tell)."""
    written = "\n".join(f"def own_{name}(question, film, tell):\n{indent(body, '    ')}" for name, body in tasks.items())
    names = ", ".join(f"{name!r}: own_{name}" for name in tasks)
    return (sys.executable, "-c", _PROGRAM.format(tasks=written, names=names, limits=limits, forks=forks))
