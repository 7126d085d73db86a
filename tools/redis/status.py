"""The tool that reads the health of Redis and Valkey servers.

One object a deployment: `{"refused": why or null}` and, where it let us in, `{"version", "role", "uptime_s", "loading",
"ops_per_s", "memory": {"used_bytes", "max_bytes", "ratio", "peak_bytes", "rss_bytes", "fragmentation", "policy",
"clients_bytes"}, "clients": {"connected", "max", "ratio", "blocked", "rejected", "rejected_per_s"}, "keys": {"total",
"with_expiry", "evicted", "evicted_per_s", "hit_ratio", "hit_ratio_now", "lookups_per_s"}, "persistence": {"rdb_ok",
"aof_ok", "aof_enabled", "stops_writes", "changes_since_save", "fork_ms", "delayed_fsyncs_per_s"}, "replication":
{"link_up", "link_down_s", "syncing", "replicas": [{"address", "state", "lag_s", "behind_bytes"}]}, "errors": {name:
{"total", "per_s"}}, "cluster_ok"}`. What the server does not tell is `null`; rates need two samples.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.catalogue import Reading, tool
from tools.redis.commands import parts, rows
from tools.redis.deployments import DeploymentArgs, optional, read
from tools.world import Redis, World

_QUERY = "INFO; CONFIG GET …; CLUSTER INFO"


@tool("redis.status", DeploymentArgs, timeout_s=30.0)
async def status(world: World, args: DeploymentArgs) -> Reading:
    """Memory, evictions, clients, persistence, replication, hit ratio and errors of Redis servers. Ask this first.

    Rates are of one second; a burst of a minute ago is only in the totals, which count since the start.
    """

    async def ask(source: Redis) -> Mapping[str, Any]:
        info = await source.command("info")
        if info.get("refused"):
            return {"refused": info["refused"]}
        settings = await optional(source, "config") or {}
        seen = digest(info, settings)
        if seen["cluster_enabled"]:
            state = (await optional(source, "cluster") or {}).get("cluster_state")
            seen["cluster_ok"] = None if state is None else state == "ok"
        return seen

    return await read(world, args.deployment, _QUERY, ask, _lines)


def digest(reply: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What rules and readers need of `info` and `config`."""
    samples = rows(reply, "samples")
    if not samples:
        samples = [reply]
    now = samples[-1]
    rates = _Rates(samples, _number(reply.get("apart_s")))
    return {
        "refused": None,
        "version": now.get("valkey_version") or now.get("redis_version"),
        "role": now.get("role"),
        "uptime_s": _number(now.get("uptime_in_seconds")),
        "loading": now.get("loading") == 1,
        "cluster_enabled": now.get("cluster_enabled") == 1,
        "cluster_ok": None,
        "ops_per_s": _number(now.get("instantaneous_ops_per_sec")),
        "memory": _memory(now, settings),
        "clients": _clients(now, settings, rates),
        "keys": _keys(now, rates),
        "persistence": _persistence(now, settings, rates),
        "replication": _replication(now),
        "errors": _errors(now, rates),
    }


class _Rates:
    """How fast counters grow between the first and the last sample."""

    def __init__(self, samples: Sequence[Mapping[str, Any]], apart_s: float | None) -> None:
        self._first, self._last = samples[0], samples[-1]
        self._apart_s = apart_s if len(samples) > 1 else None

    def grown(self, name: str) -> float | None:
        before, after = (_number(_at(each, name)) for each in (self._first, self._last))
        # A counter that began anew (a restart, CONFIG RESETSTAT) says nothing.
        return after - (before or 0) if self._apart_s and after is not None and after >= (before or 0) else None

    def per_s(self, name: str) -> float | None:
        grown = self.grown(name)
        return None if grown is None or not self._apart_s else round(grown / self._apart_s, 3)


def _at(sample: Mapping[str, Any], name: str) -> Any:
    whole, _, part = name.partition(".")
    return parts(sample[whole]).get(part) if part and whole in sample else sample.get(whole)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _share(part: float | None, whole: float | None) -> float | None:
    return round(part / whole, 4) if part is not None and whole else None


