"""Every form that a snapshot may have, and what it gives."""

import gzip
from pathlib import Path

import orjson
import pytest
import yaml
from whenever import Instant

from tests.kubernetes import scenes
from tests.snapshot.conftest import Write
from tools.errors import ToolNoSource
from tools.kubernetes.objects import ObjectsArgs, objects
from tools.snapshot.folder import SnapshotError
from tools.snapshot.opening import open_snapshot
from tools.window import Window
from tools.world import World, need

START, END = Instant.parse_iso("2026-01-01T10:00:00Z"), Instant.parse_iso("2026-01-01T11:00:00Z")
HOUR = Window(START, END)
EVALS = Path(__file__).parents[2].parent / "shared" / "evals" / "rca"


async def names(world: World, kind: str, namespace: str | None = None) -> list[str]:
    found = await need(world.cluster, "cluster", "").objects(kind, namespace)
    return sorted(each["metadata"]["name"] for each in found)


async def test_the_description_says_when_and_what_is_incomplete(folder: Path, write: Write) -> None:
    write(
        "snapshot.yaml",
        "version: 1\ncaptured_at: 2026-01-01T11:00:00Z\ndefault_namespace: shop\npartial: [logs]\n"
        "window: {start: 2026-01-01T10:00:00Z, end: '2026-01-01T11:00:00+00:00'}\n",
    )
    world = await open_snapshot(folder)

    assert (world.name, world.captured_at, world.window) == ("case", END, HOUR)
    assert (world.default_namespace, world.partial, world.notes) == ("shop", {"logs"}, ())
    assert world.cluster is world.metrics is world.logs is world.alerts is world.network is world.history is None


@pytest.mark.parametrize("suffix", ["json", "yaml", "yml"])
async def test_objects_are_read_alone_in_lists_and_in_several_documents(
    folder: Path, write: Write, described: None, suffix: str
) -> None:
    def content(*values: object) -> bytes:
        if suffix == "json":
            return b"\n".join(orjson.dumps(value) for value in values)
        return yaml.safe_dump_all(values).encode()

    alone, one, two, three = (scenes.pod("shop", f"cart-{number}") for number in range(4))
    bare = {key: value for key, value in three.items() if key in ("metadata", "spec")}
    write(f"kubernetes/alone.{suffix}", content(alone))
    write(f"kubernetes/deep/er/list.{suffix}", content(scenes.listed(one), two))
    write(f"kubernetes/typed.{suffix}", content({"kind": "PodList", "apiVersion": "v1", "items": [bare]}))
    write(f"kubernetes/twice.{suffix}", content(alone))

    world = await open_snapshot(folder)

    assert await names(world, "Pod") == ["cart-0", "cart-1", "cart-2", "cart-3"]
    assert world.notes == ()


async def test_a_kind_that_never_occurs_was_not_captured_but_an_empty_list_is_a_fact(
    folder: Path, write: Write, described: None
) -> None:
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    write("kubernetes/networkpolicies.json", scenes.listed())
    write("kubernetes/claims.json", {"kind": "PersistentVolumeClaimList", "apiVersion": "v1", "items": []})
    world = await open_snapshot(folder)

    assert await names(world, "NetworkPolicy") == []
    assert await names(world, "PersistentVolumeClaim", "shop") == []
    with pytest.raises(ToolNoSource, match="kubectl get services"):
        await names(world, "Service")
    with pytest.raises(ToolNoSource, match="namespace 'billing'"):
        await names(world, "Pod", "billing")


async def test_a_namespace_that_is_known_to_be_absent_holds_nothing(
    folder: Path, write: Write, described: None
) -> None:
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    write("kubernetes/all.json", scenes.listed(shop, scenes.pod("shop", "cart-1")))
    world = await open_snapshot(folder)

    assert await names(world, "Pod", "billing") == []


async def test_a_foreign_kind_of_the_same_name_is_kept_apart(folder: Path, write: Write, described: None) -> None:
    native = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop"}}
    foreign = {**native, "apiVersion": "serving.test.example/v1", "metadata": {"name": "other", "namespace": "shop"}}
    write("kubernetes/services.json", scenes.listed(native, foreign))
    world = await open_snapshot(folder)

    assert await names(world, "Service") == ["cart"]
    assert await names(world, "Service.serving.test.example") == ["other"]


async def test_of_a_secret_only_names_and_keys_are_read(folder: Path, write: Write, described: None) -> None:
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"password": "aHVudGVyMg=="},
        "metadata": {"name": "db", "namespace": "shop", "annotations": annotation},
    }  # fmt: skip
    write("kubernetes/secrets.json", scenes.listed(secret))
    world = await open_snapshot(folder)

    reading = await objects.run(world, ObjectsArgs(kind="secret"))

    assert "hunter2" not in str(reading)
    assert "aHVudGVyMg" not in str(reading)
    assert "shop/db Opaque keys=password" in reading.text


