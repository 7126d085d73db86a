"""An incident as stores, threads and people see it. Pure: no clock, no store, no Slack.

Alerts are decided on in `agents`; here is the record that a Slack thread is redrawn from.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from whenever import Instant

from agents.alert import Alert
from agents.case import SessionId
from agents.health import Verdict

IncidentId = NewType("IncidentId", str)


class IncidentStatus(StrEnum):
    """Where an incident is."""

    OPEN = "open"
    RESOLVED = "resolved"
    """Every alert of it is resolved, or a person said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in Slack something stands or shall be answered."""

    channel: str
    """Channel id, or `#name` from settings before it was looked up."""
    thread_ts: str = ""
    """The thread's root; empty = a new root message is to be posted."""
    message_ts: str = ""
    """The very message that asked; 👀 goes there. Empty for commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person, or a program on behalf of one, wants to know."""

    key: str
    """The same for every delivery of the same request (channel and ts, trigger id, idempotency key)."""
    text: str
    asked_by: str
    """Slack user id, or the principal of a token."""
    place: Place | None = None
    """`None`: asked through HTTP or the terminal, answered there."""
    environment: str = ""
    context: dict[str, str] = field(default_factory=dict[str, str])
    """Such as service, namespace, region; scopes the look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Alerts or a question that belong together, with one thread."""

    id: IncidentId
    title: str
    status: IncidentStatus
    opened_at: Instant
    place: Place
    question: Question | None = None
    """Set when a person opened it."""
    alerts: tuple[Alert, ...] = ()
    """The newest state of each fingerprint, firing first; at most 50 are carried, `alert_count` has the rest."""
    alert_count: int = 0
    """Distinct fingerprints."""
    firing_count: int = 0
    repeats: int = 0
    """Deliveries that repeated a known firing alert."""
    is_digest: bool = False
    """A storm's one digest: its alerts do not belong together, they only came at once."""
    verdict: Verdict | None = None
    """Of the newest concluded session."""
    headline: str = ""
    """First sentence of the newest conclusion; redacted."""
    sessions: tuple[SessionId, ...] = ()
