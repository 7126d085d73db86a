"""Building what people deploy: workloads with their pods, Services, claims, autoscalers, policies, Jobs."""

from collections.abc import Sequence
from typing import Any

from tests.incidents.cluster import DAY, Cluster, Json, at, condition, copied, digest
from tests.incidents.kubelet import run

MONTH = 30 * DAY


def container(name: str, image: str, port: int, **fields: Any) -> Json:
    """A container as a sensible team writes it."""
    made: Json = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "main", "containerPort": port, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    return made | fields


def probe(port: int, path: str = "/healthz", **timing: int) -> Json:
    """An HTTP probe with the defaults that the API server fills in."""
    timed = {"initialDelaySeconds": 5, "periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3} | timing
    return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, "successThreshold": 1, **timed}


def deploy(
    cluster: Cluster,
    namespace: str,
    name: str,
    template: Json,
    *,
    replicas: int = 1,
    age: float = 20 * DAY,
    restarts: Sequence[int] = (),
) -> Json:
    """A Deployment, its set and its pods."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels | template.get("labels", {})}, "spec": template["spec"]}
    deployment = cluster.put(
        "Deployment",
        namespace,
        name,
        age=MONTH,
        metadata={"labels": labels, "generation": 4, "annotations": {"deployment.kubernetes.io/revision": "4"}},
        spec={
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        },
        status={},
    )
    older = replica_set(cluster, deployment, template, revision=3, replicas=0, age=MONTH)
    older["spec"]["template"]["spec"]["containers"][0]["image"] += "-rc1"
    newest = replica_set(cluster, deployment, template, revision=4, replicas=replicas, age=age)
    for number in range(replicas):
        add_pod(cluster, newest, number, age=age, restarts=restarts[number] if number < len(restarts) else 0)
    return deployment


def replica_set(
    cluster: Cluster, deployment: Json, template: Json, *, revision: int, replicas: int, age: float
) -> Json:
    """One revision of a Deployment."""
    meta = deployment["metadata"]
    hashed = digest(f"{meta['name']}{revision}{template['spec']}")
    template = copied(template)
    template["metadata"]["labels"]["pod-template-hash"] = hashed
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }
    return cluster.put(
        "ReplicaSet",
        meta["namespace"],
        f"{meta['name']}-{hashed}",
        age=age,
        metadata={
            "labels": dict(template["metadata"]["labels"]),
            "ownerReferences": [owner],
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
        },
        spec={
            "replicas": replicas,
            "template": template,
            "selector": {"matchLabels": dict(template["metadata"]["labels"])},
        },
        status={"replicas": 0},
    )


def add_pod(cluster: Cluster, replica_set: Json, number: int, *, age: float, restarts: int = 0) -> Json:
    """One pod of a set."""
    name = replica_set["metadata"]["name"]
    return run(
        cluster,
        replica_set["metadata"]["namespace"],
        replica_set,
        replica_set["spec"]["template"],
        f"{name}-{digest(f'{name}{number}', 5)}",
        age=age,
        restarts=restarts,
    )


def stateful(
    cluster: Cluster, namespace: str, name: str, template: Json, *, size: str = "8Gi", age: float = 20 * DAY
) -> Json:
    """A StatefulSet of one with a volume, and the headless Service of its name."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": template["spec"]}
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "standard",
            "resources": {"requests": {"storage": size}},
        },
    }
    made = cluster.put(
        "StatefulSet",
        namespace,
        name,
        age=MONTH,
        metadata={"labels": labels, "generation": 1},
        spec={
            "replicas": 1,
            "serviceName": name,
            "selector": {"matchLabels": labels},
            "template": template,
            "volumeClaimTemplates": [claim],
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        },
        status={},
    )
    volume_claim(cluster, namespace, f"data-{name}-0", size=size)
    pod = run(cluster, namespace, made, template, f"{name}-0", age=age)
    pod["metadata"]["labels"] |= {
        "statefulset.kubernetes.io/pod-name": f"{name}-0",
        "apps.kubernetes.io/pod-index": "0",
    }
    pod["spec"].setdefault("volumes", []).append(
        {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}-0"}}
    )
    return made


def daemons(cluster: Cluster, namespace: str, name: str, template: Json, *, nodes: Sequence[str]) -> Json:
    """A DaemonSet and its pods."""
    labels = {"app": name} | template.get("labels", {})
    template = {"metadata": {"labels": labels}, "spec": template["spec"]}
    made = cluster.put(
        "DaemonSet",
        namespace,
        name,
        age=200 * DAY,
        metadata={"labels": labels, "generation": 1},
        spec={
            "selector": {"matchLabels": labels},
            "template": template,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        },
        status={},
    )
    for node in nodes:
        run(cluster, namespace, made, template, f"{name}-{digest(name + node, 5)}", age=40 * DAY, node=node)
    return made


