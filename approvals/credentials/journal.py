"""What is written down about every credential: who had it, why and how long. Never a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from whenever import Instant


class Happening(StrEnum):
    """What happened to a credential."""

    LENT = "LENT"
    """It was fetched. Written before anybody uses it."""
    RENEWED = "RENEWED"
    RETURNED = "RETURNED"
    """Its lease is revoked; where there was none to revoke, the value is forgotten."""
    FAILED = "FAILED"
    """It could not be fetched or renewed; nothing is out because of it."""
    UNRETURNED = "UNRETURNED"
    """Its lease could not be revoked yet; the next sweep tries again, and its time bounds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of the journal."""

    happening: Happening
    at: Instant
    owner: str
    """The process that has it. Its next run under this name clears up after it."""
    lease_id: str
    """Empty in `FAILED`, where nothing was fetched; otherwise the same in all notes of one lease, and unique."""
    accessor: str
    """Of the login that fetched it, for a person who must revoke by hand. It gives access to nothing."""
    references: tuple[str, ...]
    purpose: str
    request_id: str
    """Of the approved request that it was fetched for."""
    expires_at: Instant | None
    """When it ends by itself, as far as is known."""
    detail: str = ""
    """Why, where it went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """A lease that was lent and whose end is not written down."""

    lease_id: str
    accessor: str
    references: tuple[str, ...]
    purpose: str
    request_id: str


class Journal(Protocol):
    """Where notes are kept."""

    async def noted(self, note: Note) -> None:
        """Returns when the note is safe.

        Raises:
            JournalFailed: when it is not.
        """
        ...

    async def outstanding(self, owner: str) -> Sequence[Outstanding]:
        """What `owner` lent and did not return, oldest first.

        Raises:
            JournalFailed: when it cannot be read.
        """
        ...
