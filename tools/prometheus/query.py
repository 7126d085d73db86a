"""The tools that evaluate PromQL as it is written."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from whenever import Instant

from tools.catalogue import Args, Reading, tool
from tools.window import Window
from tools.world import World, need

SHOWN = 50
_HINT = "set the address of Prometheus; recorded signals are read with metrics.signals"


class QueryArgs(Args):
    promql: str = Field(min_length=1, max_length=4_000)


class RangeArgs(QueryArgs):
    minutes: int = Field(60, ge=1, le=43_200)
    step_s: float | None = Field(None, gt=0, le=86_400, description="none = a step that gives about 100 points")


@tool("prometheus.query", QueryArgs, timeout_s=15)
async def query(world: World, args: QueryArgs) -> Reading:
    """The value of a PromQL expression now, by series, the largest first. For how it went, ask prometheus.range.

    EMPTY means that no series matches: a wrong label value and a metric that nobody scrapes look the same.
    """
    metrics = need(world.metrics, "Prometheus", _HINT)
    found = await metrics.instant(args.promql, world.now())
    ordered = sorted(found, key=lambda one: (one["value"] is None, -(one["value"] or 0.0)))
    lines = [f"{_value(one['value'])} {_labels(one['labels'])}" for one in ordered]
    return Reading(query=args.promql, text=_bounded(lines, found), data=list(found))


@tool("prometheus.range", RangeArgs, timeout_s=20)
async def over_time(world: World, args: RangeArgs) -> Reading:
    """How a PromQL expression went over the last minutes: first, last, min and max of each series, and when they were.

    A gap in a series is not shown as zero; a series that began or ended in the window says so by its times.
    """
    metrics = need(world.metrics, "Prometheus", _HINT)
    window = Window.ending(world.now(), minutes=args.minutes)
    step_s = args.step_s or max(15.0, args.minutes * 60 / 100)
    found = await metrics.range(args.promql, window, step_s)
    ordered = sorted(found, key=_spread, reverse=True)
    return Reading(
        query=args.promql, text=_bounded([_course(one) for one in ordered], found), data=list(found), window=window
    )


def _bounded(lines: list[str], found: Sequence[Mapping[str, Any]]) -> str:
    warnings = dict.fromkeys(warning for one in found for warning in one.get("warnings", ()))
    cut = [f"[… {len(lines) - SHOWN} more of {len(lines)} series …]"] if len(lines) > SHOWN else []
    return "\n".join([*(f"WARNING: {warning}" for warning in list(warnings)[:5]), *lines[:SHOWN], *cut])


def _course(one: Mapping[str, Any]) -> str:
    points: Sequence[tuple[float, float]] = one["points"]
    first, last = points[0], points[-1]
    low, high = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
    parts = (("first", first), ("last", last), ("min", low), ("max", high))
    course = ", ".join(f"{name} {_value(value)} at {_clock(at)}" for name, (at, value) in parts)
    return f"{_labels(one['labels'])}: {course}, {len(points)} points"


def _spread(one: Mapping[str, Any]) -> float:
    values = [value for _, value in one["points"]]
    return (max(values) - min(values)) / (abs(max(values)) + abs(min(values)) or 1.0)


def _value(value: float | None) -> str:
    if value is None:
        return "not a number"
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"


def _labels(labels: Mapping[str, str]) -> str:
    name = labels.get("__name__", "")
    rest = ", ".join(f'{key}="{value[:120]}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"{name}{{{rest}}}"


def _clock(unix_s: float) -> str:
    return str(Instant.from_timestamp(round(unix_s)))
