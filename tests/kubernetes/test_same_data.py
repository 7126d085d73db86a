"""Live and recorded: the same objects give the same tool data."""

from pathlib import Path

import orjson
import pytest

from tests.kubernetes import scenes
from tests.kubernetes.conftest import ApiServer
from tools.kubernetes.events import EventsArgs, events
from tools.kubernetes.live import LiveCluster
from tools.kubernetes.objects import ObjectsArgs, objects
from tools.kubernetes.rollouts import RolloutArgs, rollout_history
from tools.snapshot.opening import open_snapshot
from tools.snapshot.recorder import record
from tools.world import World

pytestmark = pytest.mark.xdist_group("cluster")

PATHS = {
    "pods": "/api/v1/namespaces/{}/pods",
    "events": "/api/v1/namespaces/{}/events",
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "replicasets": "/apis/apps/v1/namespaces/{}/replicasets",
}
KINDS = ("Pod", "Event", "Deployment", "ReplicaSet")


@pytest.fixture
def filled(api_server: ApiServer, namespace: str) -> str:
    at = "2026-01-01T10:00:00Z"
    pods = PATHS["pods"].format(namespace)
    api_server.create(pods, scenes.pod(namespace, "cart-1"), status=scenes.running())
    api_server.create(pods, scenes.pod(namespace, "cart-2"), status=scenes.crashing())
    api_server.create(PATHS["events"].format(namespace), scenes.event(namespace, "e1", "cart-2", at=at))
    api_server.create(PATHS["deployments"].format(namespace), scenes.deployment(namespace))
    for revision in (1, 2):
        replica_set = scenes.replica_set(namespace, revision, f"registry.test/cart:{revision}")
        api_server.create(PATHS["replicasets"].format(namespace), replica_set)
    return namespace


async def readings(world: World, namespace: str) -> list[object]:
    found = [(await objects.run(world, ObjectsArgs(kind=kind, namespace=namespace))).data for kind in KINDS]
    found.append((await rollout_history.run(world, RolloutArgs(namespace=namespace, deployment="cart"))).data)
    found.append((await events.run(world, EventsArgs(namespace=namespace, minutes=10_000))).data)
    return found


async def test_what_kubectl_writes_reads_like_the_cluster(
    api_server: ApiServer, cluster: LiveCluster, filled: str, tmp_path: Path
) -> None:
    folder = tmp_path / "snapshot" / "kubernetes"
    folder.mkdir(parents=True)
    for plural, path in PATHS.items():
        (folder / f"{plural}.json").write_bytes(orjson.dumps(api_server.ask("GET", path.format(filled))))

    recorded = await open_snapshot(folder.parent)

    live = World(name="live", captured_at=recorded.captured_at, cluster=cluster)
    assert await readings(recorded, filled) == await readings(live, filled)
    assert recorded.partial == frozenset()


async def test_what_locum_records_reads_like_the_cluster(cluster: LiveCluster, filled: str, tmp_path: Path) -> None:
    live = World(name="live", cluster=cluster)

    await record(live, tmp_path / "snapshot")

    recorded = await open_snapshot(tmp_path / "snapshot")
    at = World(name="live", captured_at=recorded.captured_at, cluster=cluster)
    assert await readings(recorded, filled) == await readings(at, filled)
    # Nothing runs here: that the logs could not be had is said, and nothing else is missing.
    assert recorded.partial == {"logs"}
    assert any("logs could not be read" in note for note in recorded.notes)
