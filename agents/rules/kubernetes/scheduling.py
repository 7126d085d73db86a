"""Why pods find no node: the scheduler's own sentence, read clause by clause."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from whenever import Instant, TimeDelta

from agents.causes import Rule, rule
from agents.finding import Finding, Role
from agents.objects import Event, Resource, items, labels_at, moment, quantity, text
from agents.rules.kubernetes.readings import counted, first, grouped, is_leaving, severity, short, target
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence

PENDING = TimeDelta(minutes=1)
"""Pods that wait for less are on their way; a node may be coming up."""
CONTROL_PLANE = re.compile(r"node-role\.kubernetes\.io/(?:control-plane|master)")
"""Nodes that every ordinary pod avoids: their taint never is the reason."""
_CLAUSE = re.compile(r"(?:^|[:,.]\s+)(?P<count>\d+)\s+(?P<what>.+?)(?=,\s+\d+\s|\.\s|\.?$)", re.DOTALL)
_OF = re.compile(r"^\d+/(?P<all>\d+) nodes are available")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A pod without a node, and the scheduler's reasons."""

    pod: Resource
    message: str
    clauses: Mapping[str, int]
    """Each reason with the number of nodes that it holds for."""
    since: Instant | None
    event: Event | None

    def says(self, *words: str) -> int:
        """On how many nodes one of these words is the reason."""
        return sum(count for what, count in self.clauses.items() if any(word in what for word in words))

    @property
    def lacks_room(self) -> bool:
        """Whether a node fits but for its free capacity: then rules and taints are not the reason."""
        return any(what.startswith(("Insufficient", "Too many pods")) for what in self.clauses)


def waiting(scene: Scene) -> Sequence[Waiting]:
    """The pods that have been waiting for a node for a while."""
    return scene.once(_waiting)


def _waiting(scene: Scene) -> Sequence[Waiting]:
    found: list[Waiting] = []
    for pod in scene.cluster.all("Pod"):
        scheduled = pod.condition("PodScheduled")
        placed = text(pod.raw, "spec", "nodeName") and scheduled.get("status") != "False"
        if pod.status.get("phase") != "Pending" or placed or is_leaving(pod):
            continue
        since = moment(scheduled, "lastTransitionTime") or pod.created_at
        if scheduled.get("status") == "True" or (since and scene.now - since <= PENDING):
            continue
        events = scene.cluster.events_about(pod.entity, "FailedScheduling")
        event = events[-1] if events else None
        message = text(scheduled, "message") or (event.message if event else "")
        found.append(Waiting(pod=pod, message=message, clauses=clauses(message), since=since, event=event))
    return found


def clauses(message: str) -> Mapping[str, int]:
    """The reasons in a scheduler's message, each with its number of nodes; what it says of preemption is left out."""
    found: dict[str, int] = {}
    for each in _CLAUSE.finditer(message.partition("preemption:")[0]):
        found[each["what"].strip()] = int(each["count"][:9])
    return found


def _findings(
    scene: Scene, of: Rule, holds: Callable[[Waiting], bool], say: Callable[[Entity, Waiting], tuple[str, str]]
) -> Iterator[Finding]:
    pairs = ((each.pod, each) for each in waiting(scene) if holds(each))
    for workload, several in grouped(scene, pairs).items():
        each = several[0]
        what, remedy = say(workload, each)
        # The scheduler's own word, which people search for: Unschedulable, SchedulingGated.
        reason = text(each.pod.condition("PodScheduled"), "reason")
        called = f" ({reason})" if reason else ""
        yield of.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))} cannot be placed{called}: {what}",
            _cited(scene, each),
            severity=severity(scene, workload),
            first_seen=first(one.since for one in several),
            remedy=remedy,
        )


def _cited(scene: Scene, each: Waiting) -> list[Evidence]:
    events = [scene.cite_event(each.event)] if each.event else []
    return [scene.cite(each.pod, "status.phase", "status.conditions"), *events]


def _requested(pod: Resource, resource: str) -> str:
    asked = [text(each, "resources", "requests", resource) for each in items(pod.raw, "spec", "containers")]
    return " + ".join(each for each in asked if each) or "no stated request"


@rule(
    id="pod-pending",
    area="scheduling",
    role=Role.SYMPTOM,
    title="Pods wait for a node",
    meaning="Pending for more than a minute without a node.",
    remediation="The scheduler's message names the reason.",
)
def pod_pending(scene: Scene) -> Iterator[Finding]:
    def say(_: Entity, each: Waiting) -> tuple[str, str]:
        describe = f"kubectl describe pod {each.pod.name} -n {each.pod.namespace}"
        return short(each.message) or "the scheduler has not said why", describe

    yield from _findings(scene, pod_pending, lambda _: True, say)


