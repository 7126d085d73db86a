"""What an API server in trouble says, played by a small server that answers as one."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tools.errors import ToolNoSource, ToolRetry, ToolUnavailable
from tools.kubernetes.live import LiveCluster

LOG = "/api/v1/namespaces/shop/pods/cart-1/log"
PODS = "/api/v1/pods"


class ScriptedApi:
    """Answers each path with what a test laid there, in turn; the last answer stays. Unknown paths are 404."""

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

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        if request.path == "/api/v1/silences":
            await self.silent.wait()
        answers = self._answers.get(request.path)
        if not answers:
            return web.json_response(status("the server could not find the requested resource"), status=404)
        code, body, headers = answers.popleft() if len(answers) > 1 else answers[0]
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


async def test_many_questions_at_once_share_one_discovery(api: ScriptedApi, cluster: LiveCluster) -> None:
    api.lay(PODS, 200, page("a"))

    await asyncio.gather(*(cluster.objects("Pod", None) for _ in range(20)))

    assert api.asked.count("/api/v1") == 1
