"""How rules read what tools tell of databases: one record a deployment. Pure."""

from collections.abc import Iterator
from typing import Any

from agents.causes import Rule
from agents.finding import Finding, Severity
from agents.objects import Fields, text
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import value


def servers(scene: Scene, tool: str) -> Iterator[tuple[Entity, Fields, Evidence]]:
    """Each deployment that answered this tool."""
    for record, look in scene.records(tool):
        written = text(record, "entity")
        if written.count("/") >= 2 and "gap" not in record:
            yield Entity.parse(written), record, look


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
