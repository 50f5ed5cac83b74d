"""Run every check and every test, each with its time; exit 1 when any failed.

``python -m tests`` all · ``--only-checks`` without the tests · anything else goes to pytest (``-k store -x``).
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHOLE = ("tests/integration", "tests/region")
BESIDE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
"""In the order of the folders, not by the number of tests: a file with one long test would come last, and keep all waiting."""
WAITING = ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder")
"""A test of the whole service mostly waits for it."""
LONG_WAITS = ("worker_away", "commitment", "kills", "supervisor_service", "canary", "soak", "banner", "backup", "demo")
"""They come first, so that the others fill up the end."""
CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
    ("import contracts", ("lint-imports", "--no-logo")),
)


def run(name: str, command: list[str]) -> bool:
    """Run one step in the repository's root, its output going through.

    Whatever the machine prefers, bytecode is kept: a whole service is many processes, which would compile it each anew.
    """
    print(f"==> {name}", flush=True)
    started = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    print(f"<== {name}: {'ok' if code == 0 else f'FAILED ({code})'} in {time.monotonic() - started:.0f} s\n", flush=True)
    return code == 0


def tests(chosen: list[str]) -> Iterator[tuple[str, list[str]]]:
    """What pytest is asked, run by run, a few files at a time: the whole service does not run beside trainings and browsers."""
    if chosen:
        yield " ".join(chosen), chosen
        return
    yield "of the parts", [*BESIDE, *(f"--ignore={folder}" for folder in WHOLE)]
    yield (
        "of the whole service",
        [*WAITING, *longest_first(path for folder in WHOLE for path in sorted((ROOT / folder).glob("test_*.py")))],
    )


def longest_first(files: Iterable[Path]) -> list[str]:
    """Every file by its name: within a folder that is named as a whole, pytest has an order of its own."""
    long = [f"test_{name}.py" for name in LONG_WAITS]
    return [str(path.relative_to(ROOT)) for path in sorted(files, key=lambda one: (*long, one.name).index(one.name))]


def main(arguments: list[str]) -> int:
    """All steps, in order; a failed one does not hide the next."""
    tools = Path(sys.executable).parent
    only_checks = "--only-checks" in arguments
    rest = [argument for argument in arguments if argument != "--only-checks"]
    results = [run(name, [str(tools / command[0]), *command[1:]]) for name, command in CHECKS]
    if not only_checks:
        results += [run(f"pytest {name}", [sys.executable, "-m", "pytest", *chosen]) for name, chosen in tests(rest)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
