"""``python -m tests.region.stubbed SECONDS serve worker …``: a worker for which pixels and network take that long, and no CPU.

What is measured then is everything around them. The first film is opened and assessed for real; the others get its answer.
"""

import sys
import time
from typing import Any

from triage import cli
from triage.inference.classifier import LiteRtClassifier
from triage.sandbox.films import SandboxFilms
from triage.worker import Worker


def _once(kind: type, name: str, seconds: float) -> None:
    true, answers = getattr(kind, name), []

    def stubbed(self: Any, *arguments: Any) -> Any:
        if not answers:
            answers.append(true(self, *arguments))
        else:
            time.sleep(seconds)
        return answers[0]

    setattr(kind, name, stubbed)


def main() -> None:
    """The command line behind the seconds. The network is checked as ever before anything is stubbed."""
    seconds = float(sys.argv.pop(1))
    warm_up = Worker.warm_up

    def warm_up_then_stub(worker: Worker) -> None:
        warm_up(worker)
        _once(SandboxFilms, "prepare", seconds)
        _once(LiteRtClassifier, "probability", 0.0)
        _once(LiteRtClassifier, "opinion", 0.0)

    Worker.warm_up = warm_up_then_stub  # type: ignore[method-assign]
    cli.main()


if __name__ == "__main__":
    main()
