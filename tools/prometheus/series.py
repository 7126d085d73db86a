"""The tool that reads the catalogued signals, the most changed series first."""

import heapq
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tools.catalogue import Args, Reading, tool
from tools.points import Points
from tools.prometheus.signals import SIGNALS
from tools.window import Window
from tools.world import World, need

SHOWN = 40
_SMALLEST = {"ratio": 0.01, "s": 0.005}


class SignalsArgs(Args):
    signals: tuple[str, ...] = Field(
        (), max_length=40, description="names such as memory_utilization_ratio; none = all"
    )
    namespace: str | None = Field(None, max_length=253)
    minutes: int = Field(60, ge=1, le=10_080)


@tool("metrics.signals", SignalsArgs, timeout_s=40, ttl_s=60)
async def signals(world: World, args: SignalsArgs) -> Reading:
    """How CPU, memory, disk, network, requests, errors, latency and replicas went, the most changed series first.

    Each line: entity, signal, its last value, min, median and max, and the baseline (median of the window's first
    half) with the change since. An entity without a line has no such series: that is not the same as zero.
    """
    metrics = need(world.metrics, "metrics", "set the address of Prometheus, or capture signals/*.csv")
    window = Window.ending(world.now(), minutes=args.minutes)
    series = await metrics.signals(args.signals, args.namespace, window)
    wanted = " ".join(args.signals) or "all signals"
    query = f"{wanted}{f' of namespace {args.namespace}' if args.namespace else ''}, {args.minutes} minutes"
    return Reading(query=query, text=_text(series), data=list(series), window=window)


def _text(series: Sequence[Mapping[str, Any]]) -> str:
    measured = [one for one in series if one["points"]]
    # Only what is shown is put into words: there may be tens of thousands.
    ranked = heapq.nlargest(SHOWN, measured, key=lambda one: (_moved(one), str(one["entity"]), str(one["signal"])))
    shown = [_line(one) for one in ranked]
    if len(measured) > SHOWN:
        shown.append(f"[… {len(measured) - SHOWN} more series that changed less …]")
    warnings = dict.fromkeys(warning for one in series for warning in one.get("warnings", ()))
    unseen = [f"NOT SEEN: {warning}" for warning in list(warnings)[:5]]
    if len(warnings) > 5:
        unseen.append(f"[… {len(warnings) - 5} more that could not be seen …]")
    return "\n".join([*unseen, *shown])


def _moved(one: Mapping[str, Any]) -> float:
    """How far it went, in multiples of how far it usually goes; tiny values of ratios and latencies do not count."""
    values = _values(one)
    half = max(1, len(values) // 2)
    baseline, recent = _baseline(values), _recent(values)
    usual = statistics.median([abs(value - baseline) for value in values[:half]])
    known = SIGNALS.get(one["signal"])
    moved = abs(recent - baseline) / (
        3 * usual + 0.1 * abs(baseline) + _SMALLEST.get(known.unit if known else "", 0.01)
    )
    return moved + _ill(one["signal"], values[-1])


def _line(one: Mapping[str, Any]) -> str:
    values = _values(one)
    baseline = _baseline(values)
    return (
        f"{one['entity']} {one['signal']}: last {_short(values[-1])}, min {_short(min(values))}, "
        f"median {_short(statistics.median(values))}, max {_short(max(values))}, "
        f"baseline {_short(baseline)}, {_change(baseline, _recent(values))}"
    )


def _values(one: Mapping[str, Any]) -> list[float]:
    points = one["points"]
    return list(points.values) if isinstance(points, Points) else [float(value) for _, value in points]


def _baseline(values: Sequence[float]) -> float:
    return statistics.median(values[: max(1, len(values) // 2)])


def _recent(values: Sequence[float]) -> float:
    return statistics.median(values[-max(1, len(values) // 10) :])


def _change(baseline: float, recent: float) -> str:
    if not baseline:
        return "from zero" if recent else "unchanged"
    share = (recent - baseline) / abs(baseline)
    return f"changed {share:+.0%}" if abs(share) >= 0.005 else "unchanged"


def _ill(signal: str, value: float) -> float:
    """What is full or fails stands high also when it has been so for long."""
    if signal.endswith("utilization_ratio"):
        return max(0.0, value - 0.8) * 5
    if signal.endswith("error_ratio"):
        return value * 5
    return (1 - value) * 5 if signal in ("success_ratio", "availability_ratio") else 0.0


def _short(value: float) -> str:
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}"
