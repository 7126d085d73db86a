"""What happened, oldest first: alerts, changes, warnings, ends of containers, rollouts, onsets of findings. Pure.

At most `MOST_MOMENTS` lines, each once: what decides the answer and what people did before what merely happened.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from whenever import Instant, TimeDelta

from agents.case import Case
from agents.explaining import Topology
from agents.finding import Finding, Role, Severity
from agents.logs.templates import masked
from agents.nearness import Distance, Near
from agents.objects import Event, number
from agents.report import Moment
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence, EvidenceId
from tools.kubernetes.fields import items, moment, text
from tools.redaction import redact

MOST_MOMENTS = 12
"""Lines of a story that people still read as one."""
LEAD = TimeDelta(hours=2)
"""How long before the window a change or a start may lie and still belong to the story."""
LONGEST_LINE = 200
DECIDING = 3
"""Findings at the head of the answer whose onset is told before anything else."""
_ROLLOUTS = frozenset(
    {"ScalingReplicaSet", "SuccessfulRescale", "DeploymentRollback", "NodeNotReady", "NodeReady", "Killing"}
)
_WEIGHTS = {"history.changes": 4, "alerts.active": 4, "kubernetes.objects": 2}


def moments(scene: Scene) -> tuple[tuple[Moment, ...], tuple[Evidence, ...]]:
    """What a scene tells of the past, and the evidence that those lines cite."""
    near = Near.of(scene.case, Topology(scene.edges()))
    entries = [*_changes(scene), *_events(scene), *_ends(scene), *_alerts(scene)]
    kept = _weightiest(_distinct(_fitting(entries, scene.case, near), near))
    cited = {each.evidence.id: each.evidence for each in kept}
    return tuple(each.moment for each in kept), tuple(cited.values())


def story(
    case: Case, told: Iterable[Moment], findings: Sequence[Finding], near: Near, evidence: Mapping[EvidenceId, Evidence]
) -> tuple[Moment, ...]:
    """The one timeline of a case.

    Args:
        case: what is asked about.
        told: moments that specialists brought.
        findings: what rules saw; their onsets belong to the story.
        near: how far each thing is from what the case is about; the story keeps to what is near.
        evidence: what moments cite, by id; a line whose evidence is not there is left out.
    """
    entries = [
        _Entry(_WEIGHTS.get(evidence[each.evidence].tool, 1), each, evidence[each.evidence])
        for each in told
        if each.evidence in evidence
    ]
    kept = _weightiest(_distinct(_fitting([*entries, *_onsets(findings)], case, near), near))
    return tuple(each.moment for each in kept)


def _fitting(entries: Iterable["_Entry"], case: Case, near: Near) -> list["_Entry"]:
    earliest = case.scope.window.start - LEAD
    return [
        each
        for each in entries
        if earliest <= each.moment.at <= case.asked_at and near.distance(each.moment.entity) is not Distance.ELSEWHERE
    ]


@dataclass(frozen=True, slots=True)
class _Entry:
    weight: int
    moment: Moment
    evidence: Evidence


def _entry(weight: int, at: Instant, entity: Entity, what: str, evidence: Evidence) -> _Entry:
    line = redact(" ".join(what.split()))
    cut = line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
    return _Entry(weight, Moment(at=at, entity=entity, what=cut, evidence=evidence.id), evidence)


def _changes(scene: Scene) -> Iterator[_Entry]:
    for change, look in scene.records("changes"):
        at, entity = moment(change, "at"), _entity(text(change, "entity"))
        if at and entity:
            by = f" by {text(change, 'who')}" if text(change, "who") else ""
            what = f"{text(change, 'kind') or 'change'}{by}: {text(change, 'summary')}"
            line = f"{at} {entity} {what}"
            yield _entry(4, at, entity, what, look.narrowed(f"{look.query} # {entity}", line))


def _events(scene: Scene) -> Iterator[_Entry]:
    for event in scene.cluster.events:
        if event.is_warning or event.reason in _ROLLOUTS:
            yield from _event(scene, event)


def _event(scene: Scene, event: Event) -> Iterator[_Entry]:
    at = event.first_at or event.last_at
    if at:
        times = f" (x{event.count} until {event.last_at})" if event.count > 1 else ""
        yield _entry(1, at, event.entity, f"{event.reason}: {event.message}{times}", scene.cite_event(event))


def _ends(scene: Scene) -> Iterator[_Entry]:
    for pod in scene.cluster.all("Pod"):
        for status in items(pod.raw, "status", "containerStatuses"):
            for state in ("lastState", "state"):
                ended = moment(status, state, "terminated", "finishedAt")
                code = number(status, state, "terminated", "exitCode")
                if ended and code:
                    reason = text(status, state, "terminated", "reason") or "Error"
                    restarts = number(status, "restartCount") or 0
                    count = f", {restarts} restarts" if restarts > 1 else ""
                    what = f"container {text(status, 'name')} ended: {reason}, exit code {code}{count}"
                    yield _entry(2, ended, pod.entity, what, scene.cite(pod, "status.containerStatuses"))


def _onsets(findings: Sequence[Finding]) -> Iterator[_Entry]:
    """When each thing began that the answer rests on; what decides it comes first among the findings."""
    for place, each in enumerate(findings):
        if each.first_seen and each.role is not Role.CONTEXT and each.severity is not Severity.INFO:
            weight = 3 if each.role is Role.CAUSE else 2
            decides = 2 if place < DECIDING and each.role is Role.CAUSE else 0
            yield _entry(weight + decides, each.first_seen, each.entity, each.summary, each.evidence[0])


def _alerts(scene: Scene) -> Iterator[_Entry]:
    """The case's own alerts where a look shows them too: a line without evidence is not told."""
    case = scene.case
    for record, look in scene.records("alerts"):
        name = text(record, "labels", "alertname")
        for alert in case.alerts:
            if name and name == alert.name and alert.labels.items() <= dict(record.get("labels") or {}).items():
                entity = (
                    case.scope.entities[0] if case.scope.entities else Entity.of("alert", "", name.replace("/", "-"))
                )
                line = f"{alert.starts_at} {name} began to fire: {alert.summary}"
                part = look.narrowed(f"{look.query} # {name}", line)
                yield _entry(4, alert.starts_at, entity, f"alert {name} began to fire", part)
                if alert.ends_at:
                    yield _entry(4, alert.ends_at, entity, f"alert {name} resolved", part)


def _entity(written: str) -> Entity | None:
    try:
        return Entity.parse(written)
    except ValueError:
        return None


def _distinct(entries: Iterable[_Entry], near: Near) -> list[_Entry]:
    """One line for what repeats: the same words about the same workload, whatever the values, at its first time."""
    first: dict[tuple[Entity, str], _Entry] = {}
    for entry in sorted(entries, key=_order):
        told = entry.moment
        words = masked(told.what.replace(told.entity.name, "*"))
        first.setdefault((near.topology.topmost(told.entity), words[:80]), entry)
    return list(first.values())


def _weightiest(entries: Sequence[_Entry]) -> list[_Entry]:
    """The weightiest that fit, oldest first."""
    return sorted(sorted(entries, key=lambda each: (-each.weight, each.moment.at))[:MOST_MOMENTS], key=_order)


def _order(entry: _Entry) -> tuple[Instant, int]:
    return entry.moment.at, -entry.weight
