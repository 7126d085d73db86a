"""What happens while one looks: a real API server, whose objects a test changes meanwhile."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from whenever import Instant

from tests.kubernetes import scenes
from tests.kubernetes.conftest import ApiServer
from tests.kubernetes.test_live import grant, world
from tools.caching import MemoryCache
from tools.evidence import Evidence, Outcome
from tools.kubernetes.live import LiveCluster
from tools.kubernetes.watch import WatchArgs, summarised, watch
from tools.looking import Looker
from tools.snapshot.opening import open_snapshot
from tools.world import World

pytestmark = pytest.mark.xdist_group("cluster")


async def looked(world: World, **args: Any) -> Evidence:
    return await Looker(world, cache=MemoryCache()).look("kubernetes.watch", args)


async def test_what_is_added_changed_and_deleted_is_told(
    api_server: ApiServer, cluster: LiveCluster, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    for name in ("cart-1", "cart-2"):
        api_server.create(path, scenes.pod(namespace, name), status=scenes.running())
    before = api_server.watches("pods")
    looking = asyncio.ensure_future(watch.run(world(cluster), WatchArgs(kind="po", namespace=namespace, seconds=2)))
    await api_server.watched("pods", beyond=before)

    api_server.ask("PATCH", f"{path}/cart-1/status", {"status": scenes.crashing()})
    api_server.ask("PATCH", f"{path}/cart-1", {"metadata": {"labels": {"tier": "secret-value"}}})
    api_server.create(path, scenes.pod(namespace, "cart-3"))
    api_server.ask("DELETE", f"{path}/cart-2?gracePeriodSeconds=0")
    reading = await looking

    head, first, *lines = reading.text.splitlines()
    assert head == f"Pod in {namespace}, watched for 2 s: 1 added, 3 modified, 1 deleted, of 3 objects"
    assert first.startswith(f"modified 2x: {namespace}/cart-1 0/1 CrashLoopBackOff restarts=7")
    assert lines[0] == "  status.containerStatuses[cart].restartCount: 0 -> 7"
    assert "  status.containerStatuses[cart].ready: true -> false" in lines
    assert "  status.containerStatuses[cart].state.waiting.reason: none -> CrashLoopBackOff" in lines
    assert "  beside the status: metadata.labels" in lines
    assert "secret-value" not in reading.text
    assert any(line.startswith(f"added: {namespace}/cart-3 0/1 Pending") for line in lines)
    assert any(line.startswith(f"modified, deleted: {namespace}/cart-2 1/1 Terminating") for line in lines)
    assert reading.query == f"timeout 2 kubectl get pods -n {namespace} --watch-only --output-watch-events"


async def test_one_object_is_watched_by_its_name_and_heartbeats_are_no_news(
    api_server: ApiServer, cluster: LiveCluster, namespace: str
) -> None:
    def status(at: str) -> dict[str, Any]:
        return {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": at}]}

    for name in ("watched-1", "watched-2"):
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        api_server.create("/api/v1/nodes", node, status=status("2026-01-01T10:00:00Z"))
    args = WatchArgs(kind="Node", namespace=namespace, name="watched-1", seconds=1)
    before = api_server.watches("nodes")
    looking = asyncio.ensure_future(watch.run(world(cluster), args))
    await api_server.watched("nodes", beyond=before)

    for name in ("watched-1", "watched-2"):
        api_server.ask("PATCH", f"/api/v1/nodes/{name}/status", {"status": status("2026-01-01T10:00:10Z")})
    reading = await looking

    assert [(each["object"], each["status"], each["elsewhere"]) for each in reading.data] == [("watched-1", {}, [])]
    assert reading.query == "timeout 1 kubectl get nodes watched-1 --watch-only --output-watch-events"


async def test_nothing_that_happens_is_empty(api_server: ApiServer, cluster: LiveCluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    api_server.create(path, scenes.pod(namespace, "cart-1"), status=scenes.crashing())

    evidence = await looked(world(cluster), kind="Pod", namespace=namespace, seconds=1)

    assert (evidence.outcome, evidence.excerpt) == (Outcome.EMPTY, "")


async def test_what_rbac_forbids_to_watch_is_a_gap_that_names_the_rule(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    grant(api_server, namespace, "reader", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}])
    cluster = LiveCluster(kubeconfig=api_server.kubeconfig("reader-token", tmp_path))
    try:
        evidence = await looked(world(cluster), kind="Pod", namespace=namespace, seconds=20)
    finally:
        await cluster.aclose()

    assert evidence.outcome is Outcome.ERROR
    assert "cannot watch resource" in evidence.why
    assert 'resources: ["pods"], verbs: ["get", "list", "watch"]' in evidence.why


async def test_secrets_are_never_watched(cluster: LiveCluster, namespace: str) -> None:
    evidence = await looked(world(cluster), kind="secrets", namespace=namespace)

    assert (evidence.outcome, "does not read secrets" in evidence.why) == (Outcome.ERROR, True)


async def test_a_kind_that_can_only_be_listed_is_no_source(cluster: LiveCluster) -> None:
    evidence = await looked(world(cluster), kind="ComponentStatus", seconds=1)

    assert (evidence.outcome, "does not let it be watched" in evidence.why) == (Outcome.NO_SOURCE, True)


async def test_a_snapshot_stands_still(tmp_path: Path) -> None:
    (tmp_path / "snapshot.yaml").write_text("captured_at: 2026-01-01T11:00:00Z\n")
    (tmp_path / "kubernetes").mkdir()
    (tmp_path / "kubernetes" / "pods.json").write_text('{"kind": "PodList", "apiVersion": "v1", "items": []}')

    evidence = await looked(await open_snapshot(tmp_path), kind="Pod", seconds=20)

    assert (evidence.outcome, "stands still" in evidence.why) == (Outcome.NO_SOURCE, True)


@pytest.mark.parametrize("seconds", [0, 21])
async def test_nobody_watches_for_longer_than_a_person_waits(seconds: int) -> None:
    evidence = await looked(World(name="live"), kind="Pod", seconds=seconds)

    assert (evidence.outcome, "'seconds'" in evidence.why) == (Outcome.ERROR, True)


def test_the_values_that_a_field_went_through_stand_in_one_line() -> None:
    states = [scenes.crashing(), scenes.running(restarts=8), scenes.crashing(), scenes.running(restarts=9)] * 2
    objects = [{**scenes.pod("shop", "cart-1"), "status": state} for state in states]
    changes = [{"type": "MODIFIED", "object": after, "before": before} for before, after in pairwise(objects)]

    (told,) = summarised(changes, Instant.parse_iso("2026-01-01T11:00:00Z"))

    assert told["changes"] == ["MODIFIED"] * 7
    assert told["status"]["status.containerStatuses[cart].restartCount"] == ["7", "8", "7", "9", "7", "8", "7", "9"]
    assert next(iter(told["status"])) == "status.containerStatuses[cart].restartCount"
    assert told["elsewhere"] == []
