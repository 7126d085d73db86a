"""How rules read databases that are seen through metrics and their own words alone, such as managed ones. Pure.

What a database's log or its sampling of sessions says is data: names of waits, numbers and statements without literals.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from agents.baseline import past, shift
from agents.logs.lines import about
from agents.scene import Log, Scene, Series
from agents.topology import DATABASES
from tools.entity import Entity
from tools.evidence import Evidence
from tools.postgres.shapes import shape

KINDS = DATABASES
RISE = 3.0
"""Growth within the window that is no noise where there is no past to compare with: fault-free load of a server seen
for minutes stays within a few tens of percent."""
MIN_POINTS = 6
WAITED = 0.5
"""Share of a statement's own waiting that writing must have to make it a writer."""

_WAIT = re.compile(
    r"\b(?P<name>(?:IO|LWLock|Lock|Client|IPC|WAL|Timeout|BufferPin|Extension|CPU):[A-Za-z_]{2,40}|CPU)\b"
    r"[^0-9\n]{0,30}?(?P<load>\d{1,9}(?:\.\d{1,6})?)"
)
"""Wait events as PostgreSQL and managed services name them (type:event), with the sessions that wait there."""
_STATEMENT = re.compile(
    r"\b(?:SELECT|INSERT|UPDATE|DELETE|MERGE|COPY|BEGIN|WITH|VACUUM|CREATE|ALTER|REFRESH)\b.*", re.DOTALL
)
_WRITES = re.compile(r"(?:\bWAL\b|WAL[A-Z]|WAL:|DataFile(?:Write|Extend|Sync))")
_OF_MOST = re.compile(
    r"(?i)connections?\D{0,40}?(?P<used>\d[\d,]{0,9})\s+of\s+(?P<most>\d[\d,]{0,9})"
    r"|(?P<have>\d[\d,]{0,9})\s+connections\D{0,60}?max\w*\s+of\s+(?P<limit>\d[\d,]{0,9})"
)
_CPU_EVENT = re.compile(r"\bwait.{0,40}\bCPU\b", re.IGNORECASE)
_CLASSES = ("IO:", "Lock:", "Client:", "IPC:", "WAL:", "CPU:", "Timeout:", "BufferPin:", "Extension:", "wait")
"""A line without any of these names no wait: plain words, searched for before the dearer patterns."""
LONGEST_LINE = 2_000
"""Characters of a line that are read; longer ones are mostly payloads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What sessions wait for, as a line of the server says."""

    line: tuple[Log, int]
    statement: str
    """Whose waits these are, without literals; empty = of all sessions."""
    loads: dict[str, float]
    """Sessions by wait event."""

    @property
    def total(self) -> float:
        """All that wait or work."""
        return sum(self.loads.values())

    def of(self, *kinds: str) -> float:
        """Sessions whose event begins with one of these."""
        return sum(load for name, load in self.loads.items() if name.startswith(kinds))

    @property
    def writing(self) -> float:
        """Sessions that write the log or the data files."""
        return sum(load for name, load in self.loads.items() if _WRITES.search(name))


def databases(scene: Scene) -> Iterator[Entity]:
    """Databases that have series or a log."""
    seen = dict.fromkeys(each for each in scene.series if each.kind in KINDS)
    for log in scene.logs:
        entity = about(scene, log)
        if entity.kind in KINDS:
            seen[entity] = None
    yield from seen


def statements(scene: Scene, entity: Entity) -> Sequence[Waits]:
    """What each statement of this database waits for, in the order they are told."""
    return [each for each in scene.once(_waits).get(entity, ()) if each.statement]


def share_waiting(scene: Scene, entity: Entity, kind: str) -> tuple[float, Waits] | None:
    """Which share of all sessions waits for that kind, with the line that shows most of it; `None` = not told."""
    told = scene.once(_waits).get(entity, ())
    # The sum over all statements repeats what the sum over all sessions says.
    counted = [each for each in told if not each.statement] or told
    whole = sum(each.total for each in counted)
    if not whole:
        return None
    return sum(each.of(kind) for each in counted) / whole, max(counted, key=lambda each: each.of(kind))


def _waits(scene: Scene) -> dict[Entity, list[Waits]]:
    found: dict[Entity, list[Waits]] = {}
    for log in scene.logs:
        for place, line in enumerate(log.lines):
            if any(each in line for each in _CLASSES) and (one := _read(log, place, line[:LONGEST_LINE])):
                found.setdefault(about(scene, log), []).append(one)
    return found


def _read(log: Log, place: int, line: str) -> Waits | None:
    said = _STATEMENT.search(line)
    head = line[: said.start()] if said else line
    loads = {each["name"]: float(each["load"]) for each in _WAIT.finditer(head)}
    # A line that only speaks of CPU in some number is about anything.
    if not any(":" in name for name in loads) and not _CPU_EVENT.search(head):
        return None
    return Waits(line=(log, place), statement=shape(said.group()) if said else "", loads=loads) if loads else None


def cite(scene: Scene, told: Waits) -> Evidence:
    """The line that says so."""
    return scene.cite_log(*told.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """A signal that went up in the window, and stayed."""

    series: Series
    before: float
    now: float


def risen(scene: Scene, entity: Entity, signal: str) -> Rise | None:
    """Where a signal of a database rose: against its past, or by `RISE` within the window where it has none."""
    series = scene.signal(entity, signal)
    if series is None:
        return None
    start = scene.window.start.timestamp()
    usual = past(series, scene.window)
    if usual is not None:
        found = shift(series, scene.window, floor=1e-9)
        is_so = found is not None and not found.is_over and found.factor >= RISE
        return Rise(series=series, before=usual, now=found.level) if found and is_so else None
    values = [value for at, value in series.points if at >= start]
    if len(values) < MIN_POINTS:
        return None
    before, now = min(values[: max(1, len(values) // 4)]), median(values[len(values) // 2 :])
    return Rise(series=series, before=before, now=now) if now > before * RISE and now > 0 else None


def connection_limit(scene: Scene, entity: Entity) -> tuple[float, Evidence] | None:
    """How many connections the server takes: by its own metric, else by its own words."""
    series = scene.signal(entity, "connections_max")
    if series and series.points[-1][1] > 0:
        return series.points[-1][1], scene.cite_series(series)
    for log in scene.logs:
        for place, line in enumerate(log.lines):
            said = _OF_MOST.search(line[:LONGEST_LINE]) if "onnection" in line else None
            if said and about(scene, log) == entity:
                most = float((said["most"] or said["limit"]).replace(",", ""))
                if most > 0:
                    return most, scene.cite_log(log, place)
    return None


def source_of(scene: Scene, replica: Entity) -> Entity | None:
    """What a replica copies."""
    return next(
        (each.upstream for each in scene.edges() if each.relation == "copies" and each.downstream == replica), None
    )


def rate(bytes_per_s: float) -> str:
    """Bytes a second for people."""
    return f"{bytes_per_s / 2**20:.1f} MiB/s"
