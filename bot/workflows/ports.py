"""What the durable work needs from outside: someone who investigates, and a place where people read."""

from collections.abc import AsyncIterator
from typing import Protocol

from agents.case import SessionId
from agents.diagnosis import Diagnosis
from agents.progress import Event, Listener
from bot.incident import Incident, Place


class Investigator(Protocol):
    """Thinks about a session. Reads and writes the store; everything may be called again after a crash."""

    async def route(self, session_id: SessionId) -> tuple[str, ...]:
        """Makes the case where there is none yet; the specialists to run."""
        ...

    async def run(self, session_id: SessionId, specialist: str, on_event: Listener) -> None:
        """Lets one specialist work and stores its report."""
        ...

    async def conclude(self, session_id: SessionId) -> None:
        """Puts the reports together and stores the diagnosis; works with whatever reports there are."""
        ...


class Threads(Protocol):
    """Tells people. All of it may be called again and then changes nothing more."""

    async def open(self, incident: Incident) -> Place:
        """The incident's thread, with its first message."""
        ...

    async def refresh(self, incident: Incident) -> None:
        """Redraws the first message."""
        ...

    async def narrate(
        self, incident: Incident, session_id: SessionId, events: AsyncIterator[tuple[str, Event]]
    ) -> None:
        """Shows progress until the events end."""
        ...

    async def conclude(self, incident: Incident, session_id: SessionId, diagnosis: Diagnosis) -> None:
        """Says the conclusion; exactly one for each session."""
        ...

    async def apologise(self, incident: Incident, session_id: SessionId, reason: str) -> None:
        """Says why there is none."""
        ...


class Silent:
    """Threads where there is no Slack: answers are read through HTTP."""

    async def open(self, incident: Incident) -> Place:
        """Nowhere to open."""
        return incident.place

    async def refresh(self, incident: Incident) -> None:
        """Nothing to redraw."""

    async def narrate(
        self, incident: Incident, session_id: SessionId, events: AsyncIterator[tuple[str, Event]]
    ) -> None:
        """Nobody listens."""

    async def conclude(self, incident: Incident, session_id: SessionId, diagnosis: Diagnosis) -> None:
        """The diagnosis is in the store."""

    async def apologise(self, incident: Incident, session_id: SessionId, reason: str) -> None:
        """The status says it."""