def _memory(now: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    used = _number(now.get("used_memory"))
    # Zero means that there is no limit but the machine's.
    most = _number(now.get("maxmemory", settings.get("maxmemory"))) or None
    return {
        "used_bytes": used,
        "max_bytes": most,
        "ratio": _share(used, most),
        "peak_bytes": _number(now.get("used_memory_peak")),
        "rss_bytes": _number(now.get("used_memory_rss")),
        "system_bytes": _number(now.get("total_system_memory")),
        "fragmentation": _number(now.get("mem_fragmentation_ratio")),
        "policy": now.get("maxmemory_policy") or settings.get("maxmemory-policy"),
        "clients_bytes": _number(now.get("mem_clients_normal")),
    }


def _clients(now: Mapping[str, Any], settings: Mapping[str, Any], rates: _Rates) -> dict[str, Any]:
    connected = _number(now.get("connected_clients"))
    most = _number(now.get("maxclients", settings.get("maxclients")))
    return {
        "connected": connected,
        "max": most,
        "ratio": _share(connected, most),
        "blocked": _number(now.get("blocked_clients")),
        "rejected": _number(now.get("rejected_connections")),
        "rejected_per_s": rates.per_s("rejected_connections"),
        "buffer_disconnects": _number(now.get("client_output_buffer_limit_disconnections")),
    }


def _keys(now: Mapping[str, Any], rates: _Rates) -> dict[str, Any]:
    spaces = [parts(value) for name, value in now.items() if name.startswith("db") and name[2:].isdigit()]
    hits, misses = _number(now.get("keyspace_hits")), _number(now.get("keyspace_misses"))
    hit, missed = rates.per_s("keyspace_hits"), rates.per_s("keyspace_misses")
    lookups = None if hit is None or missed is None else hit + missed
    return {
        "total": sum(_number(each.get("keys")) or 0 for each in spaces),
        "with_expiry": sum(_number(each.get("expires")) or 0 for each in spaces),
        "evicted": _number(now.get("evicted_keys")),
        "evicted_per_s": rates.per_s("evicted_keys"),
        "hit_ratio": None if hits is None or misses is None else _share(hits, hits + misses),
        "hit_ratio_now": _share(hit, lookups),
        "lookups_per_s": lookups,
    }


def _persistence(now: Mapping[str, Any], settings: Mapping[str, Any], rates: _Rates) -> dict[str, Any]:
    fork = _number(now.get("latest_fork_usec"))
    stops = settings.get("stop-writes-on-bgsave-error")
    aof = [now.get(name) for name in ("aof_last_write_status", "aof_last_bgrewrite_status") if name in now]
    return {
        "rdb_ok": None if "rdb_last_bgsave_status" not in now else now["rdb_last_bgsave_status"] == "ok",
        "aof_enabled": now.get("aof_enabled") == 1,
        "aof_ok": all(each == "ok" for each in aof) if aof else None,
        "stops_writes": None if stops is None else stops == "yes" and bool(settings.get("save", "?")),
        "changes_since_save": _number(now.get("rdb_changes_since_last_save")),
        "fork_ms": None if fork is None else fork / 1000,
        "delayed_fsyncs_per_s": rates.per_s("aof_delayed_fsync"),
    }


def _replication(now: Mapping[str, Any]) -> dict[str, Any]:
    link, offset = now.get("master_link_status"), _number(now.get("master_repl_offset"))
    return {
        "link_up": None if link is None else link == "up",
        "link_down_s": _number(now.get("master_link_down_since_seconds")),
        "syncing": now.get("master_sync_in_progress") == 1,
        "replicas": [
            _replica(parts(value), offset)
            for name, value in now.items()
            if name.startswith(("slave", "replica")) and name.lstrip("slaverpic").isdigit()
        ],
    }


def _replica(row: Mapping[str, Any], offset: float | None) -> dict[str, Any]:
    at = _number(row.get("offset"))
    return {
        "address": f"{row.get('ip')}:{row.get('port')}",
        "state": row.get("state"),
        "lag_s": _number(row.get("lag")),
        "behind_bytes": max(0.0, offset - at) if offset is not None and at is not None else None,
    }


def _errors(now: Mapping[str, Any], rates: _Rates) -> dict[str, Any]:
    return {
        name.removeprefix("errorstat_"): {
            "total": _number(parts(value).get("count")),
            "per_s": rates.per_s(f"{name}.count"),
        }
        for name, value in now.items()
        if name.startswith("errorstat_")
    }


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    if seen["refused"]:
        return [f"lets nobody in any more: {seen['refused']}"]
    memory, clients, keys = seen["memory"], seen["clients"], seen["keys"]
    lines = [
        f"version {seen['version']}, {seen['role']}, up {seen['uptime_s'] or 0:.0f} s, "
        f"{number(seen['ops_per_s'])} operations/s",
        f"memory {size(memory['used_bytes'])} of {size(memory['max_bytes']) if memory['max_bytes'] else 'no limit'} "
        f"({percent(memory['ratio'])}), policy {memory['policy']}, fragmentation {memory['fragmentation']}",
        f"clients {number(clients['connected'])} of {number(clients['max'])} ({percent(clients['ratio'])}), blocked "
        f"{number(clients['blocked'])}, rejected {number(clients['rejected'])} ({number(clients['rejected_per_s'])}/s)",
        f"keys {keys['total']:.0f}, {keys['with_expiry']:.0f} of them expire; evicted {number(keys['evicted'])} "
        f"({number(keys['evicted_per_s'])}/s); hit ratio {percent(keys['hit_ratio'])}, "
        f"now {percent(keys['hit_ratio_now'])}",
        _persistence_line(seen["persistence"]),
        *_replication_lines(seen["replication"]),
    ]
    if seen["loading"]:
        lines.append("it is LOADING its data and serves nothing")
    if seen["cluster_ok"] is not None:
        lines.append(f"cluster state {'ok' if seen['cluster_ok'] else 'FAIL'}")
    lines += [
        f"error replies {name}: {number(each['total'])} ({number(each['per_s'])}/s)"
        for name, each in seen["errors"].items()
    ]
    return lines


def _persistence_line(seen: Mapping[str, Any]) -> str:
    words = {True: "ok", False: "FAILED", None: "not known"}
    aof = f"append-only file {words[seen['aof_ok']]}" if seen["aof_enabled"] else "no append-only file"
    fork = "not known" if seen["fork_ms"] is None else f"{seen['fork_ms']:.0f} ms"
    return f"last save {words[seen['rdb_ok']]}, {aof}, last fork took {fork}"


def _replication_lines(seen: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    if seen["link_up"] is not None:
        since = "" if seen["link_down_s"] is None else f" for {seen['link_down_s']:.0f} s"
        state = "up" if seen["link_up"] else f"DOWN{since}{', syncing' if seen['syncing'] else ''}"
        lines.append(f"link to the primary {state}")
    for each in seen["replicas"]:
        lines.append(f"replica {each['address']} {each['state']}, {number(each['lag_s'])} s behind")
    return lines


def number(value: float | None) -> str:
    """A number for people; one that is not known says so."""
    return "not known" if value is None else f"{value:g}"


def percent(share: float | None) -> str:
    """A share for people."""
    return "not known" if share is None else f"{share:.0%}"


def size(count: float | None) -> str:
    """Bytes for people."""
    return "not known" if count is None else f"{count / 2**20:.1f} MiB"
