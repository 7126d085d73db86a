"""What an investigation saw, in the form that rules read: indexed, tolerant of broken objects, each part citable.

Pure: no clock, no store, no client library. A source that did not answer is not in the scene, and says nothing.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import RLock
from typing import Any, Self, TypeVar, cast

from whenever import Instant

from agents import topology
from agents.case import Case
from agents.inventory import Inventory
from agents.objects import Event, Resource
from agents.placing import placed
from agents.report import Edge
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import Fields, text
from tools.kubernetes.render import excerpt
from tools.points import Points
from tools.window import Window

T = TypeVar("T")


LINES_AROUND = 3
"""Log lines shown before a cited one; what led up to a failure says more than what follows."""
POINTS_SHOWN = 9
"""Points of a cited series, evenly taken; the first and the last are always among them."""
_KUBECTL_LOGS = re.compile(
    r"logs -n (?P<namespace>\S+) (?P<pod>\S+)(?: -c (?P<container>\S+))?(?P<previous> --previous)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Lines of one container, oldest first."""

    namespace: str
    pod: str
    container: str
    is_previous: bool
    """Whether the container that wrote it has ended and was restarted."""
    lines: Sequence[str]
    source: Evidence = field(repr=False)

    @property
    def entity(self) -> Entity:
        """The pod."""
        return Entity.of("pod", self.namespace, self.pod)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One signal of one entity."""

    entity: Entity
    signal: str
    points: Sequence[tuple[float, float]]
    """(Unix seconds, value), oldest first, finite: whatever was given is put in order and kept compactly."""
    source: Evidence = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.points, Points):
            object.__setattr__(self, "points", Points.of(self.points))

    @property
    def samples(self) -> Points:
        """The points in the form that can be cut by time."""
        return cast("Points", self.points)


class Scene:
    """All that was seen for one case. Built once, read by every rule; each index is made when first asked for."""

    def __init__(self, case: Case, evidence: Sequence[Evidence], *, partial: frozenset[str]) -> None:
        self._asked = case
        self.evidence = tuple(evidence)
        self.partial = partial
        """Areas whose capture is incomplete: what they do not show is unknown."""
        self.now: Instant = case.asked_at
        self.window: Window = case.scope.window
        self._cited: dict[tuple[object, ...], Evidence] = {}
        self._kept: dict[object, Any] = {}
        self._making = RLock()

    @classmethod
    def of(cls, case: Case, evidence: Sequence[Evidence], *, partial: frozenset[str] = frozenset()) -> Self:
        """The scene of a case. Gaps may be among the evidence."""
        return cls(case, evidence, partial=partial)

    @cached_property
    def case(self) -> Case:
        """What is asked, its things where they were seen."""
        return placed(self._asked, (each.entity for each in self.cluster.resources))

    # What was looked at

    @cached_property
    def _answered(self) -> Mapping[str, tuple[Evidence, ...]]:
        found: defaultdict[str, list[Evidence]] = defaultdict(list)
        for look in self.evidence:
            if not look.is_gap:
                for name in _names(look.tool):
                    found[name].append(look)
        return {name: tuple(looks) for name, looks in found.items()}

    def looks(self, source: str) -> Sequence[Evidence]:
        """The looks that answered: of a tool (`mongodb.status`), an integration (`mongodb`) or an area (`logs`)."""
        return self._answered.get(source, ())

    def saw(self, source: str, kind: str = "", namespace: str = "") -> bool:
        """Whether a source answered; with a kind, whether its objects were listed, there or everywhere."""
        return self.cluster.saw(kind, namespace) if kind else bool(self.looks(source))

    def once(self, make: Callable[["Scene"], T]) -> T:
        """What `make` gives for this scene, computed once, for rules that share a reading of it."""
        # Specialists check in threads of their own, side by side; what one of them makes may ask for another.
        with self._making:
            if make not in self._kept:
                self._kept[make] = make(self)
        return cast("T", self._kept[make])

    # Indexes

    @cached_property
    def cluster(self) -> Inventory:
        """The Kubernetes objects and events."""
        looks = (*self.looks("kubernetes.objects"), *self.looks("kubernetes.events"))
        return Inventory(looks, window=self.window, now=self.now, is_partial="kubernetes" in self.partial)

    @cached_property
    def logs(self) -> Sequence[Log]:
        """The logs that were read, of containers and of log stores."""
        return tuple(log for look in self.looks("logs") for log in _logs(look))

    @cached_property
    def _logs_of(self) -> Mapping[tuple[str, str], list[Log]]:
        found: defaultdict[tuple[str, str], list[Log]] = defaultdict(list)
        for log in self.logs:
            found[log.namespace, log.pod].append(log)
        return found

    def logs_of(self, pod: Resource) -> Sequence[Log]:
        """The logs of a pod's containers, those of ended containers first: they hold the reason."""
        return sorted(self._logs_of.get((pod.namespace, pod.name), ()), key=lambda log: not log.is_previous)

    @cached_property
    def series(self) -> Mapping[Entity, Mapping[str, Series]]:
        """The series of each entity, by signal."""
        found: defaultdict[Entity, dict[str, Series]] = defaultdict(dict)
        for look in self.looks("signals"):
            for each in _series(look):
                found[each.entity].setdefault(each.signal, each)
        return found

    def signal(self, entity: Entity, name: str) -> Series | None:
        """One signal of one entity."""
        return self.series.get(entity, {}).get(name)

    def records(self, source: str) -> Sequence[tuple[Fields, Evidence]]:
        """The JSON objects of a source (`probes`, `changes`, `alerts`, `host`, `mongodb`), each with its look."""
        return [(record, look) for look in self.looks(source) for record in _records(look.data)]

    @cached_property
    def calls(self) -> Sequence[tuple[Entity, Entity]]:
        """Who calls whom, as (caller, callee), where that was recorded."""
        found: list[tuple[Entity, Entity]] = []
        for look in self.looks("calls"):
            for pair in _list(look.data):
                caller, callee = _pair(pair)
                if caller and callee:
                    found.append((caller, callee))
        return found

    def edges(self) -> frozenset[Edge]:
        """The topology: what can show where."""
        return self._edges

    @cached_property
    def _edges(self) -> frozenset[Edge]:
        # Imported late: what logs tell is itself read from a scene.
        from agents.logs.callees import calls

        named = [each for each in self.series if each.kind in topology.DATABASES]
        # A replica may be seen by its log alone, whose name says whose it is.
        logged = (
            Entity.of(each.kind, "", log.pod)
            for log in self.logs
            for each in named
            if log.pod == each.name or log.pod.startswith(f"{each.name}-")
        )
        copies = topology.replicas((*named, *logged))
        return topology.edges(self.cluster, self.calls) | calls(self) | copies

    # Citing

    def cite(self, resource: Resource, *paths: str) -> Evidence:
        """The part of a listing that shows the fields of one object at `paths`; without any, its status."""
        query = f"kubectl get {resource.where} -o yaml"
        shown = paths or ("status",)
        return self._once(
            (id(resource), *shown), lambda: resource.source.narrowed(query, excerpt(resource.raw, *shown))
        )

    def cite_event(self, event: Event) -> Evidence:
        """One event, in a line."""
        first, last = event.first_at or "?", event.last_at or "?"
        about = f"involvedObject.kind={event.kind},involvedObject.name={event.name}"
        query = f"kubectl get events{_flag(event.namespace)} --field-selector {about},reason={event.reason}"
        kind = "Warning" if event.is_warning else "Normal"
        times = f"(x{event.count}, first {first})"
        line = f"{last} {kind} {event.reason} {event.entity} {times}: {event.message or 'no message'}"
        return self._once((id(event),), lambda: event.source.narrowed(query, line))

    def cite_log(self, log: Log, line: int) -> Evidence:
        """The line of that index and the few before it."""
        shown = log.lines[max(0, line - LINES_AROUND) : line + 2]
        previous = " --previous" if log.is_previous else ""
        container = f" -c {log.container}" if log.container else ""
        query = f"kubectl logs {log.pod}{_flag(log.namespace)}{container}{previous}"
        if log.source.tool != "kubernetes.logs":
            query = f"{log.source.query} # {log.entity}"
        return self._once((id(log), line), lambda: log.source.narrowed(query, "\n".join(shown)))

    def cite_series(self, series: Series) -> Evidence:
        """The series in a few lines."""
        step = max(1, len(series.points) // POINTS_SHOWN)
        shown = [*series.points[:-1:step], *series.points[-1:]]
        lines = [f"{series.signal} of {series.entity} ({len(series.points)} points)"]
        lines += [f"{_time(at)} {value:g}" for at, value in shown]
        query = f"{series.source.query} # {series.signal} of {series.entity}"
        return self._once((id(series),), lambda: series.source.narrowed(query, "\n".join(lines)))

    def _once(self, key: tuple[object, ...], make: Callable[[], Evidence]) -> Evidence:
        if key not in self._cited:
            self._cited[key] = make()
        return self._cited[key]


def _names(tool: str) -> set[str]:
    integration, _, what = tool.partition(".")
    return {tool, integration, what}


def _flag(namespace: str) -> str:
    return f" -n {namespace}" if namespace else ""


def _time(unix_s: float) -> str:
    try:
        return str(Instant.from_timestamp(int(unix_s)))
    except (ValueError, OverflowError):
        return str(unix_s)


def _records(data: Any) -> list[Fields]:
    several = cast("list[Any]", data) if isinstance(data, list) else [data]
    return [cast("Fields", each) for each in several if isinstance(each, dict)]


def _logs(look: Evidence) -> list[Log]:
    if isinstance(look.data, str):
        whose = _KUBECTL_LOGS.search(look.query)
        if whose is None:
            return []
        return [
            Log(
                namespace=whose["namespace"],
                pod=whose["pod"],
                container=whose["container"] or "",
                is_previous=bool(whose["previous"]),
                lines=look.data.splitlines(),
                source=look,
            )
        ]
    found: dict[tuple[str, str, str], list[str]] = {}
    for record in _records(look.data):
        key = (text(record, "namespace"), text(record, "pod"), text(record, "container"))
        found.setdefault(key, []).append(text(record, "line"))
    return [
        Log(namespace=namespace, pod=pod, container=container, is_previous=False, lines=lines, source=look)
        for (namespace, pod, container), lines in found.items()
        if "/" not in namespace and pod
    ]


def _series(look: Evidence) -> list[Series]:
    found: list[Series] = []
    for record in _records(look.data):
        entity, signal = _entity(record.get("entity")), text(record, "signal")
        given = record.get("points")
        points = given if isinstance(given, Points) else Points.of(_list(given))
        if entity and signal and points:
            found.append(Series(entity=entity, signal=signal, points=points, source=look))
    return found


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _pair(pair: Any) -> tuple[Entity | None, Entity | None]:
    values = cast("Sequence[Any]", pair) if isinstance(pair, list | tuple) else ()
    return (_entity(values[0]), _entity(values[1])) if len(values) == 2 else (None, None)


def _entity(value: Any) -> Entity | None:
    if not isinstance(value, str):
        return None
    try:
        return Entity.parse(value)
    except ValueError:
        return None
