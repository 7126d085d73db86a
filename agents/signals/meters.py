"""What was added to one thing, lane by lane: seconds a request, or errors a request, beyond what is usual. Pure."""

from collections.abc import Mapping
from itertools import pairwise

from agents.scene import Series
from agents.signals.changes import BOUND, RELATIVE, Usual, usual_of
from agents.signals.lanes import Lanes, Ruler, times, total
from agents.signals.units import Family, gauge, reader
from tools.entity import Entity

_QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_PREFIXES = {Family.LATENCY: "latency_", Family.CLIENT_LATENCY: "client_latency_"}
_ERRORS = ("error_ratio", "success_ratio", "availability_ratio")
UNKNOWN_ERRORS = Usual(median=0.0, spread=0.1 / BOUND, base_rate=0.1)
"""Errors of what has no past: from a tenth of all requests on they are too many for anyone."""


class Meter:
    """Reads series against their past."""

    def __init__(self, ruler: Ruler, *, relative: float = RELATIVE) -> None:
        """Takes moves of less than `relative` of the median, besides those within the usual spread, for none."""
        self._ruler = ruler
        self._relative = relative

    def added(self, parts: Mapping[Entity, Mapping[str, Series]], family: Family) -> Lanes:
        """What was added at the part of a node that suffers most."""
        measure = self._errors if family is Family.ERRORS else self._seconds
        every = [measure(known, family) for known in parts.values()]
        return max(every, key=sum, default=self._ruler.nothing())

    def _seconds(self, series: Mapping[str, Series], family: Family) -> Lanes:
        """Of the mean where that is known, else by the trapezoids between the quantiles."""
        prefix = _PREFIXES[family]
        if mean := series.get(f"{prefix}mean_seconds"):
            return self._beyond(mean)
        known = {share: series.get(f"{prefix}{name}_seconds") for name, share in _QUANTILES.items()}
        sides = [(0.0, self._ruler.nothing())]
        sides += [(share, self._beyond(each)) for share, each in known.items() if each]
        sides.append((1.0, sides[-1][1]))
        areas = [times(total(left, right), (high - low) / 2) for (low, left), (high, right) in pairwise(sides)]
        return total(*areas)

    def _errors(self, series: Mapping[str, Series], family: Family) -> Lanes:
        known = next((series[name] for name in _ERRORS if name in series), None)
        return self._beyond(known, or_else=UNKNOWN_ERRORS) if known else self._ruler.nothing()

    def _beyond(self, series: Series, *, or_else: Usual | None = None) -> Lanes:
        """How far the series lies above the middle half of its past."""
        read = reader(series.signal)
        past = [read(value) for value in series.samples.before(self._ruler.start).values]
        usual = usual_of(past, gauge(series.signal).floor, relative=self._relative) or or_else
        if usual is None:
            return self._ruler.nothing()
        return self._ruler.cut(series, lambda value: max(0.0, read(value) - usual.median - usual.spread))
