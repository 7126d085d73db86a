"""The tool that reads who is connected to PostgreSQL servers.

One object a deployment: `{"refused": why or null, "used", "max", "reserved", "ratio", "states": {state: count},
"holders": [{"role", "application", "database", "count", "idle", "idle_in_transaction", "active", "stale",
"longest_s"}]}`. `ratio` is of what ordinary roles may take. `stale` sessions have done nothing for five minutes. A
server that lets nobody in tells `refused` and nothing else.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tools.catalogue import Reading, tool
from tools.postgres.deployments import DeploymentArgs, Row, read
from tools.world import Postgres, World

_SHOWN = 20


@tool("postgres.connections", DeploymentArgs, ttl_s=10)
async def connections(world: World, args: DeploymentArgs) -> Reading:
    """How many connections PostgreSQL servers have of how many, and which applications hold them in which state.

    A pooler in front hides the applications behind it: its own name is then the holder.
    """

    async def ask(source: Postgres) -> Mapping[str, Any]:
        rows = await source.query("connections")
        if refused := next((row["refused"] for row in rows if row.get("refused")), None):
            return {"refused": refused}
        (server, *_) = await source.query("server") or [{}]
        return {"refused": None, **digest(rows, server)}

    return await read(world, args, ("connections", "server"), ask, _lines)


def digest(rows: Sequence[Row], server: Row) -> dict[str, Any]:
    """What rules and readers need of the queries `connections` and `server`."""
    used = rows[0].get("total") if rows else 0
    most, reserved = server.get("max_connections"), server.get("reserved_connections") or 0
    states = Counter[str]()
    holders: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        states[str(row.get("state") or "unknown")] += row.get("count") or 0
        role, application, database = (str(row.get(key) or "") for key in ("role", "application", "database"))
        holders[role, application, database].append(row)
    described = [_holder(key, group) for key, group in holders.items()]
    return {
        "used": used,
        "max": most,
        "reserved": reserved,
        "ratio": round(used / (most - reserved), 4) if used is not None and most and most > reserved else None,
        "states": dict(states),
        "holders": sorted(described, key=lambda one: -one["count"]),
    }


def _holder(key: tuple[str, str, str], group: Sequence[Row]) -> dict[str, Any]:
    role, application, database = key
    states = Counter[str]()
    for row in group:
        state = str(row.get("state") or "")
        states["in transaction" if state.startswith("idle in transaction") else state] += row.get("count") or 0
    return {
        "role": role or None,
        "application": application or None,
        "database": database or None,
        "count": states.total(),
        "idle": states["idle"],
        "idle_in_transaction": states["in transaction"],
        "active": states["active"],
        "stale": sum(row.get("stale") or 0 for row in group),
        "longest_s": max((row["longest_s"] for row in group if row.get("longest_s") is not None), default=None),
    }


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    if seen["refused"]:
        return [f"lets nobody in any more: {seen['refused']}"]
    share = "not known" if seen["ratio"] is None else f"{seen['ratio']:.0%}"
    states = ", ".join(f"{state} {count}" for state, count in seen["states"].items())
    lines = [
        f"connections {seen['used']} of {seen['max']}, {seen['reserved']} of them reserved ({share} in use): {states}"
    ]
    for one in seen["holders"][:_SHOWN]:
        longest = f", oldest state {one['longest_s']:.0f} s" if one["longest_s"] is not None else ""
        lines.append(
            f"{one['count']} by {one['role'] or 'unknown'} app {one['application'] or 'unnamed'} on "
            f"{one['database'] or '-'}: active {one['active']}, idle {one['idle']}, in transaction "
            f"{one['idle_in_transaction']}, unused for 5 min {one['stale']}{longest}"
        )
    if len(seen["holders"]) > _SHOWN:
        lines.append(f"[… {len(seen['holders']) - _SHOWN} more …]")
    return lines
