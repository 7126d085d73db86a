"""Small builders of Kubernetes objects and of scenes, for tests of rules. Everything happens around `NOW`."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from whenever import Instant, TimeDelta

from agents.case import Case, Scope, SessionId
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence, Outcome
from tools.kubernetes.objects import get_line
from tools.window import Window

NOW = Instant.parse_iso("2026-01-01T12:00:00Z")
KINDS = (
    "Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "EndpointSlice",
    "Ingress", "IngressClass", "NetworkPolicy", "Node", "Namespace", "ConfigMap", "Secret", "PersistentVolumeClaim",
    "StorageClass", "HorizontalPodAutoscaler", "PodDisruptionBudget", "APIService", "ValidatingWebhookConfiguration",
    "GatewayClass", "Gateway", "PersistentVolume", "ServiceAccount",
)  # fmt: skip
"""Kinds that a scene has seen unless a test says otherwise, whether or not there is any object of them."""


def ago(minutes: float) -> str:
    """The time so many minutes before `NOW`, as objects write it."""
    return str(NOW - TimeDelta(minutes=minutes))


def obj(kind: str, name: str, namespace: str = "shop", *, age: float = 600, **fields: Any) -> dict[str, Any]:
    """Any object. `metadata` among the fields is added to the usual one; `age` is in minutes."""
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{kind}-{name}",
        "creationTimestamp": ago(age),
        **fields.pop("metadata", {}),
    }
    if not namespace:
        del metadata["namespace"]
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}


def owned(kind: str, name: str) -> list[dict[str, Any]]:
    """The owner references of a child."""
    return [{"kind": kind, "name": name, "uid": f"uid-{kind}-{name}", "controller": True}]


def status(
    name: str = "cart", *, ready: bool = False, restarts: int = 0, state: Any = None, last: Any = None
) -> dict[str, Any]:
    """A container's status; running since long ago unless a state is given."""
    running = {"running": {"startedAt": ago(500)}}
    found = {"name": name, "ready": ready, "restartCount": restarts, "state": state or running}
    return found | ({"lastState": {"terminated": last}} if last else {})


def ended(code: int, reason: str = "Error", *, minutes: float = 3, lived_s: float = 5, **more: Any) -> dict[str, Any]:
    """How a container ended, so many minutes ago, after so many seconds."""
    started = NOW - TimeDelta(minutes=minutes) - TimeDelta(seconds=lived_s)
    return {"exitCode": code, "reason": reason, "startedAt": str(started), "finishedAt": ago(minutes), **more}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    """A waiting state."""
    return {"waiting": {"reason": reason, "message": message}}


def container(name: str = "cart", **fields: Any) -> dict[str, Any]:
    """A container of a pod spec, listening on 8080."""
    return {
        "name": name,
        "image": "registry.test/cart:1",
        "ports": [{"name": "http", "containerPort": 8080}],
        **fields,
    }


def condition(kind: str, is_true: object = True, *, minutes: float = 30, **more: Any) -> dict[str, Any]:
    """A status condition that has stood for so many minutes."""
    value = str(is_true)
    return {"type": kind, "status": value, "lastTransitionTime": ago(minutes), "lastUpdateTime": ago(minutes), **more}


def pod(name: str = "cart-7d4f-a", *statuses: dict[str, Any], ready: bool = False, **fields: Any) -> dict[str, Any]:
    """A pod of ReplicaSet cart-7d4f on worker-1. `spec` and `status` among the fields are added to the usual ones."""
    spec = {"nodeName": "worker-1", "containers": [container()], **fields.pop("spec", {})}
    state = {
        "phase": "Running",
        "conditions": [condition("Ready", ready)],
        "containerStatuses": list(statuses) or [status(ready=ready)],
        **fields.pop("status", {}),
    }
    labels = {"app": "cart", "pod-template-hash": "7d4f"}
    owners = owned("ReplicaSet", "cart-7d4f")
    metadata = {"labels": labels, "ownerReferences": owners, **fields.pop("metadata", {})}
    return obj("Pod", name, metadata=metadata, spec=spec, status=state, **fields)


