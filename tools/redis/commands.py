"""What is asked of a Redis or Valkey server, and what of its answers is kept: never a value or a key of users. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from whenever import Instant

COMMANDS = ("info", "config", "clients", "slowlog", "latency", "cluster")
"""What the port answers, and what is recorded of a deployment."""

SETTINGS = (
    "maxmemory", "maxmemory-policy", "maxclients", "timeout", "save", "appendonly", "stop-writes-on-bgsave-error",
    "slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold", "min-replicas-to-write",
)  # fmt: skip
"""Settings that are read by name; none of them can hold a credential, and no others are asked for."""

MOST_CLIENTS = 2_000
MOST_SLOW = 128

_KEPT = frozenset((
    "redis_version", "valkey_version", "server_name", "redis_mode", "server_mode", "role", "uptime_in_seconds",
    "loading", "async_loading", "connected_clients", "maxclients", "blocked_clients", "clients_in_timeout_table",
    "rejected_connections", "evicted_clients", "client_output_buffer_limit_disconnections", "mem_clients_normal",
    "mem_clients_slaves", "mem_replication_backlog", "used_memory", "used_memory_rss", "used_memory_peak",
    "maxmemory", "maxmemory_policy", "mem_fragmentation_ratio", "total_system_memory", "evicted_keys", "expired_keys",
    "keyspace_hits", "keyspace_misses", "instantaneous_ops_per_sec", "latest_fork_usec", "total_forks",
    "rdb_changes_since_last_save", "rdb_bgsave_in_progress", "rdb_last_save_time", "rdb_last_bgsave_status",
    "rdb_last_bgsave_time_sec", "aof_enabled", "aof_last_write_status", "aof_last_bgrewrite_status",
    "aof_rewrite_in_progress", "aof_delayed_fsync", "master_link_status", "master_link_down_since_seconds",
    "master_last_io_seconds_ago", "master_sync_in_progress", "slave_read_only", "slave_repl_offset",
    "connected_slaves", "master_repl_offset", "master_failover_state", "cluster_enabled", "total_error_replies",
))  # fmt: skip
_NUMBERED = re.compile(r"(?:db|slave|replica)\d{1,5}\Z|errorstat_[A-Za-z0-9_-]{1,40}\Z")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._|-]{0,39}\Z")
_CLIENT = ("name", "addr", "age", "idle", "flags", "cmd", "omem", "user", "lib-name")
_COUNTS = frozenset(("age", "idle", "omem"))


def info(reply: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `INFO` that rules and readers need; those with parts (`db0`, `slave0`) as objects."""
    kept: dict[str, Any] = {}
    for name, value in reply.items():
        if _NUMBERED.match(name):
            kept[name] = parts(value)
        elif name in _KEPT and isinstance(value, (str, int, float)):
            kept[name] = value
    return kept


def rows(reply: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list in a reply; anything else that somebody recorded there is left out."""
    found = reply.get(name)
    several = cast("list[Any]", found) if isinstance(found, list) else []
    return [cast("Mapping[str, Any]", each) for each in several if isinstance(each, Mapping)]


def parts(value: Any) -> dict[str, Any]:
    """`keys=5,expires=0` as an object; an object as it is."""
    if isinstance(value, Mapping):
        return {str(key): part for key, part in cast("Mapping[Any, Any]", value).items()}
    pairs = (each.partition("=") for each in str(value).split(","))
    return {name: _number(part) for name, sign, part in pairs if sign}


def _number(text: str) -> Any:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def slow(entries: Sequence[Any]) -> list[dict[str, Any]]:
    """`SLOWLOG GET`: when, how long, which command with how many arguments. The arguments are users' data."""
    found: list[dict[str, Any]] = []
    for each in entries[:MOST_SLOW]:
        if isinstance(each, Sequence) and len(cast("Sequence[Any]", each)) >= 4:
            _, at, micros, arguments, *_rest = cast("Sequence[Any]", each)
            words = cast("Sequence[Any]", arguments) if isinstance(arguments, list) else ()
            found.append(
                {
                    "at": str(Instant.from_timestamp(int(at))),
                    "ms": round(int(micros) / 1000, 3),
                    "command": command_word(words[0] if words else ""),
                    "arguments": max(0, len(words) - 1),
                }
            )
    return found


def command_word(said: Any) -> str:
    """The name of a command, upper case; `?` for anything that cannot be one."""
    return said.upper() if isinstance(said, str) and _WORD.match(said) else "?"


def clients(listing: str) -> list[dict[str, Any]]:
    """`CLIENT LIST`: of each connection what it is called, from where, how old, and which command it was last at."""
    found: list[dict[str, Any]] = []
    for line in listing.splitlines()[:MOST_CLIENTS]:
        pairs = (each.partition("=") for each in line.split(" "))
        fields = {name: part for name, sign, part in pairs if sign}
        if "addr" in fields:
            kept = {name: fields[name] for name in _CLIENT if name in fields}
            found.append({name: _number(part) if name in _COUNTS else part for name, part in kept.items()})
    return found


def latency(events: Sequence[Any]) -> list[dict[str, Any]]:
    """`LATENCY LATEST`."""
    return [
        {"event": str(name), "at": str(Instant.from_timestamp(int(at))), "latest_ms": int(last), "max_ms": int(most)}
        for name, at, last, most, *_ in (cast("Sequence[Any]", each) for each in events if isinstance(each, list))
    ]


def paired(flat: Any) -> dict[str, Any]:
    """`CONFIG GET` as an object, however it was answered; names that nobody asked for are left."""
    if isinstance(flat, Mapping):
        known = cast("Mapping[Any, Any]", flat)
    else:
        row = cast("list[Any]", flat) if isinstance(flat, list) else []
        known = dict(zip(row[::2], row[1::2], strict=False))
    return {str(name): value for name, value in known.items() if name in SETTINGS}


def cluster(text: str) -> dict[str, Any]:
    """`CLUSTER INFO` as an object."""
    pairs = (line.partition(":") for line in text.split())
    return {name: _number(value) for name, colon, value in pairs if colon and name.startswith("cluster_")}
