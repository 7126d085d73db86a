"""What all sources share: strict JSON in, a batch of alerts or one clear reason out. Pure."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from pydantic import ValidationError

from agents.alert import Alert

MOST_ALERTS = 5_000
"""In one request. Alertmanager's own limit is a setting that many leave open."""


class ParseError(ValueError):
    """A payload that cannot be used at all; the message is for whoever sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one request brought."""

    alerts: tuple[Alert, ...]
    rejected: tuple[str, ...] = ()
    """Why single alerts of it could not be read; the others stand."""
    truncated: int = 0
    """Alerts that the sender left out for its own limits."""


def read_json(body: bytes) -> Mapping[str, Any]:
    """One JSON object, strictly: no duplicate keys, no NaN, no text that is not UTF-8.

    Raises:
        ParseError: on anything else.
    """
    try:
        text = body.decode()
        data: object = json.loads(text, object_pairs_hook=_once, parse_constant=_constant, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise ParseError(f"the body is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise ParseError(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ParseError("the body is nested too deeply") from error
    if "\\ud" in text.lower() and not _is_text(data):
        raise ParseError("the body has half of a surrogate pair, which is no text")
    if not isinstance(data, dict):
        raise ParseError(f"expected a JSON object, got {type(data).__name__}")
    return cast("Mapping[str, Any]", data)


def reasons(error: ValidationError) -> str:
    """What pydantic found, in one line: place and reason, never the values."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    parts = [f"{'.'.join(map(str, each['loc'])) or 'payload'}: {each['msg']}" for each in found[:5]]
    return "; ".join(parts)


def each_of(items: Sequence[object], made: Callable[[object], Alert]) -> tuple[list[Alert], list[str]]:
    """The alerts that `made` makes of the items, and why the others could not be made.

    Raises:
        ParseError: when there are more items than one request may bring.
    """
    if len(items) > MOST_ALERTS:
        raise ParseError(f"{len(items)} alerts in one request; at most {MOST_ALERTS} are taken")
    alerts: list[Alert] = []
    rejected: list[str] = []
    for number, item in enumerate(items):
        try:
            alerts.append(made(item))
        except ValidationError as error:
            rejected.append(f"alerts.{number}: {reasons(error)}")
        except ValueError as error:
            rejected.append(f"alerts.{number}: {error}")
    return alerts, rejected


def usable(alerts: list[Alert], rejected: list[str], *, truncated: int = 0) -> Batch:
    """The batch, unless nothing in it can be used.

    Raises:
        ParseError: when every alert was rejected.
    """
    if rejected and not alerts:
        raise ParseError("; ".join(rejected[:5]))
    return Batch(alerts=tuple(alerts), rejected=tuple(rejected), truncated=truncated)


def _is_text(data: object) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    except RecursionError as error:
        # What a reader just bears, a writer one call further down does not.
        raise ParseError("the body is nested too deeply") from error
    return True


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ParseError(f"the key {key[:80]!r} stands twice in one object")
        found[key] = value
    return found


def _constant(text: str) -> NoReturn:
    raise ParseError(f"{text} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > 20:
        raise ParseError(f"a number of {len(text)} digits")
    return int(text)
