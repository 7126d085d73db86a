"""A stretch of time that a look at the world covers. Pure."""

from dataclasses import dataclass
from typing import Self

from whenever import Instant, TimeDelta


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end`, both included."""

    start: Instant
    end: Instant

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a window ends before it starts: {self}")

    def __str__(self) -> str:
        return f"{self.start}/{self.end}"

    def __contains__(self, at: Instant) -> bool:
        return self.start <= at <= self.end

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total("seconds")

    @classmethod
    def ending(cls, end: Instant, *, minutes: float) -> Self:
        """The `minutes` that lead up to `end`."""
        return cls(end - TimeDelta(minutes=minutes), end)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what `str` writes: two RFC 3339 times with a slash between.

        Raises:
            ValueError: when the text is not such a pair.
        """
        start, _, end = text.partition("/")
        return cls(Instant.parse_iso(start), Instant.parse_iso(end))
