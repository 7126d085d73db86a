import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from bot.workspace.server import Workspace
from bot.workspace.signed import signature
from tests.slack import broken, client


@pytest.fixture
def app(workspace: Workspace) -> Any:
    return AsyncApp(client=client(workspace), signing_secret=workspace.signing_secret)


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncGenerator[str]:
    """The bolt app behind a real HTTP server."""

    async def handle(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    server = web.Application()
    server.router.add_post("/slack/events", handle)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


async def test_events_commands_and_clicks_arrive_signed(workspace: Workspace, app: Any) -> None:
    got: list[str] = []

    @app.event("app_mention")
    async def mention(event: dict[str, Any]) -> None:
        got.append(event["text"])

    @app.event("message")
    async def message() -> None: ...

    @app.command("/diagnose")
    async def diagnose(ack: Any, command: dict[str, Any]) -> None:
        got.append(command["text"])
        await ack("on it")

    async with serving(app) as url:
        await workspace.call_back(url)
        workspace.post("ana", "alerts", "@locum hello")
        workspace.slash("ana", "alerts", "/diagnose cart")
        await workspace.settled()
        await workspace.until(lambda: len(got) == 2)
    assert "cart" in got
    assert [one["text"] for one in workspace.ephemerals("ana")] == ["on it"]


async def test_a_clock_that_is_off_makes_signatures_invalid_and_events_come_again(
    workspace: Workspace, app: Any
) -> None:
    @app.event("message")
    async def message() -> None: ...

    async with serving(app) as url:
        await workspace.call_back(url)
        workspace.skew(-600)
        workspace.post("ana", "alerts", "hello")
        await workspace.until(lambda: len(workspace.deliveries()[0].attempts) == 2)
        await workspace.settled()
        workspace.skew(0)
        await workspace.advance(61)
        await workspace.until(lambda: workspace.deliveries()[0].was_acked)
    outcomes = [attempt.outcome for attempt in workspace.deliveries()[0].attempts]
    assert outcomes == ["http_error", "http_error", "acked"]
    assert broken(workspace) == ["message: answered with HTTP 401"] * 2


async def test_retries_say_so_in_their_headers(workspace: Workspace) -> None:
    seen: list[dict[str, str]] = []

    async def handle(request: web.Request) -> web.Response:
        body = await request.text()
        if "challenge" in body:
            return web.Response(text=(await request.json())["challenge"])
        seen.append(dict(request.headers))
        return web.Response(status=500 if len(seen) == 1 else 200)

    server = web.Application()
    server.router.add_post("/", handle)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await workspace.call_back(f"http://127.0.0.1:{runner.addresses[0][1]}/")
        workspace.post("ana", "alerts", "hello")
        await workspace.until(lambda: workspace.deliveries()[0].was_acked)
    finally:
        await runner.cleanup()
    assert "X-Slack-Retry-Num" not in seen[0]
    assert (seen[1]["X-Slack-Retry-Num"], seen[1]["X-Slack-Retry-Reason"]) == ("1", "http_error")
    assert abs(int(seen[0]["X-Slack-Request-Timestamp"]) - time.time()) < 5
    assert len(broken(workspace)) == 1


async def test_a_request_url_that_does_not_answer_the_challenge_is_not_taken(workspace: Workspace) -> None:
    async def handle(request: web.Request) -> web.Response:
        await asyncio.sleep(0)
        return web.Response(text="hello")

    server = web.Application()
    server.router.add_post("/", handle)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        with pytest.raises(ConnectionError):
            await workspace.call_back(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    finally:
        await runner.cleanup()


def test_the_signature_is_slacks() -> None:
    # The example in Slack's own documentation of request signing.
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    expected = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert signature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body) == expected
