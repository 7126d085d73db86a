"""The window cut into equal lanes of time, so that series of any rhythm can be compared moment by moment. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from agents.scene import Series
from tools.window import Window

MOST = 60
"""More lanes than this tell nothing more about an incident, and cost time with a scrape every second."""

Lanes = Sequence[float]
"""One value a lane; zero where nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """How the window is cut."""

    start: float
    width: float
    count: int

    @classmethod
    def of(cls, window: Window, series: Sequence[Series]) -> "Ruler":
        """As fine as the series are sampled, within reason."""
        start, length = window.start.timestamp(), max(window.seconds, 1.0)
        steps = sorted(step for each in series[:50] if (step := _step(each)) > 0)
        wanted = steps[len(steps) // 2] if steps else length
        # Both ends of a window belong to it: a sample at the very end needs a lane of its own.
        count = max(1, min(MOST, int(length / wanted) + 1))
        return cls(start=start, width=length / max(1, count - 1) if count > 1 else length, count=count)

    def cut(self, series: Series, read: Callable[[float], float]) -> Lanes:
        """The mean of what `read` makes of the values in each lane."""
        sums, counts = [0.0] * self.count, [0] * self.count
        for at, value in series.samples.since(self.start):
            place = min(self.count - 1, int((at - self.start) / self.width + 0.5))
            sums[place] += read(value)
            counts[place] += 1
        return [total / many if many else 0.0 for total, many in zip(sums, counts, strict=True)]

    def nothing(self) -> Lanes:
        """Zero throughout."""
        return [0.0] * self.count


def total(*parts: Lanes) -> Lanes:
    """Their sum, lane by lane."""
    return [sum(each) for each in zip(*parts, strict=True)]


def minus(whole: Lanes, part: Lanes) -> Lanes:
    """What is left of `whole`, never below zero."""
    return [max(0.0, left - right) for left, right in zip(whole, part, strict=True)]


def times(lanes: Lanes, factor: float) -> Lanes:
    """Each lane times that."""
    return [each * factor for each in lanes]


def product(left: Lanes, right: Lanes) -> Lanes:
    """Lane by lane."""
    return [one * other for one, other in zip(left, right, strict=True)]


def likeness(part: Lanes, whole: Lanes) -> float:
    """0..1: how much of `whole` the part covers, moment by moment, times how alike the two go in time (cosine)."""
    lengths = hypot(*part) * hypot(*whole)
    if not lengths:
        return 0.0
    pairs = list(zip(part, whole, strict=True))
    return sum(min(pair) for pair in pairs) / sum(whole) * sum(one * other for one, other in pairs) / lengths


def _step(series: Series) -> float:
    gaps = sorted(later - earlier for (earlier, _), (later, _) in pairwise(series.samples[-10:]))
    return gaps[len(gaps) // 2] if gaps else 0.0
