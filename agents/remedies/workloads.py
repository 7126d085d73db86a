"""Workloads at zero, and single pods that are stuck while their siblings are well."""

import json
import re
from collections.abc import Iterator

from agents.finding import Finding
from agents.objects import Resource, number, text
from agents.remedy import remedy
from agents.rules.kubernetes.readings import is_leaving, is_ready
from agents.scene import Scene
from approvals.action import Action
from approvals.actions.delete_pod import delete_pod
from approvals.actions.objects import NoArgs
from approvals.actions.scale_workload import ScaleArgs, scale_workload

MOST_REPLICAS = 50
"""A number that is read from a message may be anybody's: above this it is not taken."""
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SCALED_DOWN = re.compile(
    r"Scaled down replica set (?P<set>[a-z0-9.-]+) (?:from (?P<from>\d{1,4}) to 0|to 0 from (?P<of>\d{1,4}))"
)


@remedy("scaled-to-zero")
def scale_up(finding: Finding, scene: Scene) -> Iterator[Action]:
    """As many as its autoscaler wants at least, as were applied, or as there were before."""
    workload = scene.cluster.at(finding.entity)
    if workload is None or number(workload.raw, "spec", "replicas") != 0:
        return
    replicas = _least(scene, workload) or _applied(workload) or _before(scene, workload)
    if replicas is not None and 0 < replicas <= MOST_REPLICAS:
        yield scale_workload.on(workload.entity, ScaleArgs(replicas=replicas))


def _least(scene: Scene, workload: Resource) -> int | None:
    for each in scene.cluster.all("HorizontalPodAutoscaler"):
        kind, name = (text(each.raw, "spec", "scaleTargetRef", field) for field in ("kind", "name"))
        if (each.namespace, kind, name) == (workload.namespace, workload.kind, workload.name):
            # The API server's default.
            return number(each.raw, "spec", "minReplicas") or 1
    return None


def _applied(workload: Resource) -> int | None:
    try:
        return number(json.loads(workload.annotations.get(APPLIED, "null")), "spec", "replicas")
    except ValueError:
        return None


def _before(scene: Scene, workload: Resource) -> int | None:
    """What the controller wrote when it scaled the workload's own set down."""
    own = {each.name for each in scene.cluster.replica_sets(workload.entity)}
    for event in reversed(scene.cluster.events_about(workload.entity, "ScalingReplicaSet")):
        said = _SCALED_DOWN.fullmatch(event.message)
        if said and said["set"] in own:
            return int(said["from"] or said["of"])
    return None


@remedy("sidecar-not-ready", "sandbox-create-failed")
def replace_pod(finding: Finding, scene: Scene) -> Iterator[Action]:
    """The one pod that is stuck, where all others of its workload and version are ready."""
    pods = [pod for pod in scene.cluster.pods_of(finding.entity) if not is_leaving(pod)]
    stuck = [pod for pod in pods if not is_ready(pod)]
    versions = {pod.labels.get("pod-template-hash") or pod.labels.get("controller-revision-hash") for pod in pods}
    if len(stuck) == 1 and len(pods) > 1 and len(versions) == 1 and scene.cluster.owner(stuck[0]):
        yield delete_pod.on(stuck[0].entity, NoArgs())
