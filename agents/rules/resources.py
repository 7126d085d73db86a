"""CPU, memory, disks and waiting for them: of containers against limits, of machines against what there is."""

from collections.abc import Iterator, Mapping
from typing import Any

from agents.baseline import Stretch, above, grows_steadily, hours_until, latest, past, shift, stands_at
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import items, mapping, text
from agents.rules.standing import near_of
from agents.rules.volumes import CLAIM
from agents.scene import Scene, Series
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import value

CPU_FULL = 0.9
CPU_FULL_MINUTES = 10.0
CPU_BUSY = 0.6
"""Below full, but far above its own past: enough to be told as a symptom."""
THROTTLED = 0.25
THROTTLED_BADLY = 0.5
MEMORY_FULL = 0.9
MEMORY_TIGHT = 0.95
MEMORY_RISE = 0.02
"""Of what is usual: a runtime that fills its limit wobbles by less."""
LEAK_HOURS = 2.9
LEAK_SHARE = 0.2
DISK_FULL = 0.9
DISK_FULL_HOURS = 4.0
DATABASE_DISK_FULL = 0.85
DATABASE_DISK_HOURS = 24.0
INODES_FULL = 0.9
STALLED = 0.2
_DATABASES = frozenset({"database", "mongodb", "postgres"})
_LATENCIES = tuple(f"latency_{part}_seconds" for part in ("p99", "p95", "p90", "mean", "p50"))


def _stretched(scene: Scene, of: Rule, found: Stretch, summary: str, severity: Severity, **more: Any) -> Finding:
    """A finding of a stretch; one that is over is told as past."""
    return of.finding(
        found.series.entity,
        f"{summary}{' It is over.' if found.is_over else ''}",
        [scene.cite_series(found.series)],
        severity=Severity.INFO if found.is_over else severity,
        first_seen=found.began_at,
        last_seen=found.last_at,
        **more,
    )


def _each(scene: Scene, signal: str) -> Iterator[tuple[Entity, Series]]:
    for entity, series in scene.series.items():
        if signal in series:
            yield entity, series[signal]


def _hosts(scene: Scene) -> Iterator[tuple[Entity, Mapping[str, Any], Evidence]]:
    for record, look in scene.records("host"):
        written = text(record, "entity")
        entity = Entity.parse(written) if written.count("/") >= 2 else Entity.of("host", "", "this")
        yield entity, record, look


def _part(look: Evidence, entity: Entity, line: str) -> list[Evidence]:
    return [look.narrowed(f"{look.query} # {entity}", line)]


@rule(
    id="cpu-saturated",
    area="resources",
    role=Role.SYMPTOM,
    title="CPU saturated",
    meaning="Load, a loop, or too small a machine; ten minutes in a row. Batch work may fill a CPU in peace.",
    remediation="See who uses it and since when; compare with the requests and with what changed.",
    needs=(),
)
def cpu_saturated(scene: Scene) -> Iterator[Finding]:
    for entity, series in _each(scene, "cpu_utilization_ratio"):
        full = above(series, scene.window, CPU_FULL, minutes=min(CPU_FULL_MINUTES, scene.window.seconds / 120))
        risen = shift(series, scene.window, floor=0.05)
        usual = past(series, scene.window)
        if full and (usual is None or usual <= CPU_FULL):
            summary = f"{entity} uses {full.level:.0%} of its CPU (now {latest(series):.0%})."
            yield _stretched(scene, cpu_saturated, full, summary, Severity.WARNING)
        elif risen and risen.level >= CPU_BUSY:
            summary = f"{entity} uses {risen.level:.0%} of its CPU, usually {risen.usual:.0%}."
            yield _stretched(scene, cpu_saturated, risen, summary, Severity.WARNING, direct=False)
    for entity, record, look in _hosts(scene):
        ratio = value(record, "cpu", "ratio")
        load = value(record, "cpu", "load_per_core")
        # Half a second of CPU says little; the load of the last minute must agree.
        if isinstance(ratio, float) and ratio > CPU_FULL and isinstance(load, int | float) and load > 1:
            line = f"cpu {ratio:.0%} used, load {load:.2f} a core"
            yield cpu_saturated.finding(entity, f"{entity}: {line}.", _part(look, entity, line))


