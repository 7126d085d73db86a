"""How far a series is from its own past: robust, with floors, and with how often the past did the same. Pure.

Median and median absolute deviation withstand a past of which up to half is itself bad (Rousseeuw and Croux, 1993: both
break down at 50 %, quartiles at 25 %). How much the points that are out prove is a binomial question: how likely are so
many of them at the rate at which the past was out?
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, log10

from tools.points import Points

MIN_BASELINE = 5
"""Points before the window that make a past."""
RELATIVE = 0.1
"""A spread is no less than this share of the median: who moves by less does not move."""
BOUND = 3.0
"""Spreads from the median that are out. A spread is the width of the middle half, so three are about four sigma."""
PROVEN = 0.5
"""Evidence that is enough for one thing that is looked at: one chance in a hundred."""
CERTAIN = 4.0
"""Powers of ten of improbability that count as certain; with thousands of series, one in a hundred is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual for a series."""

    median: float
    spread: float
    """Twice the median absolute deviation, that is the width of the middle half; never below the floors."""
    base_rate: float
    """How often the past was out of its own bounds, smoothed (Laplace): never zero."""

    def away(self, value: float) -> float:
        """How many spreads a value lies above (or, negative, below) usual."""
        return (value - self.median) / self.spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A series in the window against its past."""

    usual: Usual
    level: float
    """Median of the points that are out."""
    away: float
    """Spreads between level and usual, signed."""
    evidence: float
    """0..1: how little the past explains that so many points are out; 1 = by no means chance."""
    began_at: float
    """Unix seconds of the first point that is out."""
    last_at: float
    is_now: bool
    """Whether one of the last two points is out."""

    @property
    def certainty(self) -> float:
        """0..1: how far from chance; full from `PROVEN` on, since more points of one series prove nothing new."""
        return min(1.0, self.evidence / PROVEN)

    @property
    def factor(self) -> float:
        """Level against usual; infinite when usual was zero."""
        return self.level / self.usual.median if self.usual.median else float("inf")

    @property
    def added(self) -> float:
        """Level minus usual, in the signal's unit."""
        return self.level - self.usual.median

    @property
    def strength(self) -> float:
        """0..1 from distance and evidence; half way at ten bounds' distance, so that one series never rules by size."""
        beyond = abs(self.away) - BOUND
        return self.evidence * beyond / (beyond + 10.0) if beyond > 0 else 0.0


def usual_of(
    past: Sequence[float], floor: float, *, relative: float = RELATIVE, full: float | None = None
) -> Usual | None:
    """Of the values before the window; `None` when they are too few.

    With `full`, a share of use from which on waiting begins, no past is so restless that this would count as usual.
    """
    if len(past) < MIN_BASELINE:
        return None
    ordered = sorted(past)
    middle = _middle(ordered)
    deviations = sorted([abs(each - middle) for each in ordered])
    spread = max(2 * _middle(deviations), relative * abs(middle), floor)
    if full is not None:
        spread = min(spread, max(floor, (max(full, middle / full) - middle) / BOUND))
    out = len(past) - bisect_right(deviations, BOUND * spread)
    return Usual(median=middle, spread=spread, base_rate=(out + 1) / (len(past) + 2))


def change_of(
    points: Points,
    start: float,
    floor: float,
    *,
    read: Callable[[float], float] = float,
    or_else: Usual | None = None,
    full: float | None = None,
) -> Change | None:
    """Where a series left what is usual for it, on the side where it went further; `None` when it did not.

    Args:
        points: (Unix seconds, value), oldest first.
        start: Unix seconds at which the window begins; what lies before is the past.
        floor: the smallest spread that matters in this signal's unit.
        read: what to make of each value first.
        or_else: what is taken for usual where there is no past.
        full: the share of use from which on waiting begins, if it is such a share.
    """
    usual = usual_of([read(value) for value in points.before(start).values], floor, full=full) or or_else
    inside = [(at, read(value)) for at, value in points.since(start)]
    if usual is None or not inside:
        return None
    return _change(usual, inside)


def _change(usual: Usual, inside: Sequence[tuple[float, float]]) -> Change | None:
    high, low = usual.median + BOUND * usual.spread, usual.median - BOUND * usual.spread
    above = [point for point in inside if point[1] > high]
    below = [point for point in inside if point[1] < low]
    out = max(above, below, key=lambda each: sum(abs(usual.away(value)) for _, value in each))
    if not out:
        return None
    level = _middle(sorted(value for _, value in out))
    return Change(
        usual=usual,
        level=level,
        away=usual.away(level),
        evidence=_evidence(len(out), len(inside), usual.base_rate),
        began_at=out[0][0],
        last_at=out[-1][0],
        is_now=out[-1][0] >= inside[-min(2, len(inside))][0],
    )


def _evidence(out: int, of: int, rate: float) -> float:
    """How improbable so many points are at the base rate, as a share of `CERTAIN` powers of ten."""
    chance = _tail(out, of, rate)
    return min(1.0, -log10(chance) / CERTAIN) if chance > 0 else 1.0


def _tail(at_least: int, of: int, rate: float) -> float:
    if of > 60:
        # What many points prove, sixty in the same proportion prove as well; the sum stays short.
        at_least, of = round(at_least * 60 / of), 60
    return sum(comb(of, each) * rate**each * (1 - rate) ** (of - each) for each in range(at_least, of + 1))


def _middle(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
