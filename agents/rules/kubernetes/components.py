"""The cluster's own machinery: API server and store, controllers, the proxy and the network plug-in of each node."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whenever import Instant, TimeDelta

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, moment, number, text
from agents.rules.kubernetes.readings import STARTING, first, is_leaving, is_ready, older_than, unready_since
from agents.rules.kubernetes.workloads import ready, wanted
from agents.scene import Log, Scene
from tools.entity import Entity
from tools.evidence import Evidence

SYSTEM = "kube-system"
CONTROLLERS = ("kube-scheduler", "kube-controller-manager")
SERVERS = ("kube-apiserver", "etcd")
MISSED_RENEWALS = 4
"""Lease durations without a renewal; a leader steps down after two thirds of one (client-go's defaults: 15 s, 10 s)."""
SHORTEST = TimeDelta(seconds=60)
NETWORKS = frozenset({
    "calico-node", "canal", "cilium", "kube-flannel-ds", "kube-flannel", "weave-net", "kindnet", "aws-node",
    "azure-cni", "azure-cns", "antrea-agent", "kube-router", "ovnkube-node", "kube-ovn-cni", "sdn",
})  # fmt: skip
"""DaemonSets of network plug-ins, by the names that their own manifests give them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One static component: its pods, and what is wrong with it."""

    entity: Entity
    summary: str
    evidence: Sequence[Evidence]
    since: Instant | None
    severity: Severity
    direct: bool


def pods_of_component(scene: Scene, name: str) -> list[Resource]:
    """The pods of a static component, by its label or its name."""
    return [
        pod
        for pod in scene.cluster.pods_in(SYSTEM)
        if pod.labels.get("component") == name or pod.name.startswith(f"{name}-")
    ]


def _broken(scene: Scene, name: str) -> Component | None:
    """How a component is broken; `None` when it is well, or hidden as managed control planes hide it."""
    pods = [pod for pod in pods_of_component(scene, name) if not is_leaving(pod)]
    unready = [pod for pod in pods if not is_ready(pod) and older_than(scene, unready_since(pod), STARTING)]
    if unready:
        pod = unready[0]
        restarts = sum(number(each, "restartCount") or 0 for each in items(pod.raw, "status", "containerStatuses"))
        alive = len(pods) - len(unready)
        return Component(
            entity=pod.entity,
            summary=f"{pod.entity} is not ready ({alive} of {len(pods)} of {name} are, {restarts} restarts)",
            evidence=[scene.cite(pod, "status"), *_last_line(scene, pod)],
            since=first(unready_since(each) for each in unready),
            severity=Severity.WARNING if alive else Severity.CRITICAL,
            direct=True,
        )
    return _without_lease(scene, name, pods) or (None if pods else _absent(scene, name))


def _last_line(scene: Scene, pod: Resource) -> list[Evidence]:
    logs: list[Log] = [log for log in scene.logs_of(pod) if log.lines]
    return [scene.cite_log(log, len(log.lines) - 1) for log in logs[:1]]


def _without_lease(scene: Scene, name: str, pods: Sequence[Resource]) -> Component | None:
    lease = scene.cluster.get("Lease", SYSTEM, name)
    renewed_at = moment(lease.raw, "spec", "renewTime") if lease else None
    if lease is None or renewed_at is None:
        return None
    duration_s = min(number(lease.raw, "spec", "leaseDurationSeconds") or 15, 3600)
    if scene.now - renewed_at <= max(SHORTEST, TimeDelta(seconds=MISSED_RENEWALS * duration_s)):
        return None
    entity = pods[0].entity if pods else lease.entity
    return Component(
        entity=entity,
        summary=f"{entity}: nobody has renewed the lease of {name} since {renewed_at}",
        evidence=[scene.cite(lease, "spec")],
        since=renewed_at,
        severity=Severity.CRITICAL,
        direct=True,
    )


def _absent(scene: Scene, name: str) -> Component | None:
    """A component without any pod beside others that have theirs: its manifest is broken or gone."""
    if not scene.cluster.knows("Pod", SYSTEM):
        return None
    beside = [pod for each in (*SERVERS, *CONTROLLERS) if each != name for pod in pods_of_component(scene, each)]
    if len({pod.labels.get("component", "") for pod in beside} - {""}) < 2:
        return None
    node = text(beside[0].raw, "spec", "nodeName")
    entity = Entity.of("pod", SYSTEM, f"{name}-{node}" if node else name)
    return Component(
        entity=entity,
        summary=f"{entity} does not exist, while {beside[0].name} and others of the control plane do",
        evidence=[scene.cite(beside[0], "metadata.name", "metadata.labels", "spec.nodeName")],
        since=None,
        severity=Severity.CRITICAL,
        direct=False,
    )


def _components(scene: Scene, of: Rule, names: Sequence[str]) -> Iterator[Finding]:
    for name in names:
        if each := _broken(scene, name):
            yield of.finding(
                each.entity,
                each.summary,
                each.evidence,
                severity=each.severity,
                direct=each.direct,
                first_seen=each.since,
                remedy=f"kubectl logs {each.entity.name} -n {SYSTEM} --previous; on its node: the manifest of {name}"
                " in /etc/kubernetes/manifests",
            )


@rule(
    id="controller-down",
    area="control-plane",
    role=Role.CAUSE,
    title="A controller of the cluster is down",
    meaning="The scheduler or the controller manager does not run, or nobody holds its lease: pods are not placed, or "
    "nothing that is changed is carried out. Managed control planes hide both, and then nothing is said.",
    remediation="Read the log of its pod, then its manifest on the control-plane node.",
)
def controller_down(scene: Scene) -> Iterator[Finding]:
    yield from _components(scene, controller_down, CONTROLLERS)


@rule(
    id="control-plane-pod-down",
    area="control-plane",
    role=Role.CAUSE,
    title="The API server or its store is down",
    meaning="A static pod of the API server or of etcd is not ready. With several of them the others may carry on.",
    remediation="Read the log of its pod, then its manifest and its disk on the control-plane node.",
)
def control_plane_pod_down(scene: Scene) -> Iterator[Finding]:
    yield from _components(scene, control_plane_pod_down, SERVERS)


def _daemons(scene: Scene, of: Rule, names: frozenset[str], what: str) -> Iterator[Finding]:
    for each in scene.cluster.all("DaemonSet"):
        if each.name not in names and each.labels.get("k8s-app", "") not in names:
            continue
        unready = [pod for pod in scene.cluster.pods_of(each.entity) if not is_ready(pod) and not is_leaving(pod)]
        # On a node that is down everything is down: then the node is what is wrong.
        here = [pod for pod in unready if not _is_node_down(scene, pod)]
        since = first(unready_since(pod) for pod in here)
        nodes = len(scene.cluster.all("Node"))
        nowhere = wanted(each) == 0 and nodes > 0
        if not nowhere and not (here and ready(each) < wanted(each) and older_than(scene, since, STARTING)):
            continue
        where = ", ".join(sorted({text(pod.raw, "spec", "nodeName") for pod in here} - {""})[:5])
        missing = f"{each.entity} is meant for no node of {nodes}" if nowhere else f"it is not ready on {where}"
        yield of.finding(
            each.entity,
            f"{each.entity} has {ready(each)} of {wanted(each)} pods ready: {missing}",
            [
                scene.cite(each, "spec.template.spec.nodeSelector", "status"),
                *(scene.cite(pod, "spec.nodeName", "status") for pod in here[:1]),
                *(line for pod in here[:1] for line in _last_line(scene, pod)),
            ],
            severity=Severity.WARNING if ready(each) else Severity.CRITICAL,
            first_seen=since,
            remedy=f"kubectl logs -n {each.namespace} daemonset/{each.name} --previous; {what} on "
            f"{where or 'every node'}",
        )


def _is_node_down(scene: Scene, pod: Resource) -> bool:
    node = scene.cluster.get("Node", "", text(pod.raw, "spec", "nodeName"))
    return node is not None and node.condition("Ready").get("status") in ("False", "Unknown")


@rule(
    id="kube-proxy-down",
    area="control-plane",
    role=Role.CAUSE,
    title="The service proxy is down on nodes",
    meaning="kube-proxy is not ready on nodes that are: addresses of Services fail or grow stale there. Clusters whose "
    "network replaces it have none.",
    remediation="Read its log on such a node; correct its configuration.",
)
def kube_proxy_down(scene: Scene) -> Iterator[Finding]:
    yield from _daemons(scene, kube_proxy_down, frozenset({"kube-proxy"}), "Services are stale")


@rule(
    id="cni-down",
    area="control-plane",
    role=Role.CAUSE,
    title="The network plug-in is down on nodes",
    meaning="Its pod is not ready on nodes that are: new pods get no network there, running ones may lose theirs.",
    remediation="Read the log of its pod on such a node.",
)
def cni_down(scene: Scene) -> Iterator[Finding]:
    yield from _daemons(scene, cni_down, NETWORKS, "new pods get no network")
