"""Why containers and pods do not start, and why pods leave or stay when they should not."""

from collections.abc import Iterable, Iterator

from whenever import Instant, TimeDelta

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import Event, Resource, items, moment, text, words
from agents.rules.kubernetes.exits import EXEC_FORMAT, NO_COMMAND, NOT_STARTED, is_out_of_memory
from agents.rules.kubernetes.readings import (
    SETTLED,
    STARTING,
    Container,
    by_workload,
    containers,
    counted,
    first,
    grouped,
    is_ready,
    is_recent,
    older_than,
    severity,
    short,
    since,
    target,
)
from agents.scene import Scene
from tools.evidence import Evidence

CREATE_REASONS = frozenset(
    {"CreateContainerError", "RunContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError"}
)
SANDBOX_REPEATS = 3
"""A sandbox that fails once is tried again and mostly works."""
OVERDUE = TimeDelta(minutes=2)
"""Beyond the grace period; the kubelet needs seconds, not minutes."""


def waiting_findings(scene: Scene, of: Rule, found: Iterable[Container]) -> Iterator[Finding]:
    """One finding a workload for containers that wait, with the runtime's own message and the newest warning."""
    for workload, several in by_workload(scene, found).items():
        each = several[0]
        event = _warning(scene, each.pod)
        said = text(each.ended, "message") if text(each.ended, "reason") in NOT_STARTED else ""
        message = short(said or text(each.waiting, "message") or (event.message if event else "no message"))
        yield of.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))}: container {each.name!r} waits"
            f" ({text(each.waiting, 'reason')}): {message}",
            [scene.cite(each.pod, each.path), *_cited(scene, event)],
            severity=severity(scene, workload),
            first_seen=first(since(scene, one) for one in several),
            remedy=f"kubectl describe pod {each.pod.name} -n {each.pod.namespace}",
        )


def _warning(scene: Scene, pod: Resource) -> Event | None:
    return next((each for each in reversed(scene.cluster.events_about(pod.entity)) if each.is_warning), None)


def _cited(scene: Scene, event: Event | None) -> list[Evidence]:
    return [scene.cite_event(event)] if event else []


def event_findings(
    scene: Scene, of: Rule, events: Iterable[Event], *, remedy: str = "", direct: bool = True
) -> Iterator[Finding]:
    """One finding a workload for events about its pods, with the newest message."""
    pairs = ((pod, each) for each in events if (pod := scene.cluster.at(each.entity)) and is_stuck(scene, pod))
    for workload, several in grouped(scene, pairs).items():
        newest = several[-1]
        pods = {each.entity for each in several}
        yield of.finding(
            workload,
            f"{len(pods)} pod{'s' if len(pods) > 1 else ''} of {workload}: {short(newest.message)}",
            [scene.cite_event(newest)],
            severity=severity(scene, workload),
            direct=direct,
            first_seen=first(each.first_at for each in several),
            last_seen=newest.last_at,
            remedy=remedy or f"kubectl describe pod {newest.name} -n {newest.namespace}",
        )


def is_stuck(scene: Scene, pod: Resource) -> bool:
    """Whether what events said of a pod matters still: it is not ready, or only just."""
    if pod.status.get("phase") == "Succeeded":
        return False
    return not is_ready(pod) or not older_than(scene, moment(pod.condition("Ready"), "lastTransitionTime"), SETTLED)


@rule(
    id="init-failing",
    area="pods",
    role=Role.CAUSE,
    title="Init container fails",
    meaning="The pod cannot start before it: a dependency that is not there, a migration, missing rights. One that "
    "runs "
    "has ten minutes.",
    remediation="Read the init container's log.",
)
def init_failing(scene: Scene) -> Iterator[Finding]:
    found = [each for each in containers(scene) if each.is_init and (_init_failed(each) or _init_hangs(scene, each))]
    for workload, several in by_workload(scene, found).items():
        each = several[0]
        logs = [log for log in scene.logs_of(each.pod) if log.container == each.name and log.lines]
        stated = f"exit code {each.exit_code}" if each.exit_code is not None else text(each.waiting, "reason")
        how = f"running since {each.running_since}" if each.running_since else stated
        yield init_failing.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))}: init container {each.name!r}"
            f" {'does not end' if each.running_since else 'fails'} ({how}, {each.restarts} restarts)",
            [scene.cite(each.pod, each.path), *(scene.cite_log(log, len(log.lines) - 1) for log in logs[:1])],
            severity=severity(scene, workload),
            direct=not each.running_since,
            first_seen=first(since(scene, one) for one in several),
            remedy=f"kubectl logs {each.pod.name} -n {each.pod.namespace} -c {each.name}",
        )


