"""Which specialists an alert or a question is for, and why. Pure; the model only ever chooses among candidates.

What an alert is *about* (its technology) and what it *complains of* (its symptom) are told apart: a CPU alert about a
database is about a database first, and goes to those who know CPUs as well. Where nobody is sure the generalist does
it and people are told.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.clues import Clues, Heard
from agents.specialist import GENERALIST, Specialist

SURE = 0.5
"""A score from here on leads: it is then likelier right than all others together."""
PAIR = 0.8
"""Two that reach this together lead as well: it is one of them, though neither is likelier than not."""
NEAR = 0.75
"""Others lead too when they reach this share of the best score."""
SUBJECT = 3.0
"""Points from which a technology or a symptom alone makes its specialist lead beside the best."""
LEADERS = 3
"""More than three at once would be the generalist with extra steps."""
MOST_SYMPTOM = 4.0
"""Symptoms never outweigh a technology that names the subject by itself (5): many words say "memory", few "mysql"."""
FURTHER = 0.25
"""What every further word counts of its weight: words of one alert repeat each other, they are no new evidence."""
HEAD = 1.3
"""How much more the technology counts that is named first, for that is what an alert's name begins with."""
NAMED = 3.5
"""Points from which the technology that is named first owns the complaint,"""
OTHERS = 0.5
"""so that for all others it counts half: a database whose memory fills up is a database in trouble."""
DOUBT = 0.0
"""Points of "none of them"; fitted together with the next."""
STEEPNESS = 1.0
"""How much a point changes the odds, as exponent of e: fitted, so that a score is the share of those that are right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One specialist's claim to a case."""

    name: str
    score: float
    """0..1: how likely it is the right one."""
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


@dataclass(frozen=True, slots=True)
class _Hit:
    points: float
    what: str
    place: int | None = None
    """`None` for what stands in no text."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """What speaks for one specialist."""

    name: str
    technologies: tuple[_Hit, ...]
    symptoms: tuple[_Hit, ...]

    @property
    def subject(self) -> float:
        return _summed(self.technologies)

    @property
    def complaint(self) -> float:
        return min(MOST_SYMPTOM, _summed(self.symptoms))

    @property
    def first(self) -> int | None:
        """Where the first word stands that names a technology."""
        return min((each.place for each in self.technologies if each.place is not None), default=None)


def route(found: Clues, specialists: Sequence[Specialist], *, chosen: Sequence[str] = ()) -> Routing:
    """Scores every specialist and picks who leads.

    Args:
        found: what the case says about itself.
        specialists: all there are.
        chosen: whom the model chose; they lead where the rules are sure of nobody, and nowhere else.
    """
    asked = [each for each in specialists if each.name != GENERALIST]
    prefixes = _prefixes(asked, found.metrics)
    whole = _longest(heard for each in asked for heard in _named(each, found))
    claims = [_claim(each, found, prefixes, whole) for each in asked]
    head = min((each.first for each in claims if each.first is not None), default=None)
    named = max((each.subject for each in claims if each.first == head), default=0.0) if head is not None else 0.0
    points = {each.name: _points(each, head, is_other=named >= NAMED) for each in claims}
    most = max((DOUBT, *points.values()))
    # Only differences count; without the largest taken off, weights of somebody's own could overflow.
    odds = {name: math.exp(STEEPNESS * (each - most)) for name, each in points.items()}
    all_odds = sum(odds.values()) + math.exp(STEEPNESS * (DOUBT - most))
    routes = sorted(
        (Route(name=each.name, score=odds[each.name] / all_odds, why=_why(each)) for each in claims),
        key=lambda each: -each.score,
    )
    best = [each.score for each in routes[:2]]
    if not best or (best[0] < SURE and sum(best) < PAIR):
        by_name = {each.name: each for each in routes}
        picked = tuple(_picked(by_name[name]) for name in chosen if name in by_name)
        return Routing(specialists=picked or (_nobody(routes),), abstained=not picked)
    subjects = {each.name for each in claims if each.subject >= SUBJECT or each.complaint >= SUBJECT}
    leading = [each for each in routes[1:] if each.score >= NEAR * routes[0].score or each.name in subjects]
    return Routing(specialists=(routes[0], *leading[: LEADERS - 1]), abstained=False)


def _picked(by_rules: Route) -> Route:
    why = f"chosen by the model; rules heard {by_rules.why or 'nothing'}"
    return Route(name=by_rules.name, score=by_rules.score, why=why)


def _nobody(routes: Sequence[Route]) -> Route:
    best = routes[0] if routes else None
    heard = f"the best guess was {best.name} with {best.score:.2f} ({best.why})" if best and best.why else "no clue"
    return Route(name=GENERALIST, score=0.0, why=f"nobody reached {SURE}: {heard}")


def _points(claim: _Claim, head: int | None, *, is_other: bool) -> float:
    if head is not None and claim.first == head:
        return HEAD * claim.subject + claim.complaint
    return claim.subject + claim.complaint * (OTHERS if is_other else 1.0)


def _prefixes(specialists: Sequence[Specialist], metrics: Iterable[str]) -> dict[str, str]:
    """The longest beginning that anybody knows of each metric, and the metric: `node_network_` before `node_`."""
    known = {prefix for each in specialists for prefix in each.matches.expressions}
    longest = ((max((p for p in known if metric.startswith(p)), key=len, default=""), metric) for metric in metrics)
    return {prefix: metric for prefix, metric in sorted(longest, reverse=True) if prefix}


def _named(specialist: Specialist, found: Clues) -> Iterator[Heard]:
    for phrases in specialist.matches.technologies.values():
        for phrase in phrases:
            yield from found.phrases.get(phrase.replace(" ", ""), ())


def _longest(named: Iterable[Heard]) -> dict[int, Heard]:
    """The longest name that covers each place."""
    longest: dict[int, Heard] = {}
    for heard in named:
        for place in range(heard.place, heard.place + heard.length):
            if place not in longest or longest[place].length < heard.length:
                longest[place] = heard
    return longest


def _claim(specialist: Specialist, found: Clues, prefixes: Mapping[str, str], whole: Mapping[int, Heard]) -> _Claim:
    matches = specialist.matches
    technologies = list(_heard(matches.technologies, found, whole))
    for name, weight in matches.labels.items():
        if name in found.labels:
            technologies.append(_Hit(weight, f"label {name!r}"))
    for prefix, weight in matches.expressions.items():
        if prefix in prefixes:
            technologies.append(_Hit(weight, f"metric {prefixes[prefix]!r}"))
    return _Claim(specialist.name, tuple(technologies), tuple(_heard(matches.symptoms, found, whole)))


def _heard(lexicon: Mapping[float, Sequence[str]], found: Clues, whole: Mapping[int, Heard]) -> Iterator[_Hit]:
    for weight, phrases in lexicon.items():
        for phrase in phrases:
            for heard in found.phrases.get(phrase.replace(" ", ""), ()):
                if heard.place not in whole or not heard.is_part_of(whole[heard.place]):
                    yield _Hit(weight * heard.weight, f"{phrase!r} in the {heard.where}", heard.place)
                    break


def _summed(hits: Sequence[_Hit]) -> float:
    points = sorted((each.points for each in hits), reverse=True)
    return points[0] + FURTHER * sum(points[1:]) if points else 0.0


def _why(claim: _Claim) -> str:
    hits = sorted((*claim.technologies, *claim.symptoms), key=lambda each: -each.points)
    return ", ".join(dict.fromkeys(each.what for each in hits[:4]))
