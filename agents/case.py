"""What is being asked: the question, the alerts behind it, and where to look. Pure."""

import re
from dataclasses import dataclass
from typing import NewType

from whenever import Instant

from agents.alert import Alert, AlertStatus
from tools.entity import Entity
from tools.window import Window

SessionId = NewType("SessionId", str)
_COMPLAINTS = re.compile(
    r"(?i)\b(slow\w*|fail\w*|error\w*|down|unavailab\w+|degrad\w+|crash\w*|time?outs?|timing out|latency|broken|wrong"
    r"|(?:higher|lower|worse) than|stuck|hang\w*|outage|unhealthy|5\d\d|cause)\b"
)
"""Words of people who say that something is wrong; `is it well?` has none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where to look. Empty means: not said, look everywhere."""

    namespaces: frozenset[str] = frozenset()
    entities: tuple[Entity, ...] = ()
    """What the alerts' labels and the question name, the most specific first."""
    words: frozenset[str] = frozenset()
    """Words of the question that may be names of things, lower case."""
    window: Window
    """The incident's own stretch of time: from its onset, as far as known, to now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question, with all that was known when it was asked."""

    session_id: SessionId
    question: str
    """Redacted. Text of a person or of an alert: data, never instruction."""
    alerts: tuple[Alert, ...] = ()
    scope: Scope
    chosen: tuple[str, ...] = ()
    """Specialists that the model chose to lead, best first; they lead only where the rules are sure of nobody."""
    asked_at: Instant
    """The moment that the answer speaks about (of a snapshot: its capture)."""

    @property
    def is_reported(self) -> bool:
        """Whether somebody says that something is wrong now: an alert that fires or, without alerts, a complaint."""
        if self.alerts:
            return any(each.status is AlertStatus.FIRING for each in self.alerts)
        return bool(_COMPLAINTS.search(self.question))
