"""Which specialists an alert or a question is for, and why. Pure; the model only ever chooses among candidates.

Every specialist's file lists what speaks for it; the weights of what was found add up. A clear winner leads, close
seconds lead with it, and where nobody is sure the generalist does and people are told.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from agents.alert import Alert
from agents.specialist import GENERALIST, Matches, Specialist

SURE = 0.5
"""A score from here on leads."""
NEAR = 0.75
"""Others lead too when they reach this share of the best score."""
LEADERS = 3
"""More than three at once would be the generalist with extra steps."""
_PIECES = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_METRICS = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


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

    @property
    def leaders(self) -> tuple[str, ...]:
        """Their names, best first."""
        return tuple(each.name for each in self.specialists)

    def to_json(self) -> dict[str, Any]:
        """The `routing` object of the published JSON."""
        return {
            "specialists": [
                {"name": each.name, "score": round(each.score, 3), "why": each.why} for each in self.specialists
            ],
            "abstained": self.abstained,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """What a case says about itself, broken into comparable pieces."""

    names: str
    """Alert names in lower-case words, with a space before and after each."""
    text: str
    """Summaries, descriptions and the question, likewise."""
    labels: frozenset[str]
    """`name` and `name=value` of all labels."""
    metrics: frozenset[str]
    """Metric names of the alerts' expressions."""


def clues(question: str, alerts: Sequence[Alert]) -> Clues:
    """The clues of a question and the alerts behind it."""
    texts = [question] if not alerts else []
    for alert in alerts:
        texts += [alert.annotations.get(key, "") for key in ("summary", "title", "message", "description")]
    labels = {f"{name}={value}" for alert in alerts for name, value in alert.labels.items()}
    return Clues(
        names=_words(alert.labels.get("alertname", "") for alert in alerts),
        text=_words(texts),
        labels=frozenset(labels | {label.partition("=")[0] for label in labels}),
        metrics=frozenset(name for alert in alerts for name in _METRICS.findall(_expression(alert))),
    )


def route(found: Clues, specialists: Sequence[Specialist]) -> Routing:
    """Scores every specialist and picks who leads."""
    routes = sorted((_score(each, found) for each in specialists if each.name != GENERALIST), key=lambda r: -r.score)
    sure = [each for each in routes if each.score >= SURE and each.score >= NEAR * routes[0].score]
    if sure:
        return Routing(specialists=tuple(sure[:LEADERS]), abstained=False)
    best = routes[0] if routes else None
    heard = f"the best guess was {best.name} with {best.score:.2f} ({best.why})" if best and best.score else "no clue"
    why = f"nobody reached {SURE}: {heard}"
    return Routing(specialists=(Route(name=GENERALIST, score=0.0, why=why),), abstained=True)


def _score(specialist: Specialist, found: Clues) -> Route:
    matches: Matches = specialist.matches
    hits: list[tuple[float, str]] = []
    hits += _phrases(matches.names, found.names, "name")
    hits += _phrases(matches.words, found.text, "text")
    hits += [(weight, f"label {label!r}") for label, weight in matches.labels.items() if label in found.labels]
    for prefix, weight in matches.expressions.items():
        if metric := next((each for each in sorted(found.metrics) if each.startswith(prefix)), None):
            hits.append((weight, f"metric {metric!r}"))
    hits.sort(reverse=True)
    total = max(0.0, sum(weight for weight, _ in hits))
    why = ", ".join(what for _, what in hits[:4]) or "nothing speaks for it"
    # Two points are even odds; each further two halve the doubt.
    return Route(name=specialist.name, score=1 - 2 ** (-total / 2), why=why)


def _phrases(weights: Mapping[str, float], text: str, where: str) -> list[tuple[float, str]]:
    return [(weight, f"{phrase!r} in the {where}") for phrase, weight in weights.items() if f" {phrase} " in text]


def _words(texts: Iterable[str]) -> str:
    return " " + " ".join(piece.lower() for text in texts for piece in _PIECES.findall(text)) + " "


def _expression(alert: Alert) -> str:
    # Prometheus puts the rule's expression into the link to its own graph page.
    return " ".join(parse_qs(urlsplit(alert.url).query).get("g0.expr", [])) if alert.url else ""
