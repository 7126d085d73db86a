"""Pods without a node of which the scheduler says nothing, or which had one and lost it."""

from collections.abc import Iterator

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role
from agents.objects import Resource, items, mapping, text
from agents.rules.kubernetes.readings import counted, first, grouped, severity, short, target
from agents.rules.kubernetes.scheduling import waiting
from agents.scene import Scene

DEFAULT = "default-scheduler"
QUEUES = ("kueue.x-k8s.io/", "scheduling.volcano.sh/")
"""Prefixes of gates that queueing systems set: there a pod waits its turn by design."""
SCALING = TimeDelta(minutes=5)
"""What a new machine may take."""


def _gates(pod: Resource) -> list[str]:
    return [name for each in items(pod.raw, "spec", "schedulingGates") if (name := text(each, "name"))]


@rule(
    id="scheduling-gated",
    area="scheduling",
    role=Role.CAUSE,
    title="A gate keeps the pod from being placed",
    meaning="A scheduling gate is still on it. Gates of queueing systems, where pods wait their turn, are left out.",
    remediation="Find whose gate it is and why that controller does not remove it.",
)
def scheduling_gated(scene: Scene) -> Iterator[Finding]:
    gated = [
        (each.pod, each)
        for each in waiting(scene)
        if (gates := _gates(each.pod)) and not any(name.startswith(QUEUES) for name in gates)
    ]
    for workload, several in grouped(scene, gated).items():
        each = several[0]
        names = ", ".join(_gates(each.pod))
        yield scheduling_gated.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))} wait behind the scheduling gate {names}",
            [scene.cite(each.pod, "spec.schedulingGates", "status.conditions")],
            severity=severity(scene, workload),
            first_seen=first(one.since for one in several),
            remedy=f"Find the controller of {names}, or remove the gate from {target(workload)}",
        )


@rule(
    id="scheduler-silent",
    area="scheduling",
    role=Role.CAUSE,
    title="No scheduler looks at the pod",
    meaning="Pending without any word of a scheduler in its status: it names one that does not run, or the "
    "scheduler is "
    "down. A condition stays when events have expired, so its absence tells.",
    remediation="Look at the scheduler that the pod names.",
)
def scheduler_silent(scene: Scene) -> Iterator[Finding]:
    silent = [
        (each.pod, each)
        for each in waiting(scene)
        if not mapping(each.pod.condition("PodScheduled")) and not each.event and not _gates(each.pod)
    ]
    for workload, several in grouped(scene, silent).items():
        each = several[0]
        name = text(each.pod.raw, "spec", "schedulerName") or DEFAULT
        yield scheduler_silent.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))} wait for scheduler {name!r}, which says nothing",
            [scene.cite(each.pod, "spec.schedulerName", "status")],
            severity=severity(scene, workload),
            # Of the default scheduler only the silence is seen; another name shows why nobody answers.
            direct=name != DEFAULT,
            first_seen=first(one.since for one in several),
            remedy=f"See whether {name} runs: kubectl get pods -A | grep {name}; else correct it in {target(workload)}",
        )


@rule(
    id="autoscaler-not-scaling",
    area="scheduling",
    role=Role.CAUSE,
    title="The cluster does not grow for the pod",
    meaning="The node autoscaler says that no group may grow or fit: a maximum, a quota of the cloud, or a pod that "
    "could "
    "never fit. A new machine has five minutes.",
    remediation="Read its reason; raise the group's maximum, or change what the pod asks for.",
)
def autoscaler_not_scaling(scene: Scene) -> Iterator[Finding]:
    by_pod = {each.pod.entity: each for each in waiting(scene)}
    told = [
        (each.pod, (each, event))
        for event in scene.cluster.events_with("NotTriggerScaleUp")
        if (each := by_pod.get(event.entity)) and (each.since is None or scene.now - each.since > SCALING)
    ]
    for workload, several in grouped(scene, told).items():
        each, event = several[-1]
        yield autoscaler_not_scaling.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one, _ in several))} get no new node: {short(event.message)}",
            [scene.cite_event(event), scene.cite(each.pod, "status.conditions")],
            severity=severity(scene, workload),
            first_seen=first(one.since for one, _ in several),
            last_seen=event.last_at,
            remedy=f"See the node groups' maximum and the cloud's quota, then the requests of {target(workload)}",
        )


@rule(
    id="pod-preempted",
    area="pods",
    role=Role.CAUSE,
    title="A pod had to make room",
    meaning="The scheduler ended it for one of higher priority, and its workload has not got back what it lost.",
    remediation="Add capacity, or set priorities that say what matters.",
)
def pod_preempted(scene: Scene) -> Iterator[Finding]:
    for event in scene.cluster.events_with("Preempted"):
        gone = scene.cluster.at(event.entity)
        workload = scene.cluster.workload(gone) if gone else scene.cluster.maker(event.entity)
        known = scene.cluster.at(workload)
        if known is None or not _lacks_pods(scene, known):
            continue
        yield pod_preempted.finding(
            workload,
            f"{event.name} of {workload} was ended for another pod: {short(event.message)}",
            [scene.cite_event(event), scene.cite(known, "spec.replicas", "status")],
            severity=severity(scene, workload),
            first_seen=event.first_at,
            last_seen=event.last_at,
            remedy=f"Add nodes, or give {target(workload)} a priority class that says what it is worth",
        )


def _lacks_pods(scene: Scene, workload: Resource) -> bool:
    waits = {scene.cluster.workload(each.pod) for each in waiting(scene)}
    return workload.entity in waits
