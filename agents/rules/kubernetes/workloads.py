"""Deployments, StatefulSets and DaemonSets that do not have the pods that they want."""

from collections.abc import Iterator

from whenever import Instant, TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, labels_at, mapping, matches, moment, number, text
from agents.rules.kubernetes.readings import first, is_leaving, is_ready, older_than, short, target, unready_since
from agents.scene import Scene
from tools.entity import Entity

UNAVAILABLE = TimeDelta(minutes=5)
"""How long replicas may be missing: rollouts, surges and drains take minutes."""


def wanted(workload: Resource) -> int:
    """How many pods it wants."""
    if workload.kind == "DaemonSet":
        return number(workload.raw, "status", "desiredNumberScheduled") or 0
    replicas = number(workload.raw, "spec", "replicas")
    # The API server's default.
    return 1 if replicas is None else replicas


def ready(workload: Resource) -> int:
    """How many pods are ready."""
    return number(workload.raw, "status", "numberReady" if workload.kind == "DaemonSet" else "readyReplicas") or 0


def _missing_since(scene: Scene, workload: Resource) -> Instant | None:
    available = workload.condition("Available")
    at = moment(available, "lastTransitionTime") if available.get("status") == "False" else None
    return at or first(unready_since(pod) for pod in scene.cluster.pods_of(workload.entity))


def _lasts(scene: Scene, workload: Resource) -> bool:
    return older_than(scene, _missing_since(scene, workload) or workload.created_at, UNAVAILABLE)


def _is_rolling(scene: Scene, workload: Resource) -> bool:
    """Whether a rollout is under way that keeps enough pods: available, and moving within its own deadline."""
    available, progress = workload.condition("Available"), workload.condition("Progressing")
    if available.get("status") != "True" or progress.get("status") != "True":
        return False
    moved_at = moment(progress, "lastUpdateTime")
    deadline = TimeDelta(seconds=min(number(workload.raw, "spec", "progressDeadlineSeconds") or 600, 86_400))
    return moved_at is not None and scene.now - moved_at < deadline and text(progress, "reason") == "ReplicaSetUpdated"


def _is_observed(workload: Resource) -> bool:
    seen, latest = number(workload.raw, "status", "observedGeneration"), number(workload.raw, "metadata", "generation")
    return seen is None or latest is None or seen >= latest


