"""What a thing itself uses, against its own past and its load: CPU, memory, disk, network, whatever else is counted.

Inferred: that a number moved when the trouble began makes it a suspect, no more.
"""

from collections.abc import Iterator

from agents.baseline import latest
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.rules.suspicions import suspected
from agents.scene import Scene, Series
from agents.signals.changes import BOUND, Change
from agents.signals.reading import Reading
from agents.signals.units import FULL, Family, gauge
from tools.entity import Entity

FULL_STRENGTH = 0.75
ROOM = 0.7
"""How much memory that rose still counts while there is room: it harms nobody yet, though it is a sign."""
RESTARTED = 0.5
"""A process that holds less than half of what it held has begun anew."""
LESS_SURE = 0.5
"""Of numbers without a known meaning, and of less instead of more."""
SILENT_STRENGTH = 0.25


@rule(
    id="cpu-surge",
    area="resources",
    role=Role.CAUSE,
    title="It uses far more CPU than its requests explain",
    meaning="CPU rose beyond its own past and its traffic: a loop, a neighbour in the same pod, costlier requests.",
    remediation="Profile it now, while it lasts; compare the release with the one before; raise the limit only then.",
    needs=("signals",),
)
def cpu_surge(scene: Scene) -> Iterator[Finding]:
    for series, change, strength in _moved(scene, Family.CPU):
        if change.away > 0:
            yield from _told(scene, cpu_surge, series, change, 0.35 + 0.65 * strength)


@rule(
    id="memory-surge",
    area="resources",
    role=Role.CAUSE,
    title="It holds far more memory than before",
    meaning="Memory rose beyond its own past within the incident; a leak takes hours, a cache stops by itself.",
    remediation="See what it keeps: a heap profile, the size of its caches, what the last release loads.",
    needs=("signals",),
)
def memory_surge(scene: Scene) -> Iterator[Finding]:
    for series, change, strength in _moved(scene, Family.MEMORY):
        if change.away > 0:
            share = scene.signal(series.entity, "memory_utilization_ratio")
            has_room = share is not None and latest(share) < FULL
            yield from _told(scene, memory_surge, series, change, 0.2 + 0.65 * strength * (ROOM if has_room else 1.0))


@rule(
    id="memory-fell",
    area="resources",
    role=Role.SYMPTOM,
    title="It lost most of its memory at once",
    meaning="What it held fell to less than half: the process began anew, whoever ended it.",
    remediation="Find why it began anew: last exit, a release, a probe.",
    needs=("signals",),
)
def memory_fell(scene: Scene) -> Iterator[Finding]:
    for series, change, strength in _moved(scene, Family.MEMORY):
        if change.away < 0 and change.factor < RESTARTED:
            yield from _told(scene, memory_fell, series, change, 0.2 + 0.65 * strength)


@rule(
    id="disk-surge",
    area="resources",
    role=Role.CAUSE,
    title="Its disk works far more than before",
    meaning="Reads, writes or busy time rose beyond their own past: a backup, a scan, a swap storm, a full log.",
    remediation="Find who reads or writes on that disk, and whether it must now.",
    needs=("signals",),
)
def disk_surge(scene: Scene) -> Iterator[Finding]:
    for series, change, strength in _moved(scene, Family.DISK):
        if change.away > 0:
            yield from _told(scene, disk_surge, series, change, 0.25 + 0.65 * strength)


@rule(
    id="network-shift",
    area="network",
    role=Role.SYMPTOM,
    title="Its network traffic does not fit its requests",
    meaning="Bytes, loss or retransmits moved, and its requests do not explain that.",
    remediation="Compare with the other end: who sends more, or who no longer answers.",
    needs=("signals",),
)
def network_shift(scene: Scene) -> Iterator[Finding]:
    for series, change, strength in _moved(scene, Family.NETWORK):
        yield from _told(scene, network_shift, series, change, 0.1 + 0.6 * strength * _weight(change))


@rule(
    id="unusual-series",
    area="resources",
    role=Role.SYMPTOM,
    title="A number left its usual range",
    meaning="A series without a known meaning moved when the trouble began; whether it matters, people must say.",
    remediation="Ask whoever exports it what it counts.",
    needs=("signals",),
)
def unusual_series(scene: Scene) -> Iterator[Finding]:
    for series, change, strength in _moved(scene, Family.OTHER):
        yield from _told(scene, unusual_series, series, change, 0.1 + 0.6 * strength * _weight(change))


@rule(
    id="went-silent",
    area="resources",
    role=Role.SYMPTOM,
    title="Nothing is measured of it any more",
    meaning="All its series end when the trouble begins, while others go on: it is gone, hung, or not scraped.",
    remediation="See whether it still runs, then whether its target is scraped.",
    needs=("signals",),
)
def went_silent(scene: Scene) -> Iterator[Finding]:
    read = scene.once(Reading)
    ends = {entity: max(each.points[-1][0] for each in known.values()) for entity, known in scene.series.items()}
    start = scene.window.start.timestamp()
    going_on = {read.topology.topmost(entity) for entity, end in ends.items() if end >= start}
    if 2 * sum(end >= start for end in ends.values()) < len(ends):
        # When most are silent it is the collector that went, not they.
        return
    for entity, end in ends.items():
        if start - 3 * read.ruler.width <= end < start and read.topology.topmost(entity) not in going_on:
            series = next(iter(scene.series[entity].values()))
            yield went_silent.finding(
                entity,
                f"Nothing is measured of {entity} since the window began.",
                [scene.cite_series(series)],
                severity=Severity.INFO,
                direct=False,
                first_seen=scene.window.start,
                strength=SILENT_STRENGTH,
            )


def _weight(change: Change) -> float:
    return 1.0 if change.away > 0 else LESS_SURE


def _moved(scene: Scene, family: Family) -> Iterator[tuple[Series, Change, float]]:
    """The most changed series of that family of each entity in scope, and how far beyond what its load explains."""
    read = scene.once(Reading)
    best: dict[Entity, tuple[Series, Change, float]] = {}
    for (entity, name), change in read.changes.items():
        known = gauge(name)
        if known.family is not family or read.topology.topmost(entity) not in read.in_scope:
            continue
        strength = change.strength
        if known.follows_load:
            strength *= _unexplained(change, read.load(entity))
        if name.endswith("_utilization_ratio") and change.level >= FULL and change.factor >= 1 / FULL:
            # Full is full, however restless the past was.
            strength = max(strength, FULL_STRENGTH)
        if strength > (best[entity][2] if entity in best else 0.0):
            best[entity] = scene.series[entity][name], change, strength
    yield from best.values()


def _unexplained(change: Change, load: float) -> float:
    """1 where the requests do not explain the change, 0 where they do: twice the requests may cost twice as much."""
    expected = change.usual.median * load
    remaining = (change.level - expected) / change.usual.spread
    return 1.0 if abs(remaining) > BOUND and remaining * change.away > 0 else 0.0


def _told(scene: Scene, of: Rule, series: Series, change: Change, strength: float) -> Iterator[Finding]:
    summary = f"{series.signal} of {series.entity} is {change.level:.3g}, usually {change.usual.median:.3g}."
    yield from suspected(scene, of, (series, change), strength, summary)