def _init_failed(each: Container) -> bool:
    code = each.exit_code
    # Waiting with PodInitializing is its turn that has not come.
    return (code is not None and code != 0) or text(each.waiting, "reason") == "CrashLoopBackOff"


def _init_hangs(scene: Scene, each: Container) -> bool:
    """Whether it runs for longer than a rollout may take; those that restart are sidecars, and run on by design."""
    stays = text(each.spec, "restartPolicy") == "Always"
    return each.running_since is not None and not stays and scene.now - each.running_since > SETTLED


@rule(
    id="sidecar-not-ready",
    area="pods",
    role=Role.CAUSE,
    title="One container of a pod is not ready while the others are",
    meaning="A proxy or agent beside the application keeps the pod out of service. Start order is given two minutes.",
    remediation="Read the log of the container that is not ready.",
)
def sidecar_not_ready(scene: Scene) -> Iterator[Finding]:
    found: list[Container] = []
    for each in containers(scene):
        specs = [text(one, "name") for one in items(each.pod.spec, "containers")]
        unready = not each.is_init and not each.is_ready
        if not unready or len(specs) < 2 or specs[0] == each.name or not _is_main_ready(each.pod, specs[0]):
            continue
        if older_than(scene, moment(each.pod.condition("Ready"), "lastTransitionTime"), STARTING):
            found.append(each)
    for workload, several in by_workload(scene, found).items():
        each = several[0]
        yield sidecar_not_ready.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))}: container {each.name!r} is not ready"
            f" although the first container is",
            [scene.cite(each.pod, "status.containerStatuses")],
            severity=severity(scene, workload),
            first_seen=first(since(scene, one) for one in several),
            remedy=f"kubectl logs {each.pod.name} -n {each.pod.namespace} -c {each.name}",
        )


def _is_main_ready(pod: Resource, name: str) -> bool:
    statuses = items(pod.status, "containerStatuses")
    return any(text(each, "name") == name and each.get("ready") is True for each in statuses)


@rule(
    id="container-config-error",
    area="pods",
    role=Role.SYMPTOM,
    title="Container cannot be configured",
    meaning="A reference is missing, or the image runs as root where that is forbidden. The message names it.",
    remediation="Do what the message says: create what is missing, or set a user.",
)
def container_config_error(scene: Scene) -> Iterator[Finding]:
    found = (each for each in containers(scene) if text(each.waiting, "reason") == "CreateContainerConfigError")
    yield from waiting_findings(scene, container_config_error, found)


@rule(
    id="container-create-error",
    area="pods",
    role=Role.CAUSE,
    title="The runtime refuses the container",
    meaning="A mount, device, hook or name that the container runtime does not take.",
    remediation="The event has the runtime's own words.",
)
def container_create_error(scene: Scene) -> Iterator[Finding]:
    found = (
        each
        for each in containers(scene)
        if (text(each.waiting, "reason") in CREATE_REASONS or _is_refused(scene, each))
        and not NO_COMMAND.search(each.words)
        and not EXEC_FORMAT.search(each.words)
        and not is_out_of_memory(each)
    )
    yield from waiting_findings(scene, container_create_error, found)


def _is_refused(scene: Scene, each: Container) -> bool:
    """Whether its process was never run, which the status tells after the fact."""
    return text(each.ended, "reason") in NOT_STARTED and not each.is_settled(scene.now)


@rule(
    id="post-start-hook-failed",
    area="pods",
    role=Role.CAUSE,
    title="A start hook fails",
    meaning="The kubelet kills a container whose postStart hook fails.",
    remediation="Run the hook's command by hand in the image.",
)
def post_start_hook_failed(scene: Scene) -> Iterator[Finding]:
    yield from event_findings(scene, post_start_hook_failed, scene.cluster.events_with("FailedPostStartHook"))


@rule(
    id="sandbox-create-failed",
    area="pods",
    role=Role.CAUSE,
    title="A pod's network or sandbox cannot be made",
    meaning="The network plug-in, its addresses, or the node's runtime fail. A single retry is left out.",
    remediation="Look at the network plug-in's pod on that node.",
)
def sandbox_create_failed(scene: Scene) -> Iterator[Finding]:
    found = [each for each in scene.cluster.events_with("FailedCreatePodSandBox") if each.count >= SANDBOX_REPEATS]
    yield from event_findings(scene, sandbox_create_failed, found)


