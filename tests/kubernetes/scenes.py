"""Objects as a cluster writes them, small but whole."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

TEMPLATE: Object = {
    "metadata": {"labels": {"app": "cart"}},
    "spec": {"containers": [{"name": "cart", "image": "registry.test/cart:1"}]},
}


def pod(namespace: str, name: str, *, node: str | None = "worker-1", containers: tuple[str, ...] = ("cart",)) -> Object:
    spec: Object = {"containers": [{"name": each, "image": f"registry.test/{each}:1"} for each in containers]}
    if node:
        spec["nodeName"] = node
    metadata = {"name": name, "namespace": namespace, "labels": {"app": "cart"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def running(container: str = "cart", *, restarts: int = 0) -> Object:
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {
                "name": container, "ready": True, "restartCount": restarts, "image": "i", "imageID": "d",
                "state": {"running": {"startedAt": "2026-01-01T10:00:00Z"}},
            }
        ],
    }  # fmt: skip


def crashing(container: str = "cart", *, reason: str = "CrashLoopBackOff") -> Object:
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
        "containerStatuses": [
            {
                "name": container, "ready": False, "restartCount": 7, "image": "i", "imageID": "d",
                "state": {"waiting": {"reason": reason, "message": "back-off 5m0s"}},
                "lastState": {
                    "terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T10:00:00Z"}
                },
            }
        ],
    }  # fmt: skip


def deployment(namespace: str, name: str = "cart", *, replicas: int = 2) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "cart"}}, "template": TEMPLATE},
    }


def replica_set(namespace: str, revision: int, image: str, *, owner_uid: str = "u-1") -> Object:
    labels = {"app": "cart", "pod-template-hash": f"h{revision}"}
    container = {"name": "cart", "image": image, "env": [{"name": "MODE", "value": "safe"}]}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": owner_uid, "controller": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"cart-h{revision}", "namespace": namespace, "labels": labels, "ownerReferences": [owner],
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
        },
        "spec": {
            "replicas": 2, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }  # fmt: skip


def event(namespace: str, name: str, about: str, *, at: str, reason: str = "BackOff", kind: str = "Warning") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"kind": "Pod", "name": about, "namespace": namespace},
        "type": kind,
        "reason": reason,
        "message": f"{reason} of {about}",
        "count": 3,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": "kubelet"},
    }


def listed(*objects: Mapping[str, Any]) -> Object:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}
