"""Between the runner and a real API server stands one that loses requests and answers."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from approvals.action import Action, read
from approvals.plan import NotPossible, NotReached, Outcome, Plan, Unclear
from approvals.runners.kubernetes import live as live_module
from approvals.runners.kubernetes import runner as runner_module
from approvals.runners.kubernetes.runner import KubernetesRunner
from tests.kubernetes import runner_house as house
from tests.kubernetes.conftest import ApiServer

pytestmark = pytest.mark.xdist_group("cluster")

TIMEOUT_S = 2.0
ANSWERS = {
    "a gateway has nobody": (503, "no healthy upstream"),
    "a gateway knows nothing": (404, "404 page not found"),
    "too many requests": (429, "Too many requests, please try again later."),
}
"""Given instead of passing anything on."""


class Proxy:
    """Passes requests on, and does to the one that changes something what a test says."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._trust = ssl.create_default_context(cafile=server.folder / "apiserver.crt")
        self.trouble = ""
        self.writes = 0
        self.is_down = False
        self.hides = ""
        """The group that the server does not seem to serve."""
        self._over = asyncio.Event()
        self._session = aiohttp.ClientSession()
        self._later: list[asyncio.Task[web.Response]] = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._app = web.AppRunner(app)

    async def start(self) -> str:
        await self._app.setup()
        self._site = web.TCPSite(self._app, "127.0.0.1", 0)
        await self._site.start()
        return f"http://127.0.0.1:{self._app.addresses[0][1]}"

    async def refuse_connections(self) -> None:
        await self._site.stop()

    async def stop(self) -> None:
        self._over.set()
        await asyncio.gather(*self._later)
        await self._session.close()
        await self._app.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        changes = request.method != "GET" and "dryRun" not in request.query and b"dryRun" not in body
        if not changes:
            return self._broken(request) if self.is_down else await self._looked(request, body)
        self.writes += 1
        if self.trouble in ANSWERS:
            status, text = ANSWERS[self.trouble]
            return web.Response(status=status, text=text)
        if self.trouble == "the request is late":
            self._later.append(asyncio.create_task(self._after_a_while(request, body)))
        elif self.trouble != "the request is lost":
            await self._passed_on(request, body)
        if self.trouble == "nobody answers":
            await self._over.wait()
        if self.trouble == "a gateway gives up":
            return web.Response(status=504, text="<html>Gateway Timeout</html>")
        self.is_down = self.trouble == "everything is lost from then on"
        return self._broken(request)

    async def _looked(self, request: web.Request, body: bytes) -> web.Response:
        answer = await self._passed_on(request, body)
        if request.path == "/apis" and self.hides:
            found = json.loads(answer.text or "")
            found["groups"] = [each for each in found["groups"] if each["name"] != self.hides]
            return web.json_response(found)
        return answer

    async def _after_a_while(self, request: web.Request, body: bytes) -> web.Response:
        await asyncio.sleep(0.15)
        return await self._passed_on(request, body)

    def _broken(self, request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async def _passed_on(self, request: web.Request, body: bytes) -> web.Response:
        kept = ("Authorization", "Content-Type", "Accept")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        async with self._session.request(
            request.method, f"{self._server.host}{request.path_qs}", data=body, headers=headers, ssl=self._trust
        ) as reply:
            return web.Response(status=reply.status, body=await reply.read(), content_type="application/json")


@pytest.fixture
async def proxy(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    monkeypatch.setattr(runner_module, "PAUSE_S", 0.1)
    between = Proxy(api_server)
    yield between
    await between.stop()


@pytest.fixture
async def runner(proxy: Proxy, api_server: ApiServer, tmp_path: Path) -> AsyncIterator[KubernetesRunner]:
    host = await proxy.start()
    config = house.kubeconfig(api_server, tmp_path, "admin-token", host=host)
    async with house.running_as(config, timeout_s=TIMEOUT_S) as one:
        yield one


ACTIONS = {
    "patch": ("restart-workload", "deployment/{}/cart", house.deployment()),
    "delete": ("delete-pod", "pod/{}/cart-1", house.pod()),
}


@pytest.fixture(params=ACTIONS)
async def planned(
    request: pytest.FixtureRequest, runner: KubernetesRunner, api_server: ApiServer, namespace: str
) -> Plan:
    name, target, obj = ACTIONS[request.param]
    house.put(api_server, obj, namespace)
    return await runner.plan(read({"name": name, "target": target.format(namespace), "arguments": {}}))


def was_done(server: ApiServer, action: Action) -> bool:
    namespace, name = action.target.namespace, action.target.name
    if action.name == "delete-pod":
        return not house.exists(server, "Pod", namespace, name)
    return "annotations" in house.get(server, "Deployment", namespace, name)["metadata"]


@pytest.mark.parametrize(
    "trouble", ["the answer is lost", "nobody answers", "a gateway gives up", "the request is late"]
)
async def test_a19_an_answer_that_was_lost_is_found_out_by_looking_again(
    proxy: Proxy, runner: KubernetesRunner, planned: Plan, api_server: ApiServer, trouble: str
) -> None:
    proxy.trouble = trouble
    receipt = await runner.execute(planned.action, fingerprint=planned.fingerprint, key="k-1", is_wanted=house.wanted)

    assert receipt.outcome is Outcome.SUCCEEDED
    assert "The answer was lost" in receipt.detail
    assert was_done(api_server, planned.action)
    assert proxy.writes == 1


@pytest.mark.parametrize("trouble", ["the request is lost", "a gateway has nobody", "a gateway knows nothing"])
async def test_a19_a_request_of_which_nobody_knows_is_unclear_and_never_failed(
    proxy: Proxy, runner: KubernetesRunner, planned: Plan, api_server: ApiServer, trouble: str
) -> None:
    proxy.trouble = trouble
    with pytest.raises(Unclear, match="it may still be carried out"):
        await runner.execute(planned.action, fingerprint=planned.fingerprint, key="k-1", is_wanted=house.wanted)
    assert not was_done(api_server, planned.action)
    assert proxy.writes == 1


async def test_a19_what_is_gone_when_it_is_looked_at_again_was_deleted(
    proxy: Proxy, runner: KubernetesRunner, api_server: ApiServer, namespace: str
) -> None:
    house.put(api_server, house.job(), namespace)
    action = read({"name": "delete-failed-job", "target": f"job/{namespace}/report", "arguments": {}})
    plan = await runner.plan(action)
    proxy.trouble = "the answer is lost"
    receipt = await runner.execute(action, fingerprint=plan.fingerprint, key="k-1", is_wanted=house.wanted)

    assert "looked at again, the target shows it" in receipt.detail
    assert not house.exists(api_server, "Job", namespace, "report")


async def test_a_kind_that_the_cluster_does_not_serve_has_no_objects_and_long_lists_have_all(
    proxy: Proxy, runner: KubernetesRunner, api_server: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.hides = "policy"
    monkeypatch.setattr(live_module, "PAGE", 2)
    for each in (house.deployment(), *(house.pod(f"cart-{number}") for number in range(5))):
        house.put(api_server, each, namespace)
    action = read({"name": "restart-workload", "target": f"deployment/{namespace}/cart", "arguments": {}})

    assert (await runner.plan(action)).blast_radius == "5 pods would be replaced; 5 of 2 are ready now."


async def test_a18_a_change_that_nobody_can_look_at_any_more_is_unclear(
    proxy: Proxy, runner: KubernetesRunner, planned: Plan, api_server: ApiServer
) -> None:
    proxy.trouble = "everything is lost from then on"
    with pytest.raises(Unclear):
        await runner.execute(planned.action, fingerprint=planned.fingerprint, key="k-1", is_wanted=house.wanted)
    assert was_done(api_server, planned.action)
    assert proxy.writes == 1


async def test_a21_a_request_that_was_never_sent_is_not_sent_again_and_known_not_to_be_done(
    proxy: Proxy, runner: KubernetesRunner, planned: Plan, api_server: ApiServer
) -> None:
    async def nobody_listens_from_now_on() -> bool:
        await proxy.refuse_connections()
        return True

    with pytest.raises(NotReached, match=r"cannot be reached.*Nothing was done"):
        await runner.execute(
            planned.action, fingerprint=planned.fingerprint, key="k-1", is_wanted=nobody_listens_from_now_on
        )  # fmt: skip
    assert not was_done(api_server, planned.action)
    assert proxy.writes == 0


async def test_a_server_that_is_too_busy_did_nothing(
    proxy: Proxy, runner: KubernetesRunner, planned: Plan, api_server: ApiServer
) -> None:
    proxy.trouble = "too many requests"
    with pytest.raises(NotReached, match="too busy"):
        await runner.execute(planned.action, fingerprint=planned.fingerprint, key="k-1", is_wanted=house.wanted)
    assert not was_done(api_server, planned.action)


async def test_a_look_that_fails_leaves_everything_undone(
    proxy: Proxy, runner: KubernetesRunner, planned: Plan, api_server: ApiServer
) -> None:
    proxy.is_down = True
    with pytest.raises(NotReached):
        await runner.plan(planned.action)
    with pytest.raises(NotReached):
        await runner.execute(planned.action, fingerprint=planned.fingerprint, key="k-1", is_wanted=house.wanted)
    assert not was_done(api_server, planned.action)
    assert proxy.writes == 0


async def test_a_token_that_was_renewed_is_taken_up(api_server: ApiServer, namespace: str, tmp_path: Path) -> None:
    house.put(api_server, house.deployment(), namespace)
    action = read({"name": "restart-workload", "target": f"deployment/{namespace}/cart", "arguments": {}})
    config = house.kubeconfig(api_server, tmp_path, "expired-token")
    async with house.running_as(config) as runner:
        with pytest.raises((NotPossible, NotReached), match="does not accept"):
            await runner.plan(action)
        config.write_text(config.read_text().replace("expired-token", "admin-token"))
        assert (await runner.plan(action)).dry_run == "server"


@pytest.mark.parametrize("content", ["", "not: [yaml"])
async def test_a_kubeconfig_that_cannot_be_used_reaches_nobody(tmp_path: Path, content: str) -> None:
    config = tmp_path / "config"
    config.write_text(content)
    async with house.running_as(config) as runner:
        with pytest.raises(NotReached, match="config"):
            await runner.plan(read({"name": "cordon-node", "target": "node//worker-1", "arguments": {}}))
