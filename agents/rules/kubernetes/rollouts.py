"""Versions that stand side by side, pods on nodes that are not meant for them, tags that mean two things."""

from collections import defaultdict
from collections.abc import Iterator

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, number, text
from agents.rules.kubernetes.readings import is_leaving, older_than, target
from agents.scene import Scene

DEADLINE_S = 600
"""What a Deployment allows a rollout by default."""


@rule(
    id="old-set-serving",
    area="workloads",
    role=Role.SYMPTOM,
    title="The old version still serves",
    meaning="The newest set has no ready pod after the rollout's deadline, and an older one does the work. A canary of "
    "its own Deployment is another matter; a paused rollout has its own cause.",
    remediation="Look at the pods of the newest set.",
)
def old_set_serving(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Deployment"):
        sets = scene.cluster.replica_sets(each.entity)
        if len(sets) < 2 or each.spec.get("paused") is True or not number(sets[0].raw, "spec", "replicas"):
            continue
        deadline = TimeDelta(seconds=min(number(each.raw, "spec", "progressDeadlineSeconds") or DEADLINE_S, 86_400))
        serving = [one for one in sets[1:] if _ready(one)]
        if _ready(sets[0]) or not serving or not older_than(scene, sets[0].created_at, deadline):
            continue
        yield old_set_serving.finding(
            each.entity,
            f"{each.entity}: none of the newest set {sets[0].name} is ready; {serving[0].name} serves with"
            f" {_ready(serving[0])} pods",
            [scene.cite(sets[0], "spec.replicas", "status"), scene.cite(serving[0], "spec.replicas", "status")],
            severity=Severity.WARNING,
            first_seen=sets[0].created_at,
            remedy=f"kubectl describe pods of {sets[0].name}; kubectl rollout undo {target(each.entity)}",
        )


def _ready(replica_set: Resource) -> int:
    return number(replica_set.raw, "status", "readyReplicas") or 0


@rule(
    id="daemonset-misscheduled",
    area="workloads",
    role=Role.CONTEXT,
    title="A DaemonSet runs where it should not",
    meaning="Labels of nodes changed after its pods were placed. Harmless, save for what they use.",
    remediation="Delete the pods on those nodes.",
)
def daemonset_misscheduled(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("DaemonSet"):
        count = number(each.raw, "status", "numberMisscheduled") or 0
        if count > 0:
            yield daemonset_misscheduled.finding(
                each.entity,
                f"{each.entity} runs on {count} nodes that are not meant for it",
                [scene.cite(each, "spec.template.spec.nodeSelector", "status")],
                severity=Severity.INFO,
                remedy=f"Delete the pods of {target(each.entity)} on nodes that its selector does not name",
            )


@rule(
    id="image-drift",
    area="images",
    role=Role.CONTEXT,
    title="One tag means two images",
    meaning="Pods of one set run different digests under the same tag: the tag was moved between their starts.",
    remediation="Pin the digest, or use tags that do not move.",
)
def image_drift(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("ReplicaSet", "StatefulSet", "DaemonSet"):
        # The set holds one template; pods in the middle of a rollout belong to another one.
        if each.kind != "ReplicaSet" and text(each.status, "currentRevision") != text(each.status, "updateRevision"):
            continue
        digests: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        pods = [pod for pod in scene.cluster.pods_of(each.entity) if not is_leaving(pod)]
        for pod in pods if len(pods) > 1 else ():
            for status in items(pod.raw, "status", "containerStatuses"):
                digest = text(status, "imageID").rpartition("@")[2]
                if digest.startswith("sha256:"):
                    digests[text(status, "name"), text(status, "image")].add(digest)
        several = {key: found for key, found in digests.items() if len(found) > 1}
        for (_, image), found in list(several.items())[:1]:
            workload = scene.cluster.workload(each)
            yield image_drift.finding(
                workload,
                f"{workload} runs {len(found)} different images under {image}",
                [scene.cite(pod, "status.containerStatuses[*].imageID") for pod in pods[:2]],
                severity=Severity.INFO,
                remedy=f"Pin {image} by digest in {target(workload)}",
            )
