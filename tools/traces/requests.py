"""What spans say of services together: who calls whom, and how many requests, how slow, how many failed. Pure.

Services get series of the catalogue's names, so that whatever reads metrics reads traces as well.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, quantiles
from typing import Any

from tools.entity import Entity
from tools.points import Points
from tools.traces.spans import Span

LANE_S = 60.0
"""Length of the stretches that spans are counted in: what a usual scrape would do."""
_SERVED = frozenset({"server", "consumer"})
_CALLED = frozenset({"client", "producer"})


@dataclass(slots=True, kw_only=True)
class Edge:
    """All calls of one service to another."""

    seconds: list[float] = field(default_factory=list[float])
    failed: int = 0


@dataclass(slots=True, kw_only=True)
class Served:
    """All requests that one service, or what it calls without its own spans, answered in one stretch of time."""

    seconds: list[float] = field(default_factory=list[float])
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Requests:
    """Spans, counted."""

    edges: Mapping[tuple[Entity, Entity], Edge]
    series: Sequence[Mapping[str, Any]]
    """As the metrics port gives them."""
    own_seconds: Mapping[Entity, float]
    """Mean seconds that a request takes in the service itself: without what its own calls take, side by side or not."""


def counted(spans: Sequence[Span]) -> Requests:
    """Counts spans. A call whose callee sent spans too is counted there, else as its caller saw it."""
    by_id = {each.id: each for each in spans}
    answered = {each.parent for each in spans if each.kind in _SERVED and each.parent in by_id}
    edges: defaultdict[tuple[Entity, Entity], Edge] = defaultdict(Edge)
    served: defaultdict[Entity, defaultdict[float, Served]] = defaultdict(lambda: defaultdict(Served))
    for each in spans:
        caller, callee = _ends(each, by_id, answered)
        if callee is None:
            continue
        if caller and caller != callee:
            edge = edges[caller, callee]
            edge.seconds.append(each.seconds)
            edge.failed += each.failed
        lane = served[callee][each.at // LANE_S * LANE_S]
        lane.seconds.append(each.seconds)
        lane.failed += each.failed
    return Requests(edges=edges, series=list(_series(served)), own_seconds=_own(spans, by_id))


def _ends(span: Span, by_id: Mapping[str, Span], answered: set[str]) -> tuple[Entity | None, Entity | None]:
    """Who calls and who answers, where the span tells of a request; a root span is one that nobody called."""
    parent = by_id.get(span.parent)
    if span.kind in _SERVED or parent is None:
        return (parent.service if parent else None), span.service
    if span.kind in _CALLED and span.id not in answered and span.peer:
        return span.service, span.peer
    return None, None


def _series(served: Mapping[Entity, Mapping[float, Served]]) -> Iterable[Mapping[str, Any]]:
    for entity, lanes in served.items():
        times = array("d", sorted(lanes))
        parts = [lanes[at] for at in times]
        for signal, values in (
            ("requests_per_second", [len(each.seconds) / LANE_S for each in parts]),
            ("error_ratio", [each.failed / len(each.seconds) for each in parts]),
            ("latency_mean_seconds", [fmean(each.seconds) for each in parts]),
            ("latency_p95_seconds", [_p95(each.seconds) for each in parts]),
        ):
            yield {"entity": str(entity), "signal": signal, "points": Points(times, array("d", values))}


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def _own(spans: Sequence[Span], by_id: Mapping[str, Span]) -> Mapping[Entity, float]:
    """Seconds of each request in the service itself, on average."""
    children: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for each in spans:
        parent = by_id.get(each.parent)
        if parent is not None and (each.kind in _CALLED or each.service != parent.service):
            children[parent.id].append((each.at, each.at + each.seconds))
    total: defaultdict[Entity, list[float]] = defaultdict(list)
    for each in spans:
        if each.kind in _SERVED or each.parent not in by_id:
            total[each.service].append(each.seconds - _covered(children[each.id], each.at, each.at + each.seconds))
    return {service: fmean(found) for service, found in total.items()}


def _covered(stretches: list[tuple[float, float]], start: float, end: float) -> float:
    """How much of a stretch others cover together; calls made side by side count once."""
    covered, reached = 0.0, start
    for began, ended in sorted(stretches):
        low, high = max(began, reached), min(ended, end)
        covered += max(0.0, high - low)
        reached = max(reached, high)
    return covered
