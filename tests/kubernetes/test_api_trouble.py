"""What an API server in trouble says, played by a small server that answers as one."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tools.errors import ToolNoSource, ToolRetry, ToolUnavailable
from tools.kubernetes.changes import MAX_CHANGES
from tools.kubernetes.live import LiveCluster
from tools.kubernetes.watch import MAX_OBJECTS, WatchArgs, watch
from tools.world import World

LOG = "/api/v1/namespaces/shop/pods/cart-1/log"
PODS = "/api/v1/pods"


class ScriptedApi:
    """Answers each path with what a test laid there, in turn; the last answer stays. Unknown paths are 404.

    Watches have paths of their own, ending in `?watch`. A body of `None` begins and never goes on.
    """

    def __init__(self) -> None:
        self._answers: dict[str, deque[tuple[int, Any, dict[str, str]]]] = {}
        self.asked: list[str] = []
        self.silent = asyncio.Event()
        self.lay("/api/v1", 200, {"resources": [resource("pods", "Pod"), resource("pods/log", "Pod"), SILENCE]})
        group = {"name": "test.example", "preferredVersion": {"version": "v1"}, "versions": [{"version": "v1"}]}
        broken = {"name": "metrics.k8s.io", "preferredVersion": {"version": "v1"}, "versions": [{"version": "v1"}]}
        self.lay("/apis", 200, {"groups": [broken, group]})
        self.lay("/apis/test.example/v1", 200, {"resources": [resource("gadgets", "Gadget")]})
        self.lay("/apis/metrics.k8s.io/v1", 503, status("the server is currently unable to handle the request"))

    def lay(self, path: str, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._answers.setdefault(path, deque()).append((code, body, headers or {}))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if request.path == "/api/v1/silences":
            await self.silent.wait()
        watching = "watch" in request.query
        answers = self._answers.get(f"{request.path}?watch" if watching else request.path)
        if not answers:
            return web.json_response(status("the server could not find the requested resource"), status=404)
        code, body, headers = answers.popleft() if len(answers) > 1 else answers[0]
        if body is None:
            response = web.StreamResponse()
            await response.prepare(request)
            await self.silent.wait()
            return response
        if isinstance(body, str):
            return web.Response(text=body, status=code, headers=headers)
        return web.json_response(body, status=code, headers=headers)


def resource(plural: str, kind: str) -> dict[str, Any]:
    verbs = ["get", "list", "watch"] if "/" not in plural else ["get"]
    return {"name": plural, "kind": kind, "namespaced": True, "verbs": verbs, "singularName": kind.lower()}


def status(message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}


def page(*names: str, following: str = "") -> dict[str, Any]:
    items = [{"metadata": {"name": name, "namespace": "shop"}} for name in names]
    return {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": following}, "items": items}


SILENCE = resource("silences", "Silence")


@pytest.fixture
async def api() -> ScriptedApi:
    return ScriptedApi()


@pytest.fixture
async def cluster(api: ScriptedApi, tmp_path: Path) -> AsyncIterator[LiveCluster]:
    app = web.Application()
    app.router.add_get("/{path:.*}", api.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = tmp_path / "config"
    config.write_text(
        "current-context: t\n"
        "contexts: [{name: t, context: {cluster: t, user: t}}]\n"
        f"clusters: [{{name: t, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n"
        "users: [{name: t, user: {token: t}}]\n"
    )
    live = LiveCluster(kubeconfig=config, timeout_s=2)
    yield live
    await live.aclose()
    api.silent.set()
    await runner.cleanup()


async def test_a_list_whose_continuation_expired_begins_anew(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay(PODS, 200, page("a", following="one"))
    api.lay(PODS, 410, status("The provided continue parameter is too old"))
    api.lay(PODS, 200, page("a", following="two"))
    api.lay(PODS, 200, page("b"))

    assert [each["metadata"]["name"] for each in await cluster.objects("Pod", None)] == ["a", "b"]


async def test_a_list_that_expires_again_and_again_is_unavailable(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay(PODS, 410, status("too old"))

    with pytest.raises(ToolUnavailable, match="changed faster"):
        await cluster.objects("Pod", None)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None)])
async def test_a_throttled_answer_carries_how_long_to_wait(
    api: ScriptedApi, cluster: LiveCluster, header: str, seconds: float | None
) -> None:
    api.lay(PODS, 429, status("too many requests"), {"Retry-After": header})

    with pytest.raises(ToolUnavailable, match="429") as caught:
        await cluster.objects("Pod", None)
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize(("code", "body"), [(500, "oops"), (503, status("etcd is gone")), (200, "<html>"), (200, [1])])
async def test_a_broken_answer_is_unavailable(api: ScriptedApi, cluster: LiveCluster, code: int, body: Any) -> None:
    api.lay(PODS, code, body)

    with pytest.raises(ToolUnavailable):
        await cluster.objects("Pod", None)


async def test_a_server_that_never_answers_is_unavailable(api: ScriptedApi, cluster: LiveCluster) -> None:
    with pytest.raises(ToolUnavailable, match="within 2 s"):
        await cluster.objects("Silence", None)
    assert api.asked[-1].startswith("/api/v1/silences")


async def test_a_broken_extension_server_hides_no_other_kind(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay("/apis/test.example/v1/gadgets", 200, page("one"))

    assert [each["kind"] for each in await cluster.objects("Gadget", None)] == ["Gadget"]
    # It might be the one that serves the kind: that it is not served cannot be said.
    with pytest.raises(ToolUnavailable, match=r"metrics\.k8s\.io"):
        await cluster.objects("PodMetrics", None)


async def test_a_kind_whose_definition_is_removed_is_no_source_and_is_looked_up_again(
    api: ScriptedApi, cluster: LiveCluster
) -> None:
    api.lay("/apis/test.example/v1/gadgets", 404, status("404 page not found"))

    with pytest.raises(ToolNoSource, match="does not serve"):
        await cluster.objects("Gadget", None)
    asked = api.asked.count("/apis")
    with pytest.raises(ToolNoSource):
        await cluster.objects("Gadget", None)
    assert api.asked.count("/apis") == asked + 1


async def test_names_cannot_leave_their_place_in_the_path(api: ScriptedApi, cluster: LiveCluster) -> None:
    with pytest.raises(ToolRetry):
        await cluster.log("shop", "../../secrets", None, previous=False, tail_lines=1)
    with pytest.raises(ToolNoSource):
        await cluster.objects("Pod", "shop/secrets?")

    assert not [path for path in api.asked if "/secrets" in path]


@pytest.mark.parametrize(
    "said",
    [
        'container "cart" in pod "cart-1" is waiting to start: ContainerCreating',
        'previous terminated container "cart" in pod "cart-1" not found',
    ],
)
async def test_a_container_that_has_not_started_has_an_empty_log(
    api: ScriptedApi, cluster: LiveCluster, said: str
) -> None:
    api.lay(LOG, 400, status(said))

    assert await cluster.log("shop", "cart-1", None, previous=True, tail_lines=10) == ""


async def test_a_log_is_asked_for_by_its_newest_lines_and_kept_within_bounds(
    api: ScriptedApi, cluster: LiveCluster
) -> None:
    api.lay(LOG, 200, "old\n" + "x" * 5_000_000 + "\nlast line\n")

    found = await cluster.log("shop", "cart-1", "cart", previous=True, tail_lines=10)

    assert found.endswith("x\nlast line")
    assert len(found) < 3_000_000
    assert api.asked == [f"{LOG}?tailLines=10&container=cart&previous=true"]


def change(kind: str, name: str, version: int) -> str:
    obj = {"kind": "Pod", "metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version)}}
    return json.dumps({"type": kind, "object": obj}) + "\n"


def versions(listed: dict[str, Any], version: int) -> dict[str, Any]:
    for each in (listed, *listed["items"]):
        each["metadata"]["resourceVersion"] = str(version)
    return listed


GONE = json.dumps({"type": "ERROR", "object": {**status("too old resource version"), "code": 410}}) + "\n"


async def test_a_watch_that_expired_goes_on_with_what_changed_meanwhile(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay(PODS, 200, versions(page("a", "b", "c"), 1))
    later = versions(page("a", "c", "d"), 2)
    later["items"][1]["metadata"]["resourceVersion"] = "1"
    api.lay(PODS, 200, later)
    api.lay(f"{PODS}?watch", 200, GONE)
    api.lay(f"{PODS}?watch", 200, change("MODIFIED", "d", 3))
    api.lay(f"{PODS}?watch", 200, "")

    found = await cluster.watch("Pod", None, 0.5)

    assert [(each["type"], each["object"]["metadata"]["name"]) for each in found] == [
        ("DELETED", "b"), ("MODIFIED", "a"), ("ADDED", "d"), ("MODIFIED", "d"),
    ]  # fmt: skip
    assert found[-1]["before"]["metadata"]["resourceVersion"] == "2"


async def test_a_watch_that_ends_early_is_taken_up_where_it_ended(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay(PODS, 200, versions(page("a"), 7))
    bookmark = json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}) + "\n"
    api.lay(f"{PODS}?watch", 200, change("MODIFIED", "a", 8) + bookmark)
    api.lay(f"{PODS}?watch", 200, change("DELETED", "a", 10))
    api.lay(f"{PODS}?watch", 200, "")

    found = await cluster.watch("Pod", None, 0.8)

    assert [each["type"] for each in found] == ["MODIFIED", "DELETED"]
    watches = [asked for asked in api.asked if "watch=" in asked]
    assert ["resourceVersion=7" in watches[0], "resourceVersion=8" in watches[1]] == [True, True]


async def test_a_watch_that_hangs_has_not_seen_that_nothing_happened(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay(PODS, 200, versions(page("a"), 1))
    api.lay(f"{PODS}?watch", 200, None)

    with pytest.raises(ToolUnavailable, match="did not answer"):
        await cluster.watch("Pod", None, 0.1)


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (200, GONE, "forgets faster"),
        (200, GONE.replace("410", "500"), "answered 500"),
        (200, change("MODIFIED", "a", 2)[:-9], "not JSON"),
        (200, "x" * 5_000_000, "too long"),
        (503, status("etcd is gone"), "etcd is gone"),
        (410, status("too old"), "forgets faster"),
    ],
)
async def test_a_watch_that_breaks_is_unavailable(
    api: ScriptedApi, cluster: LiveCluster, code: int, body: Any, said: str
) -> None:
    api.lay(PODS, 200, versions(page("a"), 1))
    api.lay(f"{PODS}?watch", code, body)

    with pytest.raises(ToolUnavailable, match=said):
        await cluster.watch("Pod", None, 5)


async def test_a_watch_ends_when_it_has_told_enough_and_says_so(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay(PODS, 200, versions(page("a"), 1))
    api.lay(f"{PODS}?watch", 200, "".join(change("ADDED", f"p-{each}", each) for each in range(2, MAX_CHANGES + 20)))

    reading = await watch.run(World(name="live", cluster=cluster), WatchArgs(kind="Pod", seconds=20))

    lines = reading.text.splitlines()
    assert lines[0] == (
        f"Pod, watched for 20 s: {MAX_CHANGES} added, of {MAX_CHANGES} objects; "
        f"ended early, after {MAX_CHANGES} changes of the kind"
    )
    assert lines[-1] == f"… {MAX_CHANGES - MAX_OBJECTS} more objects, {MAX_CHANGES - MAX_OBJECTS} with a complaint"
    assert len(reading.data) == MAX_CHANGES


async def test_many_questions_at_once_share_one_discovery(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay(PODS, 200, page("a"))

    await asyncio.gather(*(cluster.objects("Pod", None) for _ in range(20)))

    assert api.asked.count("/api/v1") == 1
