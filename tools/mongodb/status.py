"""The tools that read the health of MongoDB servers and who is connected to them.

`mongodb.status`, one object a deployment: `{"host", "version", "process", "uptime_s", "connections": {"current",
"available", "max", "ratio", "active", "total_created", "rejected"}, "queue": {"readers", "writers", "total"},
"active_clients": {"readers", "writers"}, "wired_tiger": {"cache_max_bytes", "cache_used_ratio", "cache_dirty_ratio",
"tickets": {"read" | "write": {"out", "available", "total"}}} or null, "opcounters": {…}, "asserts": {…}}`.
`mongodb.connections`: `{"connections": as above, "clients": [{"app", "count"}], "outgoing": {"in_use", "available",
"created"} or null}`. What the server does not tell is `null`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tools.catalogue import Reading, tool
from tools.errors import ToolError
from tools.mongodb.deployments import DeploymentArgs, read
from tools.world import MongoDB, World


@tool("mongodb.status", DeploymentArgs)
async def status(world: World, args: DeploymentArgs) -> Reading:
    """Connections, queues, cache, tickets, operation counters and asserts of MongoDB servers. Ask this first.

    Counters count since the start of the server; a rate needs two looks.
    """

    async def ask(source: MongoDB) -> Mapping[str, Any]:
        return digest(await source.command("serverStatus"))

    return await read(world, args.deployment, "serverStatus", ask, _status_lines)


@tool("mongodb.connections", DeploymentArgs)
async def connections(world: World, args: DeploymentArgs) -> Reading:
    """How many connections MongoDB servers have and could have, and which applications are at work now.

    Only active operations name their application: an idle pool is in the total, not in the list.
    """

    async def ask(source: MongoDB) -> Mapping[str, Any]:
        current = digest(await source.command("serverStatus"))["connections"]
        return {"connections": current, "clients": await _clients(source), "outgoing": await _outgoing(source)}

    return await read(world, args.deployment, "serverStatus, $currentOp, connPoolStats", ask, _connection_lines)


async def _clients(source: MongoDB) -> list[dict[str, Any]] | None:
    try:
        running = (await source.command("currentOp")).get("inprog", [])
    except ToolError:
        # The totals are worth telling without it; `null` says that it is not known.
        return None
    names = Counter(str(one.get("appName") or "unnamed") for one in running if one.get("client"))
    return [{"app": name, "count": count} for name, count in names.most_common(20)]


async def _outgoing(source: MongoDB) -> dict[str, Any] | None:
    try:
        pools = await source.command("connPoolStats")
    except ToolError:
        return None
    return {
        "in_use": pools.get("totalInUse"),
        "available": pools.get("totalAvailable"),
        "created": pools.get("totalCreated"),
    }


def digest(reply: Mapping[str, Any]) -> dict[str, Any]:
    """What rules and readers need of a reply to `serverStatus`."""
    lock = _part(reply, "globalLock")
    queue, active = _part(lock, "currentQueue"), _part(lock, "activeClients")
    return {
        "host": reply.get("host"),
        "version": reply.get("version"),
        "process": reply.get("process"),
        "uptime_s": reply.get("uptime"),
        "connections": _connections(_part(reply, "connections")),
        "queue": {name: queue.get(name) for name in ("readers", "writers", "total")},
        "active_clients": {name: active.get(name) for name in ("readers", "writers")},
        "wired_tiger": _wired_tiger(reply),
        "opcounters": dict(_part(reply, "opcounters")),
        "asserts": dict(_part(reply, "asserts")),
    }


def _connections(seen: Mapping[str, Any]) -> dict[str, Any]:
    current, available = seen.get("current"), seen.get("available")
    most = current + available if current is not None and available is not None else None
    return {
        "current": current,
        "available": available,
        "max": most,
        "ratio": round(current / most, 4) if current is not None and most else None,
        "active": seen.get("active"),
        "total_created": seen.get("totalCreated"),
        "rejected": seen.get("rejected"),
    }


def _wired_tiger(reply: Mapping[str, Any]) -> dict[str, Any] | None:
    engine = _part(reply, "wiredTiger")
    if not engine:
        return None
    cache = _part(engine, "cache")
    most = cache.get("maximum bytes configured")
    # Since 7.0 the tickets stand under queues.execution, before that under concurrentTransactions.
    tickets = _part(engine, "concurrentTransactions") or _part(_part(reply, "queues"), "execution")
    return {
        "cache_max_bytes": most,
        "cache_used_ratio": _share(cache.get("bytes currently in the cache"), most),
        "cache_dirty_ratio": _share(cache.get("tracked dirty bytes in the cache"), most),
        "tickets": {name: _tickets(_part(tickets, name)) for name in ("read", "write")},
    }


def _tickets(seen: Mapping[str, Any]) -> dict[str, Any]:
    return {"out": seen.get("out"), "available": seen.get("available"), "total": seen.get("totalTickets")}


def _share(part: Any, whole: Any) -> float | None:
    return round(part / whole, 4) if isinstance(part, (int, float)) and whole else None


def _part(reply: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return reply.get(name) or {}


def _status_lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = [
        f"{seen['process'] or 'mongod'} {seen['version']} up {seen['uptime_s'] or 0:.0f} s",
        _connection_line(seen["connections"]),
        f"queue {_words(seen['queue'])}; active clients {_words(seen['active_clients'])}",
    ]
    if engine := seen["wired_tiger"]:
        used, dirty = _percent(engine["cache_used_ratio"]), _percent(engine["cache_dirty_ratio"])
        tickets = "; ".join(f"{name} tickets {_words(seen)}" for name, seen in engine["tickets"].items())
        lines.append(f"WiredTiger cache used {used}, dirty {dirty}; {tickets}")
    return [*lines, f"operations {_words(seen['opcounters'])}; asserts {_words(seen['asserts'])}"]


def _connection_lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = [_connection_line(seen["connections"])]
    if seen["clients"] is None:
        lines.append("active applications: not known, currentOp gave no answer")
    elif seen["clients"]:
        lines.append("active: " + ", ".join(f"{one['app']} {one['count']}" for one in seen["clients"]))
    if seen["outgoing"]:
        lines.append(f"outgoing pools {_words(seen['outgoing'])}")
    return lines


def _connection_line(seen: Mapping[str, Any]) -> str:
    rest = {name: seen[name] for name in ("active", "rejected", "total_created")}
    return f"connections {seen['current']} of {seen['max']} ({_percent(seen['ratio'])}), {_words(rest)}"


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:.0%}"


def _words(values: Mapping[str, Any]) -> str:
    return " ".join(f"{name} {value}" for name, value in values.items() if value is not None) or "not known"
