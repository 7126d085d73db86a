"""Clicks over signed HTTP: only what Slack signed a moment ago and for the first time is a click."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from urllib.parse import urlencode

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette

from approvals.ballot import State
from bot.slack.cards.approval import APPROVE, DENY
from bot.slack.cards.approval_details import REASON_BLOCK
from bot.slack.http import PATH, route
from bot.workspace.server import Workspace
from bot.workspace.signed import signature
from tests.blocks import requests
from tests.bot.approval_scene import Scene, Store, acting, asked, begin, waiting
from tests.bot.fakes import eventually, settings
from tests.servers import free_port

FORM = "application/x-www-form-urlencoded"


@contextlib.asynccontextmanager
async def serving(workspace: Workspace, store: Store) -> AsyncGenerator[tuple[Scene, str]]:
    # Said after the app has an address: Slack would wait for one.
    is_new, store.thread_ts = not store.thread_ts, store.thread_ts or "later"
    async with acting(workspace, store) as scene:
        port = free_port()
        web = Starlette(routes=[route(scene.slack, settings(workspace), store.seen)])
        server = uvicorn.Server(
            uvicorn.Config(web, host="127.0.0.1", port=port, log_level="warning", lifespan="off", ws="none")
        )
        running = asyncio.create_task(server.serve())
        await eventually(lambda: server.started)
        try:
            url = f"http://127.0.0.1:{port}{PATH}"
            await workspace.call_back(url)
            if is_new:
                begin(workspace, store)
            yield scene, url
            await workspace.settled()
        finally:
            server.should_exit = True
            await running


async def send(url: str, body: str, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        assert "Traceback" not in await answer.text()
        return answer.status


def signed(workspace: Workspace, body: str, *, age_s: int = 0, secret: str = "") -> dict[str, str]:
    at = str(int(time.time()) - age_s)
    return {
        "Content-Type": FORM,
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": signature(secret or workspace.signing_secret, at, body),
    }


async def test_s25_s27_a_whole_decision_over_signed_http(workspace: Workspace) -> None:
    async with serving(workspace, Store()) as (scene, _):
        await scene.gate.ask(asked(scene, waiting(quorum=2)))
        workspace.click("ana", APPROVE)
        assert await scene.answered() == ["✅ counted: Your approval is counted; 1 more needed."]
        workspace.click("ben", DENY)
        await workspace.until(lambda: workspace.modal("ben"))
        workspace.submit("ben", {REASON_BLOCK: " "})
        await workspace.until(lambda: (workspace.modal("ben") or {}).get("errors"))
        workspace.submit("ben", {REASON_BLOCK: "wait for the freeze"})
        await workspace.until(lambda: scene.buttons == [])
    assert "wait for the freeze" in scene.card["text"]


async def test_a5_a_recorded_click_that_is_sent_again_is_refused_and_executes_nothing_twice(
    workspace: Workspace,
) -> None:
    store = Store()
    async with serving(workspace, store) as (scene, url):
        await scene.gate.ask(asked(scene, waiting(quorum=2)))
        payload = workspace.click("ana", APPROVE)
        await scene.answered()
        body = urlencode({"payload": json.dumps(payload)})
        headers = signed(workspace, body)
        # Slack's own request of the same second has the same signature.
        statuses = {await send(url, body, headers), await send(url, body, headers)}
        assert 401 in statuses
    async with serving(workspace, store) as (restarted, url):
        assert await send(url, body, headers) == 401
    assert restarted.gate.clicks == []
    assert len({click.key for click in scene.gate.clicks}) == 1
    assert len(store.views[requests.ID].votes) == 1


@pytest.mark.parametrize(("age_s", "secret"), [(301, ""), (-400, ""), (0, "a guess")])
async def test_a5_a_click_that_slack_did_not_sign_just_now_reaches_nobody(
    workspace: Workspace, age_s: int, secret: str
) -> None:
    async with serving(workspace, Store()) as (scene, url):
        await scene.gate.ask(asked(scene))
        action = {"action_id": APPROVE, "value": requests.ID, "action_ts": "1.1", "type": "button"}
        forged = {"type": "block_actions", "user": {"id": workspace.user_id("ana")}, "actions": [action]}
        body = urlencode({"payload": json.dumps(forged)})
        assert await send(url, body, signed(workspace, body, age_s=age_s, secret=secret)) == 401
        assert await send(url, body, {"Content-Type": FORM}) == 401
        headers = signed(workspace, body)
        assert await send(url, body.replace("approve", "details"), headers) == 401
    assert scene.gate.clicks == []
    assert scene.gate.views[requests.ID].state is State.PENDING
