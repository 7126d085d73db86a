"""`locum route FILE`: which specialists an alert would reach, and why."""

import sys
from pathlib import Path

import orjson

from agents.alert import Alert
from agents.clues import clues
from agents.routing import Routing, route
from agents.specialist import Specialist, SpecialistError, read_all, shipped
from bot.cli.outcome import BadInput, settings


def run(file: Path, *, output: str) -> None:
    """Prints the routing of the alerts of one payload."""
    alerts = _alerts(sys.stdin.buffer.read() if str(file) == "-" else _read(file))
    routing = route(clues("", alerts), known_specialists())
    if output == "json":
        sys.stdout.write(orjson.dumps(routing.to_json()).decode() + "\n")
    else:
        sys.stdout.write(_text(routing, alerts))


def known_specialists() -> tuple[Specialist, ...]:
    """Those of the user's folder, or those that come with Locum.

    Raises:
        BadInput: when one cannot be used.
    """
    folder = settings().specialists_dir
    try:
        return read_all(folder) if folder else shipped()
    except SpecialistError as error:
        raise BadInput(str(error)) from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from error


def _alerts(body: bytes) -> list[Alert]:
    from bot.alerts import ParseError, parse_any

    try:
        return list(parse_any(body).alerts)
    except ParseError as error:
        raise BadInput(f"not an alert that Locum can read: {error}") from error


def _text(routing: Routing, alerts: list[Alert]) -> str:
    names = ", ".join(dict.fromkeys(alert.name for alert in alerts))
    lines = [f"{len(alerts)} alert(s): {names}"]
    if routing.abstained:
        lines.append("nobody is sure; the generalist leads and people are asked")
    lines += [f"  {each.name:<15} {each.score:.2f}  {each.why}" for each in routing.specialists]
    return "\n".join(lines) + "\n"
