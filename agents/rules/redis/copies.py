"""Redis and Valkey: replicas and what is on the disk. What is not told is unknown.

Pure. Counters count since the start of the server, so what speaks of now is a rate between two samples; without one a
counter alone makes nothing.
"""

from collections.abc import Iterator

from agents.baseline import latest
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import items, mapping, text
from agents.rules.deployments import amount, down_minutes, saw, servers, with_signal
from agents.scene import Scene

LINK_DOWN_S = 30.0
LAG_S = 10.0
"""Replicas acknowledge every second; ten are missed beats, and the primary's own `repl-timeout` is sixty."""


@rule(
    id="redis-replica-down",
    area="redis",
    role=Role.CAUSE,
    title="A Redis replica lost its primary",
    meaning="The link has been down for more than half a minute. While a replica copies everything anew, or during a "
    "failover, that is normal for moments.",
    remediation="Look at the network and the credentials between them, then at the primary's backlog and its limits.",
    needs=(),
)
def redis_replica_down(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        replication = mapping(record, "replication")
        down = amount(replication, "link_down_s")
        if replication.get("link_up") is False and replication.get("syncing") is not True and (down or 0) > LINK_DOWN_S:
            line = f"the link to its primary has been down for {down or 0:.0f} s"
            yield saw(redis_replica_down, entity, look, line, Severity.CRITICAL)
    for entity, series in with_signal(scene, "replication_link_up"):
        if (minutes := down_minutes(series, scene.window)) * 60 > LINK_DOWN_S:
            summary = f"The link of {entity} to its primary has been down for {minutes:.0f} min."
            cited = [scene.cite_series(series)]
            yield redis_replica_down.finding(entity, summary, cited, severity=Severity.CRITICAL)


@rule(
    id="redis-replication-lag",
    area="redis",
    role=Role.SYMPTOM,
    title="A Redis replica lags",
    meaning="It has not acknowledged anything for more than ten seconds: it is busy, or the network is.",
    remediation="Look at that replica's CPU and slow commands, and at what the primary sends.",
    needs=("redis.status",),
)
def redis_replication_lag(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        late = [
            (lag, text(each, "address"))
            for each in items(record, "replication", "replicas")
            if (lag := amount(each, "lag_s")) is not None and lag > LAG_S
        ]
        if late:
            lag, name = max(late)
            yield saw(redis_replication_lag, entity, look, f"{name} is {lag:.0f} s behind", Severity.WARNING)


@rule(
    id="redis-persist-failed",
    area="redis",
    role=Role.CAUSE,
    title="Redis cannot save its data",
    meaning="The last snapshot or write of the append-only file failed: mostly a full disk, or no memory to fork. With "
    "stop-writes-on-bgsave-error it refuses writes until one succeeds.",
    remediation="Look at the space of its disk and at vm.overcommit_memory; then save once and see the status.",
    needs=(),
)
def redis_persist_failed(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        kept = mapping(record, "persistence")
        failed = [
            what
            for what, name in (("snapshot", "rdb_ok"), ("append-only file", "aof_ok"))
            if kept.get(name) is False and (name == "rdb_ok" or kept.get("aof_enabled") is True)
        ]
        if failed:
            refused = amount(record, "errors", "MISCONF", "per_s") or 0
            stops = refused or kept.get("stops_writes") is True
            words = "; it refuses writes for it" if stops else ""
            line = f"the last {' and the '.join(failed)} could not be written{words}"
            yield saw(redis_persist_failed, entity, look, line, Severity.CRITICAL if stops else Severity.WARNING)
    for entity, series in with_signal(scene, "last_save_ok"):
        if latest(series) <= 0:
            cited = [scene.cite_series(series)]
            yield redis_persist_failed.finding(entity, f"{entity} could not save its data the last time.", cited)
