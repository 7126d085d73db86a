"""The tools that read what MongoDB servers are doing now, and what was slow.

`mongodb.operations`, one object a deployment: `{"running", "waiting_for_lock", "operations": [{"opid", "op",
"namespace", "seconds", "waiting_for_lock", "plan", "collscan", "app", "client", "shape"}]}`; `running` counts all.
`mongodb.slow_operations`: `{"sources", "operations": [{"op", "namespace", "shape", "plan", "collscan", "count",
"max_ms", "mean_ms", "examined", "returned", "examined_per_returned", "last_at"}]}`. No value of a user is in either.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tools.catalogue import Reading, tool
from tools.mongodb.deployments import DeploymentArgs, read
from tools.mongodb.shapes import shape
from tools.world import MongoDB, World

SHOWN = 25
_OWN = ("hello", "isMaster", "ismaster", "replSetUpdatePosition", "replSetHeartbeat")


class OperationsArgs(DeploymentArgs):
    min_seconds: float = Field(1.0, ge=0, le=86_400)


class SlowArgs(DeploymentArgs):
    min_ms: int = Field(100, ge=0, le=86_400_000)


@tool("mongodb.operations", OperationsArgs, ttl_s=10)
async def operations(world: World, args: OperationsArgs) -> Reading:
    """Operations that have been running for a while or wait for a lock: their shape, plan and application, no values.

    COLLSCAN means that no index was used. EMPTY says that nothing runs that long now, not that nothing did.
    """

    async def ask(source: MongoDB) -> Mapping[str, Any]:
        running = [one for one in (await source.command("currentOp")).get("inprog", []) if _is_of_users(one)]
        described = sorted((_running(one) for one in running), key=lambda one: -one["seconds"])
        return {
            "running": len(running),
            "waiting_for_lock": sum(one["waiting_for_lock"] for one in described),
            "operations": [one for one in described if one["seconds"] >= args.min_seconds or one["waiting_for_lock"]],
        }

    query = f"$currentOp with secs_running >= {args.min_seconds:g} or waitingForLock"
    return await read(world, args.deployment, query, ask, _running_lines)


@tool("mongodb.slow_operations", SlowArgs, ttl_s=30)
async def slow_operations(world: World, args: SlowArgs) -> Reading:
    """Finished operations that were slow, by shape, the slowest first, with documents examined for each returned.

    They come from the server's log and, where it is on, the profiler: only what was slower than the server's limit.
    """

    async def ask(source: MongoDB) -> Mapping[str, Any]:
        reply = await source.command("profile")
        slow = [one for one in reply.get("entries", []) if (one.get("millis") or 0) >= args.min_ms]
        return {"sources": reply.get("sources", []), "operations": _grouped(slow)}

    query = f"log and system.profile with millis >= {args.min_ms}"
    return await read(world, args.deployment, query, ask, _slow_lines)


def _is_of_users(one: Mapping[str, Any]) -> bool:
    """Leaves out what a server does for itself, which runs for ever and says nothing."""
    command: Mapping[str, Any] = one.get("command") or {}
    namespace = str(one.get("ns") or "")
    return not (
        one.get("op") in (None, "none")
        or namespace.startswith("local.")
        or any(name in command for name in _OWN)
        or one.get("appName") == "locum"
    )


def _running(one: Mapping[str, Any]) -> dict[str, Any]:
    command: Mapping[str, Any] = one.get("command") or {}
    seconds = one.get("microsecs_running", 0) / 1e6 or float(one.get("secs_running") or 0)
    plan = str(one.get("planSummary") or "")
    return {
        "opid": one.get("opid"),
        "op": one.get("op"),
        "namespace": one.get("ns"),
        "seconds": round(seconds, 3),
        "waiting_for_lock": bool(one.get("waitingForLock")),
        "plan": plan or None,
        "collscan": plan.startswith("COLLSCAN"),
        "app": one.get("appName"),
        "client": one.get("client") or one.get("client_s"),
        "shape": shape(command),
    }


def _grouped(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for one in entries:
        key = (
            str(one.get("op")),
            str(one.get("ns")),
            str(one.get("planSummary") or ""),
            shape(one.get("command") or {}),
        )
        groups.setdefault(key, []).append(one)
    described = [_group(key, members) for key, members in groups.items()]
    return sorted(described, key=lambda one: -one["max_ms"])


def _group(key: tuple[str, ...], members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    op, namespace, plan, what = key
    times = [float(one["millis"]) for one in members]
    examined = sum(int(one.get("docsExamined") or 0) for one in members)
    returned = sum(int(one.get("nreturned") or 0) for one in members)
    return {
        "op": op,
        "namespace": namespace,
        "shape": what,
        "plan": plan or None,
        "collscan": plan.startswith("COLLSCAN"),
        "count": len(members),
        "max_ms": max(times),
        "mean_ms": round(sum(times) / len(times), 1),
        "examined": examined,
        "returned": returned,
        "examined_per_returned": round(examined / max(1, returned), 1),
        "last_at": max((str(one["ts"]) for one in members if one.get("ts")), default=None),
    }


def _running_lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = [
        f"{one['seconds']:.1f} s {one['op']} {one['namespace']}"
        f"{' WAITING FOR LOCK' if one['waiting_for_lock'] else ''} plan {one['plan'] or 'not told'}"
        f" app {one['app'] or 'unnamed'} opid {one['opid']}: {one['shape']}"
        for one in seen["operations"][:SHOWN]
    ]
    return _cut(lines, len(seen["operations"]))


def _slow_lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = [
        f"{one['count']} x {one['op']} {one['namespace']} max {one['max_ms']:.0f} ms, mean {one['mean_ms']:.0f} ms, "
        f"plan {one['plan'] or 'not told'}, examined {one['examined']} for {one['returned']} returned: {one['shape']}"
        for one in seen["operations"][:SHOWN]
    ]
    return _cut(lines, len(seen["operations"]))


def _cut(lines: list[str], count: int) -> list[str]:
    return [*lines, f"[… {count - len(lines)} more …]"] if count > len(lines) else lines
