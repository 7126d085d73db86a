"""What the durable work needs from outside: someone who investigates, and a place where people read."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from whenever import Instant

from agents.again import Again
from agents.case import SessionId
from agents.diagnosis import Diagnosis
from agents.progress import Event, Listener
from approvals.audit import Anchor
from approvals.people import Account, DirectoryUnavailable
from bot.gate import View
from bot.incident import Incident, Place


class Investigator(Protocol):
    """Thinks about a session. Reads and writes the store; everything may be called again after a crash."""

    async def route(self, session_id: SessionId) -> tuple[str, ...]:
        """Makes the case where there is none yet; the specialists to run."""
        ...

    async def wants(self, session_id: SessionId) -> tuple[Mapping[str, str], int, float]:
        """Credentials that it would read with.

        Returns:
            What for, by reference; for how many minutes at most; how many minutes it waits for a decision.
        """
        ...

    async def look_again(self, session_id: SessionId, watched: Sequence[tuple[str, str]], since: Instant) -> Again:
        """Looks for findings, by cause and entity, that were there when something was done."""
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


class Cards(Protocol):
    """Shows requests for approval to people. All of it may be called again and then changes nothing more."""

    async def draw(self, view: View) -> None:
        """Makes every copy of the request's card show how it stands; posts the first one."""
        ...

    async def outcome(self, view: View) -> None:
        """Says how the execution ended; exactly once, and nothing where nothing was executed."""
        ...

    async def verified(self, view: View) -> None:
        """Says what was seen afterwards; exactly once, and nothing before it was looked at."""
        ...


class Directory(Protocol):
    """Slack's people, asked when it matters."""

    async def account(self, user_id: str) -> Account:
        """What Slack says of an account now, at most a minute old.

        Raises:
            DirectoryUnavailable: when Slack could not be asked.
        """
        ...

    async def members(self, usergroup_id: str) -> frozenset[str]:
        """Ids of the accounts in a user group now, at most a minute old.

        Raises:
            DirectoryUnavailable: when Slack could not be asked.
        """
        ...


class NoDirectory:
    """Where there is no Slack, no Slack account decides anything."""

    async def account(self, user_id: str) -> Account:
        """Nobody can say."""
        raise DirectoryUnavailable(f"no Slack is set up here that knows {user_id!r}")

    async def members(self, usergroup_id: str) -> frozenset[str]:
        """Nobody can say."""
        raise DirectoryUnavailable(f"no Slack is set up here that knows {usergroup_id!r}")


class Anchors(Protocol):
    """A place outside of the ledger where the head of the audit is written down."""

    async def post(self, anchor: Anchor) -> str:
        """Writes it down; where, or nothing when that was not possible now."""
        ...


class NoCards:
    """Cards where there is no Slack: requests are read and decided through HTTP and the terminal."""

    async def draw(self, view: View) -> None:
        """Nobody would see it."""

    async def outcome(self, view: View) -> None:
        """The store has it."""

    async def verified(self, view: View) -> None:
        """The store has it."""