def _insufficient(scene: Scene, of: Rule, resource: str) -> Iterator[Finding]:
    def say(workload: Entity, each: Waiting) -> tuple[str, str]:
        asked = _requested(each.pod, resource)
        remedy = f"Lower the {resource} request of {target(workload)} (now {asked}), or add nodes"
        most = max((quantity(_allocatable(node, resource)) or 0 for node in scene.cluster.all("Node")), default=0)
        wanted = quantity(asked) if "+" not in asked else None
        never = f"; the largest node has {most:g}, so it can never fit" if wanted and most and wanted > most else ""
        return f"{resource} is short (asks for {asked}{never}): {short(each.message)}", remedy

    yield from _findings(scene, of, lambda each: bool(each.says(f"Insufficient {resource}")), say)


def _allocatable(node: Resource, resource: str) -> str:
    return text(node.raw, "status", "allocatable", resource)


@rule(
    id="insufficient-cpu",
    area="scheduling",
    role=Role.CAUSE,
    title="No node has enough free CPU",
    meaning="The requests exceed what any fitting node has left. A minute is given to nodes that come up.",
    remediation="Lower the request, or add nodes.",
)
def insufficient_cpu(scene: Scene) -> Iterator[Finding]:
    yield from _insufficient(scene, insufficient_cpu, "cpu")


@rule(
    id="insufficient-memory",
    area="scheduling",
    role=Role.CAUSE,
    title="No node has enough free memory",
    meaning="The requests exceed what any fitting node has left. A minute is given to nodes that come up.",
    remediation="Lower the request, or add nodes.",
)
def insufficient_memory(scene: Scene) -> Iterator[Finding]:
    yield from _insufficient(scene, insufficient_memory, "memory")


@rule(
    id="insufficient-extended-resource",
    area="scheduling",
    role=Role.CAUSE,
    title="No node offers the special resource",
    meaning="A GPU or the like: none is free, or the device plug-in is down.",
    remediation="Look at the device plug-in, then at who holds the devices.",
)
def insufficient_extended_resource(scene: Scene) -> Iterator[Finding]:
    def say(_: Entity, each: Waiting) -> tuple[str, str]:
        name = next(what for what in each.clauses if _is_extended(what)).removeprefix("Insufficient ")
        return (
            f"{name} is short: {short(each.message)}",
            f"Check the device plug-in that offers {name}, and who uses it",
        )

    def holds(each: Waiting) -> bool:
        return any(map(_is_extended, each.clauses))

    yield from _findings(scene, insufficient_extended_resource, holds, say)


def _is_extended(what: str) -> bool:
    return what.startswith("Insufficient ") and "/" in what


@rule(
    id="node-selector-mismatch",
    area="scheduling",
    role=Role.CAUSE,
    title="No node has the labels that the pod asks for",
    meaning="A node selector or required node affinity that no node meets. A pool may scale up from zero.",
    remediation="Label a node, or correct the selector.",
)
def node_selector_mismatch(scene: Scene) -> Iterator[Finding]:
    def say(workload: Entity, each: Waiting) -> tuple[str, str]:
        wanted = labels_at(each.pod.raw, "spec", "nodeSelector")
        asks = ", ".join(f"{key}={value}" for key, value in wanted.items()) or "its node affinity"
        values = {node.labels[key] for key in wanted for node in scene.cluster.all("Node") if key in node.labels}
        have = f" (nodes have {', '.join(sorted(values))})" if values else ""
        remedy = f"kubectl label node <name> {asks}, or correct the node selector of {target(workload)}"
        return f"no node matches {asks}{have}: {short(each.message)}", remedy

    def holds(each: Waiting) -> bool:
        return bool(each.says("node affinity/selector", "node selector")) and not each.lacks_room

    yield from _findings(scene, node_selector_mismatch, holds, say)


@rule(
    id="taint-not-tolerated",
    area="scheduling",
    role=Role.CAUSE,
    title="The nodes refuse the pod by their taints",
    meaning="A missing toleration, or nodes that are sick and tainted for it. Control-plane nodes do not count.",
    remediation="Add the toleration, or look at why the nodes are tainted.",
)
def taint_not_tolerated(scene: Scene) -> Iterator[Finding]:
    def say(workload: Entity, each: Waiting) -> tuple[str, str]:
        sick = "node.kubernetes.io/" in each.message
        remedy = "Find why the nodes carry that taint" if sick else f"Add the toleration to {target(workload)}"
        return short(each.message), remedy

    yield from _findings(scene, taint_not_tolerated, lambda each: bool(_tainted(each)) and not each.lacks_room, say)


