"""MongoDB: primary, members, connections, locks, slow operations, the storage engine. What is not told is unknown."""

import re
from collections.abc import Iterator

from agents.baseline import above, shift
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.lines import about, lines
from agents.objects import Fields, items, mapping, text
from agents.rules.deployments import amount, down_minutes, saw, servers, with_signal
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence

CONNECTIONS_HIGH = 0.8
CONNECTIONS_FULL = 0.95
LAG_S = 10.0
LAG_BAD_S = 60.0
LAG_FLOOR_S = 5.0
QUEUE = 20
QUEUE_MINUTES = 1.0
SLOW_MS = 100.0
SLOW_COUNT = 5
SCANNED_PER_RETURNED = 1000.0
SCAN_MATTERS_MS = 100.0
CACHE_DIRTY = 0.2
CACHE_USED = 0.95
OPLOG_HOURS = 24.0
_LAG = re.compile(
    r"(?i)\b(?:replica(?:tion)?|replay) (?:lag|delay)\D{0,40}?(?P<seconds>\d{1,7}(?:\.\d+)?) ?s(?:ecs?|econds?)?\b"
)


def _servers(scene: Scene, tool: str) -> Iterator[tuple[Entity, Fields, Evidence]]:
    """Each deployment that answered."""
    return servers(scene, f"mongodb.{tool}")


