"""What people and programs can ask of Locum: the one door that Slack, HTTP and the terminal share."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from agents.case import SessionId
from bot.incident import IncidentId, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A request was taken; the work goes on without the one who asked."""

    session_id: SessionId
    incident_id: IncidentId
    is_new: bool
    """False when this very request (same key) had been taken before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """How far a session is."""

    session_id: SessionId
    status: str
    """`queued`, `running`, `done`, `failed`."""
    phase: str
    progress: float
    """0..1."""
    findings: tuple[dict[str, Any], ...]
    """As in the published JSON, as they are found."""
    diagnosis: dict[str, Any] | None
    """The published JSON once it is concluded."""


class DeskClosed(Exception):
    """The request could not be taken now (workflow service or store away); nothing was half-done, ask again."""


class Desk(Protocol):
    """Takes questions and tells how they stand."""

    async def ask(self, question: Question) -> Ticket:
        """Takes a question durably: once this returned, a restart loses nothing.

        A question whose place is a known incident's thread is a follow-up to it; any other opens an incident.

        Raises:
            DeskClosed: when it could not be taken.
        """
        ...

    async def status(self, session_id: SessionId) -> SessionStatus | None:
        """How far a session is; `None` when there is none of that id."""
        ...

    def events(self, session_id: SessionId, *, after: str = "0") -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """(cursor, event as `agents.progress.to_json`) from `after` on, until the session is done."""
        ...