@rule(
    id="cpu-throttled",
    area="resources",
    role=Role.CAUSE,
    title="CPU throttled by its limit",
    meaning="The CPU limit holds the container back while requests wait. Short bursts are throttled harmlessly.",
    remediation="Raise or remove the CPU limit, or spread the load over more replicas.",
    needs=("signals",),
)
def cpu_throttled(scene: Scene) -> Iterator[Finding]:
    for entity, series in _each(scene, "cpu_throttled_ratio"):
        found = above(series, scene.window, THROTTLED)
        if found is None:
            continue
        slow = _slowed(scene, entity)
        if slow or found.level > THROTTLED_BADLY:
            effect = f" while {slow.series.entity} answers slower" if slow else ""
            summary = f"{entity} is throttled in {found.level:.0%} of its periods{effect}."
            yield _stretched(scene, cpu_throttled, found, summary, Severity.WARNING, direct=slow is not None)


def _slowed(scene: Scene, entity: Entity) -> Stretch | None:
    """Where what depends on `entity` became slower."""
    places = scene.once(near_of).topology.shows_at(entity)
    for place in places:
        for signal in _LATENCIES:
            series = scene.signal(place, signal)
            found = shift(series, scene.window, floor=0.005) if series else None
            if found:
                return found
    return None


@rule(
    id="memory-near-limit",
    area="resources",
    role=Role.CAUSE,
    title="Memory almost full",
    meaning="The working set nears the limit or the machine's memory; next is an OOM kill. Page cache is not counted.",
    remediation="See whether it grows; raise the limit if the need is real, else find the leak.",
    needs=(),
)
def memory_near_limit(scene: Scene) -> Iterator[Finding]:
    for entity, series in _each(scene, "memory_utilization_ratio"):
        found, usual = above(series, scene.window, MEMORY_FULL), past(series, scene.window)
        # What was as full before the incident is how it lives, unless it rose and is about to burst.
        rose = usual is not None and found is not None and found.level > usual * (1 + MEMORY_RISE)
        if found and (usual is None or usual <= MEMORY_FULL or (rose and found.level > MEMORY_TIGHT)):
            summary = f"{entity} uses {found.level:.0%} of its memory (now {latest(series):.0%})."
            how = Severity.CRITICAL if found.level > MEMORY_TIGHT else Severity.WARNING
            yield _stretched(scene, memory_near_limit, found, summary, how)
    for entity, record, look in _hosts(scene):
        ratio = value(record, "memory", "ratio")
        if isinstance(ratio, float) and ratio > MEMORY_FULL:
            line = f"memory {ratio:.0%} used"
            yield memory_near_limit.finding(entity, f"{entity}: {line}.", _part(look, entity, line))


@rule(
    id="memory-leak",
    area="resources",
    role=Role.CAUSE,
    title="Memory grows steadily",
    meaning="Each half hour needs more than the one before, for hours. A warm-up or a cache grows too, and then stops.",
    remediation="Take a heap profile before the restart that buys time; look at what changed when the growth began.",
    needs=("signals",),
)
def memory_leak(scene: Scene) -> Iterator[Finding]:
    for entity, series in _each(scene, "memory_bytes"):
        if grows_steadily(series, hours=LEAK_HOURS, share=LEAK_SHARE):
            first, last = series.points[0][1], series.points[-1][1]
            hours = (series.points[-1][0] - series.points[0][0]) / 3600
            summary = f"{entity} grew steadily from {_size(first)} to {_size(last)} in {hours:.1f} h."
            yield memory_leak.finding(entity, summary, [scene.cite_series(series)], direct=False)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} GiB"


def _filling(series: Series, full: float, hours: float) -> str:
    """How full a disk is, when that is too full or soon will be; empty when it is well."""
    now, left = stands_at(series), hours_until(series, 1.0)
    soon = left is not None and left < hours and now > full / 2
    if now <= full and not soon:
        return ""
    return f"is {now:.0%} full" + (f" and will be full in {left:.1f} h" if soon and left is not None else "")


