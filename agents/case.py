"""What is being asked: the question, the alerts behind it, and where to look. Pure."""

from dataclasses import dataclass
from typing import NewType

from whenever import Instant

from agents.alert import Alert
from tools.entity import Entity
from tools.window import Window

SessionId = NewType("SessionId", str)


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
    asked_at: Instant
    """The moment that the answer speaks about (of a snapshot: its capture)."""
