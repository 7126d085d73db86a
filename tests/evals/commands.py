"""Calls `locum eval` as people do."""

from pathlib import Path

from typer.testing import CliRunner

from bot.cli import app
from bot.cli.outcome import BadInput

SHARED = Path(__file__).parents[2].parent / "shared" / "evals"
"""Recorded data of others, where they are at hand."""


def run(*words: str) -> str:
    """What the command wrote to standard output.

    Raises:
        BadInput: when the command cannot do what was asked.
    """
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, BadInput):
        raise result.exception
    assert result.exception is None, result.output
    return result.stdout