@rule(
    id="disk-full",
    area="resources",
    role=Role.CAUSE,
    title="Disk full or filling",
    meaning="Above 90 %, or full within four hours as it goes. Read-only images are always full and not counted.",
    remediation="Find what grows (logs, images, data), clean it, then limit or rotate it.",
    needs=(),
)
def disk_full(scene: Scene) -> Iterator[Finding]:
    for entity, series in _each(scene, "disk_utilization_ratio"):
        how = "" if entity.kind in _DATABASES or entity.kind == CLAIM else _filling(series, DISK_FULL, DISK_FULL_HOURS)
        if how:
            severity = Severity.CRITICAL if stands_at(series) > 0.97 else Severity.WARNING
            yield disk_full.finding(entity, f"{entity} {how}.", [scene.cite_series(series)], severity=severity)
    for entity, record, look in _hosts(scene):
        for disk in items(record, "filesystems"):
            ratio = value(disk, "ratio")
            if isinstance(ratio, float) and ratio > DISK_FULL:
                line = f"filesystem {text(disk, 'mountpoint')} {ratio:.0%} used"
                yield disk_full.finding(entity, f"{entity}: {line}.", _part(look, entity, line))


@rule(
    id="db-disk-filling",
    area="resources",
    role=Role.CAUSE,
    title="Database disk filling",
    meaning="Above 85 %, or full within a day as it goes: growth, logs kept too long, a dead replication consumer.",
    remediation="Extend the volume first, then find what grows; a full database stops writing.",
    needs=("signals",),
)
def db_disk_filling(scene: Scene) -> Iterator[Finding]:
    for entity, series in _each(scene, "disk_utilization_ratio"):
        how = _filling(series, DATABASE_DISK_FULL, DATABASE_DISK_HOURS) if entity.kind in _DATABASES else ""
        if how:
            severity = Severity.CRITICAL if stands_at(series) > 0.95 else Severity.WARNING
            yield db_disk_filling.finding(entity, f"{entity} {how}.", [scene.cite_series(series)], severity=severity)
    for entity, series in _each(scene, "free_storage_bytes"):
        left = hours_until(series, 0.0)
        if entity.kind in _DATABASES and left is not None and left < DATABASE_DISK_HOURS:
            size = _size(latest(series))
            summary = f"{entity} has {size} left and will be full in {left:.1f} h."
            yield db_disk_filling.finding(
                entity,
                summary,
                [scene.cite_series(series)],
                severity=Severity.CRITICAL if left < 1 else Severity.WARNING,
            )


@rule(
    id="inodes-full",
    area="resources",
    role=Role.CAUSE,
    title="Inodes used up",
    meaning="Many small files: nothing can be created although there is room.",
    remediation="Find the folder with the most files and clean it.",
    needs=(),
)
def inodes_full(scene: Scene) -> Iterator[Finding]:
    for entity, series in _each(scene, "inode_utilization_ratio"):
        if entity.kind != CLAIM and stands_at(series) > INODES_FULL:
            summary = f"{entity} has used {stands_at(series):.0%} of its inodes."
            yield inodes_full.finding(entity, summary, [scene.cite_series(series)])
    for entity, record, look in _hosts(scene):
        for disk in items(record, "filesystems"):
            ratio = value(disk, "inode_ratio")
            if isinstance(ratio, float) and ratio > INODES_FULL:
                line = f"filesystem {text(disk, 'mountpoint')} inodes {ratio:.0%} used"
                yield inodes_full.finding(entity, f"{entity}: {line}.", _part(look, entity, line))


@rule(
    id="pressure-stall",
    area="resources",
    role=Role.SYMPTOM,
    title="Work waits for CPU, memory or disk",
    meaning="The kernel measured real waiting for five minutes. Kernels without that measure say nothing.",
    remediation="See the row of that resource: who uses it, and what changed.",
    needs=("host",),
)
def pressure_stall(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in _hosts(scene):
        for name, stall in mapping(record, "pressure").items():
            share = value(stall, "some_avg300")
            if isinstance(share, int | float) and share > STALLED:
                line = f"pressure {name}: some work waited {share:.0%} of the last 5 min"
                yield pressure_stall.finding(entity, f"{entity}: {line}.", _part(look, entity, line))


@rule(
    id="node-oom",
    area="resources",
    role=Role.CAUSE,
    title="A machine ran out of memory",
    meaning="The kernel killed processes because the node itself was full, not one container's limit.",
    remediation="Set requests that match the real use; move or limit the biggest users of that node.",
)
def node_oom(scene: Scene) -> Iterator[Finding]:
    for event in scene.cluster.events_with("SystemOOM", "OOMKilling"):
        if event.kind == "Node":
            summary = f"{event.entity} ran out of memory: {event.message[:200]}"
            yield node_oom.finding(
                event.entity,
                summary,
                [scene.cite_event(event)],
                severity=Severity.CRITICAL,
                first_seen=event.first_at,
                last_seen=event.last_at,
            )
