"""Why a replica lags, where only metrics and the servers' own words tell: writes, its own load, what holds it. Pure."""

import re
from collections.abc import Iterator

from agents.baseline import latest
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.lines import about
from agents.rules.databases.reading import (
    LONGEST_LINE,
    WAITED,
    Rise,
    Waits,
    cite,
    rate,
    risen,
    source_of,
    statements,
)
from agents.rules.mongodb import replication_lag
from agents.scene import Log, Scene
from tools.entity import Entity
from tools.evidence import Evidence

WRITES = ("transaction_log_bytes_per_second", "write_operations_per_second", "disk_write_bytes_per_second")
"""What a replica must replay, the surest measure first."""
CPU_BUSY = 0.5
CPU_FULL = 0.9
QUEUE_DEEP = 10.0
"""Requests that wait for a disk of a replica; a healthy one has about one for each device."""
OPEN_S = 900.0
_SAYS_WRITES = re.compile(
    r"(?i)\b(?:due to|because of|caused by)\b.{0,60}(?:transaction log generation"
    r"|write (?:throughput|load|volume|activity)|WAL (?:generation|volume|rate))"
)
_SAYS_CONFLICT = re.compile(
    r"(?i)conflict with recovery|recovery conflict|replay (?:is )?(?:paused|blocked)"
    r"|waiting for (?:snapshot|lock) on standby"
)


def _lagging(scene: Scene) -> Iterator[Finding]:
    return replication_lag.check(scene)


@rule(
    id="db-writes-outrun-replica",
    area="databases",
    role=Role.CAUSE,
    title="Writes outrun a replica",
    meaning="Its source writes at least three times of what it did, or its sessions mostly write the log, while "
    "the replica falls behind: it replays with one process what many write. A batch that ends lets it catch up. A "
    "source that writes as always is not told.",
    remediation="Spread or pause the batch that writes; until the replica has caught up, read from the source.",
    needs=(),
)
def db_writes_outrun_replica(scene: Scene) -> Iterator[Finding]:
    for lag in _lagging(scene):
        source = source_of(scene, lag.entity)
        if lag.severity is Severity.INFO or source is None:
            continue
        rise = next((found for name in WRITES if (found := risen(scene, source, name))), None)
        writer, said = _writer(scene, source), _said(scene, _SAYS_WRITES, lag.entity, source)
        if rise is None and (writer is None or said is None):
            continue
        evidence = [*lag.evidence, *_shown(scene, rise, writer, said)]
        summary = " ".join(
            (
                f"Replication lag of {lag.entity} by a write-heavy workload on {source}: {_grown(source, rise)}",
                *([f"Most of it is {writer.statement[:160]} ({_heaviest(writer)})."] if writer else []),
                *_apart(scene, source, writer),
            )
        )
        yield db_writes_outrun_replica.finding(
            source,
            summary,
            evidence,
            severity=Severity.WARNING,
            # That writes rose and the replica fell behind is a coincidence, unless the server says what it waits for.
            direct=writer is not None or said is not None,
            first_seen=lag.first_seen,
        )


def _writer(scene: Scene, source: Entity) -> Waits | None:
    """The statement that waits most for writing, where writing is what most of its own waiting is."""
    told = [each for each in statements(scene, source) if each.writing > WAITED * each.total]
    return max(told, key=lambda each: each.writing, default=None)


def _grown(source: Entity, rise: Rise | None) -> str:
    if rise is None:
        return f"the sessions of {source} mostly write WAL, faster than the replica replays it."
    if rise.series.signal.endswith("bytes_per_second"):
        return (
            f"it went from {rate(rise.before)} to {rate(rise.now)} of WAL and data, faster than the replica replays it."
        )
    return f"it went from {rise.before:.0f} to {rise.now:.0f} writes a second, more WAL than the replica replays."


def _heaviest(told: Waits) -> str:
    name, load = max(told.loads.items(), key=lambda one: one[1])
    return f"waits {name} {load:g}"


