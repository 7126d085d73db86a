"""Changing a workload the way people do: a new template, and pods of it."""

from collections.abc import Callable

from tests.incidents.cluster import Cluster, Json, at
from tests.incidents.controllers import owned
from tests.incidents.kubelet import run
from tests.incidents.workloads import add_pod, replica_set

Edit = Callable[[Json], object]
"""Changes the pod specification of a template in place."""


def replace(cluster: Cluster, name: str, edit: Edit, *, namespace: str = "shop", age: float = 19) -> list[Json]:
    """A finished rollout: every pod is of the new template. They are ready until something else is said of them."""
    if ("StatefulSet", namespace, name) in cluster.objects:
        return [_recreate(cluster, cluster.get("StatefulSet", name, namespace), edit, age)]
    newest = _revise(cluster, name, edit, namespace=namespace, age=age)
    for pod in cluster.pods_of(name, namespace):
        cluster.drop("Pod", pod["metadata"]["name"], namespace)
    wanted = cluster.get("Deployment", name, namespace)["spec"]["replicas"]
    for each in owned(cluster, cluster.get("Deployment", name, namespace), "ReplicaSet"):
        each["spec"]["replicas"] = wanted if each is newest else 0
    return [add_pod(cluster, newest, number, age=age) for number in range(wanted)]


def surge(cluster: Cluster, name: str, edit: Edit, *, sick: bool, age: float = 19) -> list[Json]:
    """A rollout that waits for its first new pod while the old ones serve; finished in the healthy twin."""
    if not sick:
        return replace(cluster, name, edit, age=age)
    newest = _revise(cluster, name, edit, namespace="shop", age=age)
    newest["spec"]["replicas"] = 1
    deployment = cluster.get("Deployment", name)
    cluster.event(
        deployment,
        "ScalingReplicaSet",
        f"Scaled up replica set {newest['metadata']['name']} to 1 from 0",
        last=age,
        kind="Normal",
        source="deployment-controller",
    )
    return [add_pod(cluster, newest, 0, age=age)]


def blocked(cluster: Cluster, name: str, edit: Edit, why: str, *, sick: bool, age: float = 19) -> None:
    """Every pod of the new template is refused by the API server; the old ones were deleted."""
    pods = replace(cluster, name, edit, age=age)
    if not sick:
        return
    newest = max(cluster.all("ReplicaSet"), key=lambda each: each["metadata"]["creationTimestamp"])
    for pod in pods:
        cluster.drop("Pod", pod["metadata"]["name"])
    refuse(cluster, newest, why.format(pod=f"{newest['metadata']['name']}-x7k2p"), age=age)


def refuse(cluster: Cluster, replica_set: Json, message: str, *, age: float = 19) -> None:
    """The ReplicaSet could not create its pods."""
    replica_set["status"]["conditions"] = [
        {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreate",
            "message": message,
            "lastTransitionTime": at(age),
        },
    ]
    cluster.event(
        replica_set,
        "FailedCreate",
        f"Error creating: {message}",
        first=age,
        last=1.2,
        count=9,
        source="replicaset-controller",
    )


def _revise(cluster: Cluster, name: str, edit: Edit, *, namespace: str, age: float) -> Json:
    deployment = cluster.get("Deployment", name, namespace)
    template = deployment["spec"]["template"]
    edit(template["spec"])
    meta = deployment["metadata"]
    meta["generation"] += 1
    meta["annotations"]["deployment.kubernetes.io/revision"] = str(meta["generation"])
    wanted = deployment["spec"]["replicas"]
    return replica_set(cluster, deployment, template, revision=meta["generation"], replicas=wanted, age=age)


def _recreate(cluster: Cluster, stateful_set: Json, edit: Edit, age: float) -> Json:
    meta = stateful_set["metadata"]
    old = cluster.get("Pod", f"{meta['name']}-0", meta["namespace"])
    edit(stateful_set["spec"]["template"]["spec"])
    pod = run(
        cluster, meta["namespace"], stateful_set, stateful_set["spec"]["template"], old["metadata"]["name"], age=age
    )
    pod["metadata"]["labels"] = old["metadata"]["labels"]
    pod["metadata"]["uid"] = pod["metadata"]["uid"].replace("-4000-", "-4001-")
    claims = [each for each in old["spec"].get("volumes", []) if "persistentVolumeClaim" in each]
    pod["spec"].setdefault("volumes", []).extend(claims)
    return pod


def first(spec: Json) -> Json:
    """The first container of a pod specification."""
    return spec["containers"][0]


def set_env(name: str, value: str) -> Edit:
    """Sets one environment variable of the first container."""

    def edit(spec: Json) -> None:
        env = [each for each in first(spec).get("env", []) if each["name"] != name]
        first(spec)["env"] = [*env, {"name": name, "value": value}]

    return edit


def set_fields(**fields: object) -> Edit:
    """Sets fields of the first container."""
    return lambda spec: first(spec).update(fields)


def set_image(image: str) -> Edit:
    """Another image for the first container."""
    return set_fields(image=image)


def same(spec: Json) -> None:
    """Nothing changes: a restart."""
    spec["restarted"] = True