def deployment(name: str = "cart", *, replicas: int = 1, ready: int = 1, **fields: Any) -> dict[str, Any]:
    """A Deployment whose pods carry the label `app`."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container(name)]}}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": template,
        **fields.pop("spec", {}),
    }
    state = {"readyReplicas": ready, "updatedReplicas": replicas, **fields.pop("status", {})}
    return obj("Deployment", name, spec=spec, status=state, **fields)


def replica_set(name: str = "cart-7d4f", of: str = "cart", **fields: Any) -> dict[str, Any]:
    """A ReplicaSet of a Deployment."""
    metadata = {"ownerReferences": owned("Deployment", of), **fields.pop("metadata", {})}
    spec = fields.pop("spec", {"replicas": 1})
    return obj("ReplicaSet", name, metadata=metadata, spec=spec, **fields)


def service(name: str = "cart", *, ports: Sequence[Mapping[str, Any]] = (), **fields: Any) -> dict[str, Any]:
    """A Service that selects `app` and sends port 80 to 8080."""
    spec = {
        "selector": {"app": name},
        "ports": list(ports) or [{"port": 80, "targetPort": 8080}],
        **fields.pop("spec", {}),
    }
    return obj("Service", name, spec=spec, **fields)


def endpoints(name: str = "cart", *ready: bool) -> dict[str, Any]:
    """An EndpointSlice of a Service with an endpoint for each flag."""
    labels = {"kubernetes.io/service-name": name}
    found = [{"addresses": ["10.0.0.1"], "conditions": {"ready": each}} for each in ready]
    return obj("EndpointSlice", f"{name}-x", metadata={"labels": labels}, endpoints=found)


def event(
    reason: str, message: str, about: Mapping[str, Any], *, minutes: float = 2, count: int = 5, **more: Any
) -> dict[str, Any]:
    """A warning about an object, last seen so many minutes ago and first ten minutes before that."""
    metadata = about["metadata"]
    involved = {
        "kind": about["kind"],
        **{key: metadata[key] for key in ("name", "namespace", "uid") if key in metadata},
    }
    name = f"{metadata['name']}.{reason}.{abs(hash(message)) % 10_000}"
    found = {"type": "Warning", "reason": reason, "message": message, "count": count, "involvedObject": involved}
    times = {"firstTimestamp": ago(minutes + 10), "lastTimestamp": ago(minutes)}
    return obj("Event", name, **found, **times, metadata={"uid": f"uid-event-{name}"}, **more)


def case(*entities: str, minutes: float = 60) -> Case:
    """A case about some entities, its window being the last hour."""
    scope = Scope(entities=tuple(Entity.parse(each) for each in entities), window=Window.ending(NOW, minutes=minutes))
    return Case(session_id=SessionId("ses_test"), question="what is wrong?", scope=scope, asked_at=NOW)


def listing(kind: str, objects: Sequence[Mapping[str, Any]], namespace: str | None = None) -> Evidence:
    """What `kubernetes.objects` answers for one kind."""
    text = "\n".join(str(each["metadata"]["name"]) for each in objects)
    return Evidence.found("kubernetes.objects", get_line(kind, namespace, None), text, data=deepcopy(list(objects)))


def log(pod_name: str, *lines: str, previous: bool = False) -> Evidence:
    """What `kubernetes.logs` answers for container `cart` of a pod."""
    flag = " --previous" if previous else ""
    text = "\n".join(lines)
    return Evidence.found(
        "kubernetes.logs", f"kubectl logs -n shop {pod_name} -c cart{flag} --tail=200", text, data=text
    )


def scene(
    *objects: Mapping[str, Any],
    looks: Sequence[Evidence] = (),
    about: Sequence[str] = (),
    unseen: frozenset[str] = frozenset(),
    partial: frozenset[str] = frozenset(),
) -> Scene:
    """A scene of these objects, events among them. Every kind of `KINDS` was listed, save those `unseen`."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in KINDS}
    for each in objects:
        by_kind.setdefault(str(each["kind"]), []).append(each)
    events = by_kind.pop("Event", [])
    found = [listing(kind, several) for kind, several in by_kind.items() if kind not in unseen]
    found += [
        Evidence.gap("kubernetes.objects", f"kubernetes.objects {kind}", Outcome.ERROR, "Refused") for kind in unseen
    ]
    text = "\n".join(str(each["reason"]) for each in events)
    query = "kubectl get events -A --sort-by=.lastTimestamp"
    found.append(Evidence.found("kubernetes.events", query, text, data=deepcopy(events)))
    return Scene.of(case(*about), [*found, *looks], partial=partial)


def fleet(pods: int, *, broken: int = 20) -> list[dict[str, Any]]:
    """A cluster of so many pods: Deployments of five, each with its set, Service and endpoints, calling the next one.

    One Deployment in `broken` is in a crash loop. For measuring how long rules take.
    """
    found = [obj("Node", f"worker-{at}", "", status={"conditions": [condition("Ready")]}) for at in range(50)]
    for at in range(pods // 5):
        name, well = f"app-{at}", at % broken != 0
        callee = {"name": "NEXT_URL", "value": f"http://app-{(at + 1) % (pods // 5)}.shop.svc:80"}
        parent = deployment(name, replicas=5, ready=5 if well else 0)
        parent["spec"]["template"]["spec"]["containers"] = [container(name, env=[callee])]
        found += [parent, replica_set(f"{name}-7d4f", name), service(name), endpoints(name, *[well] * 5)]
        for number in range(5):
            labels = {"labels": {"app": name}, "ownerReferences": owned("ReplicaSet", f"{name}-7d4f")}
            loop = status(restarts=5, state={"waiting": {"reason": "CrashLoopBackOff"}}, last=ended(1))
            state = status(ready=True) if well else loop
            place = {"nodeName": f"worker-{number}", "containers": [container(name, env=[callee])]}
            one = pod(f"{name}-7d4f-{number}", state, ready=well, metadata=labels, spec=place)
            found += [one] if well else [one, event("BackOff", "Back-off restarting failed container", one)]
    return found
