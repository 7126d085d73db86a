"""What a case says about itself, broken into pieces that lists of words can be compared with. Pure."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from agents.alert import Alert

_NAME, _SUMMARY, _DESCRIPTION, _TARGET = 1.0, 0.9, 0.7, 0.5
"""How much a word counts by where it stands. A description also speaks of neighbours and remedies, and the job that an
expression asks is often just the exporter that tells of something else."""
_GRAM = 4
"""Pieces that may make up one word: `post gre sql 9`."""
_MOST_PIECES = 2_000
"""That are read of all names, of all summaries and of all descriptions: several pages, and no more time for a flood."""
_TEMPLATE = re.compile(r"\{\{[^{}]{0,200}\}\}")
_PIECES = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_METRICS = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TARGETS = re.compile(r"\b(?:job|app|service|component)\s*=~?\s*\"([^\"]*)\"")


@dataclass(frozen=True, slots=True)
class Heard:
    """One word or phrase of a case."""

    weight: float
    """By where it stands."""
    place: int
    """Where it begins, in words from the beginning of what names the case."""
    length: int
    """In words."""
    where: str

    def is_part_of(self, other: "Heard") -> bool:
        """Whether it only stands there as a part of something longer, as `proxy` does in `ProxySQL`."""
        inside = other.place <= self.place and self.place + self.length <= other.place + other.length
        return inside and self.length < other.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """What a case says about itself, broken into comparable pieces."""

    phrases: Mapping[str, Sequence[Heard]]
    """Every run of up to four words without the spaces, lower case: however `PostgreSQL` was split, it is there."""
    labels: frozenset[str]
    """`name` and `name=value` of all labels."""
    metrics: frozenset[str]
    """Metric names of the alerts' expressions; of a recording rule's name, each part."""


def clues(question: str, alerts: Sequence[Alert]) -> Clues:
    """The clues of a question and the alerts behind it."""
    expressions = [_expression(alert) for alert in alerts]
    named = [alert.labels.get("alertname", "") for alert in alerts]
    targets = [each for expression in expressions for each in _TARGETS.findall(expression)]
    short = [question] if not alerts else [_annotations(alert, "summary", "title") for alert in alerts]
    long = [_annotations(alert, "message", "description") for alert in alerts]
    phrases: dict[str, list[Heard]] = {}
    place = 0
    spoken = ((named, _NAME, "name"), (short, _SUMMARY, "text"), (targets, _TARGET, "expression"))
    for texts, weight, where in (*spoken, (long, _DESCRIPTION, "text")):
        place = _hear(texts, weight, where, place, into=phrases)
    labels = {f"{name}={value}" for alert in alerts for name, value in alert.labels.items()}
    metrics = {part for each in expressions for name in _METRICS.findall(each) for part in name.split(":") if part}
    return Clues(
        phrases=phrases,
        labels=frozenset(labels | {label.partition("=")[0] for label in labels}),
        metrics=frozenset(metrics),
    )


def _hear(texts: Iterable[str], weight: float, where: str, start: int, *, into: dict[str, list[Heard]]) -> int:
    """Takes in some texts; the place after their last word."""
    ends = start + _MOST_PIECES
    for text in dict.fromkeys(texts):
        found = itertools.islice(_PIECES.finditer(_TEMPLATE.sub(" ", text)), ends - start)
        pieces = [each[0].lower() for each in found]
        for at in range(len(pieces)):
            for length in range(1, min(_GRAM, len(pieces) - at) + 1):
                for phrase in _forms("".join(pieces[at : at + length])):
                    into.setdefault(phrase, []).append(Heard(weight, start + at, length, where))
        start += len(pieces)
    return start


def _forms(word: str) -> tuple[str, ...]:
    """The word, and the singular that it may be the plural of."""
    if word.endswith("ies"):
        return (word, word[:-3] + "y")
    return (word, word[:-1]) if word.endswith("s") else (word,)


def _annotations(alert: Alert, *names: str) -> str:
    return ". ".join(alert.annotations[each] for each in names if alert.annotations.get(each))


def _expression(alert: Alert) -> str:
    # Prometheus puts the rule's expression into the link to its own graph page.
    return " ".join(parse_qs(urlsplit(alert.url).query).get("g0.expr", [])) if alert.url else ""
