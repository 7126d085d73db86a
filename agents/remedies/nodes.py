"""Nodes that should get no more pods, or should get some again."""

from collections.abc import Iterator

from agents.finding import Finding
from agents.objects import Resource, text
from agents.remedy import remedy
from agents.rules.kubernetes.readings import is_leaving, is_ready
from agents.scene import Scene
from approvals.action import Action
from approvals.actions.cordon_node import cordon_node
from approvals.actions.objects import NoArgs
from approvals.actions.uncordon_node import uncordon_node


@remedy(
    "node-not-ready",
    "node-network-unavailable",
    "node-disk-pressure",
    "node-memory-pressure",
    "node-pid-pressure",
    "node-oom",
)
def close_node(finding: Finding, scene: Scene) -> Iterator[Action]:
    """No new pods for the sick node, as long as a well one is open."""
    node = scene.cluster.at(finding.entity)
    if node is not None and node.kind == "Node":
        yield from _closed(scene, node)


@remedy("image-store-broken")
def close_node_of(finding: Finding, scene: Scene) -> Iterator[Action]:
    """The same for the one node on which all failing pods of the workload are."""
    pods = [pod for pod in scene.cluster.pods_of(finding.entity) if not is_leaving(pod) and not is_ready(pod)]
    names = {text(pod.raw, "spec", "nodeName") for pod in pods}
    node = scene.cluster.get("Node", "", names.pop()) if len(names) == 1 else None
    if node is not None:
        yield from _closed(scene, node)


@remedy("all-nodes-cordoned")
def open_node(_: Finding, scene: Scene) -> Iterator[Action]:
    """The only node that is closed, where it is well; of several nobody knows which one is meant."""
    closed = [each for each in scene.cluster.all("Node") if not _is_open(each)]
    if len(closed) == 1 and is_ready(closed[0]):
        yield uncordon_node.on(closed[0].entity, NoArgs())


def _closed(scene: Scene, node: Resource) -> Iterator[Action]:
    others = [each for each in scene.cluster.all("Node") if each is not node and is_ready(each) and _is_open(each)]
    if _is_open(node) and others:
        yield cordon_node.on(node.entity, NoArgs())


def _is_open(node: Resource) -> bool:
    return node.spec.get("unschedulable") is not True
