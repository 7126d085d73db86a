"""Nodes that are sick or closed."""

from collections.abc import Iterator

from whenever import TimeDelta

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, moment, text
from agents.rules.kubernetes.readings import older_than, short
from agents.scene import Scene

NOT_READY = TimeDelta(minutes=1)
"""A kubelet that misses one or two beats is not gone; a reboot takes longer and is seen."""
PRESSURE = TimeDelta(seconds=30)
FORGOTTEN = TimeDelta(hours=24)
"""A cordon that is older was mostly forgotten."""


def _report(scene: Scene, of: Rule, node: Resource, *, kind: str, severity: Severity, remedy: str) -> Finding:
    state = node.condition(kind)
    at = moment(state, "lastTransitionTime")
    pods = scene.cluster.pods_on(node.name)
    said = short(text(state, "message") or text(state, "reason") or "no message")
    return of.finding(
        node.entity,
        f"{node.entity}: {kind} is {text(state, 'status')} since {at} ({len(pods)} pods there): {said}",
        [scene.cite(node, "spec.taints", "spec.unschedulable", "status.conditions")],
        severity=severity,
        first_seen=at,
        remedy=remedy,
    )


@rule(
    id="node-not-ready",
    area="nodes",
    role=Role.CAUSE,
    title="A node is not ready",
    meaning="Its kubelet does not report, or says that it cannot run pods. One missed minute is left out.",
    remediation="Look at the kubelet, the network and the host.",
)
def node_not_ready(scene: Scene) -> Iterator[Finding]:
    for node in scene.cluster.all("Node"):
        state = node.condition("Ready")
        if (
            state
            and state.get("status") != "True"
            and older_than(scene, moment(state, "lastTransitionTime"), NOT_READY)
        ):
            remedy = f"kubectl describe node {node.name}; on the host: journalctl -u kubelet"
            yield _report(scene, node_not_ready, node, kind="Ready", severity=Severity.CRITICAL, remedy=remedy)


def _pressed(scene: Scene, of: Rule, kind: str, remedy: str) -> Iterator[Finding]:
    for node in scene.cluster.all("Node"):
        state = node.condition(kind)
        if state.get("status") == "True" and older_than(scene, moment(state, "lastTransitionTime"), PRESSURE):
            advice = remedy.replace("{node}", node.name)
            yield _report(scene, of, node, kind=kind, severity=Severity.WARNING, remedy=advice)


@rule(
    id="node-memory-pressure",
    area="nodes",
    role=Role.CAUSE,
    title="A node is short of memory",
    meaning="More is used than requests promised; pods will be evicted.",
    remediation="Find the biggest users and give them requests and limits.",
)
def node_memory_pressure(scene: Scene) -> Iterator[Finding]:
    advice = "kubectl top pods -A --sort-by=memory, for the pods of {node}; set their requests near real use"
    yield from _pressed(scene, node_memory_pressure, "MemoryPressure", advice)


@rule(
    id="node-disk-pressure",
    area="nodes",
    role=Role.CAUSE,
    title="A node is short of disk",
    meaning="Images, logs or an emptyDir fill it; pods will be evicted and images removed.",
    remediation="Find what grows; clean images and logs.",
)
def node_disk_pressure(scene: Scene) -> Iterator[Finding]:
    yield from _pressed(
        scene, node_disk_pressure, "DiskPressure", "On {node}: find what grows under /var; prune images"
    )


@rule(
    id="node-pid-pressure",
    area="nodes",
    role=Role.CAUSE,
    title="A node is short of process ids",
    meaning="Something starts processes and does not end them.",
    remediation="Find the leaking pod; set podPidsLimit.",
)
def node_pid_pressure(scene: Scene) -> Iterator[Finding]:
    yield from _pressed(
        scene, node_pid_pressure, "PIDPressure", "On {node}: count processes by cgroup; end the leaking pod"
    )


@rule(
    id="node-network-unavailable",
    area="nodes",
    role=Role.CAUSE,
    title="A node has no pod network",
    meaning="The network plug-in has not set it up. A new node is given a moment.",
    remediation="Look at the network plug-in's pod on it.",
)
def node_network_unavailable(scene: Scene) -> Iterator[Finding]:
    advice = "Look at the network plug-in's pod on {node}"
    yield from _pressed(scene, node_network_unavailable, "NetworkUnavailable", advice)


@rule(
    id="node-cordoned",
    area="nodes",
    role=Role.CONTEXT,
    title="A node is closed for new pods",
    meaning="Cordoned for over a day, or for a time unknown: mostly forgotten after maintenance.",
    remediation="Uncordon it.",
)
def node_cordoned(scene: Scene) -> Iterator[Finding]:
    for node in scene.cluster.all("Node"):
        taints = [each for each in items(node.raw, "spec", "taints") if "unschedulable" in text(each, "key")]
        since = moment(taints[0], "timeAdded") if taints else None
        if node.spec.get("unschedulable") is True and older_than(scene, since, FORGOTTEN):
            yield node_cordoned.finding(
                node.entity,
                f"{node.entity} takes no new pods since {since or 'a time that is not known'}",
                [scene.cite(node, "spec.unschedulable", "spec.taints")],
                severity=Severity.INFO,
                first_seen=since,
                remedy=f"kubectl uncordon {node.name}",
            )
