"""The Kubernetes tools over recorded objects: what they say, in which order, and what they cite."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from whenever import Instant

from tests.kubernetes import scenes
from tools.errors import ToolNoSource
from tools.kind import plural
from tools.kubernetes.events import EventsArgs, events, normalised
from tools.kubernetes.kinds import canonical
from tools.kubernetes.logs import LogsArgs, logs
from tools.kubernetes.objects import MAX_LINES, ObjectsArgs, objects
from tools.kubernetes.render import excerpt
from tools.kubernetes.rollouts import RolloutArgs, revisions, rollout_history
from tools.kubernetes.rows import row
from tools.snapshot.opening import open_snapshot
from tools.world import World

NOW = Instant.parse_iso("2026-01-01T11:00:00Z")


async def world_of(tmp_path: Path, *found: scenes.Object) -> World:
    folder = tmp_path / "kubernetes"
    folder.mkdir()
    (folder / "objects.json").write_bytes(orjson.dumps(scenes.listed(*found)))
    (tmp_path / "snapshot.yaml").write_text(f"captured_at: {NOW}\n")
    return await open_snapshot(tmp_path)


def node(name: str, **status: Any) -> scenes.Object:
    conditions = [{"type": "Ready", "status": "True"}, {"type": "MemoryPressure", "status": "False"}]
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "status": {"conditions": conditions, **status},
    }  # fmt: skip


async def test_a_long_list_says_how_much_of_it_is_not_shown(tmp_path: Path) -> None:
    pods = [{**scenes.pod("shop", f"p-{number:03}"), "status": scenes.running()} for number in range(MAX_LINES + 10)]
    pods += [{**scenes.pod("shop", "ill"), "status": scenes.crashing()}]

    reading = await objects.run(await world_of(tmp_path, *pods), ObjectsArgs(kind="pods"))
    lines = reading.text.splitlines()

    assert lines[0] == "71 Pod, 1 with a complaint in the status"
    assert lines[1].startswith("shop/ill 0/1 CrashLoopBackOff")
    assert lines[-1] == "… 11 more, 0 of them with a complaint"
    assert len(lines) == MAX_LINES + 2
    assert len(reading.data) == 71


async def test_one_object_is_found_by_its_name_and_nodes_lie_in_no_namespace(tmp_path: Path) -> None:
    world = await world_of(tmp_path, node("worker-1"), node("worker-2"))

    reading = await objects.run(world, ObjectsArgs(kind="no", namespace="shop", name="worker-2"))

    assert [each["metadata"]["name"] for each in reading.data] == ["worker-2"]
    assert reading.query == "kubectl get nodes worker-2 -o yaml"


async def test_without_a_cluster_there_is_no_source() -> None:
    for look in (
        objects.run(World(name="live"), ObjectsArgs(kind="Pod")),
        events.run(World(name="live"), EventsArgs()),
        logs.run(World(name="live"), LogsArgs(namespace="shop", pod="cart-1")),
        rollout_history.run(World(name="live"), RolloutArgs(namespace="shop", deployment="cart")),
    ):
        with pytest.raises(ToolNoSource, match="kubeconfig"):
            await look


@pytest.mark.parametrize(
    ("word", "kind", "many"),
    [
        ("po", "Pod", "pods"), ("endpointslices", "EndpointSlice", "endpointslices"), ("ep", "Endpoints", "endpoints"),
        ("ingress", "Ingress", "ingresses"), ("networkpolicies", "NetworkPolicy", "networkpolicies"),
        ("storageclasses", "StorageClass", "storageclasses"), ("Gateway", "Gateway", "gateways"),
        ("Widget.test.example", "Widget.test.example", "widgets.test.example"),
    ],
)  # fmt: skip
def test_kinds_may_be_called_as_kubectl_users_call_them(word: str, kind: str, many: str) -> None:
    assert (canonical(word), plural(kind)) == (kind, many)


STATES: Sequence[tuple[scenes.Object, bool, str]] = (
    ({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]},
     True, "p 0/1 Pending (0/3 nodes) node=worker-1"),
    ({"phase": "Failed", "reason": "Evicted"}, True, "p 0/1 Evicted node=worker-1"),
    (scenes.running(restarts=2), False, "p 1/1 Running restarts=2 node=worker-1"),
    ({"phase": "Succeeded"}, False, "p 0/1 Succeeded node=worker-1"),
    ({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 3}}}]},
     True, "p 0/1 Init:ExitCode:3 node=worker-1"),
    ({"phase": "Pending", "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]},
     True, "p 0/1 ContainerCreating node=worker-1"),
    (scenes.crashing(reason="ImagePullBackOff"), True,
     "p 0/1 ImagePullBackOff restarts=7 last cart: OOMKilled(137) 60m ago node=worker-1"),
    ({"phase": "Running", "containerStatuses": [{"name": "c", "ready": False, "state": {"running": {}}}]}, True,
     "p 0/1 Running node=worker-1"),
    ({}, True, "p 0/1 Unknown node=worker-1"),
)  # fmt: skip


@pytest.mark.parametrize(("status", "complains", "line"), STATES)
def test_a_pod_is_told_as_kubectl_tells_it(status: scenes.Object, *, complains: bool, line: str) -> None:
    pod = {**scenes.pod("", "p"), "status": status}

    found = row(pod, NOW)

    assert (found.complains, found.line) == (complains, line)


OTHERS: Sequence[tuple[scenes.Object, bool, str]] = (
    ({**scenes.deployment("shop"), "status": {"readyReplicas": 1, "updatedReplicas": 1, "conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]}},
     True, "ready=1/2 updated=1 Progressing=False (ProgressDeadlineExceeded timed out) images=registry.test/cart:1"),
    (node("n", conditions=[{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"},
                           {"type": "DiskPressure", "status": "True"}]), True,
     "Ready=Unknown (NodeStatusUnknown) DiskPressure=True"),
    ({"kind": "EndpointSlice", "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "cart"}},
      "endpoints": [{"conditions": {"ready": False}}, {"conditions": {}}]}, False, "service=cart ready=1 not-ready=1"),
    ({"kind": "Endpoints", "metadata": {"name": "e"}, "subsets": []}, True, "ready=0 not-ready=0"),
    ({"kind": "Service", "metadata": {"name": "s"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80,
      "targetPort": "http"}], "selector": {"app": "cart"}}}, True, "no address ports=80->http selector=app=cart"),
    ({"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"storageClassName": "fast"},
      "status": {"phase": "Pending"}}, True, "Pending class=fast"),
    ({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {"maxReplicas": 5},
      "status": {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"},
      {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}]}}, True,
     "bounds=1..5 limited: TooManyReplicas ScalingActive=False (FailedGetResourceMetric)"),
    ({"kind": "Job", "metadata": {"name": "j"}, "spec": {}, "status": {"succeeded": 1, "conditions": [
      {"type": "Complete", "status": "True"}]}}, False, "succeeded=1/1"),
    ({"kind": "Job", "metadata": {"name": "j"}, "spec": {}, "status": {"failed": 4, "conditions": [
      {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}}, True,
     "succeeded=0/1 failed=4 Failed=True (BackoffLimitExceeded)"),
    ({"kind": "CronJob", "metadata": {"name": "c"}, "spec": {"schedule": "* * * * *", "suspend": True}}, True,
     "schedule='* * * * *' suspended never scheduled"),
    ({"kind": "ResourceQuota", "metadata": {"name": "q"}, "status": {"hard": {"pods": "4"}, "used": {"pods": "4"}}},
     True, "pods=4/4"),
    ({"kind": "Certificate", "metadata": {"name": "c"}, "status": {"conditions": [
      {"type": "Ready", "status": "False", "reason": "Expired"}]}}, True, "Ready=False (Expired)"),
)  # fmt: skip


@pytest.mark.parametrize(("obj", "complains", "part"), OTHERS)
def test_each_kind_is_told_by_what_matters_for_it(obj: scenes.Object, *, complains: bool, part: str) -> None:
    found = row(obj, NOW)

    assert found.complains is complains
    assert part in found.line


async def test_warnings_come_first_and_events_outside_the_minutes_are_left_out(tmp_path: Path) -> None:
    world = await world_of(
        tmp_path,
        scenes.event("shop", "old", "cart-1", at="2026-01-01T09:00:00Z"),
        scenes.event("shop", "normal", "cart-1", at="2026-01-01T10:59:00Z", kind="Normal", reason="Pulled"),
        scenes.event("shop", "early", "cart-1", at="2026-01-01T10:10:00Z", reason="Unhealthy"),
        scenes.event("shop", "late", "cart-2", at="2026-01-01T10:50:00Z"),
    )

    reading = await events.run(world, EventsArgs())
    lines = reading.text.splitlines()

    assert [each["metadata"]["name"] for each in reading.data] == ["late", "early", "normal"]
    assert lines[0] == "3 events, 2 of them warnings"
    assert lines[1] == "2026-01-01T10:50:00Z (10m ago) Warning BackOff Pod shop/cart-2 x3: BackOff of cart-2"
    assert reading.window is not None
    assert reading.window.end == NOW
    assert (await events.run(world, EventsArgs(name="cart-3"))).text == ""


def test_an_event_without_times_counts_from_its_creation() -> None:
    bare = {"metadata": {"creationTimestamp": "2026-01-01T10:00:00Z"}, "involvedObject": {}, "reason": "X"}
    series = {
        **bare,
        "eventTime": "2026-01-01T10:01:00Z",
        "series": {"count": 9, "lastObservedTime": "2026-01-01T10:30:00Z"},
    }

    assert normalised(bare)["lastTimestamp"] == "2026-01-01T10:00:00Z"
    found = normalised(series)
    assert (found["firstTimestamp"], found["lastTimestamp"], found["count"]) == (
        "2026-01-01T10:01:00Z", "2026-01-01T10:30:00Z", 9,
    )  # fmt: skip


async def test_the_diff_of_a_rollout_is_of_the_template_alone(tmp_path: Path) -> None:
    old, new = (scenes.replica_set("shop", revision, "registry.test/cart:1") for revision in (9, 10))
    new["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "fast"
    foreign = scenes.replica_set("shop", 11, "registry.test/other:1")
    foreign["metadata"]["ownerReferences"][0]["name"] = "other"
    world = await world_of(tmp_path, new, old, foreign)

    reading = await rollout_history.run(world, RolloutArgs(namespace="shop", deployment="cart"))

    assert [each["revision"] for each in reading.data] == [10, 9]
    changed = [line for line in reading.data[0]["diff"].splitlines() if line[0] in "+-"]
    assert changed == ["-      value: safe", "+      value: fast"]
    assert "+      value: fast" in reading.text
    assert revisions([]) == []


async def test_a_log_is_given_with_the_line_that_reads_it(tmp_path: Path) -> None:
    (tmp_path / "logs" / "shop" / "cart-1").mkdir(parents=True)
    (tmp_path / "logs" / "shop" / "cart-1" / "cart.previous.log").write_text("a\nb\n")
    world = await world_of(tmp_path, scenes.pod("shop", "cart-1"))

    args = LogsArgs(namespace="shop", pod="cart-1", container="cart", previous=True, tail_lines=1)
    reading = await logs.run(world, args)

    assert (reading.text, reading.data) == ("b", "b")
    assert reading.query == "kubectl logs -n shop cart-1 -c cart --previous --tail=1"


def test_an_excerpt_holds_the_named_parts_and_whose_they_are() -> None:
    obj: Any = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "uid": "u", "annotations": {"a.b/c": "1", "d": "2"}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "cart", "image": "i", "readinessProbe": {"port": 80}}, {"name": "proxy", "image": "j"},
        ]}}},
        "status": {"conditions": [{"type": "A"}, {"type": "B"}]},
    }  # fmt: skip

    found = yaml.safe_load(
        excerpt(
            obj, "spec.template.spec.containers[*].readinessProbe", "spec.template.spec.containers[*].image",
            "metadata.annotations.a\\.b/c", "status.conditions[1].type", "status.absent.deeper", "spec.replicas",
        )
    )  # fmt: skip

    assert found == {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "annotations": {"a.b/c": "1"}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "cart", "readinessProbe": {"port": 80}, "image": "i"}, {"name": "proxy", "image": "j"},
        ]}}},
        "status": {"conditions": [{"type": "B"}]},
    }  # fmt: skip
    with pytest.raises(ValueError, match="no path"):
        excerpt(obj, "spec..replicas")