def volume_claim(
    cluster: Cluster,
    namespace: str,
    name: str,
    *,
    size: str = "8Gi",
    mode: str = "ReadWriteOnce",
    storage_class: str = "standard",
    bound: bool = True,
    age: float = MONTH,
) -> Json:
    """A claim, and its volume where it is bound."""
    spec: Json = {
        "accessModes": [mode],
        "resources": {"requests": {"storage": size}},
        "volumeMode": "Filesystem",
        "storageClassName": storage_class,
    }
    claim = cluster.put("PersistentVolumeClaim", namespace, name, age=age, spec=spec, status={"phase": "Pending"})
    if bound:
        volume = f"pvc-{claim['metadata']['uid'][:13]}"
        spec["volumeName"] = volume
        claim["status"] = {"phase": "Bound", "accessModes": [mode], "capacity": {"storage": size}}
        cluster.put(
            "PersistentVolume",
            "",
            volume,
            age=age,
            status={"phase": "Bound"},
            spec={
                "capacity": {"storage": size},
                "accessModes": [mode],
                "storageClassName": storage_class,
                "persistentVolumeReclaimPolicy": "Delete",
                "csi": {"driver": "csi.example.com", "volumeHandle": volume},
                "claimRef": {
                    "kind": "PersistentVolumeClaim",
                    "namespace": namespace,
                    "name": name,
                    "uid": claim["metadata"]["uid"],
                },
            },
        )
    return claim


def service(cluster: Cluster, namespace: str, name: str, port: int, **fields: Any) -> Json:
    """A Service in front of the workload of its name."""
    headless = fields.pop("headless", False)
    spec: Json = {
        "type": "ClusterIP",
        "clusterIP": "None" if headless else cluster.cluster_ip(name),
        "selector": {"app": name},
        "ports": [{"name": "main", "port": port, "targetPort": port, "protocol": "TCP"}],
        "sessionAffinity": "None",
    }
    return cluster.put(
        "Service",
        namespace,
        name,
        age=MONTH,
        spec=spec | fields,
        status={"loadBalancer": {}},
        metadata={"labels": {"app": name}},
    )


def autoscaler(cluster: Cluster, name: str, *, namespace: str = "shop", target: str = "") -> Json:
    """A horizontal autoscaler that has nothing to do."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target or name}
    metric: Json = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    now = {
        "type": "Resource",
        "resource": {"name": "cpu", "current": {"averageUtilization": 22, "averageValue": "22m"}},
    }
    replicas = cluster.get("Deployment", target or name, namespace)["spec"]["replicas"]
    return cluster.put(
        "HorizontalPodAutoscaler",
        namespace,
        name,
        spec={"scaleTargetRef": reference, "minReplicas": replicas, "maxReplicas": 10, "metrics": [metric]},
        status={
            "currentReplicas": replicas,
            "desiredReplicas": replicas,
            "currentMetrics": [now],
            "conditions": [
                condition(
                    "AbleToScale",
                    status=True,
                    reason="ReadyForNewScale",
                    message="recommended size matches current size",
                    changed=DAY,
                ),
                condition(
                    "ScalingActive",
                    status=True,
                    reason="ValidMetricFound",
                    changed=DAY,
                    message="the HPA was able to successfully calculate a replica count from cpu resource utilization",
                ),
                condition(
                    "ScalingLimited",
                    status=True,
                    reason="TooFewReplicas",
                    changed=DAY,
                    message="the desired replica count is less than the minimum replica count",
                ),
            ],
        },
    )


def policy(cluster: Cluster, name: str, *, callers: Sequence[str], port: int) -> Json:
    """A network policy that lets some callers in."""
    peers = [{"podSelector": {"matchLabels": {"app": caller}}} for caller in callers]
    return cluster.put(
        "NetworkPolicy",
        "shop",
        f"{name}-callers",
        age=MONTH,
        spec={
            "podSelector": {"matchLabels": {"app": name}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": peers, "ports": [{"protocol": "TCP", "port": port}]}],
        },
    )


def job(cluster: Cluster, schedule: Json, name: str, template: Json, *, age: float) -> Json:
    """A Job of a schedule that has succeeded."""
    meta = schedule["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": meta["name"], "uid": meta["uid"], "controller": True}
    made = cluster.put(
        "Job",
        meta["namespace"],
        name,
        age=age,
        metadata={"ownerReferences": [owner], "labels": {"app": meta["name"]}},
        spec={"backoffLimit": 3, "completions": 1, "parallelism": 1, "template": template},
        status={
            "succeeded": 1,
            "startTime": at(age),
            "completionTime": at(age - 4),
            "conditions": [condition("Complete", status=True, changed=age - 4)],
        },
    )
    pod = run(cluster, meta["namespace"], made, template, f"{name}-{digest(name, 5)}", age=age)
    pod["status"]["phase"] = "Succeeded"
    for each in pod["status"]["conditions"]:
        if each["type"] in ("Ready", "ContainersReady"):
            each |= {"status": "False", "reason": "PodCompleted"}
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": at(age), "finishedAt": at(age - 4)}
    pod["status"]["containerStatuses"][0] |= {"ready": False, "started": False, "state": {"terminated": ended}}
    return made
