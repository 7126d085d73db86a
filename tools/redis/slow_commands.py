"""The tool that reads which commands were slow on Redis servers, and what else stopped them.

One object a deployment: `{"commands": [{"command", "count", "mean_ms", "max_ms", "arguments", "last_at"}], "events":
[{"event", "at", "latest_ms", "max_ms"}] or null}`. Keys and values of users are nowhere in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from tools.catalogue import Reading, tool
from tools.redis.commands import rows
from tools.redis.deployments import DeploymentArgs, optional, read
from tools.world import Redis, World

_SHOWN = 20


class SlowArgs(DeploymentArgs):
    """Which commands."""

    threshold_ms: float = Field(10.0, ge=0, le=600_000)


@tool("redis.slow_commands", SlowArgs)
async def slow_commands(world: World, args: SlowArgs) -> Reading:
    """Commands that kept Redis servers busy for long, by name, and events that stopped the server (forks, disk).

    A server works on one command at a time: what is slow here made everybody wait. The log keeps the newest 128.
    """

    async def ask(source: Redis) -> Mapping[str, Any]:
        entries = rows(await source.command("slowlog"), "entries")
        events = await optional(source, "latency")
        return {
            "commands": digest(each for each in entries if _ms(each) >= args.threshold_ms),
            "events": None if events is None else list(rows(events, "events")),
        }

    query = f"SLOWLOG GET 128; LATENCY LATEST # ms >= {args.threshold_ms:g}"
    return await read(world, args.deployment, query, ask, _lines)


def _ms(entry: Mapping[str, Any]) -> float:
    found = entry.get("ms")
    return float(found) if isinstance(found, int | float) else 0.0


def _count(entry: Mapping[str, Any]) -> int:
    found = entry.get("arguments")
    return found if isinstance(found, int) else 0


def digest(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Slow commands by name, those that took most time in all first."""
    groups: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in entries:
        groups[str(each.get("command"))].append(each)
    found = [_summed(command, group) for command, group in groups.items()]
    return sorted(found, key=lambda one: -one["count"] * one["mean_ms"])


def _summed(command: str, group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    times = [_ms(each) for each in group]
    return {
        "command": command,
        "count": len(group),
        "mean_ms": round(sum(times) / len(times), 3),
        "max_ms": max(times),
        "arguments": max(_count(each) for each in group),
        "first_at": min(str(each.get("at")) for each in group),
        "last_at": max(str(each.get("at")) for each in group),
    }


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = [
        f"{one['command']} {one['count']} times, mean {one['mean_ms']:.1f} ms, max {one['max_ms']:.1f} ms, up to "
        f"{one['arguments']} arguments, last {one['last_at']}"
        for one in seen["commands"][:_SHOWN]
    ]
    return [
        *lines,
        *(
            f"event {one.get('event')}: {one.get('latest_ms')} ms at {one.get('at')}, max {one.get('max_ms')} ms"
            for one in seen["events"] or ()
        ),
    ]