def _tainted(each: Waiting) -> int:
    return sum(
        count
        for what, count in each.clauses.items()
        if "taint" in what and "node.kubernetes.io/unschedulable" not in what and not CONTROL_PLANE.search(what)
    )


@rule(
    id="affinity-unsatisfiable",
    area="scheduling",
    role=Role.CAUSE,
    title="Rules between pods leave no node",
    meaning="Required affinity or anti-affinity to other pods that no node meets, often more replicas than nodes.",
    remediation="Make the rule preferred instead of required, or add nodes.",
)
def affinity_unsatisfiable(scene: Scene) -> Iterator[Finding]:
    def say(workload: Entity, each: Waiting) -> tuple[str, str]:
        return short(each.message), f"Soften the pod (anti-)affinity of {target(workload)} to preferred, or add nodes"

    words = ("pod affinity", "pod anti-affinity", "anti-affinity rules")
    yield from _findings(
        scene, affinity_unsatisfiable, lambda each: bool(each.says(*words)) and not each.lacks_room, say
    )


@rule(
    id="spread-unsatisfiable",
    area="scheduling",
    role=Role.CAUSE,
    title="The topology spread leaves no node",
    meaning="A hard spread constraint that no node meets, often because one zone is short of nodes.",
    remediation="Use ScheduleAnyway, or add nodes where they are missing.",
)
def spread_unsatisfiable(scene: Scene) -> Iterator[Finding]:
    def say(workload: Entity, each: Waiting) -> tuple[str, str]:
        return short(each.message), f"Set whenUnsatisfiable: ScheduleAnyway in {target(workload)}, or balance the zones"

    def holds(each: Waiting) -> bool:
        return bool(each.says("topology spread")) and not each.lacks_room

    yield from _findings(scene, spread_unsatisfiable, holds, say)


@rule(
    id="volume-zone-conflict",
    area="scheduling",
    role=Role.CAUSE,
    title="The pod's disk is bound to other nodes",
    meaning="The volume can be used in another zone, or on another node, only.",
    remediation="Let the pod run where the disk is, or move the data.",
)
def volume_zone_conflict(scene: Scene) -> Iterator[Finding]:
    def say(workload: Entity, each: Waiting) -> tuple[str, str]:
        return short(each.message), f"Let {target(workload)} run where its volume is, or move the data"

    words = ("volume node affinity conflict", "volume's node affinity")
    yield from _findings(scene, volume_zone_conflict, lambda each: bool(each.says(*words)), say)


@rule(
    id="host-port-conflict",
    area="scheduling",
    role=Role.CAUSE,
    title="The pod's host port is taken on every node",
    meaning="Two pods want the same port of a node. During a rollout the surge pod may wait for the old one.",
    remediation="Drop the host port; a Service does the same without it.",
)
def host_port_conflict(scene: Scene) -> Iterator[Finding]:
    def say(workload: Entity, each: Waiting) -> tuple[str, str]:
        return short(each.message), f"Remove hostPort from {target(workload)}, or run fewer replicas than nodes"

    yield from _findings(scene, host_port_conflict, lambda each: bool(each.says("free ports")), say)


@rule(
    id="node-pods-full",
    area="scheduling",
    role=Role.CAUSE,
    title="The nodes hold as many pods as they may",
    meaning="The kubelet's maximum of pods is reached on the nodes that would fit.",
    remediation="Add nodes.",
)
def node_pods_full(scene: Scene) -> Iterator[Finding]:
    def say(_: Entity, each: Waiting) -> tuple[str, str]:
        return short(each.message), "Add nodes, or raise the kubelet's maxPods"

    yield from _findings(scene, node_pods_full, lambda each: bool(each.says("Too many pods")), say)


@rule(
    id="all-nodes-cordoned",
    area="scheduling",
    role=Role.CAUSE,
    title="Every node that could take the pod is cordoned",
    meaning="Maintenance, or a cordon that was forgotten.",
    remediation="Uncordon a node.",
)
def all_nodes_cordoned(scene: Scene) -> Iterator[Finding]:
    def say(_: Entity, each: Waiting) -> tuple[str, str]:
        names = [node.name for node in scene.cluster.all("Node") if node.spec.get("unschedulable") is True]
        return short(each.message), f"kubectl uncordon {names[0] if names else '<node>'}"

    def holds(each: Waiting) -> bool:
        total = _OF.match(each.message)
        cordoned = each.says("were unschedulable", "node.kubernetes.io/unschedulable")
        apart = sum(count for what, count in each.clauses.items() if CONTROL_PLANE.search(what))
        return bool(total and cordoned and cordoned + apart >= int(total["all"][:9]))

    yield from _findings(scene, all_nodes_cordoned, holds, say)
