"""How the things that the case names stand: found, gone, at work all the same, troubled earlier. Context alone.

The verdict rests on these: good news needs something that was seen, and nothing is critical while work gets done.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from statistics import median

from whenever import Instant

from agents.causes import rule
from agents.explaining import Topology, same_thing
from agents.finding import Finding, Role, Severity
from agents.nearness import Distance, Near
from agents.objects import Resource, number
from agents.rules.deployments import saw, servers
from agents.scene import Scene, Series
from tools.entity import Entity
from tools.kubernetes.fields import items, moment

WORKS = 0.5
"""Share of usual throughput, and of requests that succeed, that counts as forward progress."""
LAST_POINTS = 3
MOST_SHOWN = 5
NOTICES = frozenset({"DNSConfigForming", "CheckLimitsForResolvConf", "MissingClusterDNS", "PolicyViolation"})
"""Warnings about how things are set up: they come in for ever, and nothing happened."""
_RUNS = ("Deployment", "StatefulSet", "DaemonSet")
_CERTAIN = frozenset(
    {"pod", "job", "deployment", "statefulset", "daemonset", "node", "persistentvolumeclaim", "cronjob"}
)
"""Kinds that a label names for certain; a `service` label is often a name that somebody made up."""


@rule(
    id="thing-found",
    area="standing",
    role=Role.CONTEXT,
    title="What the case names was found",
    meaning="An object, a series or a log of the very thing was read: what is said of it rests on a look.",
    remediation="Nothing to do.",
    needs=(),
)
def thing_found(scene: Scene) -> Iterator[Finding]:
    near = scene.once(near_of)
    objects = (each for each in scene.cluster.resources if _is_own(near, each.entity))
    for each in islice(objects, MOST_SHOWN):
        cited = [scene.cite(each, "metadata.name")]
        yield thing_found.finding(each.entity, f"{each.entity} is there.", cited, severity=Severity.INFO)
    for entity in islice((each for each in scene.series if _is_own(near, each)), MOST_SHOWN):
        series = scene.series[entity]
        cited = [scene.cite_series(next(iter(series.values())))]
        yield thing_found.finding(entity, f"{entity} has {len(series)} series.", cited, severity=Severity.INFO)
    for log in islice((each for each in scene.logs if each.lines and _is_own(near, each.entity)), MOST_SHOWN):
        cited = [scene.cite_log(log, len(log.lines) - 1)]
        yield thing_found.finding(log.entity, f"{log.entity} writes a log.", cited, severity=Severity.INFO)
    for tool in ("mongodb.status", "postgres.status", "redis.status"):
        for entity, _, look in servers(scene, tool):
            if _is_own(near, entity):
                yield saw(thing_found, entity, look, "it answers", Severity.INFO)


@rule(
    id="thing-gone",
    area="standing",
    role=Role.CONTEXT,
    title="What the case names is not there",
    meaning="Its kind was listed completely and it is not in the list: deleted, replaced, or misspelt.",
    remediation="Ask whether the alert is out of date, or whether another name was meant.",
)
def thing_gone(scene: Scene) -> Iterator[Finding]:
    for entity in scene.case.scope.entities:
        cluster = scene.cluster
        if entity.kind in _CERTAIN and cluster.knows(entity.kind, entity.namespace) and cluster.at(entity) is None:
            look = next((each for each in scene.looks("kubernetes.objects") if not each.is_gap), None)
            others = [each.name for each in cluster.resources if each.entity.kind == entity.kind][:5]
            shown = f"{entity.kind} {entity.name!r} is not among those listed: {', '.join(others) or 'none at all'}"
            if look:
                part = look.narrowed(f"kubectl get {entity.kind} {entity.name} -n {entity.namespace or '*'}", shown)
                yield thing_gone.finding(entity, f"{entity} is not there.", [part], severity=Severity.INFO)


@rule(
    id="work-gets-done",
    area="standing",
    role=Role.CONTEXT,
    title="Work gets done all the same",
    meaning="Replicas are ready, or requests flow at a usual rate and most succeed: trouble here is not an outage.",
    remediation="No hurry: there is time to look before anything is changed.",
    needs=(),
)
def work_gets_done(scene: Scene) -> Iterator[Finding]:
    near = scene.once(near_of)
    for each in scene.cluster.all(*_RUNS):
        ready = _ready(each)
        if ready and near.distance(each.entity) is Distance.JOINED:
            wanted = number(each.raw, "spec", "replicas")
            of = f" of {wanted}" if wanted is not None else ""
            summary = f"{each.entity} has {ready}{of} replicas ready."
            yield work_gets_done.finding(each.entity, summary, [scene.cite(each, "status")], severity=Severity.INFO)
    for entity, series in scene.series.items():
        flow, outcome = series.get("requests_per_second"), _outcome(series)
        if near.distance(entity) is not Distance.JOINED:
            continue
        if flow and outcome and _flows(flow, scene.window.start) and _succeeds(outcome):
            rate, share = _latest(flow), _latest(outcome)
            summary = f"{entity} serves {rate:.3g} requests a second with {outcome.signal} {share:.3g}."
            cited = [scene.cite_series(flow), scene.cite_series(outcome)]
            yield work_gets_done.finding(entity, summary, cited, severity=Severity.INFO)


@rule(
    id="trouble-before",
    area="standing",
    role=Role.CONTEXT,
    title="There was trouble in the window",
    meaning="Warnings were recorded or a container ended in the window of the incident; it says nothing of now.",
    remediation="If it is over, find what ended it before the next time.",
)
def trouble_before(scene: Scene) -> Iterator[Finding]:
    near = scene.once(near_of)
    for event in scene.cluster.events:
        if event.reason in NOTICES:
            continue
        if event.is_warning and event.last_at and near.distance(event.entity) is Distance.JOINED:
            summary = f"{event.entity}: {event.reason} until {event.last_at}."
            yield trouble_before.finding(
                event.entity,
                summary,
                [scene.cite_event(event)],
                severity=Severity.INFO,
                first_seen=event.first_at,
                last_seen=event.last_at,
            )
    for pod in scene.cluster.all("Pod"):
        for status in items(pod.raw, "status", "containerStatuses"):
            ended = moment(status, "lastState", "terminated", "finishedAt")
            if ended and ended in scene.window and near.distance(pod.entity) is Distance.JOINED:
                summary = f"{pod.entity}: a container ended at {ended}."
                yield trouble_before.finding(
                    pod.entity,
                    summary,
                    [scene.cite(pod, "status.containerStatuses")],
                    severity=Severity.INFO,
                    last_seen=ended,
                )


def near_of(scene: Scene) -> Near:
    """How far things are from the case, for this scene."""
    return Near.of(scene.case, Topology(scene.edges(), scene.series))


def _is_own(near: Near, entity: Entity) -> bool:
    return bool(near.entities) and (same_thing(entity) in near.entities or near.is_part(entity))


def _ready(workload: Resource) -> int:
    names = ("readyReplicas", "availableReplicas", "numberReady")
    return max((number(workload.raw, "status", each) or 0 for each in names), default=0)


def _outcome(series: Mapping[str, Series]) -> Series | None:
    names = ("error_ratio", "success_ratio", "availability_ratio")
    return next((series[name] for name in names if name in series), None)


def _latest(series: Series) -> float:
    return median(value for _, value in series.points[-LAST_POINTS:])


def _flows(flow: Series, since: Instant) -> bool:
    before = [value for at, value in flow.points if at < since.timestamp()]
    return _latest(flow) > 0 and (not before or _latest(flow) >= WORKS * median(before))


def _succeeds(outcome: Series) -> bool:
    share = _latest(outcome)
    return (1 - share if outcome.signal == "error_ratio" else share) >= WORKS
