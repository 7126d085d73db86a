"""What a look at the world gave, in the form that everything said later must cite.

Pure: no clock, no store, no client library.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NewType, Self

from tools.redacting.marks import unkeyed
from tools.redaction import Redacted, redact
from tools.window import Window

EvidenceId = NewType("EvidenceId", str)

EXCERPT_LIMIT = 4_000
"""Characters of an excerpt. A cut is stated in the text, never silent."""


class Outcome(StrEnum):
    """How a look at the world ended. EMPTY is a fact; NO_SOURCE and ERROR are gaps, never good news."""

    FOUND = "FOUND"
    EMPTY = "EMPTY"
    NO_SOURCE = "NO_SOURCE"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One tool result, redacted, with the query that would produce it again."""

    id: EvidenceId
    """Derived from the content: the same look with the same result is the same evidence, in whatever process."""
    tool: str
    query: str
    """Exactly as sent, so that a reader can paste it."""
    window: Window | None = None
    outcome: Outcome
    excerpt: Redacted = Redacted("")
    why: Redacted = Redacted("")
    """The reason of a gap (NO_SOURCE, ERROR) and what to do about it; empty otherwise."""
    age_s: float = 0.0
    """Seconds since the source was really asked; above zero when the answer came from the cache."""
    data: Any = None
    """The whole result as plain JSON values, for the rules of the same process only. Never shown, never stored."""

    def __post_init__(self) -> None:
        if self.outcome is not Outcome.FOUND and self.excerpt:
            raise ValueError(f"evidence {self.id!r} is {self.outcome} yet has an excerpt")
        if self.is_gap and not self.why:
            raise ValueError(f"evidence {self.id!r} is {self.outcome} and does not say why")

    @property
    def is_gap(self) -> bool:
        """Whether nothing can be said about the thing asked about."""
        return self.outcome in (Outcome.NO_SOURCE, Outcome.ERROR)

    def bears_out(self, quote: str) -> bool:
        """Whether `quote` stands in the excerpt word for word; a reflowed line still counts."""
        # Without the first half an empty quote would prove everything.
        return bool(quote.strip()) and " ".join(quote.split()) in " ".join(self.excerpt.split())

    @classmethod
    def found(cls, tool: str, query: str, text: str, *, window: Window | None = None, data: Any = None) -> Self:
        """Evidence of something seen: `text` is redacted and cut here; an empty text is EMPTY."""
        excerpt = bounded(redact(text))
        outcome = Outcome.FOUND if excerpt.strip() else Outcome.EMPTY
        shown = excerpt if outcome is Outcome.FOUND else Redacted("")
        query = redact(query)
        return cls(
            id=_id(tool, query, window, outcome, shown),
            tool=tool,
            query=query,
            window=window,
            outcome=outcome,
            excerpt=shown,
            data=data,
        )

    @classmethod
    def gap(cls, tool: str, query: str, outcome: Outcome, why: str) -> Self:
        """Evidence of a source that could not be read; `why` says the reason and what to do."""
        # What is left of a reason that was all invisible characters is no reason.
        query, reason = redact(query), bounded(redact(why)) or Redacted("no reason was given")
        return cls(id=_id(tool, query, None, outcome, reason), tool=tool, query=query, outcome=outcome, why=reason)

    def narrowed(self, query: str, text: str) -> "Evidence":
        """The part of this result that one claim rests on, with the narrower query that reads just that part."""
        part = Evidence.found(self.tool, query, text, window=self.window)
        return replace(part, age_s=self.age_s)


def bounded(text: Redacted) -> Redacted:
    """Cuts to `EXCERPT_LIMIT`, keeping the start and the end and saying how much is missing between."""
    if len(text) <= EXCERPT_LIMIT:
        return text
    room = EXCERPT_LIMIT - 60
    head, tail = room * 2 // 3, room - room * 2 // 3
    return Redacted(f"{text[:head]}\n[… {len(text) - head - tail} characters left out …]\n{text[-tail:]}")


def _id(tool: str, query: str, window: Window | None, outcome: Outcome, text: str) -> EvidenceId:
    # A mark's fingerprint is that of one process; the evidence is the same in any.
    content = unkeyed("\x00".join((tool, query, str(window), outcome, text)))
    return EvidenceId("ev_" + hashlib.sha256(content.encode()).hexdigest()[:10])
