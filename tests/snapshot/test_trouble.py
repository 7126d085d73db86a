"""Snapshots that are broken, hostile or huge: a clear error, or a partial answer that says so."""

import asyncio
import json
import os
import string
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whenever import Instant

from tests.kubernetes import scenes
from tests.snapshot.conftest import Write
from tools.errors import ToolError, ToolNoSource, ToolRetry
from tools.kubernetes.events import EventsArgs, events
from tools.kubernetes.objects import ObjectsArgs, objects
from tools.kubernetes.rollouts import RolloutArgs, rollout_history
from tools.snapshot import folder as folder_module
from tools.snapshot.folder import SnapshotError
from tools.snapshot.opening import open_snapshot
from tools.window import Window
from tools.world import Cluster, World, need

END = Instant.parse_iso("2026-01-01T11:00:00Z")
HOUR = Window.ending(END, minutes=60)


def cluster_of(world: World) -> Cluster:
    return need(world.cluster, "cluster", "")


BROKEN: list[tuple[str, Any, str]] = [
    ("kubernetes/bad.yaml", "kind: Pod\n a: : b\n", "kubernetes/bad.yaml line 2: "),
    ("kubernetes/bad.json", '{"kind":\n "Pod",,}', "kubernetes/bad.json line 2: "),
    ("kubernetes/empty.json", "", "kubernetes/empty.json: holds nothing"),
    ("kubernetes/empty.yaml", "", "kubernetes/empty.yaml: holds nothing"),
    ("kubernetes/deep.json", "[" * 100_000, "kubernetes/deep.json line 1: "),
    ("kubernetes/deep.yaml", "[" * 100_000, "kubernetes/deep.yaml line 1: nested deeper"),
    ("signals/x.csv", "time,entity,value\n", "signals/x.csv line 1: expected the columns time,entity,signal,value"),
    ("signals/x.csv", "time,entity,signal,value\nnoon,a//b,c,1\n", "signals/x.csv line 2: 'noon' is neither"),
    ("signals/x.csv", "time,entity,signal,value\n1,cart,c,1\n", "signals/x.csv line 2: 'cart' is not an entity"),
    ("signals/x.csv", "time,entity,signal,value\n1,a//b,c,high\n1,a//b\n", "; 2 rows of the file were left out"),
    ("signals/x.csv", "time,entity,signal,value\n1e99,a//b,c,1\n", "is no time that can be"),
    ("signals/x.csv.gz", b"\x1f\x8b\x08\x00 no gzip at all", "signals/x.csv.gz: cannot be read"),
    ("signals/x.csv.gz", b"plain text", "signals/x.csv.gz: cannot be read"),
    ("alerts/1.json", {"title": "no alerts"}, "alerts/1.json: expected a webhook payload"),
    ("alerts/1.json", {"alerts": [{}]}, "alerts/1.json: an alert without labels"),
    ("probes/1.json", {"probe": "tcp"}, "probes/1.json: expected a list"),
    ("changes/1.json", [{"at": "now"}], "changes/1.json: 1 records without kind, entity, summary"),
    ("topology.csv", "caller,callee\na//b,nonsense\n", "topology.csv line 2: 'nonsense' is not an entity"),
    ("mongodb/orders.json", [], "mongodb/orders.json: expected an object"),
    ("host/usage.json", [], "host/usage.json: expected an object"),
]


@pytest.mark.parametrize(("name", "content", "note"), BROKEN)
async def test_one_broken_file_is_noted_with_its_place_and_the_rest_is_read(
    folder: Path, write: Write, name: str, content: Any, note: str
) -> None:
    write("snapshot.yaml", f"captured_at: {END}\n")
    write("kubernetes/good.json", scenes.listed(scenes.pod("shop", "cart-1")))
    write(name, content)

    world = await open_snapshot(folder)

    assert note in world.notes[0]
    assert world.partial == {name.split("/", maxsplit=1)[0].removesuffix(".csv")}
    assert len(await cluster_of(world).objects("Pod", None)) == 1


async def test_documents_before_the_broken_one_are_kept(folder: Path, write: Write, described: None) -> None:
    write("kubernetes/a.yaml", "kind: Pod\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {name: [\n")
    world = await open_snapshot(folder)

    assert [each["metadata"]["name"] for each in await cluster_of(world).objects("Pod", None)] == ["a"]
    assert world.partial == {"kubernetes"}


async def test_values_that_are_no_objects_are_noted_and_make_nothing_incomplete(
    folder: Path, write: Write, described: None
) -> None:
    write("kubernetes/errors.json", ["could not list", {"kind": "Pod", "metadata": {"name": 7}}])
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    world = await open_snapshot(folder)

    assert world.notes == ("kubernetes/errors.json: 2 values are no Kubernetes objects and were left out",)
    assert world.partial == frozenset()


