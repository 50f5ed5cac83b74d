"""Run every check and every test, each with its time; exit 1 when any failed.

``python -m tests`` all · ``--only-checks`` without the tests · anything else goes to pytest (``-k store -x``).
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
    ("import contracts", ("lint-imports", "--no-logo")),
)


def run(name: str, command: list[str]) -> bool:
    """Run one step in the repository's root, its output going through."""
    print(f"==> {name}", flush=True)
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    print(f"<== {name}: {'ok' if code == 0 else f'FAILED ({code})'} in {time.monotonic() - started:.0f} s\n", flush=True)
    return code == 0


def main(arguments: list[str]) -> int:
    """All steps, in order; a failed one does not hide the next."""
    tools = Path(sys.executable).parent
    only_checks = "--only-checks" in arguments
    rest = [argument for argument in arguments if argument != "--only-checks"]
    results = [run(name, [str(tools / command[0]), *command[1:]]) for name, command in CHECKS]
    if not only_checks:
        # two files at a time: much of the time is spent waiting for processes that were killed; the longest wait comes first
        chosen = rest or ["tests/integration/test_kills.py", "tests"]
        results.append(run("pytest", [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *chosen]))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
