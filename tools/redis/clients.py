"""The tool that reads who is connected to Redis servers.

One object a deployment: `{"seen", "holders": [{"name", "host", "user", "library", "count", "idle", "blocked",
"commands": {name: count}, "output_bytes"}], "waiting": {command: count}, "largest_output": {"name", "host", "command",
"bytes"} or null}`. `idle` connections did nothing for five minutes; `waiting` are those that a command keeps blocked.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tools.catalogue import Reading, tool
from tools.redis.commands import MOST_CLIENTS, command_word, rows
from tools.redis.deployments import DeploymentArgs, read
from tools.redis.status import size
from tools.world import Redis, World

IDLE_S = 300
_SHOWN = 20


@tool("redis.clients", DeploymentArgs, ttl_s=10)
async def clients(world: World, args: DeploymentArgs) -> Reading:
    """Which applications hold connections to Redis servers, how many are idle or blocked, and on which command.

    Clients that set no name stand under their address; a proxy hides those behind it.
    """

    async def ask(source: Redis) -> Mapping[str, Any]:
        return digest(rows(await source.command("clients"), "clients"))

    return await read(world, args.deployment, "CLIENT LIST", ask, _lines)


def digest(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What rules and readers need of the connections."""
    holders: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    waiting = Counter[str]()
    for row in rows:
        holders[str(row.get("name") or ""), _host(row)].append(row)
        if _is_blocked(row):
            waiting[command_word(row.get("cmd"))] += 1
    largest = max(rows, key=_output, default=None)
    return {
        "seen": len(rows),
        "is_cut": len(rows) >= MOST_CLIENTS,
        "holders": sorted((_holder(key, group) for key, group in holders.items()), key=lambda one: -one["count"])[:200],
        "waiting": dict(waiting),
        "largest_output": None
        if largest is None
        else {
            "name": largest.get("name") or None,
            "host": _host(largest),
            "command": command_word(largest.get("cmd")),
            "bytes": _output(largest),
        },
    }


def _host(row: Mapping[str, Any]) -> str:
    return str(row.get("addr") or "").rpartition(":")[0]


def _output(row: Mapping[str, Any]) -> float:
    found = row.get("omem")
    return float(found) if isinstance(found, int | float) else 0.0


def _is_blocked(row: Mapping[str, Any]) -> bool:
    return "b" in str(row.get("flags") or "")


def _holder(key: tuple[str, str], group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    name, host = key
    return {
        "name": name or None,
        "host": host or None,
        "user": group[0].get("user"),
        "library": group[0].get("lib-name") or None,
        "count": len(group),
        "idle": sum(isinstance(each.get("idle"), int) and each["idle"] >= IDLE_S for each in group),
        "blocked": sum(map(_is_blocked, group)),
        "commands": dict(Counter(command_word(each.get("cmd")) for each in group).most_common(5)),
        "output_bytes": sum(map(_output, group)),
    }


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    cut = ", not all of them" if seen["is_cut"] else ""
    lines = [f"{seen['seen']} connections{cut}"] if seen["seen"] else []
    for one in seen["holders"][:_SHOWN]:
        said = ", ".join(f"{name} {count}" for name, count in one["commands"].items())
        lines.append(
            f"{one['count']} by {one['name'] or 'unnamed'} from {one['host'] or 'local'}: "
            f"idle for 5 min {one['idle']}, blocked {one['blocked']}, output {size(one['output_bytes'])}; last {said}"
        )
    if len(seen["holders"]) > _SHOWN:
        lines.append(f"[… {len(seen['holders']) - _SHOWN} more …]")
    return lines