@rule(
    id="pod-evicted",
    area="pods",
    role=Role.SYMPTOM,
    title="Pods were evicted",
    meaning="The node was short of memory, disk or process ids. Records of long ago are left out.",
    remediation="The message names the resource; look at the node and the pod's requests.",
)
def pod_evicted(scene: Scene) -> Iterator[Finding]:
    gone = [
        pod
        for pod in scene.cluster.all("Pod")
        if text(pod.raw, "status", "reason") == "Evicted" and is_recent(scene, _evicted_at(scene, pod))
    ]
    for workload, pods in grouped(scene, ((pod, pod) for pod in gone)).items():
        message = short(text(pods[-1].raw, "status", "message") or "no message")
        yield pod_evicted.finding(
            workload,
            f"{counted(scene, workload, pods)} evicted: {message}",
            [scene.cite(pods[-1], "spec.nodeName", "status.reason", "status.message", "status.phase")],
            severity=severity(scene, workload),
            first_seen=first(_evicted_at(scene, pod) for pod in pods),
            remedy=f"Set requests near real use: kubectl set resources {target(workload)} --requests=…",
        )


def _evicted_at(scene: Scene, pod: Resource) -> Instant | None:
    events = scene.cluster.events_about(pod.entity, "Evicted")
    times = [moment(each, "lastTransitionTime") for each in (pod.condition("DisruptionTarget"), pod.condition("Ready"))]
    return first([*(each.first_at for each in events), *times]) or moment(pod.raw, "status", "startTime")


@rule(
    id="ephemeral-storage-exceeded",
    area="pods",
    role=Role.CAUSE,
    title="Pods wrote more to local disk than allowed",
    meaning="Logs, caches or an emptyDir grew over the limit or over what the node has.",
    remediation="Rotate or bound what is written, or raise the ephemeral-storage limit.",
)
def ephemeral_storage_exceeded(scene: Scene) -> Iterator[Finding]:
    gone = [
        pod
        for pod in scene.cluster.all("Pod")
        if text(pod.raw, "status", "reason") == "Evicted"
        and "ephemeral" in text(pod.raw, "status", "message")
        and is_recent(scene, _evicted_at(scene, pod))
    ]
    for workload, pods in grouped(scene, ((pod, pod) for pod in gone)).items():
        yield ephemeral_storage_exceeded.finding(
            workload,
            f"{counted(scene, workload, pods)}: {short(text(pods[-1].raw, 'status', 'message'))}",
            [scene.cite(pods[-1], "status.reason", "status.message")],
            severity=severity(scene, workload),
            first_seen=first(_evicted_at(scene, pod) for pod in pods),
            remedy=f"Bound what {target(workload)} writes, or raise its ephemeral-storage limit",
        )


@rule(
    id="stuck-terminating",
    area="pods",
    role=Role.SYMPTOM,
    title="Pods do not go away",
    meaning="Deleted, and still there two minutes after the grace period: a finalizer, a dead node, a volume.",
    remediation="Look at the finalizers and at the node.",
)
def stuck_terminating(scene: Scene) -> Iterator[Finding]:
    stuck: list[Resource] = []
    for pod in scene.cluster.all("Pod"):
        # The API server writes here when the grace period will be over, not when somebody asked.
        due_at = moment(pod.raw, "metadata", "deletionTimestamp")
        if due_at and scene.now - due_at > OVERDUE:
            stuck.append(pod)
    for workload, pods in grouped(scene, ((pod, pod) for pod in stuck)).items():
        pod = pods[0]
        finalizers = words(pod.raw, "metadata", "finalizers")
        why = f"finalizers {', '.join(finalizers)}" if finalizers else f"node {text(pod.raw, 'spec', 'nodeName')}"
        yield stuck_terminating.finding(
            workload,
            f"{len(pods)} pods of {workload} should be gone since {moment(pod.raw, 'metadata', 'deletionTimestamp')}"
            f" ({why})",
            [scene.cite(pod, "metadata.deletionTimestamp", "metadata.finalizers", "spec.nodeName")],
            severity=Severity.WARNING,
            first_seen=first(moment(one.raw, "metadata", "deletionTimestamp") for one in pods),
            remedy=f"Find whose finalizer it is, or check the node: kubectl get {pod.where} -o yaml",
        )
