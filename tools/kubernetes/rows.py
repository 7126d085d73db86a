"""One compact line for an object, with what matters for its kind, and whether its own status complains. Pure.

"Complains" orders a list for the reader; what is healthy is decided by rules elsewhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whenever import Instant

from tools.kubernetes.fields import (
    Fields,
    age,
    condition,
    items,
    mapping,
    moment,
    name,
    namespace,
    number,
    text,
    value,
    words,
)

GOOD_WHEN_FALSE = ("Pressure", "NetworkUnavailable", "ReplicaFailure", "Failed", "Stalled", "Degraded", "FailureTarget")
"""Ends of condition types that are well when they are not true; the others are well when they are true."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line about one object."""

    complains: bool
    line: str


def row(obj: Fields, now: Instant) -> Row:
    """The line of an object of any kind."""
    describe = _KINDS.get(text(obj, "kind"), _other)
    complains, cells = describe(obj, now)
    where = f"{namespace(obj)}/{name(obj)}" if namespace(obj) else name(obj)
    if text(obj, "metadata", "deletionTimestamp"):
        cells = [*cells, f"deleted {age(now, moment(obj, 'metadata', 'deletionTimestamp'))} ago"]
    since = moment(obj, "metadata", "creationTimestamp")
    return Row(complains, " ".join([where, *filter(None, cells), f"age={age(now, since)}" if since else ""]).rstrip())


Cells = tuple[bool, Sequence[str]]


def _pod(pod: Fields, now: Instant) -> Cells:
    statuses = items(pod, "status", "containerStatuses")
    every = [*items(pod, "status", "initContainerStatuses"), *statuses]
    ready = sum(1 for each in statuses if each.get("ready") is True)
    total = max(len(statuses), len(items(pod, "spec", "containers")))
    state = pod_state(pod)
    restarts = sum(number(each, "restartCount") for each in every)
    ended = [
        f"last {text(each, 'name')}: {text(last, 'reason') or 'ended'}({number(last, 'exitCode')})"
        + (f" {age(now, ended_at)} ago" if (ended_at := moment(last, "finishedAt")) else "")
        for each in every
        if (last := mapping(each, "lastState", "terminated"))
    ]
    complains = state not in ("Running", "Succeeded", "Completed") or (state == "Running" and ready < total)
    scheduled = condition(pod, "PodScheduled")
    return complains, [
        f"{ready}/{total} {state}",
        f"restarts={restarts}" if restarts else "",
        *ended[:2],
        f"({text(scheduled, 'message')[:160]})" if text(scheduled, "status") == "False" else "",
        f"node={text(pod, 'spec', 'nodeName') or 'none'}",
    ]