async def test_a_small_yaml_that_unfolds_into_gigabytes_is_not_read(
    folder: Path, write: Write, described: None
) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    write("kubernetes/laughs.yaml", "\n".join(lines))

    assert "more than 3000000 values" in (await open_snapshot(folder)).notes[0]


async def test_dates_and_words_in_yaml_stay_what_was_written(folder: Path, write: Write, described: None) -> None:
    text = (
        "kind: ConfigMap\nmetadata: {name: a, creationTimestamp: 2026-01-01T00:00:00Z}\n"
        "data: {country: no, octal: 0755, version: 1.10.0, port: 8080, on: 'true', quoted: \"5\", none: ~, 80: web}\n"
        "base: &base {a: 1}\nmerged: {<<: *base, b: 2.5e3}\n"
    )
    write("kubernetes/a.yaml", text)
    (found,) = await cluster_of(await open_snapshot(folder)).objects("ConfigMap", None)

    assert found["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert found["data"] == {
        "country": "no", "octal": "0755", "version": "1.10.0", "port": 8080, "on": "true", "quoted": "5", "none": None,
        "80": "web",
    }  # fmt: skip
    assert found["merged"] == {"a": 1, "b": 2500.0}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
async def test_files_in_other_encodings_are_read(folder: Path, write: Write, described: None, encoding: str) -> None:
    text = '{"kind": "Pod", "metadata": {"name": "cart-1", "annotations": {"who": "J\u00fcrgen"}}}'
    write("kubernetes/pods.json", text.encode(encoding))

    assert len(await cluster_of(await open_snapshot(folder)).objects("Pod", None)) == 1


async def test_a_file_beyond_the_bound_is_not_read_and_that_is_said(
    folder: Path, write: Write, described: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "MAX_JSON_BYTES", 10)
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    world = await open_snapshot(folder)

    assert "kubernetes/pods.json: larger than" in world.notes[0]
    assert world.partial == {"kubernetes"}


async def test_links_that_leave_the_snapshot_are_not_followed(
    folder: Path, write: Write, described: None, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "shop" / "cart-1").mkdir(parents=True)
    (outside / "shop" / "cart-1" / "cart.log").write_text("hidden")
    (outside / "pod.json").write_bytes(orjson.dumps(scenes.pod("shop", "secret-pod")))
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    write("logs/shop/cart-1/web.log", "inside")
    (folder / "kubernetes" / "link.json").symlink_to(outside / "pod.json")
    (folder / "kubernetes" / "inside.json").symlink_to(folder / "kubernetes" / "pods.json")
    (folder / "logs" / "shop" / "cart-1" / "cart.log").symlink_to(outside / "shop" / "cart-1" / "cart.log")
    (folder / "signals").symlink_to(outside)
    (folder / "kubernetes" / "more").symlink_to(outside)
    (folder / "topology.csv").symlink_to(outside / "pod.json")

    world = await open_snapshot(folder)

    assert [each["metadata"]["name"] for each in await cluster_of(world).objects("Pod", None)] == ["cart-1"]
    lines = await need(world.logs, "", "").lines(None, None, None, HOUR, 10)
    assert [each["line"] for each in lines] == ["inside"]
    assert world.metrics is None
    assert sum("not followed" in note for note in world.notes) == 5
    assert world.partial == {"kubernetes", "logs", "signals", "topology"}


@pytest.mark.parametrize("pod", ["../../secret", "/etc", "..", "cart-1/../../x"])
async def test_names_asked_for_cannot_leave_the_snapshot(
    folder: Path, write: Write, described: None, tmp_path: Path, pod: str
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "cart.log").write_text("hidden")
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    write("logs/shop/cart-1/cart.log", "inside")
    cluster = cluster_of(await open_snapshot(folder))

    assert await cluster.log("shop", pod, "cart", previous=False, tail_lines=5) == ""
    assert await cluster.log("shop", "cart-1", "../../../secret/cart", previous=False, tail_lines=5) == ""


async def test_a_pipe_in_the_folder_does_not_stop_the_reading(folder: Path, write: Write, described: None) -> None:
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    os.mkfifo(folder / "kubernetes" / "pipe.json")
    os.mkfifo(folder / "topology.csv")
    async with asyncio.timeout(5):
        world = await open_snapshot(folder)

    assert len(await cluster_of(world).objects("Pod", None)) == 1