@rule(
    id="mongo-no-primary",
    area="mongodb",
    role=Role.CAUSE,
    title="MongoDB has no primary",
    meaning="Too few members see each other: nothing can be written. An election lasts only seconds.",
    remediation="Bring members back until a majority sees each other; look at the network between them.",
    needs=("mongodb.replication",),
)
def mongo_no_primary(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in _servers(scene, "replication"):
        if record.get("standalone") is False and record.get("has_primary") is False:
            states = ", ".join(f"{text(each, 'name')} {text(each, 'state')}" for each in items(record, "members"))
            line = f"replica set {text(record, 'set')} has no primary: {states or 'no members known'}"
            yield saw(mongo_no_primary, entity, look, line, Severity.CRITICAL)


@rule(
    id="mongo-member-down",
    area="mongodb",
    role=Role.CAUSE,
    title="A MongoDB member is down",
    meaning="One member does not answer the others; a majority still serves, with nothing left to lose.",
    remediation="Start the member or replace it; then see that it catches up.",
    needs=("mongodb.replication",),
)
def mongo_member_down(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in _servers(scene, "replication"):
        down = [each for each in items(record, "members") if each.get("healthy") is False]
        if down:
            named = ", ".join(f"{text(each, 'name')} {text(each, 'state')}" for each in down)
            line = f"{len(down)} of {len(items(record, 'members'))} members do not answer: {named}"
            yield saw(mongo_member_down, entity, look, line, Severity.WARNING)


@rule(
    id="mongo-connections-high",
    area="mongodb",
    role=Role.CAUSE,
    title="MongoDB is short of connections",
    meaning="More than 80 % are in use: a pool that leaks, pools that are too large, or a storm of reconnects.",
    remediation="See which application holds them; bound its pools, and end the leak before raising the limit.",
    needs=("mongodb",),
)
def mongo_connections_high(scene: Scene) -> Iterator[Finding]:
    for tool in ("status", "connections"):
        for entity, record, look in _servers(scene, tool):
            ratio = amount(record, "connections", "ratio")
            if ratio is not None and ratio > CONNECTIONS_HIGH:
                used, most = amount(record, "connections", "current"), amount(record, "connections", "max")
                line = f"{used or 0:.0f} of {most or 0:.0f} connections in use ({ratio:.0%})"
                how = Severity.CRITICAL if ratio > CONNECTIONS_FULL else Severity.WARNING
                yield saw(mongo_connections_high, entity, look, line, how)


@rule(
    id="mongo-replication-lag",
    area="mongodb",
    role=Role.SYMPTOM,
    title="A MongoDB secondary lags",
    meaning="It applies writes late: slow disk, load, network. A member that is delayed on purpose always lags.",
    remediation="Look at that member's disk and load; keep reads away from it until it caught up.",
    needs=("mongodb.replication",),
)
def mongo_replication_lag(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in _servers(scene, "replication"):
        late = [
            (lag, text(each, "name"))
            for each in items(record, "members")
            if (lag := amount(each, "lag_s")) is not None and lag > LAG_S
        ]
        if late:
            lag, name = max(late)
            how = Severity.CRITICAL if lag > LAG_BAD_S * 10 else Severity.WARNING
            yield saw(mongo_replication_lag, entity, look, f"{name} is {lag:.0f} s behind", how)


@rule(
    id="replication-lag",
    area="mongodb",
    role=Role.SYMPTOM,
    title="A replica lags",
    meaning="The replica applies changes later than usual: heavy writes, a slow disk, a long query that blocks replay.",
    remediation="Look at the writes on the primary, and at the replica's disk and long queries.",
    needs=(),
)
def replication_lag(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        known = series.get("replication_lag_seconds")
        found = shift(known, scene.window, floor=LAG_FLOOR_S) if known else None
        highest = max((each for _, each in known.points[-3:]), default=0.0) if known else 0.0
        if known and (found or highest > LAG_BAD_S):
            level = found.level if found else highest
            is_over = bool(found and found.is_over) and highest <= LAG_S
            yield replication_lag.finding(
                entity,
                f"{entity} is {level:.0f} s behind{' (it caught up)' if is_over else ''}.",
                [scene.cite_series(known)],
                severity=Severity.INFO if is_over else Severity.WARNING,
                first_seen=found.began_at if found else None,
            )
    yield from _said_lag(scene)


def _said_lag(scene: Scene) -> Iterator[Finding]:
    """A server may tell of its lag where no metric does; its newest word counts."""
    newest = {id(each.log): (each, found) for each in lines(scene) if (found := _LAG.search(each.text))}
    for line, found in newest.values():
        if float(found["seconds"]) > LAG_BAD_S:
            entity = about(scene, line.log)
            summary = f"{entity} says that it is {found['seconds']} s behind."
            yield replication_lag.finding(entity, summary, [scene.cite_log(line.log, line.place)])


@rule(
    id="mongo-lock-queue",
    area="mongodb",
    role=Role.SYMPTOM,
    title="MongoDB operations queue for locks",
    meaning="More than twenty wait: a long operation holds what they need. A queue of seconds is normal.",
    remediation="Find the longest running operation; end it by approval if it may be ended.",
    needs=(),
)
def mongo_lock_queue(scene: Scene) -> Iterator[Finding]:
    for tool, path in (("status", ("queue", "total")), ("operations", ("waiting_for_lock",))):
        for entity, record, look in _servers(scene, tool):
            waiting = amount(record, *path)
            if waiting is not None and waiting > QUEUE:
                yield saw(mongo_lock_queue, entity, look, f"{waiting:.0f} operations wait for a lock", Severity.WARNING)
    for entity, series in with_signal(scene, "lock_queue"):
        found = above(series, scene.window, QUEUE, minutes=QUEUE_MINUTES)
        if found and not found.is_over:
            summary = f"{found.level:.0f} operations of {entity} wait for a lock."
            yield mongo_lock_queue.finding(entity, summary, [scene.cite_series(series)], first_seen=found.began_at)


def _slow(scene: Scene) -> Iterator[tuple[Entity, Fields, Evidence]]:
    for entity, record, look in _servers(scene, "slow_operations"):
        for each in items(record, "operations"):
            yield entity, each, look


def _described(operation: Fields) -> str:
    count, mean = amount(operation, "count") or 1, amount(operation, "mean_ms") or 0
    return f"{text(operation, 'op')} on {text(operation, 'namespace')} {count:.0f} times, {mean:.0f} ms each"


@rule(
    id="mongo-slow-ops",
    area="mongodb",
    role=Role.SYMPTOM,
    title="MongoDB operations are slow",
    meaning="The same operation is slow again and again. Reports and backups are slow by nature.",
    remediation="Explain the query; see whether an index serves it and whether the server is busy otherwise.",
    needs=("mongodb.slow_operations",),
)
def mongo_slow_ops(scene: Scene) -> Iterator[Finding]:
    worst: dict[Entity, tuple[float, Fields, Evidence]] = {}
    for entity, each, look in _slow(scene):
        count, mean = amount(each, "count") or 0, amount(each, "mean_ms") or 0
        if count >= SLOW_COUNT and mean > SLOW_MS and count * mean > worst.get(entity, (0.0,))[0]:
            worst[entity] = (count * mean, each, look)
    for entity, (_, each, look) in worst.items():
        yield saw(mongo_slow_ops, entity, look, _described(each), Severity.WARNING)


@rule(
    id="mongo-missing-index",
    area="mongodb",
    role=Role.CAUSE,
    title="A MongoDB query has no index",
    meaning="It scans the collection, or examines a thousand documents for each that it returns, and is slow at it. "
    "A scan of a tiny collection is harmless and fast.",
    remediation="Create an index for its filter and sort, in the background, after checking with explain.",
    needs=("mongodb.slow_operations",),
)
def mongo_missing_index(scene: Scene) -> Iterator[Finding]:
    told: set[Entity] = set()
    for entity, each, look in _slow(scene):
        scans = each.get("collscan") is True
        share = amount(each, "examined_per_returned") or 0
        slow = (amount(each, "mean_ms") or 0) > SCAN_MATTERS_MS
        if slow and (scans or share > SCANNED_PER_RETURNED) and entity not in told:
            told.add(entity)
            how = "scans the whole collection" if scans else f"examines {share:.0f} documents for each returned"
            line = f"{_described(each)}, {how}: {text(each, 'shape')}"
            yield saw(mongo_missing_index, entity, look, line, Severity.WARNING)


@rule(
    id="mongo-cache-pressure",
    area="mongodb",
    role=Role.CAUSE,
    title="MongoDB's cache is under pressure",
    meaning="Too much of it is dirty or used: clients must write pages themselves. A checkpoint does so briefly.",
    remediation="Look at disk and write load first; then at whether the working set fits.",
    needs=("mongodb.status",),
)
def mongo_cache_pressure(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in _servers(scene, "status"):
        engine = mapping(record, "wired_tiger")
        used, dirty = amount(engine, "cache_used_ratio") or 0.0, amount(engine, "cache_dirty_ratio") or 0.0
        if dirty > CACHE_DIRTY or used > CACHE_USED:
            line = f"cache {used:.0%} used, {dirty:.0%} dirty"
            yield saw(mongo_cache_pressure, entity, look, line, Severity.WARNING)


@rule(
    id="mongo-tickets-out",
    area="mongodb",
    role=Role.CAUSE,
    title="MongoDB has no tickets left",
    meaning="No further operation may enter the storage engine: those inside are slow, mostly for the disk.",
    remediation="Find what those inside wait for: disk, cache, a scan without an index.",
    needs=(),
)
def mongo_tickets_out(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in _servers(scene, "status"):
        for name, tickets in mapping(record, "wired_tiger", "tickets").items():
            if amount(tickets, "available") == 0 and (amount(tickets, "out") or 0) > 0:
                yield saw(mongo_tickets_out, entity, look, f"no {name} ticket is available", Severity.CRITICAL)
                break
    for entity, series in with_signal(scene, "storage_tickets_available"):
        minutes = down_minutes(series, scene.window)
        if minutes >= QUEUE_MINUTES:
            summary = f"{entity} has had no ticket left for {minutes:.0f} min."
            yield mongo_tickets_out.finding(entity, summary, [scene.cite_series(series)], severity=Severity.CRITICAL)


@rule(
    id="mongo-oplog-short",
    area="mongodb",
    role=Role.CAUSE,
    title="MongoDB's oplog is short",
    meaning="It reaches back less than a day: a member that is away longer cannot catch up. Bulk loads shorten it.",
    remediation="Enlarge the oplog, or slow the writes down.",
    needs=("mongodb.replication",),
)
def mongo_oplog_short(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in _servers(scene, "replication"):
        hours = amount(record, "oplog", "window_h")
        # A young set cannot reach back further than its own beginning.
        uptimes = [amount(each, "uptime_s") or 0 for each in items(record, "members")]
        is_young = bool(uptimes) and max(uptimes) < OPLOG_HOURS * 3600
        if hours is not None and hours < OPLOG_HOURS and not is_young:
            line = f"the oplog reaches back {hours:.1f} h"
            yield saw(mongo_oplog_short, entity, look, line, Severity.WARNING, direct=False)
