"""A chart's identities on a real API server, and objects for every action to be about."""

import asyncio
import json
import urllib.error
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import helm_python
import yaml

from approvals.runners.kubernetes.live import LiveApi
from approvals.runners.kubernetes.runner import KubernetesRunner
from tests.kubernetes import scenes
from tests.kubernetes.conftest import ApiServer

CHART = Path(__file__).parents[2] / "helm" / "locum"
RELEASE = "demo"
HOME = "locum"
Object = dict[str, Any]

PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "ControllerRevision": "/apis/apps/v1/namespaces/{}/controllerrevisions",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "CronJob": "/apis/batch/v1beta1/namespaces/{}/cronjobs",
    "PodDisruptionBudget": "/apis/policy/v1beta1/namespaces/{}/poddisruptionbudgets",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v1/namespaces/{}/horizontalpodautoscalers",
    "Node": "/api/v1/nodes",
}
IDENTITIES = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def rendered(*, actions: Sequence[str], namespaces: Sequence[str], **values: Any) -> list[Object]:
    """The documents of the chart with a runner for these actions in these namespaces."""
    runner = {"enabled": True, "actions": list(actions), "namespaces": list(namespaces)}
    with helm_python.Chart.load(str(CHART)) as chart:
        files = chart.render(
            {"image": {"repository": "registry.example/locum"}, "runner": runner, **values},
            name=RELEASE,
            namespace=HOME,
        )
    return [each for text in files.values() for each in yaml.safe_load_all(text) if each]


def path_of(kind: str, namespace: str, name: str = "") -> str:
    return PATHS[kind].format(namespace) + (f"/{name}" if name else "")


def put(server: ApiServer, obj: Object, namespace: str = "") -> Object:
    """Creates an object, with its status, or leaves the one that is there."""
    where = obj["metadata"].get("namespace", namespace)
    path = path_of(obj["kind"], where)
    try:
        server.create(path, obj, status=obj.get("status"))
    except urllib.error.HTTPError as e:
        if e.code != 409:
            raise AssertionError(e.read().decode()) from e
    return get(server, obj["kind"], where, obj["metadata"]["name"])


def get(server: ApiServer, kind: str, namespace: str, name: str) -> Object:
    return server.ask("GET", path_of(kind, namespace, name))


def exists(server: ApiServer, kind: str, namespace: str, name: str) -> bool:
    try:
        found = get(server, kind, namespace, name)
    except urllib.error.HTTPError:
        return False
    return "deletionTimestamp" not in found["metadata"]


def install(server: ApiServer, documents: Sequence[Object]) -> None:
    """Applies the identities of a rendered chart, and what they may do."""
    put(server, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
    for each in documents:
        if each["kind"] in IDENTITIES:
            put(server, each, HOME)


def remove_cluster_roles(server: ApiServer, documents: Sequence[Object]) -> None:
    """Takes away what would hold beyond the test's own namespace."""
    for each in documents:
        if each["kind"] in ("ClusterRole", "ClusterRoleBinding"):
            server.ask("DELETE", path_of(each["kind"], "", each["metadata"]["name"]))


def token(server: ApiServer, account: str) -> str:
    """A real token of a ServiceAccount of the chart."""
    path = f"{path_of('ServiceAccount', HOME, f'{RELEASE}-{account}')}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    return str(server.ask("POST", path, asked)["status"]["token"])


def kubeconfig(server: ApiServer, folder: Path, bearer: str, *, host: str = "", name: str = "runner") -> Path:
    template = server.kubeconfig("placeholder", folder)
    config = template.read_text().replace("placeholder", bearer)
    path = folder / f"kubeconfig-of-{name}"
    path.write_text(config.replace(server.host, host) if host else config)
    return path


@dataclass(frozen=True, kw_only=True)
class Right:
    """One thing that an identity may do or not."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""


def may(server: ApiServer, account: str, right: Right) -> bool:
    """Whether a ServiceAccount of the chart may do something, as the server's own authorizer says."""
    attributes: Object = {"verb": right.verb, "group": right.group, "namespace": right.namespace}
    attributes["resource"], _, attributes["subresource"] = right.resource.partition("/")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{HOME}:{RELEASE}-{account}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{HOME}", "system:authenticated"],
            "resourceAttributes": attributes,
        },
    }
    return bool(server.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"])


async def settled(server: ApiServer, documents: Sequence[Object]) -> None:
    """Returns when the authorizer has heard of every rule for the runner."""
    asked = rights(each for each in documents if "runner" in each["metadata"]["name"])
    async with asyncio.timeout(10):
        for each in asked:
            while not await asyncio.to_thread(may, server, "runner", each):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.02)


