"""The tool that reads replication of PostgreSQL servers, from either end.

One object a deployment: `{"in_recovery", "replicas": [{"application", "client", "state", "sync_state", "replay_lag_s",
"behind_bytes", "replied_s_ago"}], "standby": {"replay_paused", "pending_bytes", "replayed_s_ago", "streams",
"receiver", "sender", "heard_s_ago", "delay_s"} or null, "slots": [{"slot", "type", "plugin", "database", "active",
"wal_status", "safe_bytes", "retained_bytes", "xids_held_back"}], "synchronous": names or null}`. `standby` is what a
server that is a replica itself tells; `synchronous` stands only where commits wait for the replicas so named.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.catalogue import Reading, tool
from tools.postgres.deployments import DeploymentArgs, Row, optional, read
from tools.world import Postgres, World

MIB = 2**20
_WITHOUT_WAITING = ("off", "local")


@tool("postgres.replication", DeploymentArgs)
async def replication(world: World, args: DeploymentArgs) -> Reading:
    """Replicas with state and lag, replication slots and the WAL they retain; on a replica, its own replay.

    A replica that is not connected is not listed; its slot may tell of it.
    """

    async def ask(source: Postgres) -> Mapping[str, Any]:
        settings = _by_name(await optional(source, "settings") or ())
        replicas, slots = await source.query("replication"), await source.query("slots")
        standby = await source.query("standby")
        waits = settings.get("synchronous_commit") not in _WITHOUT_WAITING
        return {
            "in_recovery": bool(standby),
            "replicas": [dict(row) for row in replicas],
            "standby": {**standby[0], "delay_s": _delay_s(settings)} if standby else None,
            "slots": [dict(row) for row in slots],
            "synchronous": (settings.get("synchronous_standby_names") or None) if waits else None,
        }

    return await read(world, args, ("replication", "standby", "slots", "settings"), ask, _lines)


def _by_name(rows: Sequence[Row]) -> Mapping[str, str]:
    return {str(row.get("name")): str(row.get("setting") or "") for row in rows}


def _delay_s(settings: Mapping[str, str]) -> float | None:
    text = settings.get("recovery_min_apply_delay", "")
    return int(text) / 1000 if text.isdigit() else None


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = ["a replica itself" if seen["in_recovery"] else "a primary"]
    if (standby := seen["standby"]) is not None:
        lines.append(_standby(standby))
    lines += [_replica(row) for row in seen["replicas"]] or ["no replica is connected"]
    lines += [_slot(row) for row in seen["slots"]]
    if seen["synchronous"]:
        lines.append(f"commits wait for {seen['synchronous']}")
    return lines


def _standby(row: Row) -> str:
    receiver = f"receives from {row.get('sender') or '?'}" if row.get("receiver") else "receives from NOBODY"
    parts = [receiver, "replay PAUSED" if row.get("replay_paused") else "replay runs"]
    if row.get("pending_bytes") is not None:
        parts.append(f"{_size(row['pending_bytes'])} received and not replayed")
    if row.get("replayed_s_ago") is not None:
        parts.append(f"last replayed commit {row['replayed_s_ago']:.0f} s old")
    if row.get("delay_s"):
        parts.append(f"delayed by {row['delay_s']:.0f} s on purpose")
    return ", ".join(parts)


def _replica(row: Row) -> str:
    lag = "lag not told" if row.get("replay_lag_s") is None else f"{row['replay_lag_s']:.1f} s behind"
    behind = "" if row.get("behind_bytes") is None else f", {_size(row['behind_bytes'])} not replayed"
    named = row.get("application") or "unnamed"
    return (
        f"replica {named} from {row.get('client') or 'local'} {row.get('state')} {row.get('sync_state')}, {lag}{behind}"
    )


def _slot(row: Row) -> str:
    active = "active" if row.get("active") else "INACTIVE"
    retained = "unknown" if row.get("retained_bytes") is None else _size(row["retained_bytes"])
    return f"slot {row.get('slot')} {row.get('type')} {active}, retains {retained} of WAL, {row.get('wal_status')}"


def _size(count: float) -> str:
    return f"{count / MIB:.1f} MiB"
