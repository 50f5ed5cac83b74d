"""``python -m training COMMAND``: films in, evidence and a bundle out; each command says what comes next."""

import logging
import os
import sys
import warnings

import typer

from training.cli import audit, bundle, evaluate, gate, imports, promote, report, reproduce, train
from training.errors import TrainingError
from triage.domain.errors import TriageError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Retrain the network: films in, bundle out.")
app.add_typer(imports.app, name="import")
for command in (
    audit.audit,
    train.train,
    train.resume,
    evaluate.calibrate,
    gate.gate,
    evaluate.evaluate,
    report.report,
    bundle.bundle,
    promote.compare,
    promote.promote,
    reproduce.reproduce_paper,
):
    app.command()(command)


def _quiet() -> None:
    """TensorFlow's start-up chatter says nothing to a user; must happen before its import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GLOG_minloglevel", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="tensorflow")


def main() -> None:
    """Run a command; a fault it foresees is one line on stderr and exit code 1."""
    _quiet()
    try:
        app()
    except (TrainingError, TriageError) as error:
        print(f"training: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        print(f"training: {error.filename or 'a file'}: {error.strerror or error}; free or name another place", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
