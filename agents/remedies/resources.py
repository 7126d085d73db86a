"""More of what a limit holds back, by a stated rule; or a fresh process where memory only grows."""

import math
from collections.abc import Iterator

from agents.finding import Finding
from agents.objects import NOTHING, Fields, Resource, items, mapping, moment, quantity, text
from agents.remedies.rollouts import workload_of
from agents.remedy import remedy
from agents.rules.kubernetes.readings import Container, containers, is_recent
from agents.rules.resources import memory_leak
from agents.scene import Scene
from approvals.action import Action
from approvals.actions.objects import NoArgs
from approvals.actions.restart_workload import restart_workload
from approvals.actions.set_resources import ResourcesArgs, set_resources
from tools.entity import Entity

MORE = 1.5
"""What a limit becomes, as a multiple: enough to tell a tight limit from a leak, too little to starve a node."""
MEBIBYTE = 2**20
STEP_MI = 64
MOST_MI = 8192
"""Above this a rule does not raise a limit any further."""
NODE_SHARE = 0.5
"""Of a node's memory that one container may be allowed by a rule."""
STEP_CPU_M = 50
MOST_CPU_M = 4000


@remedy("oom-killed")
def raise_memory(finding: Finding, scene: Scene) -> Iterator[Action]:
    """Half as much memory again, rounded up to 64Mi, for the container that was killed at its limit.

    Not where memory grows steadily: a leak fills any limit.
    """
    workload = workload_of(scene, finding.entity)
    killed = [each for each in containers(scene) if _is_killed(scene, each, finding)]
    names = {each.name for each in killed}
    if workload is None or len(names) != 1 or _leaks(scene, finding):
        return
    name = names.pop()
    limit = _limit(_container(workload, name), "memory")
    if limit is None or any(_limit(each.spec, "memory") != limit for each in killed):
        return
    wanted_mi = math.ceil(limit * MORE / MEBIBYTE / STEP_MI) * STEP_MI
    if wanted_mi <= MOST_MI and _fits(scene, killed, wanted_mi):
        yield set_resources.on(workload.entity, ResourcesArgs(container=name, memory_limit=f"{wanted_mi}Mi"))


@remedy("cpu-throttled")
def raise_cpu(finding: Finding, scene: Scene) -> Iterator[Action]:
    """Half as much processor again, rounded up to 50m, where one container alone has a limit."""
    workload = workload_of(scene, finding.entity)
    if workload is None:
        return
    limited = [
        (text(each, "name"), limit)
        for each in items(workload.raw, "spec", "template", "spec", "containers")
        if (limit := _limit(each, "cpu"))
    ]
    if len(limited) != 1:
        return
    name, limit = limited[0]
    wanted_m = math.ceil(limit * 1000 * MORE / STEP_CPU_M) * STEP_CPU_M
    if wanted_m <= MOST_CPU_M:
        yield set_resources.on(workload.entity, ResourcesArgs(container=name, cpu_limit=f"{wanted_m}m"))


@remedy("memory-leak")
def start_afresh(finding: Finding, scene: Scene) -> Iterator[Action]:
    """A restart buys the time in which the leak is found."""
    workload = workload_of(scene, finding.entity)
    if workload is not None:
        yield restart_workload.on(workload.entity, NoArgs())


def _is_killed(scene: Scene, each: Container, finding: Finding) -> bool:
    is_oom = text(each.ended, "reason") == "OOMKilled" and is_recent(scene, moment(each.ended, "finishedAt"))
    return is_oom and not each.is_init and scene.cluster.workload(each.pod) == finding.entity


def _leaks(scene: Scene, finding: Finding) -> bool:
    entities = {finding.entity, *(pod.entity for pod in scene.cluster.pods_of(finding.entity))}
    return not entities.isdisjoint(scene.once(_leaking))


def _leaking(scene: Scene) -> frozenset[Entity]:
    return frozenset(each.entity for each in memory_leak.check(scene))


def _container(workload: Resource, name: str) -> Fields:
    found = items(workload.raw, "spec", "template", "spec", "containers")
    return next((each for each in found if each.get("name") == name), NOTHING)


def _limit(container: Fields, what: str) -> float | None:
    found = quantity(mapping(container, "resources", "limits").get(what))
    return found if found and found > 0 else None


def _fits(scene: Scene, killed: list[Container], wanted_mi: int) -> bool:
    """Whether the nodes that were seen have room for it; a node that was not seen says nothing."""
    for each in killed:
        node = scene.cluster.get("Node", "", text(each.pod.raw, "spec", "nodeName"))
        room = quantity(mapping(node.raw, "status", "allocatable").get("memory")) if node else None
        if room is not None and wanted_mi * MEBIBYTE > room * NODE_SHARE:
            return False
    return True