async def test_what_kubectl_cluster_info_dump_wrote_is_a_snapshot(folder: Path, write: Write) -> None:
    write("nodes.json", {"kind": "NodeList", "apiVersion": "v1", "items": []})
    pod = scenes.pod("shop", "cart-1", containers=("cart", "proxy"))
    write("shop/pods.json", {"kind": "PodList", "apiVersion": "v1", "items": [pod]})
    event = scenes.event("shop", "e", "cart-1", at="2026-01-01T10:59:00Z")
    write("shop/events.json", {"kind": "EventList", "apiVersion": "v1", "items": [event]})
    marks = "==== {} logs for container {} of pod shop/cart-1 ====\n"
    text = "".join(
        f"{marks.format('START', name)}2026-01-01T10:58:00Z {name} says\nlast of {name}\n{marks.format('END', name)}"
        for name in ("cart", "proxy")
    )
    write("shop/cart-1/logs.txt", text)
    marks = marks.replace("cart-1", "cart-2")
    failed = "Request log error: container has not started\n"
    write("shop/cart-2/logs.txt", f"{marks.format('START', 'cart')}{failed}{marks.format('END', 'cart')}")

    world = await open_snapshot(folder)
    cluster = need(world.cluster, "cluster", "")

    assert world.captured_at == Instant.parse_iso("2026-01-01T10:59:00Z")
    assert "snapshot.yaml" in world.notes[0]
    assert await names(world, "Pod", "shop") == ["cart-1"]
    assert await names(world, "Node") == []
    log = await cluster.log("shop", "cart-1", "proxy", previous=False, tail_lines=10)
    assert log == "2026-01-01T10:58:00Z proxy says\nlast of proxy"
    with pytest.raises(ToolNoSource, match="container has not started"):
        await cluster.log("shop", "cart-2", None, previous=False, tail_lines=10)
    assert await need(world.logs, "logs", "").lines("shop", "cart-2", None, HOUR, 10) == []
    lines = await need(world.logs, "logs", "").lines("shop", "cart-*", "last", HOUR, 10)
    assert [(each["container"], each["line"]) for each in lines] == [
        ("cart", "last of cart"),
        ("proxy", "last of proxy"),
    ]


async def test_a_dump_may_also_lie_under_kubernetes(folder: Path, write: Write, described: None) -> None:
    write("kubernetes/shop/pods.json", {"kind": "PodList", "apiVersion": "v1", "items": [scenes.pod("shop", "cart-1")]})
    mark = "==== START logs for container cart of pod shop/cart-1 ====\n"
    write("kubernetes/shop/cart-1/logs.txt", f"{mark}cut off in the middle")
    cluster = need((await open_snapshot(folder)).cluster, "cluster", "")

    log = await cluster.log("shop", "cart-1", None, previous=False, tail_lines=10)
    assert log == "cut off in the middle"


async def test_signals_are_read_from_both_kinds_of_time_and_from_gzip(
    folder: Path, write: Write, described: None
) -> None:
    write(
        "signals/a.csv",
        "time,entity,signal,value\n2026-01-01T10:01:00Z,Pod/shop/cart-1,cpu_cores,0.5\n"
        "1767261600,pod/shop/cart-1,cpu_cores,0.25\n2026-01-01T10:02:00Z,pod/shop/cart-1,cpu_cores,NaN\n",
    )
    table = "value,signal,entity,time,host\n7,queue_depth,queue//orders,2026-01-01T10:30:00.5Z,x\n"
    write("signals/b.csv.gz", gzip.compress(table.encode()))
    metrics = need((await open_snapshot(folder)).metrics, "metrics", "")

    every = await metrics.signals((), None, HOUR)

    points = [[1767261600.0, 0.25], [1767261660.0, 0.5]]
    assert every[0] == {"entity": "pod/shop/cart-1", "signal": "cpu_cores", "points": points}
    assert every[1] == {"entity": "queue//orders", "signal": "queue_depth", "points": [[1767263400.5, 7.0]]}
    assert await metrics.signals(["queue_depth"], "shop", HOUR) == []
    assert [each["points"] for each in await metrics.signals(["cpu_cores"], "shop", Window(START, START))] == [
        points[:1]
    ]
    with pytest.raises(ToolNoSource, match="PromQL"):
        await metrics.instant("up", END)


