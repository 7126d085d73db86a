"""The tools that read traces: who calls whom and how that goes, and the same as series of each service."""

import asyncio
from statistics import fmean

from pydantic import Field

from tools.catalogue import Args, Reading, tool
from tools.traces.requests import Requests, counted
from tools.window import Window
from tools.world import World, need

SHOWN = 40


class TracesArgs(Args):
    minutes: int = Field(60, ge=1, le=10_080)


async def _counted(world: World, minutes: int) -> tuple[Requests, Window]:
    traces = need(world.traces, "traces", "capture traces/*.json as OTLP/JSON")
    window = Window.ending(world.now(), minutes=minutes)
    found = await traces.spans(window)
    return await asyncio.to_thread(counted, found), window


@tool("traces.calls", TracesArgs, timeout_s=40, ttl_s=60)
async def calls(world: World, args: TracesArgs) -> Reading:
    """Which service calls which by its traces, the dearest calls first: how many, how slow, how many failed.

    Traces are mostly sampled: the shares and times are right, the numbers are too small.
    """
    found, window = await _counted(world, args.minutes)
    dearest = sorted(found.edges.items(), key=lambda each: -sum(each[1].seconds))
    lines = [
        f"{caller} -> {callee}: {len(edge.seconds)} calls, mean {fmean(edge.seconds):.3g} s, "
        f"{edge.failed / len(edge.seconds):.1%} failed"
        for (caller, callee), edge in dearest[:SHOWN]
    ]
    if len(dearest) > SHOWN:
        lines.append(f"[… {len(dearest) - SHOWN} more pairs that take less …]")
    data = [[str(caller), str(callee)] for caller, callee in found.edges]
    return Reading(query=f"calls in traces, {args.minutes} minutes", text="\n".join(lines), data=data, window=window)


@tool("traces.signals", TracesArgs, timeout_s=40, ttl_s=60)
async def signals(world: World, args: TracesArgs) -> Reading:
    """How long a request takes in each service itself, by its traces, the slowest first: calls to others not counted.

    A service that waits for a lock or a full pool of its own stands high here too.
    """
    found, window = await _counted(world, args.minutes)
    slowest = sorted(found.own_seconds.items(), key=lambda each: (-each[1], str(each[0])))
    lines = [f"{service}: {seconds:.3g} s a request in itself" for service, seconds in slowest[:SHOWN]]
    query = f"time in each service by traces, {args.minutes} minutes"
    return Reading(query=query, text="\n".join(lines), data=list(found.series), window=window)