def rights(documents: Iterable[Object]) -> list[Right]:
    """Everything that the roles among the documents allow."""
    return [
        Right(verb=verb, resource=resource, group=group, namespace=each["metadata"].get("namespace", ""))
        for each in documents
        if each["kind"] in ("Role", "ClusterRole")
        for rule in each["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for group in rule["apiGroups"]
    ]


@asynccontextmanager
async def running_as(config: Path, *, timeout_s: float = 10.0) -> AsyncGenerator[KubernetesRunner]:
    api = LiveApi(kubeconfig=config, timeout_s=timeout_s)
    try:
        yield KubernetesRunner(api)
    finally:
        await api.aclose()


async def wanted() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Case:
    """One action and the objects that it needs; `{}` in the target is the namespace."""

    action: str
    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    objects: Sequence[Object]
    undo: Mapping[str, Any] | None
    """Name and arguments of the way back."""
    shows: tuple[str, ...] = ()
    """Lines of the diff."""


def deployment(**template: Any) -> Object:
    made = deepcopy(scenes.deployment("", "cart"))
    del made["metadata"]["namespace"]
    container = made["spec"]["template"]["spec"]["containers"][0]
    container |= {
        "resources": {"limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "timeoutSeconds": 1},
        **template,
    }
    return made


def stateful(kind: str = "StatefulSet") -> Object:
    made = deployment()
    made["kind"] = kind
    if kind == "StatefulSet":
        made["spec"]["serviceName"] = "cart"
    else:
        del made["spec"]["replicas"]
    return made


def service() -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": "cart", "tier": "backend"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart"}, "spec": spec}


def pod(name: str = "cart-1", *, owned: bool = True) -> Object:
    made = deepcopy(scenes.pod("", name))
    del made["metadata"]["namespace"]
    if owned:
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-h1", "uid": "u-1", "controller": True}
        made["metadata"]["ownerReferences"] = [owner]
    return made | {"status": scenes.running()}


def job(*, failed: bool = True) -> Object:
    template = {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "report", "image": "registry.test/report:1"}]}
    }
    condition = {"type": "Failed" if failed else "Complete", "status": "True", "reason": "BackoffLimitExceeded"}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report"}, "spec": {"template": template},
        "status": {"failed": 3, "conditions": [condition]},
    }  # fmt: skip


def cron_job(*, suspend: bool = False) -> Object:
    template = job()["spec"]
    return {
        "apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": "report"},
        "spec": {"schedule": "5 * * * *", "suspend": suspend, "jobTemplate": {"spec": template}},
    }  # fmt: skip


def node(name: str, *, cordoned: bool = False) -> Object:
    made: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"unschedulable": cordoned}}
    return made | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


NEW_PROBE = {
    "port": 9090, "path": "/healthz", "timeout_seconds": 5, "initial_delay_seconds": 20, "period_seconds": None,
    "failure_threshold": None,
}  # fmt: skip
OLD_PROBE = NEW_PROBE | {"port": 8080, "path": "/ready", "timeout_seconds": 1, "initial_delay_seconds": 0}
NEW_RESOURCES = {"cpu_request": None, "memory_request": None, "cpu_limit": "500m", "memory_limit": "512Mi"}
OLD_RESOURCES = NEW_RESOURCES | {"cpu_limit": "none", "memory_limit": "256Mi"}

