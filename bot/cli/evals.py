"""`locum eval`: scoreboards on recorded data. One JSON object on stdout, progress on stderr."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import IO, Annotated, Any

import orjson
import typer

from bot.cli.outcome import BadInput, settings

app = typer.Typer(no_args_is_help=True, help="Scoreboards on recorded data: how often the answer is right.")

Format = Annotated[str, typer.Option("--format", help="text or json")]
Data = Annotated[Path, typer.Option("--data", help="where the recorded data lies")]


@app.command("rca")
def rca(
    *,
    data: Data,
    output: Format = "text",
    limit: Annotated[int, typer.Option(min=0, help="only the first so many cases; 0 takes all")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="processes side by side; 0 takes one for each core")] = 0,
    split: Annotated[str, typer.Option(help="even or odd: one half of the cases, to tune on one alone")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="one JSON line for each case, for analysis")] = None,
) -> None:
    """Right culprit, right cause, false alarms, over folders with snapshot, query.txt and expected.yaml."""
    from bot.evals.recorded import HALVES, EvalError, cases

    one_of(output, "text", "json")
    if split:
        one_of(split, *HALVES, what="--split")
    try:
        found = cases(data)
    except EvalError as error:
        raise BadInput(str(error)) from error
    with stdout_kept() as answer, _lines(out) as lines:
        from bot.evals.rca import selected
        from bot.evals.running import scoreboard
        from bot.evals.tables import render

        chosen = tuple(selected(found, half=split, limit=limit))
        if not chosen:
            raise BadInput(f"{data}: none of the {len(found)} cases is in the half {split!r}")
        figures = scoreboard(chosen, settings(), workers=workers or os.cpu_count() or 1, lines=lines)
        _write(answer, figures, output=output, table=render)


@app.command("classify")
def classify(
    *,
    data: Annotated[Path, typer.Option("--data", help="JSON lines: alerts with their class")],
    mask_names: Annotated[bool, typer.Option("--mask-names", help="route by summary and description alone")] = False,
    output: Format = "text",
    out: Annotated[Path | None, typer.Option("--out", help="one JSON line for each alert, for analysis")] = None,
) -> None:
    """Which specialist leads an alert, against the class that it has."""
    from bot.cli.route import known_specialists
    from bot.evals.alerts import read
    from bot.evals.recorded import EvalError
    from bot.evals.routing import scoreboard
    from bot.evals.tables import classes

    one_of(output, "text", "json")
    try:
        rows = read(data)
    except EvalError as error:
        raise BadInput(str(error)) from error
    with stdout_kept() as answer, _lines(out) as lines:
        figures = scoreboard(rows, known_specialists(), settings(), is_masked=mask_names, lines=lines)
        _write(answer, figures, output=output, table=classes)


@app.command("runbooks")
def runbooks(
    *,
    data: Annotated[Path, typer.Option("--data", help="a folder with docs/ and queries*.jsonl")],
    mask_names: Annotated[bool, typer.Option("--mask-names", help="take the name out of all questions")] = False,
    output: Format = "text",
    out: Annotated[Path | None, typer.Option("--out", help="one JSON line for each question, for analysis")] = None,
) -> None:
    """Which runbook is found for a question, against those that would answer it."""
    from bot.evals.recorded import EvalError

    one_of(output, "text", "json")
    with stdout_kept() as answer, _lines(out) as lines:
        from bot.evals.runbooks import answered, collection, figures, table

        try:
            recorded = collection(data)
        except EvalError as error:
            raise BadInput(str(error)) from error
        found = tuple(answered(recorded, is_masked=mask_names))
        if lines is not None:
            lines.writelines(orjson.dumps(each.to_json()) + b"\n" for each in found)
        _write(answer, figures(found, documents=len(recorded.pages)), output=output, table=table)


def one_of(value: str, *allowed: str, what: str = "--format") -> str:
    """The value, where it is one of those allowed.

    Raises:
        BadInput: where it is not.
    """
    if value not in allowed:
        raise BadInput(f"{what} {value!r}: expected {' or '.join(allowed)}")
    return value


@contextlib.contextmanager
def stdout_kept() -> Generator[IO[str]]:
    """The real stdout for the answer; whatever a library prints meanwhile goes to stderr."""
    answer = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        yield answer


@contextlib.contextmanager
def _lines(out: Path | None) -> Generator[IO[bytes] | None]:
    if out is None:
        yield None
        return
    try:
        file = out.open("wb")
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error
    with file:
        yield file


def _write(answer: IO[str], figures: Mapping[str, Any], *, output: str, table: Callable[[Any], str]) -> None:
    answer.write(orjson.dumps(figures).decode() + "\n" if output == "json" else table(figures))
    answer.flush()
