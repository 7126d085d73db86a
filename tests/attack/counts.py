"""What an attack counts."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Tried, and what must stay 0. Each part of the attack gives its own; they add up."""

    histories: int = 0
    """Generated histories of one request, on the model."""
    real: int = 0
    """The same on a real Temporal server."""
    kills: int = 0
    """Processes that were killed at some point of an execution."""
    hostile: int = 0
    """Cases of a hostile model, poisoned telemetry and people."""
    malformed: int = 0
    """Malformed, unsigned or replayed requests."""
    unapproved: int = 0
    """Changes without a valid approval."""
    double: int = 0
    """Changes that were made twice."""
    leaks: int = 0
    """Secrets, or bytes for somebody who should get none, that went out."""
    tracebacks: int = 0
    """Answers other than 4xx to what is malformed, and exceptions that a stranger could see."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})

    @property
    def is_clean(self) -> bool:
        """Whether nothing happened that must not."""
        return not (self.unapproved or self.double or self.leaks or self.tracebacks)

    def __str__(self) -> str:
        return "attack: " + " ".join(f"{each.name}={getattr(self, each.name)}" for each in fields(self))
