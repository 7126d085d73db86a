"""How rules read what tools tell of databases: one record a deployment. Pure."""

from collections.abc import Iterator
from typing import Any

from agents.causes import Rule
from agents.finding import Finding, Severity
from agents.objects import Fields, text
from agents.scene import Scene, Series
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import value
from tools.window import Window


def servers(scene: Scene, tool: str) -> Iterator[tuple[Entity, Fields, Evidence]]:
    """Each deployment that answered this tool."""
    for record, look in scene.records(tool):
        written = text(record, "entity")
        if written.count("/") >= 2 and "gap" not in record:
            yield Entity.parse(written), record, look


def with_signal(scene: Scene, name: str) -> Iterator[tuple[Entity, Series]]:
    """Each thing that has this signal, by an exporter or a recording."""
    for entity, series in scene.series.items():
        if name in series:
            yield entity, series[name]


def down_minutes(series: Series, window: Window) -> float:
    """For how many minutes the series has been at zero until now; 0 when it is not, or ended before the window."""
    last = series.points[-1][0]
    began = last
    for at, level in reversed(series.points):
        if level > 0:
            break
        began = at
    return (last - began) / 60 if last >= window.start.timestamp() else 0.0


def amount(obj: Any, *path: str) -> float | None:
    """The number at the end of a path, or `None`."""
    found = value(obj, *path)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def saw(
    of: Rule,
    entity: Entity,
    look: Evidence,
    line: str,
    severity: Severity = Severity.WARNING,
    *,
    direct: bool = True,
    remedy: str = "",
    query: str = "",
) -> Finding:
    """A finding that rests on one line of a look; `query` is the part of the look's own that reads it."""
    mark = "--" if entity.kind == "postgres" else "#"
    cited = [look.narrowed(f"{query or look.query} {mark} {entity.name}", line)]
    return of.finding(entity, f"{entity.name}: {line}.", cited, severity=severity, direct=direct, remedy=remedy)