@rule(
    id="replicas-unavailable",
    area="workloads",
    role=Role.SYMPTOM,
    title="Fewer pods are ready than wanted",
    meaning="For over five minutes, and not because of a rollout that moves on.",
    remediation="Look at the pods of the newest set.",
)
def replicas_unavailable(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Deployment", "StatefulSet"):
        enough = ready(each) >= wanted(each) or not _is_observed(each) or _is_rolling(scene, each)
        if enough or not _lasts(scene, each):
            continue
        since = _missing_since(scene, each)
        yield replicas_unavailable.finding(
            each.entity,
            f"{each.entity} has {ready(each)} of {wanted(each)} replicas ready" + (f" since {since}" if since else ""),
            [scene.cite(each, "spec.replicas", "status")],
            severity=Severity.CRITICAL if not ready(each) else Severity.WARNING,
            first_seen=since,
            remedy=f"kubectl describe {target(each.entity)}, then its pods that are not ready",
        )


@rule(
    id="daemonset-not-ready",
    area="workloads",
    role=Role.SYMPTOM,
    title="A DaemonSet's pods are not ready everywhere",
    meaning="For over five minutes: the odd nodes or the pod itself. A joining node is given that time.",
    remediation="Compare the nodes that lack it with those that have it.",
)
def daemonset_not_ready(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("DaemonSet"):
        if ready(each) >= wanted(each) or not _is_observed(each) or not _lasts(scene, each):
            continue
        pods = [pod for pod in scene.cluster.pods_of(each.entity) if not is_ready(pod) and not is_leaving(pod)]
        nodes = sorted({text(pod.raw, "spec", "nodeName") for pod in pods} - {""})
        where = f" (missing on {', '.join(nodes[:5])})" if nodes else ""
        yield daemonset_not_ready.finding(
            each.entity,
            f"{each.entity} is ready on {ready(each)} of {wanted(each)} nodes{where}",
            [scene.cite(each, "status")],
            severity=Severity.CRITICAL if not ready(each) else Severity.WARNING,
            first_seen=_missing_since(scene, each),
            remedy=f"kubectl describe {target(each.entity)}, then its pods on {next(iter(nodes), 'the odd nodes')}",
        )


@rule(
    id="statefulset-stuck-ordinal",
    area="workloads",
    role=Role.SYMPTOM,
    title="A StatefulSet waits for one of its pods",
    meaning="Pods start in order: the next one waits until the one before is ready. Slow starts have five minutes.",
    remediation="Look at the first pod that is not ready.",
)
def statefulset_stuck_ordinal(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("StatefulSet"):
        pods = sorted(scene.cluster.pods_of(each.entity), key=_ordinal)
        blocked = next((pod for pod in pods if not is_ready(pod)), None)
        ordered = text(each.raw, "spec", "podManagementPolicy") != "Parallel"
        if not blocked or not ordered or len(pods) >= wanted(each):
            continue
        since = unready_since(blocked)
        if older_than(scene, since, UNAVAILABLE):
            yield statefulset_stuck_ordinal.finding(
                each.entity,
                f"{each.entity} has {len(pods)} of {wanted(each)} pods and waits for {blocked.name}",
                [scene.cite(each, "spec.replicas", "status"), scene.cite(blocked, "status.conditions")],
                severity=Severity.WARNING if ready(each) else Severity.CRITICAL,
                first_seen=since,
                remedy=f"kubectl describe pod {blocked.name} -n {blocked.namespace}",
            )


def _ordinal(pod: Resource) -> int:
    last = pod.name.rpartition("-")[2]
    return int(last) if last.isascii() and last.isdigit() and len(last) < 10 else -1


@rule(
    id="statefulset-service-missing",
    area="workloads",
    role=Role.CAUSE,
    title="A StatefulSet's Service does not exist",
    meaning="Its pods get no stable names in DNS. A set that names no Service does not need one.",
    remediation="Create the headless Service.",
)
def statefulset_service_missing(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("StatefulSet"):
        name = text(each.raw, "spec", "serviceName")
        if scene.cluster.lacks("Service", each.namespace, name):
            yield statefulset_service_missing.finding(
                each.entity,
                f"{each.entity} names the Service {name!r}, which does not exist: its pods have no names in DNS",
                [scene.cite(each, "spec.serviceName", "status")],
                severity=Severity.WARNING,
                remedy=f"Create the headless Service {name} (clusterIP: None) in {each.namespace}",
            )


@rule(
    id="progress-deadline-exceeded",
    area="workloads",
    role=Role.SYMPTOM,
    title="A rollout does not get on",
    meaning="The pods of the new version never became ready within the deadline.",
    remediation="Look at the pods of the newest set, then roll back.",
)
def progress_deadline_exceeded(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Deployment"):
        progress = each.condition("Progressing")
        told = scene.cluster.events_about(each.entity, "ProgressDeadlineExceeded") if not progress else ()
        exceeded = progress.get("status") == "False" and text(progress, "reason") == "ProgressDeadlineExceeded"
        if exceeded or (told and ready(each) < wanted(each)):
            said = text(progress, "message") or (told[-1].message if told else "its progress deadline has passed")
            yield progress_deadline_exceeded.finding(
                each.entity,
                f"{each.entity}: {short(said)}",
                [scene.cite(each, "spec.replicas", "status"), *map(scene.cite_event, told[-1:])],
                severity=Severity.WARNING if ready(each) else Severity.CRITICAL,
                first_seen=_missing_since(scene, each),
                last_seen=moment(progress, "lastUpdateTime"),
                remedy=f"kubectl rollout undo {target(each.entity)}",
            )


@rule(
    id="rollout-paused",
    area="workloads",
    role=Role.CAUSE,
    title="A rollout is paused half-way",
    meaning="Paused while a newer version is not fully out. A pause with nothing pending is left alone.",
    remediation="Resume it.",
)
def rollout_paused(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Deployment"):
        updated = number(each.raw, "status", "updatedReplicas") or 0
        if each.spec.get("paused") is True and updated < wanted(each):
            yield rollout_paused.finding(
                each.entity,
                f"{each.entity} is paused with {updated} of {wanted(each)} replicas of the newest version",
                [scene.cite(each, "spec.paused", "spec.replicas", "status")],
                severity=Severity.WARNING,
                first_seen=moment(each.condition("Progressing"), "lastUpdateTime"),
                remedy=f"kubectl rollout resume {target(each.entity)}",
            )


@rule(
    id="scaled-to-zero",
    area="workloads",
    role=Role.CAUSE,
    title="A workload that is needed is scaled to zero",
    meaning="No replicas, though callers, an Ingress or the alert need it. KEDA may scale to zero by design.",
    remediation="Scale it up.",
)
def scaled_to_zero(scene: Scene) -> Iterator[Finding]:
    needed = scene.once(_needed)
    for each in scene.cluster.all("Deployment", "StatefulSet"):
        if number(each.raw, "spec", "replicas") != 0 or _scales_itself(scene, each):
            continue
        who = needed.get(each.entity, "")
        scaled = [
            event
            for event in scene.cluster.events_about(each.entity, "ScalingReplicaSet", "SuccessfulDelete")
            if "to 0" in event.message
        ]
        if who:
            yield scaled_to_zero.finding(
                each.entity,
                f"{each.entity} has replicas 0 although {who}",
                [scene.cite(each, "spec.replicas", "status"), *map(scene.cite_event, scaled[-1:])],
                severity=Severity.CRITICAL,
                first_seen=scaled[-1].last_at if scaled else None,
                remedy=f"kubectl scale {target(each.entity)} --replicas=<as many as before>",
            )


def _scales_itself(scene: Scene, workload: Resource) -> bool:
    scaled = {
        (each.namespace, text(each.raw, "spec", "scaleTargetRef", "name")) for each in scene.cluster.all("ScaledObject")
    }
    return (workload.namespace, workload.name) in scaled


def _needed(scene: Scene) -> dict[Entity, str]:
    """Workloads at zero that somebody needs, with who."""
    zero = [each for each in scene.cluster.all("Deployment", "StatefulSet") if wanted(each) == 0]
    found: dict[Entity, str] = {}
    for each in zero:
        if each.entity in scene.case.scope.entities:
            found[each.entity] = "the alert is about it"
    services = scene.cluster.all("Service") if zero else ()
    used = [edge for edge in scene.edges() if edge.relation in ("calls", "routes-to")] if zero else []
    users = {edge.upstream: edge for edge in sorted(used, key=lambda each: each.downstream)}
    for service in services:
        selector = mapping(service.raw, "spec", "selector")
        labels = [(each, labels_at(each.raw, "spec", "template", "metadata", "labels")) for each in zero]
        for each, own in labels:
            if not selector or each.namespace != service.namespace or not matches({"matchLabels": selector}, own):
                continue
            if service.entity in scene.case.scope.entities:
                found[each.entity] = f"the alert is about {service.entity}"
            elif edge := users.get(service.entity):
                verb = "calls" if edge.relation == "calls" else "routes to"
                found[each.entity] = f"{edge.downstream} {verb} {service.entity}"
    return found
