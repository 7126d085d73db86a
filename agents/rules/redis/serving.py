"""Redis and Valkey: who gets in, who waits, and what holds the server up. What is not told is unknown.

Pure. Counters count since the start of the server, so what speaks of now is a rate between two samples; without one a
counter alone makes nothing.
"""

from collections.abc import Iterator

from whenever import Instant

from agents.baseline import above
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import items, mapping, text
from agents.rules.deployments import amount, saw, servers, with_signal
from agents.scene import Scene

CLIENTS_HIGH = 0.9
SLOW_MS = 10.0
SLOW_COUNT = 3
SLOW_BAD_MS = 100.0
FORK_MS = 500.0
DELAYED_FSYNCS = 0.5
BLOCKED_MANY = 10
QUEUE_READS = frozenset(
    (
        "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREAD", "XREADGROUP",
        "SUBSCRIBE", "PSUBSCRIBE",
    )
)  # fmt: skip
"""Commands that wait by design: a worker with nothing to do is blocked in one of these."""


@rule(
    id="redis-rejected",
    area="redis",
    role=Role.CAUSE,
    title="Redis lets no more clients in",
    meaning="Connections are refused now, or more than 90 % of maxclients are in use: a pool that leaks, or a storm of "
    "reconnects. Refusals of last month are only in the total, and are not told.",
    remediation="See which application holds the connections and bound its pool; set `timeout` for idle ones.",
    needs=(),
)
def redis_rejected(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        refused, ratio = text(record, "refused"), amount(record, "clients", "ratio")
        rate = amount(record, "clients", "rejected_per_s") or 0
        if refused:
            line = f"lets nobody in any more: {refused}"
        elif rate:
            line = f"refuses {rate:g} connections a second"
        elif ratio is not None and ratio > CLIENTS_HIGH:
            line = f"{amount(record, 'clients', 'connected') or 0:.0f} clients, {ratio:.0%} of maxclients"
        else:
            continue
        yield saw(redis_rejected, entity, look, line, Severity.CRITICAL if refused or rate else Severity.WARNING)
    for entity, series in with_signal(scene, "rejected_connections_per_second"):
        found = above(series, scene.window, 0.0)
        if found and not found.is_over:
            summary = f"{entity} refuses {found.level:.2g} connections a second."
            cited = [scene.cite_series(series)]
            yield redis_rejected.finding(entity, summary, cited, severity=Severity.CRITICAL, first_seen=found.began_at)


@rule(
    id="redis-connection-leak",
    area="redis",
    role=Role.CAUSE,
    title="One application holds Redis connections and leaves them unused",
    meaning="It has most of the connections, more than half of what the server allows are taken, and most of its own "
    "did nothing for five minutes. A pool that rests at night takes few of the server's connections.",
    remediation="Restart one of its processes and see whether the count climbs again; then bound its pool.",
    needs=("redis.clients", "redis.status"),
)
def redis_connection_leak(scene: Scene) -> Iterator[Finding]:
    most = {entity: amount(record, "clients", "max") for entity, record, _ in servers(scene, "redis.status")}
    for entity, record, look in servers(scene, "redis.clients"):
        seen, limit = amount(record, "seen") or 0, most.get(entity)
        if not limit or seen < limit / 2:
            continue
        for holder in items(record, "holders")[:1]:
            count, idle = amount(holder, "count") or 0, amount(holder, "idle") or 0
            if count > seen / 2 and idle > count / 2:
                named = text(holder, "name") or text(holder, "host") or "an unnamed client"
                line = f"{named} holds {count:.0f} of {seen:.0f} connections, {idle:.0f} of them unused for 5 min"
                yield saw(redis_connection_leak, entity, look, line, Severity.WARNING, direct=False)


@rule(
    id="redis-blocked-clients",
    area="redis",
    role=Role.SYMPTOM,
    title="Redis keeps clients waiting",
    meaning="More than ten are blocked in commands that do not wait by design (WAIT, a pause, a module). Workers that "
    "wait for a queue are blocked all day, and are not told.",
    remediation="See which command they are in: WAIT needs its replicas, CLIENT PAUSE an end.",
    needs=("redis.clients",),
)
def redis_blocked_clients(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.clients"):
        waiting = {
            name: amount(mapping(record, "waiting"), name) or 0
            for name in mapping(record, "waiting")
            if name not in QUEUE_READS
        }
        if sum(waiting.values()) > BLOCKED_MANY:
            named = ", ".join(f"{name} {count:.0f}" for name, count in waiting.items())
            line = f"{sum(waiting.values()):.0f} clients are blocked: {named}"
            yield saw(redis_blocked_clients, entity, look, line, Severity.WARNING)


@rule(
    id="redis-slow",
    area="redis",
    role=Role.CAUSE,
    title="Slow commands hold Redis up",
    meaning="The same command took more than 10 ms several times since the onset: it looks at too many keys or a huge "
    "one, and everybody else waits meanwhile. What is older than the incident is not told.",
    remediation="Replace it (SCAN for KEYS, ranges for whole collections, UNLINK for DEL) or split the big key.",
    needs=("redis.slow_commands",),
)
def redis_slow(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.slow_commands"):
        for each in items(record, "commands"):
            count, mean = amount(each, "count") or 0, amount(each, "mean_ms") or 0
            last = _moment(text(each, "last_at"))
            if mean > SLOW_MS and count >= SLOW_COUNT and (last is None or last >= scene.window.start):
                line = f"{text(each, 'command')} {count:.0f} times, {mean:.0f} ms each"
                how = Severity.CRITICAL if mean > SLOW_BAD_MS * 10 else Severity.WARNING
                yield saw(redis_slow, entity, look, line, how, direct=mean > SLOW_BAD_MS)
                break


def _moment(written: str) -> Instant | None:
    try:
        return Instant.parse_iso(written)
    except ValueError:
        return None


@rule(
    id="redis-fork-slow",
    area="redis",
    role=Role.CAUSE,
    title="Saving stops Redis for long",
    meaning="Its last fork, for a snapshot or a rewrite, took more than half a second, in which nobody is served; or "
    "the disk holds back the append-only file now. A fork grows with the data and with huge pages.",
    remediation="Turn transparent huge pages off; save on a replica; give the append-only file a faster disk.",
    needs=("redis.status",),
)
def redis_fork_slow(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        fork = amount(record, "persistence", "fork_ms") or 0
        delayed = amount(record, "persistence", "delayed_fsyncs_per_s") or 0
        if delayed > DELAYED_FSYNCS:
            line = f"the disk delays {delayed:g} writes of the append-only file a second"
            yield saw(redis_fork_slow, entity, look, line, Severity.WARNING)
        elif fork > FORK_MS:
            # When it was is not told.
            yield saw(
                redis_fork_slow, entity, look, f"its last fork took {fork:.0f} ms", Severity.WARNING, direct=False
            )


@rule(
    id="redis-loading",
    area="redis",
    role=Role.SYMPTOM,
    title="Redis is loading its data",
    meaning="It started and reads its files: until it is done it answers LOADING. How long depends on the data.",
    remediation="Wait, and find why it started anew.",
    needs=("redis.status",),
)
def redis_loading(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        if record.get("loading") is True:
            yield saw(redis_loading, entity, look, "it is loading its data and serves nothing yet", Severity.WARNING)


@rule(
    id="redis-cluster-down",
    area="redis",
    role=Role.CAUSE,
    title="The Redis cluster does not serve all slots",
    meaning="This node sees slots that nobody serves, or too few primaries: commands for them fail with CLUSTERDOWN.",
    remediation="Bring the lost primaries back or promote their replicas; then see that every slot is covered.",
    needs=("redis.status",),
)
def redis_cluster_down(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        if record.get("cluster_ok") is False:
            yield saw(redis_cluster_down, entity, look, "the cluster's state is fail", Severity.CRITICAL)