CASES = {
    "restart": Case(action="restart-workload", target="deployment/{}/cart", objects=[deployment()], undo=None,
        shows=("+        kubectl.kubernetes.io/restartedAt:",)),
    "restart-daemonset": Case(action="restart-workload", target="daemonset/{}/cart", objects=[stateful("DaemonSet")],
        undo=None, shows=("+        kubectl.kubernetes.io/restartedAt:",)),
    "scale": Case(action="scale-workload", target="deployment/{}/cart", arguments={"replicas": 5},
        objects=[deployment()], undo={"name": "scale-workload", "arguments": {"replicas": 2}},
        shows=("-  replicas: 2", "+  replicas: 5")),
    "scale-statefulset": Case(action="scale-workload", target="statefulset/{}/cart", arguments={"replicas": 0},
        objects=[stateful()], undo={"name": "scale-workload", "arguments": {"replicas": 2}},
        shows=("-  replicas: 2", "+  replicas: 0")),
    "image": Case(action="set-image", target="statefulset/{}/cart",
        arguments={"container": "cart", "image": "registry.test/cart:2", "other_repository": False},
        objects=[stateful()], undo={"name": "set-image", "arguments": {
            "container": "cart", "image": "registry.test/cart:1", "other_repository": False}},
        shows=("-        image: registry.test/cart:1", "+        image: registry.test/cart:2")),
    "image-elsewhere": Case(action="set-image", target="deployment/{}/cart",
        arguments={"container": "cart", "image": "mirror.test/cart:1", "other_repository": True},
        objects=[deployment()], undo={"name": "set-image", "arguments": {
            "container": "cart", "image": "registry.test/cart:1", "other_repository": True}},
        shows=("+        image: mirror.test/cart:1",)),
    "probe": Case(action="patch-probe", target="deployment/{}/cart",
        arguments={"container": "cart", "probe": "readiness", **NEW_PROBE}, objects=[deployment()],
        undo={"name": "patch-probe", "arguments": {"container": "cart", "probe": "readiness", **OLD_PROBE}},
        shows=("+            path: /healthz", "+            port: 9090", "+          timeoutSeconds: 5",
               "+          initialDelaySeconds: 20")),
    "resources": Case(action="set-resources", target="deployment/{}/cart",
        arguments={"container": "cart", **NEW_RESOURCES}, objects=[deployment()],
        undo={"name": "set-resources", "arguments": {"container": "cart", **OLD_RESOURCES}},
        shows=("+            cpu: 500m", "-            memory: 256Mi", "+            memory: 512Mi")),
    "port": Case(action="patch-service-port", target="service/{}/cart", arguments={"port": 80, "target_port": "web"},
        objects=[service()], undo={"name": "patch-service-port", "arguments": {"port": 80, "target_port": 8080}},
        shows=("-    targetPort: 8080", "+    targetPort: web")),
    "selector": Case(action="patch-service-selector", target="service/{}/cart",
        arguments={"selector": {"app": "cart"}}, objects=[service(), pod()],
        undo={"name": "patch-service-selector", "arguments": {"selector": {"app": "cart", "tier": "backend"}}},
        shows=("-    tier: backend",)),
    "delete-pod": Case(action="delete-pod", target="pod/{}/cart-1", objects=[pod()], undo=None),
    "delete-job": Case(action="delete-failed-job", target="job/{}/report", objects=[job()], undo=None),
    "suspend": Case(action="suspend-cronjob", target="cronjob/{}/report", objects=[cron_job()],
        undo={"name": "resume-cronjob", "arguments": {}}, shows=("-  suspend: false", "+  suspend: true")),
    "resume": Case(action="resume-cronjob", target="cronjob/{}/report", objects=[cron_job(suspend=True)],
        undo={"name": "suspend-cronjob", "arguments": {}}, shows=("-  suspend: true", "+  suspend: false")),
    "cordon": Case(action="cordon-node", target="node//for-cordon", objects=[node("for-cordon")],
        undo={"name": "uncordon-node", "arguments": {}}, shows=("+  unschedulable: true",)),
    "uncordon": Case(action="uncordon-node", target="node//for-uncordon", objects=[node("for-uncordon", cordoned=True)],
        undo={"name": "cordon-node", "arguments": {}}, shows=("-  unschedulable: true",)),
}  # fmt: skip


def history(server: ApiServer, namespace: str, kind: str) -> None:
    """A workload at its second revision, with both in its history."""
    workload = put(server, deployment() if kind == "Deployment" else stateful(kind), namespace)
    owner = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": "cart",
        "uid": workload["metadata"]["uid"],
        "controller": True,
    }
    for revision, image in ((1, "registry.test/cart:0"), (2, "registry.test/cart:1")):
        template = deepcopy(workload["spec"]["template"])
        template["spec"]["containers"][0]["image"] = image
        metadata = {"name": f"cart-h{revision}", "ownerReferences": [owner]}
        if kind == "Deployment":
            labels = {"app": "cart", "pod-template-hash": f"h{revision}"}
            template["metadata"]["labels"] = labels
            metadata |= {"labels": labels, "annotations": {"deployment.kubernetes.io/revision": str(revision)}}
            spec = {"replicas": revision - 1, "selector": {"matchLabels": labels}, "template": template}
            made: Object = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
        else:
            data = {"spec": {"template": {"$patch": "replace", **template}}}
            made = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "revision": revision}
            made["data"] = data
        put(server, made, namespace)


def same(before: Object, after: Object) -> bool:
    """Whether two objects ask for the same."""
    return json.dumps(before["spec"], sort_keys=True) == json.dumps(after["spec"], sort_keys=True)
