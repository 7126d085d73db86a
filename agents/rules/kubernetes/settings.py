"""ConfigMaps that nobody uses, that hold nothing or too much, or that changed under running pods."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from whenever import Instant, TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, labels_at, mapping, moment, text
from agents.rules.kubernetes.readings import grouped, is_leaving, is_ready, older_than, severity, target
from agents.scene import Scene
from agents.topology import WORKLOADS, containers, pod_spec, references
from tools.entity import Entity

LARGE = 1_000_000
"""Bytes; the API server's bound is 1 MiB."""
YOUNG = TimeDelta(hours=1)
_EVERYWHERE = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"})
"""What controllers put into every namespace."""
_SIDECARS = ("dashboard", "datasource", "alert", "rule", "config-reloader", "notifier")
"""Words in labels by which sidecars find ConfigMaps through the API, without any mount."""


def _plain(scene: Scene) -> Iterator[Resource]:
    for each in scene.cluster.all("ConfigMap"):
        if each.name not in _EVERYWHERE and not each.namespace.startswith("kube-"):
            yield each


def _size(each: Resource) -> int:
    return sum(len(value) for part in ("data", "binaryData") for value in labels_at(each.raw, part).values())


def _users(scene: Scene) -> frozenset[tuple[str, str]]:
    """Namespace and name of every ConfigMap that something refers to."""
    return frozenset(
        (each.namespace, name)
        for each in scene.cluster.all("Pod", *WORKLOADS)
        for kind, name in references(pod_spec(each))
        if kind == "configmap"
    )


@rule(
    id="configmap-unused",
    area="configuration",
    role=Role.CONTEXT,
    title="ConfigMaps that nobody mounts or reads",
    meaning="Leftovers, mostly. Those of controllers, those that sidecars find by label, owned and young ones are "
    "left out.",
    remediation="Delete them when nobody knows them.",
)
def configmap_unused(scene: Scene) -> Iterator[Finding]:
    used = scene.once(_users)
    idle: defaultdict[str, list[Resource]] = defaultdict(list)
    for each in _plain(scene):
        is_found_by_label = any(word in key.lower() for key in each.labels for word in _SIDECARS)
        is_kept = (
            is_found_by_label
            or items(each.raw, "metadata", "ownerReferences")
            or each.annotations.keys() & {"control-plane.alpha.kubernetes.io/leader"}
        )
        is_known = scene.cluster.knows("Pod", each.namespace) and scene.cluster.knows("Deployment", each.namespace)
        is_idle = (each.namespace, each.name) not in used and not is_kept and is_known
        if is_idle and older_than(scene, each.created_at, YOUNG):
            idle[each.namespace].append(each)
    for namespace, several in idle.items():
        names = ", ".join(each.name for each in several[:5])
        yield configmap_unused.finding(
            Entity.of("namespace", "", namespace),
            f"{len(several)} ConfigMaps of {namespace} are used by no pod or workload: {names}",
            [scene.cite(each, "metadata.name", "metadata.labels") for each in several[:3]],
            severity=Severity.INFO,
            remedy=f"kubectl delete configmap {several[0].name} -n {namespace}, when nobody knows it",
        )


@rule(
    id="configmap-empty",
    area="configuration",
    role=Role.CONTEXT,
    title="A ConfigMap holds nothing",
    meaning="Neither data nor binary data. Locks of leader elections hold none by design.",
    remediation="Fill it, or delete it.",
)
def configmap_empty(scene: Scene) -> Iterator[Finding]:
    for each in _plain(scene):
        if not mapping(each.raw, "data") and not mapping(each.raw, "binaryData") and not each.annotations:
            yield configmap_empty.finding(
                each.entity,
                f"{each.entity} holds no data",
                [scene.cite(each, "metadata", "data")],
                severity=Severity.INFO,
                remedy=f"kubectl describe {each.where}",
            )


@rule(
    id="configmap-oversized",
    area="configuration",
    role=Role.CONTEXT,
    title="A ConfigMap is almost as large as it may be",
    meaning="Beyond 1 MB; the API server refuses more than 1 MiB.",
    remediation="Split it, or use a volume.",
)
def configmap_oversized(scene: Scene) -> Iterator[Finding]:
    for each in _plain(scene):
        if (size := _size(each)) > LARGE:
            yield configmap_oversized.finding(
                each.entity,
                f"{each.entity} holds {size:,} bytes; {LARGE * 1.048576:,.0f} is the most",
                [scene.cite(each, "metadata.name", "metadata.creationTimestamp")],
                severity=Severity.INFO,
                remedy=f"Split {each.where}, or put large files on a volume",
            )


@rule(
    id="config-changed-not-loaded",
    area="configuration",
    role=Role.CAUSE,
    title="Settings changed, and the pods have not read them",
    meaning="A ConfigMap or Secret is newer than the pods that read it into their environment, and they are not well. "
    "Inferred: variables are read at the start only, while mounted files follow.",
    remediation="Restart the pods.",
)
def config_changed_not_loaded(scene: Scene) -> Iterator[Finding]:
    changed = scene.once(_changed)
    stale: list[tuple[Resource, tuple[Resource, Resource, Instant]]] = []
    for pod in scene.cluster.all("Pod") if changed else ():
        started_at = moment(pod.raw, "status", "startTime") or pod.created_at
        if started_at is None or is_leaving(pod) or is_ready(pod):
            continue
        for holder in _read_at_start(pod):
            known = changed.get((pod.namespace, *holder))
            if known and known[1] > started_at:
                stale.append((pod, (pod, *known)))
    for workload, several in grouped(scene, stale).items():
        pod, holder, at = several[0]
        yield config_changed_not_loaded.finding(
            workload,
            f"{workload} reads {holder.entity} at its start; that is of {at}, its pods began before",
            [scene.cite(holder, "metadata.name", "metadata.creationTimestamp"), scene.cite(pod, "status.startTime")],
            severity=severity(scene, workload),
            direct=False,
            first_seen=at,
            remedy=f"kubectl rollout restart {target(workload)}",
        )


def _read_at_start(pod: Resource) -> Iterator[tuple[str, str]]:
    for container in containers(pod.spec):
        for source in items(container, "envFrom"):
            for kind, part in (("configmap", "configMapRef"), ("secret", "secretRef")):
                if name := text(source, part, "name"):
                    yield kind, name
        for variable in items(container, "env"):
            for kind, part in (("configmap", "configMapKeyRef"), ("secret", "secretKeyRef")):
                if name := text(variable, "valueFrom", part, "name"):
                    yield kind, name


def _changed(scene: Scene) -> Mapping[tuple[str, str, str], tuple[Resource, Instant]]:
    """When ConfigMaps and Secrets became what they are: made anew, or by a recorded change."""
    found: dict[tuple[str, str, str], tuple[Resource, Instant]] = {}
    for each in scene.cluster.all("ConfigMap", "Secret"):
        if each.created_at:
            found[each.namespace, each.entity.kind, each.name] = each, each.created_at
    for record, _ in scene.records("changes"):
        kind, _, rest = text(record, "entity").partition("/")
        namespace, _, name = rest.partition("/")
        at = moment(record, "at")
        known = found.get((namespace, kind, name))
        if known and at and at > known[1]:
            found[namespace, kind, name] = known[0], at
    return found