async def test_a_log_of_200_megabytes_is_read_from_its_end_in_little_memory(
    folder: Path, write: Write, described: None
) -> None:
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    path = write("logs/shop/cart-1/cart.log", "2026-01-01T10:00:00Z first line\n")
    with path.open("r+b") as file:
        file.seek(200 * 2**20)
        file.write(b"\n2026-01-01T10:59:58Z almost \xff last\n2026-01-01T10:59:59Z last line\n")

    tracemalloc.start()
    try:
        world = await open_snapshot(folder)
        log = await cluster_of(world).log("shop", "cart-1", None, previous=False, tail_lines=2)
        lines = await need(world.logs, "", "").lines("shop", None, "last", HOUR, 10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert log.splitlines() == ["2026-01-01T10:59:58Z almost \ufffd last", "2026-01-01T10:59:59Z last line"]
    assert [each["at"] for each in lines] == ["2026-01-01T10:59:58Z", "2026-01-01T10:59:59Z"]
    assert peak < 30 * 2**20


async def test_lines_of_a_large_log_are_found_where_the_window_lies(
    folder: Path, write: Write, described: None
) -> None:
    start = Instant.parse_iso("2025-12-31T00:00:00Z")
    text = "".join(f"{start.add(seconds=second)} request {second} {'x' * 60}\n" for second in range(90_000))
    write("logs/shop/cart-1/cart.log", text)
    logs = need((await open_snapshot(folder)).logs, "", "")
    noon = Window(start.add(hours=12), start.add(hours=12, seconds=2))

    found = await logs.lines("shop", "cart-1", None, noon, 10)

    assert [each["line"].split()[2] for each in found] == ["43200", "43201", "43202"]


async def test_a_pod_with_several_containers_needs_a_name_and_a_previous_log_may_be_absent(
    folder: Path, write: Write, described: None
) -> None:
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    for name, text in (("cart.log", "now\n"), ("cart.previous.log", "a\nb\n\n"), ("proxy.log", "")):
        write(f"logs/shop/cart-1/{name}", text)
    cluster = cluster_of(await open_snapshot(folder))

    with pytest.raises(ToolRetry, match="name one of: cart, proxy"):
        await cluster.log("shop", "cart-1", None, previous=False, tail_lines=5)
    assert await cluster.log("shop", "cart-1", "cart", previous=False, tail_lines=5) == "now"
    assert await cluster.log("shop", "cart-1", "cart", previous=True, tail_lines=1) == "b"
    assert await cluster.log("shop", "cart-1", "proxy", previous=True, tail_lines=5) == ""
    assert await cluster.log("shop", "cart-2", None, previous=False, tail_lines=5) == ""


@pytest.mark.parametrize("with_logs", [True, False])
async def test_a_log_that_may_have_been_left_out_is_no_source(folder: Path, write: Write, *, with_logs: bool) -> None:
    write("snapshot.yaml", f"captured_at: {END}\npartial: [{'logs' if with_logs else ''}]\n")
    write("kubernetes/pods.json", scenes.listed(scenes.pod("shop", "cart-1")))
    if with_logs:
        write("logs/shop/cart-1/cart.log", "here")
    cluster = cluster_of(await open_snapshot(folder))

    with pytest.raises(ToolNoSource):
        await cluster.log("shop", "cart-2", None, previous=False, tail_lines=5)


ANYTHING: Any = {}
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(string.ascii_letters, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECT: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"kind": st.sampled_from(("Pod", "Deployment", "ReplicaSet", "Event", "Node", "Service", "Secret", "List"))},
    optional={
        "apiVersion": JSON, "items": JSON, "spec": JSON, "data": JSON, "involvedObject": JSON, "series": JSON,
        "metadata": JSON | st.fixed_dictionaries(
            {"name": st.just("a")},
            optional={"namespace": JSON, "annotations": JSON, "creationTimestamp": JSON,
                      "ownerReferences": st.just([{"kind": "Deployment", "name": "a"}])},
        ),
        "status": JSON | st.fixed_dictionaries(
            {},
            optional={"conditions": st.lists(JSON), "containerStatuses": st.lists(JSON | st.just({"state": ANYTHING}))},
        ),
    },
)  # fmt: skip
FILES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "kubernetes/a.json": OBJECT | JSON | st.lists(OBJECT),
        "alerts/a.json": JSON | st.just({"alerts": [ANYTHING, 1]}),
        "probes/a.json": JSON | st.lists(JSON), "changes/a.json": JSON, "mongodb/a.json": JSON, "host/usage.json": JSON,
        "snapshot.yaml": st.dictionaries(
            st.sampled_from(("version", "captured_at", "window", "partial", "notes", "default_namespace", "x")), JSON
        ) | JSON,
    },
)  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(files=FILES)
def test_whatever_json_the_files_hold_it_opens_or_is_refused(files: Mapping[str, Any]) -> None:
    with TemporaryDirectory() as place:
        for name, content in files.items():
            path = Path(place, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content))
        asyncio.run(look_around(Path(place)))


async def look_around(place: Path) -> None:
    try:
        world = await open_snapshot(place)
    except SnapshotError:
        return
    looks = [objects.run(world, ObjectsArgs(kind=kind)) for kind in ("Pod", "Deployment", "Node", "Service", "Secret")]
    looks += [events.run(world, EventsArgs()), rollout_history.run(world, RolloutArgs(namespace="a", deployment="a"))]
    for look in looks:
        try:
            reading = await look
        except ToolError:
            continue
        orjson.dumps(reading.data)