def _apart(scene: Scene, source: Entity, writer: Waits | None) -> Iterator[str]:
    """What else is high and does not belong to it: another statement's CPU."""
    cpu = scene.signal(source, "cpu_utilization_ratio")
    others = [each for each in statements(scene, source) if each is not writer]
    reader = max(others, key=lambda each: each.of("CPU"), default=None)
    if (
        writer
        and reader
        and cpu
        and latest(cpu) >= CPU_BUSY
        and reader.of("CPU") > max(writer.of("CPU"), reader.writing)
    ):
        yield (
            f"CPU of {latest(cpu):.0%} comes mostly from {reader.statement[:160]}, which writes nothing and is "
            "causally independent of the lag."
        )


def _said(scene: Scene, pattern: re.Pattern[str], *whose: Entity) -> tuple[Log, int] | None:
    for log in scene.logs:
        for place, line in enumerate(log.lines):
            if pattern.search(line[:LONGEST_LINE]) and about(scene, log) in whose:
                return log, place
    return None


def _shown(scene: Scene, rise: Rise | None, writer: Waits | None, said: tuple[Log, int] | None) -> Iterator[Evidence]:
    if rise:
        yield scene.cite_series(rise.series)
    if writer:
        yield cite(scene, writer)
    if said:
        yield scene.cite_log(*said)


@rule(
    id="db-replica-busy",
    area="databases",
    role=Role.CAUSE,
    title="A replica has no room to replay",
    meaning="Its own CPU is used up or requests queue for its disk while it falls behind, and its source writes as "
    "always: reports on it, or a smaller machine than the source. A replica that keeps up may be as busy as it likes.",
    remediation="Move or bound the reports on it, or give it a machine like that of its source.",
    needs=("signals",),
)
def db_replica_busy(scene: Scene) -> Iterator[Finding]:
    for lag in _lagging(scene):
        source = source_of(scene, lag.entity)
        wrote = source and any(risen(scene, source, name) for name in WRITES)
        cpu, queue = (scene.signal(lag.entity, name) for name in ("cpu_utilization_ratio", "queue_depth"))
        full = next(
            (
                (series, words)
                for series, bound, words in ((cpu, CPU_FULL, "of its CPU in use"), (queue, QUEUE_DEEP, "disk requests"))
                if series and latest(series) > bound
            ),
            None,
        )
        if lag.severity is Severity.INFO or wrote or full is None:
            continue
        series, words = full
        shown = f"{latest(series):.0%}" if series is cpu else f"{latest(series):.0f}"
        summary = f"{lag.entity} falls behind with {shown} {words}, while its source writes no more than before."
        yield db_replica_busy.finding(
            lag.entity, summary, [*lag.evidence, scene.cite_series(series)], direct=False, first_seen=lag.first_seen
        )


@rule(
    id="db-replay-held-back",
    area="databases",
    role=Role.CAUSE,
    title="A transaction holds a replica back",
    meaning="The server says that replay conflicts with a query, or one transaction has been open for a quarter of an "
    "hour while the replica falls behind. Long reports on a replica that keeps up are not told.",
    remediation="End that transaction by approval; bound the next by statement_timeout or max_standby_streaming_delay.",
    needs=(),
)
def db_replay_held_back(scene: Scene) -> Iterator[Finding]:
    for lag in _lagging(scene):
        if lag.severity is Severity.INFO:
            continue
        source = source_of(scene, lag.entity)
        places = [each for each in (lag.entity, source) if each]
        if said := _said(scene, _SAYS_CONFLICT, *places):
            log, place = said
            summary = f"{lag.entity} waits to replay: {' '.join(log.lines[place].split())[:200]}"
            yield db_replay_held_back.finding(lag.entity, summary, [*lag.evidence, scene.cite_log(log, place)])
            continue
        for entity in places:
            oldest = scene.signal(entity, "oldest_transaction_seconds")
            if oldest and latest(oldest) > OPEN_S:
                summary = (
                    f"A transaction on {entity} is open for {latest(oldest):.0f} s while {lag.entity} falls behind."
                )
                cited = [*lag.evidence, scene.cite_series(oldest)]
                yield db_replay_held_back.finding(lag.entity, summary, cited, direct=False)
                break
