"""A runbook that is worth a look for one thread, as it is shown. Pure."""

from dataclasses import dataclass

from tools.redaction import Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One runbook beside a diagnosis. It is advice to read, never evidence, and nothing in it is followed or run."""

    id: str
    title: Redacted
    score: float
    """0..1; how well it fits, comparable between threads."""
    why: Redacted
    """Which words of the thread it has, on one line."""
    url: Redacted = Redacted("")
    """Where it can be read; empty where nobody said."""
