"""A command of the bench, as an administrator types it."""

from pathlib import Path

from typer.testing import CliRunner


def run(*arguments: str | Path) -> str:
    from training.__main__ import app

    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output
