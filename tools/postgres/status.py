"""The tool that reads the general state of PostgreSQL servers.

One object a deployment: `{"version", "uptime_s", "in_recovery", "max_connections", "settings": {name: value} or null,
"databases": [{"database", "sessions", "commits", "rollbacks", "cache_hit_ratio", "temp_bytes", "deadlocks",
"deadlocks_per_h", "conflicts", "bytes", "since_s"}]}`. Counts are since `since_s` seconds ago, or since ever where that
is `null`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.catalogue import Reading, tool
from tools.postgres.deployments import DeploymentArgs, Row, optional, read
from tools.world import Postgres, World

_KEPT = ("database", "sessions", "commits", "rollbacks", "temp_bytes", "deadlocks", "conflicts", "since_s")


@tool("postgres.status", DeploymentArgs)
async def status(world: World, args: DeploymentArgs) -> Reading:
    """Version, role, settings and, by database, sessions, cache hits, deadlocks and size of PostgreSQL servers.

    Ask this first. Counters count since the last reset; a rate needs two looks.
    """

    async def ask(source: Postgres) -> Mapping[str, Any]:
        (server, *_) = await source.query("server") or [{}]
        settings = await optional(source, "settings")
        sizes = {row.get("database"): row.get("bytes") for row in await optional(source, "sizes") or ()}
        return {
            **{key: server.get(key) for key in ("version", "uptime_s", "in_recovery", "max_connections")},
            "settings": None if settings is None else {str(row.get("name")): _value(row) for row in settings},
            "databases": [_database(row, sizes) for row in await source.query("databases")],
        }

    return await read(world, args, ("server", "databases", "settings", "sizes"), ask, _lines)


def _value(row: Row) -> str:
    return f"{row.get('setting') or ''} {row.get('unit') or ''}".strip()


def _database(row: Row, sizes: Mapping[Any, Any]) -> dict[str, Any]:
    hit, missed = row.get("blocks_hit") or 0, row.get("blocks_read") or 0
    deadlocks, since_s = row.get("deadlocks"), row.get("since_s")
    return {
        **{key: row.get(key) for key in _KEPT},
        "cache_hit_ratio": round(hit / (hit + missed), 4) if hit + missed else None,
        "deadlocks_per_h": round(deadlocks * 3600 / since_s, 4) if deadlocks is not None and since_s else None,
        "bytes": sizes.get(row.get("database")),
    }


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    kind = "replica" if seen["in_recovery"] else "primary"
    lines = [f"PostgreSQL {seen['version']}, {kind}, up {seen['uptime_s'] or 0:.0f} s"]
    for row in seen["databases"]:
        cached = "not known" if row["cache_hit_ratio"] is None else f"{row['cache_hit_ratio']:.1%}"
        size = "" if row["bytes"] is None else f", {row['bytes'] / 2**20:.0f} MiB"
        lines.append(
            f"{row['database']}: sessions {row['sessions']}, commits {row['commits']}, rollbacks {row['rollbacks']}, "
            f"from cache {cached}, deadlocks {row['deadlocks']}, conflicts {row['conflicts']}{size}"
        )
    if seen["settings"]:
        lines.append("settings " + ", ".join(f"{name}={value}" for name, value in seen["settings"].items()))
    return lines
