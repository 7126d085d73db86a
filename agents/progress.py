"""What an investigation tells while it runs. Presentation is elsewhere; here are only the events. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tools.evidence import Outcome


class Phase(StrEnum):
    """Where an investigation is, in order."""

    ROUTING = "routing"
    WAITING = "waiting"
    """For a person's decision about credentials."""
    LOOKING = "looking"
    CONCLUDING = "concluding"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseBegan:
    """A new phase."""

    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookBegan:
    """A tool was asked."""

    key: str
    """Pairs with the `LookEnded` of the same look."""
    tool: str
    title: str
    """The tool and its arguments in one short line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookEnded:
    """A tool answered, or did not."""

    key: str
    tool: str
    title: str
    outcome: Outcome
    detail: str
    """First line of the answer or the reason of the gap, redacted."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSeen:
    """A rule saw something."""

    specialist: str
    cause: str
    entity: str
    severity: str
    summary: str


Event = PhaseBegan | LookBegan | LookEnded | FindingSeen
Listener = Callable[[Event], None]

_KINDS: dict[str, type[Event]] = {
    "phase": PhaseBegan,
    "look-began": LookBegan,
    "look-ended": LookEnded,
    "finding": FindingSeen,
}


def to_json(event: Event) -> dict[str, Any]:
    """Plain JSON with a `kind`, for the store and for the event stream of the HTTP surface."""
    kind = next(kind for kind, made in _KINDS.items() if isinstance(event, made))
    return {"kind": kind} | {name: getattr(event, name) for name in event.__dataclass_fields__}


def from_json(data: dict[str, Any]) -> Event:
    """Reads what `to_json` wrote."""
    fields = dict(data)
    made = _KINDS[fields.pop("kind")]
    if made is PhaseBegan:
        fields["phase"] = Phase(fields["phase"])
    if made is LookEnded:
        fields["outcome"] = Outcome(fields["outcome"])
    return made(**fields)
