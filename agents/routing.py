"""Which specialists an alert or a question is for, and why. Pure; the model only ever chooses among candidates."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One specialist's claim to a case."""

    name: str
    score: float
    """0..1."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Who leads. Best first; when nobody is sure, `abstained` and the generalist leads."""

    specialists: tuple[Route, ...]
    abstained: bool

    def to_json(self) -> dict[str, Any]:
        """The `routing` object of the published JSON."""
        return {
            "specialists": [{"name": each.name, "score": each.score, "why": each.why} for each in self.specialists],
            "abstained": self.abstained,
        }