async def test_the_small_areas_are_read(folder: Path, write: Write, described: None) -> None:
    alert = {"labels": {"alertname": "Down"}, "startsAt": "2026-01-01T10:50:00Z"}
    write("alerts/1.json", {"version": "4", "alerts": [alert]})
    probe = {"probe": "tcp", "entity": "service/shop/cart", "target": "cart:80", "ok": False, "detail": "refused"}
    write("probes/1.json", [probe])
    changes = [
        {"at": at, "kind": "deploy", "entity": "deployment/shop/cart", "summary": "v2"}
        for at in ("2026-01-01T10:30:00Z", "2025-12-31T10:30:00Z")
    ]
    write("changes/1.json", changes)
    write("topology.csv", "caller,callee\nservice/shop/web,Service/shop/cart\n")
    write("mongodb/orders.json", {"serverStatus": {"ok": 1}})
    write("host/usage.json", {"cpu_ratio": 0.5})
    world = await open_snapshot(folder)

    assert await need(world.alerts, "", "").active() == [{"status": "firing", "annotations": {}, **alert}]
    network = need(world.network, "", "")
    assert await network.recorded() == [probe]
    assert await network.probe("tcp", "cart:80") == probe
    with pytest.raises(ToolNoSource, match="cannot take one"):
        await network.probe("http", "cart:80")
    history = need(world.history, "", "")
    assert await history.changes(HOUR) == changes[:1]
    assert await history.changes(None) == changes
    assert await history.calls() == [("service/shop/web", "service/shop/cart")]
    (mongodb,) = world.mongodb
    assert (mongodb.name, await mongodb.command("serverStatus")) == ("orders", {"ok": 1})
    with pytest.raises(ToolNoSource, match="currentOp"):
        await mongodb.command("currentOp")
    assert await need(world.host, "", "").usage() == {"cpu_ratio": 0.5}
    assert (world.notes, world.partial) == ((), frozenset())


async def test_an_area_that_was_captured_and_holds_nothing_is_there(
    folder: Path, write: Write, described: None
) -> None:
    for area in ("alerts", "probes", "changes", "signals", "logs"):
        (folder / area).mkdir()
    world = await open_snapshot(folder)

    assert await need(world.alerts, "", "").active() == []
    assert await need(world.network, "", "").recorded() == []
    assert await need(world.history, "", "").changes(None) == []
    assert await need(world.metrics, "", "").signals((), None, HOUR) == []
    assert await need(world.logs, "", "").lines(None, None, None, HOUR, 10) == []
    with pytest.raises(ToolNoSource, match=r"topology\.csv"):
        await need(world.history, "", "").calls()


async def test_a_file_of_traces_without_a_span_is_noted(folder: Path, described: None) -> None:
    (folder / "traces").mkdir()
    assert (await open_snapshot(folder)).notes == ()
    (folder / "traces" / "a.json").write_text('{"spans": []}')
    world = await open_snapshot(folder)
    assert world.partial == {"traces"}
    assert "holds no span" in world.notes[0]


@pytest.mark.parametrize(
    ("given", "match"),
    [("missing", "is not there"), ("file", "is not a folder"), ("empty", "is empty"), ("photos", "holds no snapshot")],
)
async def test_a_folder_that_is_no_snapshot_is_refused_with_what_was_expected(
    tmp_path: Path, given: str, match: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos" / "2026").mkdir(parents=True)
    (tmp_path / "photos" / "2026" / "cat.png").write_bytes(b"")

    with pytest.raises(SnapshotError, match=rf"{match}: expected snapshot\.yaml, one of kubernetes/"):
        await open_snapshot(tmp_path / given)


@pytest.mark.parametrize(
    ("description", "match"),
    [
        ("version: 2", "reads version 1"),
        ("version: 1\ncaptured_at: yesterday", "captured_at is 'yesterday'"),
        ("window: {start: 2026-01-01T11:00:00Z, end: 2026-01-01T10:00:00Z}", "ends before it starts"),
        ("window: {start: 2026-01-01T11:00:00Z}", "end is None"),
        ("- a list", "expected keys"),
    ],
)
async def test_a_description_that_cannot_be_meant_is_refused(
    folder: Path, write: Write, description: str, match: str
) -> None:
    write("snapshot.yaml", description)

    with pytest.raises(SnapshotError, match=match):
        await open_snapshot(folder)


def recorded_cases() -> list[Path]:
    cases = sorted(path.parent for path in EVALS.glob("opensre/*/snapshot.yaml"))
    for others in ("petshop", "nezha-boutique"):
        cases += sorted(path.parent for path in EVALS.glob(f"{others}/**/snapshot.yaml"))[::15]
    return cases


async def test_recorded_incidents_open_without_a_note() -> None:
    if not (cases := recorded_cases()):
        pytest.skip("the recorded incidents of ../shared/evals are not on this machine")
    for case in cases:
        world = await open_snapshot(case)
        assert (world.notes, world.partial) == ((), frozenset()), case
        assert world.captured_at is not None
        assert await need(world.alerts, "", "").active()
