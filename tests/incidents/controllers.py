"""What a control plane does after a change: sets count, Services get their endpoints, callers notice."""

from collections.abc import Mapping
from typing import Any

from whenever import Instant

from tests.incidents.cluster import NOW, Cluster, Json, at, condition, digest

ROLLOUT_DEADLINE = 10
"""Minutes after which a Deployment gives up by default."""


def settle(cluster: Cluster) -> None:
    """Makes the status of everything follow from specifications and pods."""
    for replica_set in cluster.all("ReplicaSet"):
        _count_set(cluster, replica_set)
    for deployment in cluster.all("Deployment"):
        _count_deployment(cluster, deployment)
    for stateful_set in cluster.all("StatefulSet"):
        _count_stateful_set(cluster, stateful_set)
    for daemon_set in cluster.all("DaemonSet"):
        _count_daemon_set(cluster, daemon_set)
    for service in cluster.all("Service"):
        if service["spec"].get("selector"):
            _publish(cluster, service)


def is_ready(pod: Json) -> bool:
    """Whether the pod is Ready."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def owned(cluster: Cluster, owner: Json, kind: str = "Pod") -> list[Json]:
    """What an object controls."""
    uid = owner["metadata"]["uid"]
    found = cluster.all(kind, owner["metadata"]["namespace"])
    return [each for each in found if any(one["uid"] == uid for one in each["metadata"].get("ownerReferences", []))]


def _alive(pods: list[Json]) -> list[Json]:
    return [
        each
        for each in pods
        if each["status"].get("phase") not in ("Failed", "Succeeded") and "deletionTimestamp" not in each["metadata"]
    ]


def _count_set(cluster: Cluster, replica_set: Json) -> None:
    pods = _alive(owned(cluster, replica_set))
    ready = sum(map(is_ready, pods))
    kept = {key: value for key, value in replica_set["status"].items() if key == "conditions"}
    status: Json = {"replicas": len(pods), "observedGeneration": 1, **kept}
    replica_set["status"] = status | (
        {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready} if ready else {}
    )


def _minutes_old(each: Json) -> float:
    return (NOW - Instant.parse_iso(each["metadata"]["creationTimestamp"])).total("minutes")


def _count_deployment(cluster: Cluster, deployment: Json) -> None:
    wanted = deployment["spec"].get("replicas", 1)
    sets = owned(cluster, deployment, "ReplicaSet")
    newest = max(sets, key=lambda each: each["metadata"]["creationTimestamp"])
    total = sum(each["status"]["replicas"] for each in sets)
    ready = sum(each["status"].get("readyReplicas", 0) for each in sets)
    updated = newest["status"]["replicas"]
    status: Json = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    counts = {"replicas": total, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready}
    status |= {key: value for key, value in counts.items() if value}
    if missing := max(total, wanted) - ready:
        status["unavailableReplicas"] = missing
    age = _minutes_old(newest)
    deployment["status"] = status | {"conditions": _deployment_conditions(deployment, newest, ready, age)}


def _deployment_conditions(deployment: Json, newest: Json, ready: int, age: float) -> list[Json]:
    wanted = deployment["spec"].get("replicas", 1)
    found: list[Json] = []
    if ready >= wanted - wanted // 4:
        found.append(
            condition(
                "Available",
                status=True,
                reason="MinimumReplicasAvailable",
                message="Deployment has minimum availability.",
                changed=age,
            )
        )
    else:
        found.append(
            condition(
                "Available",
                status=False,
                reason="MinimumReplicasUnavailable",
                message="Deployment does not have minimum availability.",
                changed=18,
            )
        )
    name = newest["metadata"]["name"]
    is_out = newest["status"].get("readyReplicas", 0) >= wanted
    failure = [each for each in newest["status"].get("conditions", []) if each["type"] == "ReplicaFailure"]
    # Pods that fail after a finished rollout leave the condition as it was.
    if is_out or (age > 2 * 60 and not failure):
        found.append(
            condition(
                "Progressing",
                status=True,
                reason="NewReplicaSetAvailable",
                message=f'ReplicaSet "{name}" has successfully progressed.',
                changed=age,
            )
        )
    elif deployment["spec"].get("paused"):
        found.append(
            condition(
                "Progressing", status="Unknown", reason="DeploymentPaused", message="Deployment is paused", changed=age
            )
        )
    elif age > ROLLOUT_DEADLINE:
        found.append(
            condition(
                "Progressing",
                status=False,
                reason="ProgressDeadlineExceeded",
                changed=age - 10,
                message=f'ReplicaSet "{name}" has timed out progressing.',
            )
        )
    else:
        found.append(
            condition(
                "Progressing",
                status=True,
                reason="ReplicaSetUpdated",
                changed=age,
                message=f'ReplicaSet "{name}" is progressing.',
            )
        )
    return found + failure


def _count_stateful_set(cluster: Cluster, stateful_set: Json) -> None:
    pods = _alive(owned(cluster, stateful_set))
    ready = sum(map(is_ready, pods))
    revision = f"{stateful_set['metadata']['name']}-{digest(stateful_set['metadata']['name'])}"
    stateful_set["status"] = {
        "observedGeneration": 1,
        "replicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "currentReplicas": len(pods),
        "updatedReplicas": len(pods),
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }


def _count_daemon_set(cluster: Cluster, daemon_set: Json) -> None:
    pods = _alive(owned(cluster, daemon_set))
    ready = sum(map(is_ready, pods))
    status = daemon_set.get("status", {})
    wanted = status.get("desiredNumberScheduled", len(pods))
    daemon_set["status"] = {
        "currentNumberScheduled": len(pods),
        "desiredNumberScheduled": wanted,
        "numberAvailable": ready,
        "numberMisscheduled": 0,
        "numberReady": ready,
        "observedGeneration": 1,
        "updatedNumberScheduled": len(pods),
    } | ({"numberUnavailable": wanted - ready} if wanted > ready else {})


# Endpoints


def _publish(cluster: Cluster, service: Json) -> None:
    meta, spec = service["metadata"], service["spec"]
    wanted = spec["selector"].items()
    pods = [
        each
        for each in _alive(cluster.all("Pod", meta["namespace"]))
        if wanted <= each["metadata"]["labels"].items() and each["status"].get("podIP")
    ]
    ports = {_spelled(port, pod) for pod in pods for port in spec["ports"]} - {None}
    endpoints: list[Json] = []
    publishes_all = spec.get("publishNotReadyAddresses", False)
    for pod in pods:
        ready = is_ready(pod) or publishes_all
        endpoints.append(
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": ready, "serving": ready, "terminating": False},
                "nodeName": pod["spec"].get("nodeName"),
                "targetRef": {
                    "kind": "Pod",
                    "name": pod["metadata"]["name"],
                    "namespace": meta["namespace"],
                    "uid": pod["metadata"]["uid"],
                },
            }
        )
    listed = [
        {"name": name, "port": number, "protocol": protocol} for name, number, protocol in sorted(filter(None, ports))
    ]
    owner = {"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"], "controller": True}
    slice_meta: Json = {
        "labels": {
            "kubernetes.io/service-name": meta["name"],
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        },
        "ownerReferences": [owner],
    }
    cluster.put(
        "EndpointSlice",
        meta["namespace"],
        f"{meta['name']}-{digest(meta['name'], 5)}",
        metadata=slice_meta,
        addressType="IPv4",
        endpoints=endpoints if listed else [],
        ports=listed,
    )
    cluster.put("Endpoints", meta["namespace"], meta["name"], **_classic(endpoints, listed))


def _spelled(port: Mapping[str, Any], pod: Json) -> tuple[str, int, str] | None:
    target = port.get("targetPort", port["port"])
    protocol = port.get("protocol", "TCP")
    if isinstance(target, int):
        return port.get("name", ""), target, protocol
    for container in pod["spec"]["containers"]:
        for each in container.get("ports", []):
            if each.get("name") == target and each.get("protocol", "TCP") == protocol:
                return port.get("name", ""), each["containerPort"], protocol
    return None


def _classic(endpoints: list[Json], ports: list[Json]) -> Json:
    subset: Json = {"ports": ports}
    for key, wanted in (("addresses", True), ("notReadyAddresses", False)):
        chosen = [
            {"ip": each["addresses"][0], "nodeName": each["nodeName"], "targetRef": each["targetRef"]}
            for each in endpoints
            if each["conditions"]["ready"] is wanted
        ]
        if chosen:
            subset[key] = chosen
    return {"subsets": [subset]} if len(subset) > 1 and ports else {}


# Callers


def callers_notice(cluster: Cluster, callee: str, text: str, *, since: float = 18) -> None:
    """Writes what callers log while a Service does not answer: `{address}` stands for its address and port."""
    service = cluster.get("Service", callee)
    port = service["spec"]["ports"][0]["port"]
    said = text.format(address=f"{cluster.cluster_ip(callee)}:{port}", name=f"{callee}:{port}")
    for caller, called in sorted(cluster.calls):
        if called == callee:
            for pod in cluster.pods_of(caller):
                if is_ready(pod):
                    cluster.log(pod, *[f"ERROR request failed: {callee}: {said}"] * 6, since=since)


REFUSED = (
    'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: '
    'dial tcp {address}: connect: connection refused"'
)
TIMED_OUT = (
    'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: '
    'dial tcp {address}: i/o timeout"'
)


def set_replicas(cluster: Cluster, workload: str, replicas: int) -> None:
    """Scales a Deployment down: the last pods go."""
    deployment = cluster.get("Deployment", workload)
    deployment["spec"]["replicas"] = replicas
    for pod in cluster.pods_of(workload)[replicas:]:
        cluster.drop("Pod", pod["metadata"]["name"])
    for each in owned(cluster, deployment, "ReplicaSet"):
        if each["spec"]["replicas"]:
            each["spec"]["replicas"] = replicas
    cluster.event(
        deployment,
        "ScalingReplicaSet",
        f"Scaled down replica set to {replicas}",
        kind="Normal",
        last=19,
        source="deployment-controller",
    )


__all__ = ["REFUSED", "TIMED_OUT", "at", "callers_notice", "is_ready", "owned", "set_replicas", "settle"]
