"""Compares a series in the incident's window with its own past: robustly, in plain Python. Pure.

Without a past there is no comparison: then only absolute thresholds may speak.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from whenever import Instant

from agents.scene import Series
from agents.signals.changes import BOUND, MIN_BASELINE, usual_of
from tools.window import Window

RUN = 2
"""Consecutive unusual points that are more than a blip."""
SUSTAINED = 0.5
"""Share of the points from the onset on, or until it is over, that must be unusual: noise comes and goes."""
RECOVERED_RUN = 2
"""Consecutive usual points at the end that say it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The part of a window where a series was out of bounds."""

    series: Series
    began_at: Instant
    last_at: Instant
    level: float
    """Median of the points that are out of bounds."""
    is_over: bool
    """Whether the last points of the series are within bounds again."""
    usual: float | None = None
    """Median of the past; `None` when the bound was absolute."""
    deviations: float = 0.0
    """How many spreads the level is away from usual; 0 when the bound was absolute."""

    @property
    def factor(self) -> float:
        """Level against usual; 1 when there is no past, large when usual was zero."""
        if self.usual is None:
            return 1.0
        return self.level / self.usual if self.usual else float("inf")


def shift(series: Series, window: Window, *, floor: float, upward: bool = True) -> Stretch | None:
    """Where the series left what is usual for it; `None` when it did not, or has no past.

    Args:
        series: one signal of one entity, the past included.
        window: of the incident; what lies before is the past.
        floor: the smallest spread that matters in this signal's unit.
        upward: whether more is unusual, else less.
    """
    known = usual_of(series.samples.before(window.start.timestamp()).values, floor)
    if known is None:
        return None
    usual, spread = known.median, known.spread

    def is_out(value: float) -> bool:
        return (value - usual if upward else usual - value) > BOUND * spread

    found = _stretch(series, window, is_out)
    if found is None:
        return None
    began_at, last_at, level, is_over = found
    return Stretch(
        series=series,
        began_at=began_at,
        last_at=last_at,
        level=level,
        is_over=is_over,
        usual=usual,
        deviations=abs(level - usual) / spread,
    )


def above(series: Series, window: Window, bound: float, *, minutes: float = 0.0) -> Stretch | None:
    """Where the series lay above `bound` for at least that long; no past is needed."""
    found = _stretch(series, window, lambda value: value > bound)
    if found is None:
        return None
    began_at, last_at, level, is_over = found
    if (last_at - began_at).total("minutes") + _step_s(series) / 60 < minutes:
        return None
    return Stretch(series=series, began_at=began_at, last_at=last_at, level=level, is_over=is_over)


def latest(series: Series) -> float:
    """The median of the last three points: one odd sample does not decide."""
    return median(value for _, value in series.points[-3:])


def stands_at(series: Series) -> float:
    """The last point, of what is a level and not a rate: a volume that was emptied is well at once."""
    return series.points[-1][1]


def past(series: Series, window: Window) -> float | None:
    """The median before the window; `None` without enough of a past."""
    values = series.samples.before(window.start.timestamp()).values
    return median(values) if len(values) >= MIN_BASELINE else None


def hours_until(series: Series, bound: float) -> float | None:
    """When the series reaches `bound` if it goes on as in its last half; `None` when it does not move that way."""
    half = series.points[len(series.points) // 2 :]
    if len(half) < 2 * MIN_BASELINE:
        return None
    third = len(half) // 3
    early, late = half[:third], half[-third:]
    passed = median(at for at, _ in late) - median(at for at, _ in early)
    moved = median(value for _, value in late) - median(value for _, value in early)
    remaining = bound - latest(series)
    if not passed or not moved or remaining * moved < 0:
        return None
    return remaining / (moved / passed) / 3600


def grows_steadily(series: Series, *, hours: float, share: float, parts: int = 6) -> bool:
    """Whether each part of the series lies above the one before, over that many hours and by that share in all."""
    points = series.points
    if len(points) < 2 * parts or points[-1][0] - points[0][0] < hours * 3600:
        return False
    size = len(points) // parts
    levels = [median(value for _, value in points[part * size : (part + 1) * size]) for part in range(parts)]
    return all(later > earlier for earlier, later in pairwise(levels)) and levels[-1] >= levels[0] * (1 + share)


def _stretch(
    series: Series, window: Window, is_out: Callable[[float], bool]
) -> tuple[Instant, Instant, float, bool] | None:
    points = series.samples.since(window.start.timestamp())
    flags = [is_out(value) for _, value in points]
    needed = min(RUN, len(points))
    began = next((place for place in range(len(flags)) if needed and all(flags[place : place + needed])), None)
    if began is None or began + needed > len(flags):
        return None
    out = [point for point, flag in zip(points[began:], flags[began:], strict=True) if flag]
    ended = max(place for place, flag in enumerate(flags) if flag) + 1
    if len(out) < SUSTAINED * (ended - began):
        return None
    is_over = len(flags) > RECOVERED_RUN and not any(flags[-RECOVERED_RUN:])
    return _at(out[0][0]), _at(out[-1][0]), median(value for _, value in out), is_over


def _step_s(series: Series) -> float:
    steps = [later - earlier for (earlier, _), (later, _) in pairwise(series.points[-10:])]
    return median(steps) if steps else 0.0


def _at(unix_s: float) -> Instant:
    return Instant.from_timestamp(int(unix_s))
