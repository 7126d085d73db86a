"""The command `locum`. Each command's work is in a module of its own, imported when it is called."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.outcome import BadInput

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Locum, the on-call stand-in: an alert or a question in, a cited diagnosis out.",
)

Format = Annotated[str, typer.Option("--format", help="text or json")]
Snapshot = Annotated[Path | None, typer.Option("--snapshot", help="answer from this folder instead of live systems")]


@app.command()
def diagnose(
    question: Annotated[str, typer.Argument(help="what is wrong, in your words; may be empty with a snapshot's alert")],
    snapshot: Snapshot = None,
    output: Format = "text",
) -> None:
    """One investigation in the terminal; no Slack and no server needed."""
    from bot.cli.diagnose import run

    run(question, snapshot=snapshot, output=_one_of(output, "text", "json"))


@app.command()
def snapshot(out: Annotated[Path, typer.Option("--out", help="a folder that does not exist yet")]) -> None:
    """Record the live world, redacted, so that it can be diagnosed elsewhere."""
    from bot.cli.snapshot import run

    run(out)


@app.command()
def route(
    file: Annotated[Path, typer.Argument(help="an Alertmanager or generic payload, or - for standard input")],
    output: Format = "text",
) -> None:
    """Which specialists an alert would reach, and why."""
    from bot.cli.route import run

    run(file, output=_one_of(output, "text", "json"))


@app.command("check-config")
def check_config(output: Format = "text") -> None:
    """Check every setting and connector; says what is missing and how to set it."""
    from bot.cli.check_config import run

    run(output=_one_of(output, "text", "json"))


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="fire one incident, print its thread, exit")] = False,
    port: Annotated[int, typer.Option(help="port of the page; 0 takes a free one")] = 8083,
    incident: Annotated[str, typer.Option(help="the recorded incident that --once fires")] = "dependency-down",
) -> None:
    """Everything on this machine with a local Slack workspace in the browser and recorded incidents."""
    from bot.cli.demo import run

    run(once=once, port=port, incident=incident)


@app.command()
def up() -> None:
    """Run everything on one machine: intake, Slack, investigations, embedded servers where none are set."""
    from bot.cli.up import run

    run(("bot", "worker"))


@app.command()
def bot() -> None:
    """Run Slack, the webhooks and the HTTP surface; needs REDIS and TEMPORAL set."""
    from bot.cli.up import run

    run(("bot",))


@app.command()
def worker() -> None:
    """Run investigations; needs REDIS and TEMPORAL set."""
    from bot.cli.up import run

    run(("worker",))


def _one_of(value: str, *allowed: str) -> str:
    if value not in allowed:
        raise BadInput(f"--format {value!r}: expected {' or '.join(allowed)}")
    return value


def main() -> None:
    """Entry point: bad input and bad settings end with one clear line and exit code 2, never with a traceback."""
    try:
        app()
    except BadInput as error:
        sys.stderr.write(f"locum: {error}\n")
        sys.exit(2)
