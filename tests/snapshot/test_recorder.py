"""What is recorded and opened again answers the same, holds no secret, and says what is missing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from whenever import Instant

from tests.kubernetes import scenes
from tests.snapshot.conftest import Write
from tools.errors import ToolError, ToolNoSource, ToolRefused, ToolUnavailable
from tools.snapshot.folder import SnapshotError
from tools.snapshot.opening import open_snapshot
from tools.snapshot.recorder import record
from tools.window import Window
from tools.world import Object, World, need

END = Instant.parse_iso("2026-01-01T11:00:00Z")
HOUR = Window.ending(END, minutes=60)
FOUR_HOURS = Window.ending(END, minutes=240)
KINDS = ("Pod", "Service", "Event", "NetworkPolicy", "Secret", "ConfigMap")


class Cluster:
    """A cluster that answers what a test laid there; errors are raised, other kinds are not served."""

    def __init__(self, objects: Mapping[str, Sequence[Object] | ToolError], log: str | ToolError = "") -> None:
        self._objects = objects
        self._log = log
        self.logs: list[tuple[str, str | None, bool]] = []

    async def objects(self, kind: str, namespace: str | None) -> Sequence[Object]:
        assert namespace is None
        found = self._objects.get(kind, ToolNoSource(f"this cluster serves no kind {kind!r}"))
        if isinstance(found, ToolError):
            raise found
        return found

    async def serves(self, kind: str) -> bool:
        return kind in self._objects

    async def watch(self, kind: str, namespace: str | None, seconds: float) -> Sequence[Mapping[str, Any]]:
        raise AssertionError((kind, namespace, seconds))

    async def log(self, namespace: str, pod: str, container: str | None, *, previous: bool, tail_lines: int) -> str:
        assert namespace == "shop"
        assert tail_lines >= 1
        self.logs.append((pod, container, previous))
        if isinstance(self._log, ToolError):
            raise self._log
        return self._log


class Logs:
    """A store of lines that knows their times apart from them."""

    def __init__(self, *lines: Mapping[str, Any]) -> None:
        self._lines = lines

    async def lines(
        self, namespace: str | None, pod: str | None, contains: str | None, window: Window, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        assert (namespace, pod, contains) == (None, None, None)
        assert window == FOUR_HOURS
        return self._lines[-limit:]

    async def query(self, logql: str, window: Window, limit: int) -> Sequence[Mapping[str, Any]]:
        raise AssertionError((logql, window, limit))


def below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


async def everything(world: World) -> dict[str, Any]:
    """All that the ports of a world give."""
    cluster = need(world.cluster, "", "")
    history = need(world.history, "", "")
    found: dict[str, Any] = {kind: await cluster.objects(kind, None) for kind in KINDS}
    found["log"] = await cluster.log("shop", "cart-1", "cart", previous=False, tail_lines=50)
    found["previous"] = await cluster.log("shop", "cart-1", "cart", previous=True, tail_lines=50)
    found["lines"] = await need(world.logs, "", "").lines(None, None, None, HOUR, 100)
    found["signals"] = await need(world.metrics, "", "").signals((), None, HOUR)
    found["alerts"] = await need(world.alerts, "", "").active()
    found["probes"] = await need(world.network, "", "").recorded()
    found["changes"], found["calls"] = await history.changes(None), await history.calls()
    found["mongodb"] = [(each.name, await each.command("serverStatus")) for each in world.mongodb]
    found["host"] = await need(world.host, "", "").usage()
    found["said"] = (world.captured_at, world.window, world.default_namespace, world.partial, world.notes)
    return found


async def test_a_world_that_is_recorded_and_opened_again_answers_the_same(
    folder: Path, write: Write, tmp_path: Path
) -> None:
    write(
        "snapshot.yaml",
        f"captured_at: {END}\ndefault_namespace: shop\nwindow: {{start: {HOUR.start}, end: {END}}}\n"
        "partial: [probes]\nnotes: [one probe timed out]\n",
    )
    pod = {**scenes.pod("shop", "cart-1"), "status": scenes.crashing()}
    event = scenes.event("shop", "e", "cart-1", at="2026-01-01T10:59:00Z")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop"}, "spec": {}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "shop"},
        "data": {"k": "dg=="},
    }
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "shop"},
        "data": {"a": "1"},
    }
    write("kubernetes/all.json", scenes.listed(pod, event, service, secret, config))
    write("kubernetes/networkpolicies.json", scenes.listed())
    write("logs/shop/cart-1/cart.log", "2026-01-01T10:58:00Z oops\n  at line 1\n  at line 2\n")
    write("logs/shop/cart-1/cart.previous.log", "2026-01-01T10:50:00Z bye\n")
    write(
        "logs/rds/orders/slow.log", "no time here\n2026-01-01T10:51:00+01:00 outside\n2026-01-01T10:52:00.250Z slow\n"
    )
    write("signals/a.csv", "time,entity,signal,value\n1767261600.5,pod/shop/cart-1,cpu_cores,0.1\n")
    write("alerts/1.json", {"alerts": [{"status": "resolved", "labels": {"a": "b"}, "annotations": {}}]})
    write("probes/1.json", [{"probe": "tcp", "target": "cart:80", "ok": True}])
    write("changes/1.json", [{"kind": "deploy", "entity": "deployment/shop/cart", "summary": "v2", "at": str(END)}])
    write("topology.csv", "caller,callee\nservice/shop/web,service/shop/cart\n")
    write("mongodb/orders%3A27017.json", {"serverStatus": {"connections": {"current": 5}}})
    write("host/usage.json", {"cpu_ratio": 0.5})
    first = await open_snapshot(folder)

    notes = await record(first, tmp_path / "again" / "recorded")
    second = await open_snapshot(tmp_path / "again" / "recorded")

    assert await everything(second) == await everything(first)
    assert (await everything(second))["mongodb"][0][0] == "orders:27017"
    assert notes == second.notes == ("one probe timed out",)
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["recorded"]


async def test_no_secret_is_written(tmp_path: Path) -> None:
    planted = "hunter2hunter2"
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": planted}
    pod = scenes.pod("shop", "cart-1")
    pod["metadata"]["annotations"] = annotation
    pod["metadata"]["managedFields"] = [{"manager": planted}]
    pod["spec"]["containers"][0] |= {
        "env": [{"name": "DB_PASSWORD", "value": planted}, {"name": "MODE", "value": "safe"}],
        "args": [f"--token={planted}", f"--url=postgres://cart:{planted}@db/orders"],
    }
    secret = {
        "apiVersion": "v1", "kind": "Secret", "data": {"password": planted}, "stringData": {"token": planted},
        "metadata": {"name": "db", "namespace": "shop", "annotations": annotation},
    }  # fmt: skip
    config = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"},
        "data": {"api_key": planted, "mode": "safe"}, "binaryData": {"blob": planted},
    }  # fmt: skip
    cluster = Cluster(
        {"Pod": [pod], "Secret": [secret], "ConfigMap": [config]}, log=f"Authorization: Bearer {planted}\n"
    )
    line = {
        "at": "2026-01-01T10:59:00Z",
        "namespace": "shop",
        "pod": "web",
        "container": "web",
        "line": f"password={planted}",
    }

    await record(World(name="live", captured_at=END, cluster=cluster, logs=Logs(line)), tmp_path / "recorded")

    written = {path: path.read_text() for path in (tmp_path / "recorded").rglob("*") if path.is_file()}
    assert [path for path, text in written.items() if planted in text] == []
    everything_written = "\n".join(written.values())
    for kept in ("DB_PASSWORD", "MODE", "safe", "password", "registry.test/cart:1", "api_key", "blob"):
        assert kept in everything_written
    assert (tmp_path / "recorded").stat().st_mode & 0o077 == 0


async def test_what_could_not_be_captured_is_listed_and_the_rest_is_there(tmp_path: Path) -> None:
    cluster = Cluster(
        {
            "Pod": [{**scenes.pod("shop", "cart-1"), "status": scenes.crashing()}],
            "Deployment": ToolRefused("no permission to list deployments"),
            "ConfigMap": ToolRefused("no permission to list configmaps"),
            "Service": [],
        },
        log=ToolUnavailable("the kubelet does not answer"),
    )

    await record(World(name="live", cluster=cluster), tmp_path / "recorded")
    world = await open_snapshot(tmp_path / "recorded")

    assert world.partial == {"kubernetes", "logs"}
    said = "\n".join(world.notes)
    assert "no permission to list deployments" in said
    assert "no permission to list configmaps" in said
    assert "the kubelet does not answer" in said
    assert await need(world.cluster, "", "").objects("Service", None) == []
    with pytest.raises(ToolNoSource):
        await need(world.cluster, "", "").objects("Deployment", None)
    with pytest.raises(ToolNoSource):
        await need(world.cluster, "", "").log("shop", "cart-1", None, previous=False, tail_lines=5)
    assert world.metrics is world.alerts is world.network is world.host is None


async def test_pods_in_trouble_are_recorded_with_their_previous_log(tmp_path: Path) -> None:
    ill = {**scenes.pod("shop", "ill"), "status": scenes.crashing()}
    well = {**scenes.pod("shop", "well"), "status": scenes.running()}
    cluster = Cluster({"Pod": [well, ill]}, log="something\n")

    await record(World(name="live", cluster=cluster), tmp_path / "recorded")

    assert sorted(cluster.logs) == [("ill", "cart", False), ("ill", "cart", True), ("well", "cart", False)]


async def test_lines_of_a_store_keep_their_times_and_strange_names_no_path(tmp_path: Path) -> None:
    at = "2026-01-01T10:59:00.5Z"
    known = {"namespace": "shop", "pod": "cart-1", "container": "cart"}
    lines = (
        {**known, "at": at, "line": "first"},
        {**known, "at": at, "line": "second"},
        {**known, "at": "2026-01-01T10:59:01Z", "line": "2026-01-01T10:59:01Z third"},
        {**known, "pod": "../../../escaped", "at": at, "line": "x"},
        {**known, "container": None, "at": at, "line": "y"},
    )

    await record(World(name="live", captured_at=END, logs=Logs(*lines)), tmp_path / "recorded")
    world = await open_snapshot(tmp_path / "recorded")
    found = await need(world.logs, "", "").lines(None, None, None, HOUR, 10)

    assert [(each["at"], each["line"]) for each in found] == [
        (at, f"{at} first"), (at, "second"), ("2026-01-01T10:59:01Z", "2026-01-01T10:59:01Z third"),
    ]  # fmt: skip
    assert not [name for name in below(tmp_path) if "escaped" in name]


@pytest.mark.parametrize("given", ["file", "full"])
async def test_nothing_is_ever_overwritten(tmp_path: Path, given: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()

    with pytest.raises(SnapshotError, match="not an empty folder"):
        await record(World(name="live"), tmp_path / given)
    assert below(tmp_path) == ["file", "full", "full/mine"]


async def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()

    await record(World(name="live", captured_at=END), tmp_path / "recorded")

    assert (await open_snapshot(tmp_path / "recorded")).captured_at == END


async def test_a_recording_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    class Broken(Cluster):
        async def objects(self, kind: str, namespace: str | None) -> Sequence[Object]:
            raise json.JSONDecodeError("a bug", kind, 0)

    with pytest.raises(ExceptionGroup):
        await record(World(name="live", cluster=Broken({})), tmp_path / "recorded")
    assert below(tmp_path) == []
