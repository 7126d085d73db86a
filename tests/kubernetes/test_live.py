"""A live cluster: a real API server, in which nothing runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from whenever import Instant

from tests.kubernetes import scenes
from tests.kubernetes.conftest import ApiServer, serving
from tools.errors import ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.kubernetes import live as live_module
from tools.kubernetes.events import EventsArgs, events
from tools.kubernetes.live import LiveCluster
from tools.kubernetes.objects import ObjectsArgs, objects
from tools.kubernetes.rollouts import RolloutArgs, rollout_history
from tools.kubernetes.served import KindsArgs, kinds
from tools.world import World

pytestmark = pytest.mark.xdist_group("cluster")


def world(cluster: LiveCluster) -> World:
    return World(name="live", cluster=cluster)


def names(found: Any) -> list[str]:
    return sorted(each["metadata"]["name"] for each in found)


async def test_objects_come_with_their_kind_and_those_that_complain_come_first(
    api_server: ApiServer, cluster: LiveCluster, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    api_server.create(path, scenes.pod(namespace, "cart-1"), status=scenes.running())
    api_server.create(path, scenes.pod(namespace, "cart-2"), status=scenes.crashing())

    reading = await objects.run(world(cluster), ObjectsArgs(kind="po", namespace=namespace))

    assert names(reading.data) == ["cart-1", "cart-2"]
    assert {(each["apiVersion"], each["kind"]) for each in reading.data} == {("v1", "Pod")}
    assert reading.query == f"kubectl get pods -n {namespace} -o yaml"
    first = reading.text.splitlines()[1]
    assert first.startswith(f"{namespace}/cart-2 0/1 CrashLoopBackOff restarts=7 last cart: OOMKilled(137)")


async def test_which_kinds_are_served_is_told_without_a_look_at_any_object(cluster: LiveCluster) -> None:
    reading = await kinds.run(world(cluster), KindsArgs(kinds=("po", "Lease", "Gateway", "ScaledObject", "lease")))
    assert reading.data == ["Pod", "Lease"]
    assert reading.text == "served: Pod, Lease\nnot served: Gateway, ScaledObject"


async def test_a_long_list_is_read_page_by_page(
    api_server: ApiServer, cluster: LiveCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        name = f"settings-{number}"
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}}
        api_server.create(f"/api/v1/namespaces/{namespace}/configmaps", config)
    monkeypatch.setattr(live_module, "PAGE", 3)

    assert names(await cluster.objects("ConfigMap", namespace)) == [f"settings-{number}" for number in range(7)]


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Deployment", "apps/v1"), ("deploy", "apps/v1"), ("CronJob", "batch/v1beta1"), ("Job", "batch/v1"),
        ("Ingress", "networking.k8s.io/v1"), ("EndpointSlice", "discovery.k8s.io/v1beta1"),
        ("PodDisruptionBudget", "policy/v1beta1"), ("HorizontalPodAutoscaler", "autoscaling/v1"),
        ("StorageClass", "storage.k8s.io/v1"), ("ClusterRole", "rbac.authorization.k8s.io/v1"),
        ("Lease", "coordination.k8s.io/v1"), ("FlowSchema", "flowcontrol.apiserver.k8s.io/v1beta1"),
        ("flowschemas.flowcontrol.apiserver.k8s.io", "flowcontrol.apiserver.k8s.io/v1beta1"),
    ],
)  # fmt: skip
async def test_a_kind_is_found_in_whatever_version_the_cluster_serves(
    cluster: LiveCluster, kind: str, version: str
) -> None:
    assert {each["apiVersion"] for each in await cluster.objects(kind, None)} <= {version}


async def test_a_kind_that_is_not_served_is_no_source(cluster: LiveCluster, namespace: str) -> None:
    with pytest.raises(ToolNoSource, match="serves no kind 'Gadget'"):
        await cluster.objects("Gadget", namespace)
    with pytest.raises(ToolNoSource, match=r"serves no kind 'Pod\.no\.such\.group'"):
        await cluster.objects("Pod.no.such.group", namespace)


async def test_nothing_there_is_empty_and_not_a_gap(cluster: LiveCluster, namespace: str) -> None:
    reading = await objects.run(world(cluster), ObjectsArgs(kind="Pod", namespace=namespace))

    assert (reading.text, reading.data) == ("", [])


async def test_events_of_both_apis_have_one_form(api_server: ApiServer, cluster: LiveCluster, namespace: str) -> None:
    now = Instant.now().round("second")
    core = scenes.event(namespace, "core", "cart-1", at=str(now))
    modern = {
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "modern", "namespace": namespace},
        "eventTime": str(now).replace("Z", ".000000Z"), "reportingController": "test.example/scheduler",
        "reportingInstance": "one", "action": "Binding", "type": "Warning", "reason": "FailedScheduling",
        "note": "0/3 nodes are available", "regarding": {"kind": "Pod", "name": "cart-2", "namespace": namespace},
    }  # fmt: skip
    api_server.create(f"/api/v1/namespaces/{namespace}/events", core)
    api_server.create(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", modern)

    reading = await events.run(world(cluster), EventsArgs(namespace=namespace))
    by_reason = {each["reason"]: each for each in reading.data}

    assert by_reason["FailedScheduling"]["involvedObject"]["name"] == "cart-2"
    assert by_reason["FailedScheduling"]["message"] == "0/3 nodes are available"
    assert by_reason["FailedScheduling"]["lastTimestamp"].startswith(str(now)[:-1])
    assert by_reason["BackOff"]["count"] == 3
    only = await events.run(world(cluster), EventsArgs(namespace=namespace, kind="pod", name="cart-1"))
    assert [each["reason"] for each in only.data] == ["BackOff"]


async def test_a_rollout_shows_what_the_template_changed(
    api_server: ApiServer, cluster: LiveCluster, namespace: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
    for revision in (1, 2):
        api_server.create(path, scenes.replica_set(namespace, revision, f"registry.test/cart:{revision}"))

    reading = await rollout_history.run(world(cluster), RolloutArgs(namespace=namespace, deployment="cart"))

    newest, oldest = reading.data
    assert (newest["revision"], oldest["revision"], oldest["diff"]) == (2, 1, "")
    assert newest["images"] == ["registry.test/cart:2"]
    changed = [line.split() for line in newest["diff"].splitlines() if line[0] in "+-"]
    assert [line[-1] for line in changed] == ["registry.test/cart:1", "registry.test/cart:2"]
    assert "pod-template-hash" not in newest["diff"]


async def test_a_log_without_a_kubelet_is_unavailable_and_not_empty(
    api_server: ApiServer, cluster: LiveCluster, namespace: str
) -> None:
    addresses = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
    status = {**addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}}
    api_server.create("/api/v1/nodes", node, status=status)
    path = f"/api/v1/namespaces/{namespace}/pods"
    api_server.create(path, scenes.pod(namespace, "cart-1"), status=scenes.running())
    api_server.create(path, scenes.pod(namespace, "cart-2", containers=("cart", "proxy")), status=scenes.running())

    with pytest.raises(ToolUnavailable, match="refused"):
        await cluster.log(namespace, "cart-1", None, previous=False, tail_lines=10)
    with pytest.raises(ToolRetry, match="cart proxy"):
        await cluster.log(namespace, "cart-2", None, previous=False, tail_lines=10)
    with pytest.raises(ToolRetry, match="not found"):
        await cluster.log(namespace, "cart-3", None, previous=False, tail_lines=10)


async def test_what_rbac_forbids_is_refused_with_the_rule_that_is_missing(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    grant(api_server, namespace, "reader", rules)
    cluster = LiveCluster(kubeconfig=api_server.kubeconfig("reader-token", tmp_path))
    try:
        assert await cluster.objects("Pod", namespace) == []
        with pytest.raises(ToolRefused, match=r'apiGroups: \["apps"\], resources: \["deployments"\].*"list"'):
            await cluster.objects("Deployment", namespace)
        with pytest.raises(ToolRefused, match="cannot list resource"):
            await cluster.objects("Pod", None)
        with pytest.raises(ToolRefused, match=r'resources: \["pods/log"\], verbs: \["get"\]'):
            await cluster.log(namespace, "cart-1", None, previous=False, tail_lines=10)
    finally:
        await cluster.aclose()


@pytest.mark.parametrize("kind", ["Secret", "secrets", "secret"])
async def test_secrets_are_never_asked_for(cluster: LiveCluster, namespace: str, kind: str) -> None:
    with pytest.raises(ToolRefused, match="does not read secrets"):
        await cluster.objects(kind, namespace)


async def test_a_token_that_is_not_accepted_is_unavailable(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    cluster = LiveCluster(kubeconfig=api_server.kubeconfig("no-such-token", tmp_path))
    try:
        with pytest.raises(ToolUnavailable, match="does not accept the credentials"):
            await cluster.objects("Pod", namespace)
    finally:
        await cluster.aclose()


async def test_a_renewed_token_is_taken_up_without_a_restart(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    config = api_server.kubeconfig("admin-token", tmp_path)
    good = config.read_text()
    config.write_text(good.replace("admin-token", "expired-token"))
    cluster = LiveCluster(kubeconfig=config)
    try:
        with pytest.raises(ToolUnavailable):
            await cluster.objects("Pod", namespace)
        config.write_text(good)
        assert await cluster.objects("Pod", namespace) == []
    finally:
        await cluster.aclose()


async def test_an_api_server_that_is_killed_in_the_middle_is_unavailable_and_never_empty(
    etcd: str, keys: Path, tmp_path: Path
) -> None:
    with serving(etcd, keys, tmp_path) as (server, process):
        cluster = LiveCluster(kubeconfig=server.kubeconfig("admin-token", tmp_path), timeout_s=5)
        try:
            before = len(await cluster.objects("Namespace", None))
            watches = server.watches("namespaces")
            watching = asyncio.create_task(cluster.watch("Namespace", None, 20))
            await server.watched("namespaces", beyond=watches)
            questions = [asyncio.create_task(cluster.objects("Namespace", None)) for _ in range(40)]
            await asyncio.sleep(0)
            process.kill()
            answers = await asyncio.gather(*questions, return_exceptions=True)
            assert all(isinstance(each, ToolUnavailable) or len(each) == before for each in answers)  # pyright: ignore[reportArgumentType]
            with pytest.raises(ToolUnavailable):
                await watching
            process.wait()
            with pytest.raises(ToolUnavailable, match="cannot be reached"):
                await cluster.objects("Namespace", None)
        finally:
            await cluster.aclose()


@pytest.mark.parametrize("content", [None, "", "not: [yaml", "kind: Config", "current-context: nowhere"])
async def test_a_kubeconfig_that_is_missing_or_broken_is_no_source(tmp_path: Path, content: str | None) -> None:
    config = tmp_path / "config"
    if content is not None:
        config.write_text(content)
    cluster = LiveCluster(kubeconfig=config)

    with pytest.raises(ToolNoSource, match="config"):
        await cluster.objects("Pod", None)


def grant(api_server: ApiServer, namespace: str, user: str, rules: list[dict[str, Any]]) -> None:
    root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "read"}, "rules": rules}
    binding = {
        "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": "read"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "read"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }  # fmt: skip
    api_server.create(f"{root}/roles", role)
    api_server.create(f"{root}/rolebindings", binding)