def pod_state(pod: Fields) -> str:
    """The STATUS column of `kubectl get pods`."""
    if text(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    for prefix, key in (("Init:", "initContainerStatuses"), ("", "containerStatuses")):
        for each in items(pod, "status", key):
            waiting, ended = mapping(each, "state", "waiting"), mapping(each, "state", "terminated")
            if text(waiting, "reason") not in ("", "PodInitializing", "ContainerCreating"):
                return prefix + text(waiting, "reason")
            if ended and (number(ended, "exitCode") or not prefix):
                return prefix + (text(ended, "reason") or f"ExitCode:{number(ended, 'exitCode')}")
            if waiting and not prefix:
                return text(waiting, "reason") or "Waiting"
    return text(pod, "status", "reason") or text(pod, "status", "phase") or "Unknown"


def _workload(obj: Fields, _: Instant) -> Cells:
    desired = value(obj, "spec", "replicas")
    wanted = desired if isinstance(desired, int) else 1
    ready = number(obj, "status", "readyReplicas")
    updated = number(obj, "status", "updatedReplicas")
    failing = complaints(obj)
    return ready < wanted or bool(failing), [
        f"ready={ready}/{wanted}",
        f"updated={updated}" if "updatedReplicas" in mapping(obj, "status") and updated != wanted else "",
        "paused" if value(obj, "spec", "paused") is True else "",
        *failing,
        _images(obj),
    ]


def _replica_set(obj: Fields, now: Instant) -> Cells:
    complains, cells = _workload(obj, now)
    revision = text(obj, "metadata", "annotations", "deployment.kubernetes.io/revision")
    return complains, [*cells, f"revision={revision}" if revision else ""]


def _daemon_set(obj: Fields, _: Instant) -> Cells:
    wanted, ready = number(obj, "status", "desiredNumberScheduled"), number(obj, "status", "numberReady")
    missed = number(obj, "status", "numberMisscheduled")
    return ready < wanted, [f"ready={ready}/{wanted}", f"misscheduled={missed}" if missed else "", _images(obj)]


def _job(obj: Fields, _: Instant) -> Cells:
    wanted = value(obj, "spec", "completions")
    done, failed = number(obj, "status", "succeeded"), number(obj, "status", "failed")
    failing = [line for line in complaints(obj) if not line.startswith(("Complete=", "Suspended="))]
    return bool(failing) or failed > 0, [
        f"succeeded={done}/{wanted if isinstance(wanted, int) else 1}",
        f"failed={failed}" if failed else "",
        f"active={number(obj, 'status', 'active')}" if number(obj, "status", "active") else "",
        "suspended" if value(obj, "spec", "suspend") is True else "",
        *failing,
    ]


def _cron_job(obj: Fields, now: Instant) -> Cells:
    suspended = value(obj, "spec", "suspend") is True
    last = moment(obj, "status", "lastScheduleTime")
    return suspended, [
        f"schedule={text(obj, 'spec', 'schedule')!r}",
        "suspended" if suspended else "",
        f"last-scheduled={age(now, last)} ago" if last else "never scheduled",
    ]


def _service(obj: Fields, _: Instant) -> Cells:
    kind = text(obj, "spec", "type") or "ClusterIP"
    waiting = kind == "LoadBalancer" and not items(obj, "status", "loadBalancer", "ingress")
    ports = [f"{text(p, 'port')}->{text(p, 'targetPort') or text(p, 'port')}" for p in items(obj, "spec", "ports")]
    return waiting, [
        f"type={kind}",
        "no address" if waiting else "",
        f"to={text(obj, 'spec', 'externalName')}" if kind == "ExternalName" else "",
        f"ports={','.join(ports)}" if ports else "",
        f"selector={_labels(mapping(obj, 'spec', 'selector')) or 'none'}",
    ]


def _endpoints(obj: Fields, _: Instant) -> Cells:
    subsets = items(obj, "subsets")
    ready = sum(len(items(each, "addresses")) for each in subsets)
    waiting = sum(len(items(each, "notReadyAddresses")) for each in subsets)
    return not ready, [f"ready={ready}", f"not-ready={waiting}"]


def _endpoint_slice(obj: Fields, _: Instant) -> Cells:
    every = items(obj, "endpoints")
    # A condition that is not there means ready, says the API.
    ready = sum(1 for each in every if value(each, "conditions", "ready") is not False)
    service = text(obj, "metadata", "labels", "kubernetes.io/service-name")
    return not ready, [f"service={service}" if service else "", f"ready={ready}", f"not-ready={len(every) - ready}"]


def _ingress(obj: Fields, _: Instant) -> Cells:
    rules = items(obj, "spec", "rules")
    backends = {
        text(path, "backend", "service", "name") or text(path, "backend", "serviceName")
        for rule in rules
        for path in items(rule, "http", "paths")
    }
    address = items(obj, "status", "loadBalancer", "ingress")
    return not address, [
        f"class={text(obj, 'spec', 'ingressClassName') or 'none'}",
        f"hosts={','.join(text(rule, 'host') or '*' for rule in rules)}" if rules else "",
        f"backends={','.join(sorted(filter(None, backends)))}" if backends else "",
        "" if address else "no address",
    ]


def _node(obj: Fields, now: Instant) -> Cells:
    cordoned = value(obj, "spec", "unschedulable") is True
    failing = complaints(obj)
    since = moment(condition(obj, "Ready"), "lastTransitionTime")
    taints = [f"{text(t, 'key')}:{text(t, 'effect')}" for t in items(obj, "spec", "taints")]
    return cordoned or bool(failing), [
        "Ready" if text(condition(obj, "Ready"), "status") == "True" else "",
        "cordoned" if cordoned else "",
        *failing,
        f"since={age(now, since)}" if since else "",
        f"taints={','.join(taints)}" if taints else "",
        f"cpu={text(obj, 'status', 'allocatable', 'cpu')} memory={text(obj, 'status', 'allocatable', 'memory')}",
        f"version={text(obj, 'status', 'nodeInfo', 'kubeletVersion')}" if mapping(obj, "status", "nodeInfo") else "",
    ]


def _claim(obj: Fields, _: Instant) -> Cells:
    phase = text(obj, "status", "phase")
    return phase not in ("Bound", "Available"), [
        phase,
        f"class={text(obj, 'spec', 'storageClassName') or 'none'}",
        f"size={text(obj, 'spec', 'resources', 'requests', 'storage') or text(obj, 'spec', 'capacity', 'storage')}",
        f"volume={text(obj, 'spec', 'volumeName')}" if text(obj, "spec", "volumeName") else "",
    ]


def _autoscaler(obj: Fields, _: Instant) -> Cells:
    failing = [line for line in complaints(obj) if not line.startswith("ScalingLimited=")]
    limited = condition(obj, "ScalingLimited")
    at_limit = text(limited, "status") == "True"
    return bool(failing), [
        f"target={text(obj, 'spec', 'scaleTargetRef', 'kind')}/{text(obj, 'spec', 'scaleTargetRef', 'name')}",
        f"replicas={number(obj, 'status', 'currentReplicas')}->{number(obj, 'status', 'desiredReplicas')}",
        f"bounds={text(obj, 'spec', 'minReplicas') or 1}..{text(obj, 'spec', 'maxReplicas')}",
        f"limited: {text(limited, 'reason')}" if at_limit else "",
        *failing,
    ]


def _namespace(obj: Fields, _: Instant) -> Cells:
    phase = text(obj, "status", "phase")
    return phase == "Terminating", [phase]


def _quota(obj: Fields, _: Instant) -> Cells:
    hard, used = mapping(obj, "status", "hard"), mapping(obj, "status", "used")
    full = [key for key in hard if key in used and used[key] == hard[key]]
    return bool(full), [f"{key}={used.get(key, '?')}/{hard[key]}" for key in hard]


def _keys(obj: Fields, _: Instant) -> Cells:
    keys = [*mapping(obj, "data"), *mapping(obj, "stringData"), *mapping(obj, "binaryData")]
    return False, [text(obj, "type"), f"keys={','.join(sorted(keys)) or 'none'}"]


def _policy(obj: Fields, _: Instant) -> Cells:
    return False, [
        f"pods={_labels(mapping(obj, 'spec', 'podSelector', 'matchLabels')) or 'all'}",
        f"types={','.join(words(obj, 'spec', 'policyTypes')) or 'Ingress'}",
        f"ingress-rules={len(items(obj, 'spec', 'ingress'))} egress-rules={len(items(obj, 'spec', 'egress'))}",
    ]


def _disruption_budget(obj: Fields, _: Instant) -> Cells:
    allowed, healthy = number(obj, "status", "disruptionsAllowed"), number(obj, "status", "currentHealthy")
    desired = number(obj, "status", "desiredHealthy")
    return healthy < desired, [f"allowed={allowed}", f"healthy={healthy}/{desired}"]


def _other(obj: Fields, _: Instant) -> Cells:
    failing = complaints(obj)
    return bool(failing), [text(obj, "status", "phase"), *failing]


def complaints(obj: Fields) -> Sequence[str]:
    """The status conditions that are not as they should be, with reason and the start of their message."""
    found: list[str] = []
    for each in items(obj, "status", "conditions"):
        kind, status = text(each, "type"), text(each, "status")
        wanted = "False" if kind.endswith(GOOD_WHEN_FALSE) else "True"
        if kind and status and status != wanted and not (wanted == "True" and text(each, "reason") == "Completed"):
            why = " ".join(filter(None, (text(each, "reason"), text(each, "message")[:160])))
            found.append(f"{kind}={status}{f' ({why})' if why else ''}")
    return found


def _images(obj: Fields) -> str:
    images = [text(each, "image") for each in items(obj, "spec", "template", "spec", "containers")]
    return f"images={','.join(filter(None, images))}" if any(images) else ""


def _labels(labels: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={labels[key]}" for key in labels)


_KINDS: Mapping[str, Callable[[Fields, Instant], Cells]] = {
    "Pod": _pod,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "ReplicationController": _workload,
    "ReplicaSet": _replica_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "Endpoints": _endpoints,
    "EndpointSlice": _endpoint_slice,
    "Ingress": _ingress,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _claim,
    "HorizontalPodAutoscaler": _autoscaler,
    "Namespace": _namespace,
    "ResourceQuota": _quota,
    "ConfigMap": _keys,
    "Secret": _keys,
    "NetworkPolicy": _policy,
    "PodDisruptionBudget": _disruption_budget,
}
