"""The tool that reads replica sets.

One object a deployment: `{"set", "standalone", "has_primary", "members": [{"name", "state", "healthy", "uptime_s",
"lag_s", "syncing_from", "message"}], "max_lag_s", "oplog": {"first", "last", "window_h"} or null}`. `lag_s` is behind
the primary, or behind the newest member when there is none; `null` for members that hold no data or do not answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from whenever import Instant

from tools.catalogue import Reading, tool
from tools.errors import ToolError
from tools.mongodb.deployments import DeploymentArgs, read
from tools.world import MongoDB, World


@tool("mongodb.replication", DeploymentArgs)
async def replication(world: World, args: DeploymentArgs) -> Reading:
    """Members of replica sets with state and lag, whether there is a primary, and how far back the oplog reaches.

    It is one member's view; the primary of an idle set makes lag look larger than it is.
    """

    async def ask(source: MongoDB) -> Mapping[str, Any]:
        members = digest(await source.command("replSetGetStatus"))
        return {**members, "oplog": None if members["standalone"] else await _oplog(source)}

    return await read(world, args.deployment, "replSetGetStatus; local.oplog.rs", ask, _lines)


async def _oplog(source: MongoDB) -> dict[str, Any] | None:
    try:
        seen = await source.command("oplog")
    except ToolError:
        # Reading `local` needs one more role; the members are worth telling without it.
        return None
    first, last = _at(seen.get("first")), _at(seen.get("last"))
    hours = (last - first).total("hours") if first and last else None
    return {"first": seen.get("first"), "last": seen.get("last"), "window_h": hours}


def digest(reply: Mapping[str, Any]) -> dict[str, Any]:
    """What rules and readers need of a reply to `replSetGetStatus`."""
    members: Sequence[Mapping[str, Any]] = reply.get("members") or []
    optimes = {str(one.get("name")): at for one in members if (at := _optime(one))}
    primaries = [str(one.get("name")) for one in members if one.get("stateStr") == "PRIMARY"]
    newest = optimes.get(primaries[0]) if primaries else max(optimes.values(), default=None)
    described = [_member(one, newest) for one in members]
    lags = [one["lag_s"] for one in described if one["lag_s"] is not None]
    return {
        "set": reply.get("set"),
        "standalone": not reply.get("set"),
        "has_primary": bool(primaries),
        "members": described,
        "max_lag_s": max(lags, default=None),
    }


def _member(one: Mapping[str, Any], newest: Instant | None) -> dict[str, Any]:
    at = _optime(one)
    return {
        "name": one.get("name"),
        "state": one.get("stateStr"),
        "healthy": one.get("health") == 1,
        "uptime_s": one.get("uptime"),
        "lag_s": max(0.0, (newest - at).total("seconds")) if newest and at else None,
        "syncing_from": one.get("syncSourceHost") or None,
        "message": one.get("lastHeartbeatMessage") or one.get("infoMessage") or None,
    }


def _optime(one: Mapping[str, Any]) -> Instant | None:
    # A member that is down reports the start of 1970, an arbiter none.
    at = _at(one.get("optimeDate"))
    return at if at and at.timestamp() > 0 else None


def _at(text: Any) -> Instant | None:
    try:
        return Instant.parse_iso(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    if seen["standalone"]:
        return ["a standalone server, no replica set"]
    lines = [] if seen["has_primary"] else [f"replica set {seen['set']} has NO PRIMARY"]
    for one in sorted(seen["members"], key=_is_well):
        lag = f", {one['lag_s']:.0f} s behind" if one["lag_s"] is not None else ""
        source = f", from {one['syncing_from']}" if one["syncing_from"] else ""
        message = f": {one['message']}" if one["message"] else ""
        health = "" if one["healthy"] else " DOWN"
        lines.append(f"{one['name']} {one['state']}{health}{lag}{source}{message}")
    if (oplog := seen["oplog"]) and oplog["window_h"] is not None:
        lines.append(f"oplog reaches back {oplog['window_h']:.1f} h, to {oplog['first']}")
    else:
        lines.append("oplog window: not known")
    return lines


def _is_well(one: Mapping[str, Any]) -> tuple[bool, bool, float]:
    return bool(one["healthy"]), one["state"] in ("PRIMARY", "SECONDARY", "ARBITER"), -(one["lag_s"] or 0.0)
