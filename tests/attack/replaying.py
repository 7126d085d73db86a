"""One genuine click, again and again: recorded and replayed, sent anew by Slack, later, on both replicas, on both ways.

Slack's side is real HTTP and real WebSockets, the gate is the one that ships on a real Temporal, Valkey and ledger;
how often something was done is counted at the target.
"""

import asyncio
import contextlib
import json
import logging
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette

from bot.embedded import servers
from bot.setting_groups import Slack
from bot.settings import Settings
from bot.slack.app import SlackApp, create
from bot.slack.cards.approval import APPROVE
from bot.slack.http import PATH, route
from bot.slack.socket import Socket
from bot.stores.connection import Store, connect
from bot.stores.marks import RedisSeen
from bot.web.serving import Http
from bot.workflows import service
from bot.workspace.delivery import Kind
from bot.workspace.server import Workspace, serve
from tests.approvals.house import ANA, House, house, proposal, restart
from tests.attack.counts import Counts
from tests.attack.garbage import slack_signature
from tests.bot.fakes import Desk, eventually
from tests.servers import free_port

TIMES = 100
FORM = "application/x-www-form-urlencoded"


@dataclass(kw_only=True)
class Stage:
    """Two replicas in front of one gate."""

    house: House
    workspace: Workspace
    store: Store
    urls: tuple[str, str]
    session: aiohttp.ClientSession
    sent: int = 0

    async def ask(self, name: str) -> str:
        """A request that waits, about a target of its own."""
        return await self.house.ask(proposal(restart(name)))

    def click(self, request_id: str, *, at: str = "1700000000.000100") -> dict[str, Any]:
        """What Slack says about one press of Approve."""
        action = {"type": "button", "action_id": APPROVE, "value": request_id, "action_ts": at}
        container = {"channel_id": self.workspace.channel_id("alerts"), "thread_ts": "1.0001"}
        return {"type": "block_actions", "user": {"id": ANA}, "actions": [action], "container": container,
                "trigger_id": f"{at}.x"}  # fmt: skip

    async def post(self, body: str, headers: dict[str, str], replica: int = 0) -> int:
        """One request; its status."""
        self.sent += 1
        async with self.session.post(self.urls[replica % 2] + PATH, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    def signed(self, body: str, *, age_s: int = 0) -> dict[str, str]:
        """The headers that Slack would send now, or would have sent a while ago."""
        at = str(int(time.time()) - age_s)
        signature = slack_signature(self.workspace.signing_secret, at, body)
        return {"Content-Type": FORM, "X-Slack-Request-Timestamp": at, "X-Slack-Signature": signature}


async def run(*, say: Callable[[str], None]) -> Counts:
    """Every kind of replay; `double` are the executions that were one too many."""
    total = Counts()
    # Slack does not know the people of the house, so that their answers go nowhere, which is told again and again.
    logging.getLogger("bot.slack").addHandler(logging.NullHandler())
    async with standing() as stage:
        for name, play in (
            ("recorded", _recorded),
            ("forgotten", _forgotten),
            ("resent", _resent),
            ("socket", _socket),
        ):
            before = stage.sent
            request_id = await stage.ask(name)
            wrong = await play(stage, request_id)
            await stage.house.over(request_id)
            done = sum(request_id in key for key in stage.house.target.effects)
            votes = len(await stage.house.ledger.votes(request_id))
            sent = stage.sent - before
            say(
                f"replay: {name}: {sent} deliveries of one click, {votes} vote, {done} execution, {wrong} wrong answers"
            )
            total += Counts(
                malformed=sent - 1, double=max(done - 1, 0) + max(votes - 1, 0), tracebacks=wrong + (done == 0)
            )
    return total


async def _recorded(stage: Stage, request_id: str) -> int:
    """Somebody recorded the bytes: refused whatever the headers beside them say, wherever, at once and afterwards."""
    body = urlencode({"payload": json.dumps(stage.click(request_id))})
    headers = stage.signed(body)
    wrong = int(await stage.post(body, headers) != 200)
    half = TIMES // 2
    statuses = await asyncio.gather(*(stage.post(body, _changed(headers, n), n) for n in range(half)))
    await stage.house.ended(request_id)
    statuses += [await stage.post(body, _changed(headers, n), n) for n in range(TIMES - half)]
    old = [await stage.post(body, stage.signed(body, age_s=301 + n), n) for n in range(10)]
    return wrong + sum(status != 401 for status in (*statuses, *old))


async def _forgotten(stage: Stage, request_id: str) -> int:
    """The store that remembers signatures was lost: the click is taken in again, and is the same click."""
    body = urlencode({"payload": json.dumps(stage.click(request_id))})
    headers = stage.signed(body)
    wrong = 0
    for number in range(TIMES // 4):
        await _forget(stage.store)
        wrong += await stage.post(body, headers, number) != 200
    return wrong


async def _resent(stage: Stage, request_id: str) -> int:
    """Slack signs its retries anew; all of them at once, on both replicas."""
    body = urlencode({"payload": json.dumps(stage.click(request_id))})
    headers = [stage.signed(body, age_s=number) | {"X-Slack-Retry-Num": str(number)} for number in range(TIMES)]
    statuses = await asyncio.gather(*(stage.post(body, each, number) for number, each in enumerate(headers)))
    return sum(status != 200 for status in statuses)


async def _socket(stage: Stage, request_id: str) -> int:
    """Socket Mode delivers what was not acked to another connection."""
    payload = stage.click(request_id)
    for _ in range(TIMES):
        stage.sent += 1
        stage.workspace.team.deliveries.send(Kind.INTERACTION, "block_actions", payload)
    await stage.workspace.settled(timeout_s=30)
    return sum(not each.was_acked for each in stage.workspace.deliveries("block_actions")[-TIMES:])


def _changed(headers: dict[str, str], number: int) -> dict[str, str]:
    """The same signature with something else beside it."""
    more = (
        {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": "http_timeout"},
        {"X-Forwarded-For": f"10.0.0.{number}"},
        {"User-Agent": f"Slackbot 1.0 ({number})"},
        {"Content-Type": f"{FORM}; charset=utf-8; n={number}"},
        {"x-slack-signature": headers["X-Slack-Signature"], "X-Request-Id": str(number)},
    )[number % 5]
    kept = {name: value for name, value in headers.items() if name.lower() not in {each.lower() for each in more}}
    return kept | more


async def _forget(store: Store) -> None:
    async for key in store.scan_iter("locum:seen:slack:*"):
        await store.delete(key)


@contextlib.asynccontextmanager
async def standing() -> AsyncGenerator[Stage]:
    """The house with two replicas, over HTTP and over sockets."""
    with tempfile.TemporaryDirectory(prefix="locum-replay-") as name:
        folder = Path(name)
        async with contextlib.AsyncExitStack() as stack:
            workspace = await stack.enter_async_context(serve())
            endpoints = await stack.enter_async_context(servers.running(Settings(data_dir=folder)))
            client = await service.connect(endpoints.temporal_address, namespace="locum", tls=False)
            store = connect(endpoints.redis_url)
            stack.push_async_callback(store.aclose)
            lived = await stack.enter_async_context(house(client, store, folder))
            configured = Slack(
                bot_token=SecretStr(workspace.bot_token), app_token=SecretStr(workspace.app_token),
                signing_secret=SecretStr(workspace.signing_secret), api_url=workspace.api_url,
            )  # fmt: skip
            urls = [await stack.enter_async_context(_replica(configured, lived, store)) for _ in range(2)]
            await workspace.connected(2)
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)))
            yield Stage(house=lived, workspace=workspace, store=store, urls=(urls[0], urls[1]), session=session)


@contextlib.asynccontextmanager
async def _replica(configured: Slack, lived: House, store: Store) -> AsyncGenerator[str]:
    """One process's ears; without those of the other it knows nothing."""
    seen = RedisSeen(store)
    app = create(configured, Desk(), seen, lived.gate)
    socket = Socket(app, configured)
    await socket.connect()
    port = free_port()
    async with _serving(app, configured, seen, port):
        yield f"http://127.0.0.1:{port}"
    await socket.close()
    await app.close()


@contextlib.asynccontextmanager
async def _serving(app: SlackApp, configured: Slack, seen: RedisSeen, port: int) -> AsyncGenerator[None]:
    web = Starlette(routes=[route(app, configured, seen)])
    server = uvicorn.Server(
        uvicorn.Config(web, port=port, http=Http, ws="none", log_config=None, access_log=False, lifespan="off")
    )
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield
    finally:
        server.should_exit = True
        await running


if __name__ == "__main__":

    def write(line: str) -> None:
        """A line for whoever runs it."""
        sys.stdout.write(f"{line}\n")

    result = asyncio.run(run(say=write))
    sys.stdout.write(f"{result}\n")
    sys.exit(0 if result.is_clean else 1)
