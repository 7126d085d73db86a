import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler

from bot.workspace.server import Workspace
from tests.slack import broken, client, connected


def listening(app: Any) -> list[dict[str, Any]]:
    """Collects the body of every message event that the app gets."""
    got: list[dict[str, Any]] = []

    @app.event("message")
    async def message(body: dict[str, Any]) -> None:
        got.append(body)

    return got


async def test_an_event_whose_ack_is_lost_comes_again_at_0_60_and_300_seconds(workspace: Workspace, app: Any) -> None:
    got = listening(app)
    workspace.drop_acks(3)
    async with connected(workspace, app):
        workspace.post("ana", "alerts", "once")
        (delivery,) = workspace.deliveries("message")
        await workspace.until(lambda: len(delivery.attempts) == 2 and delivery.attempts[1].outcome != "pending")
        await asyncio.sleep(0.05)
        assert len(delivery.attempts) == 2
        await workspace.advance(61)
        await workspace.until(lambda: len(delivery.attempts) == 3 and delivery.attempts[2].outcome != "pending")
        await workspace.advance(301)
        await workspace.until(lambda: delivery.was_acked)

    assert [attempt.number for attempt in delivery.attempts] == [0, 1, 2, 3]
    assert len({one["event_id"] for one in got}) == 1
    assert len(got) == 4


async def test_a_late_ack_breaks_the_rule_and_brings_the_event_again(workspace: Workspace, app: Any) -> None:
    retries: list[str] = []

    @app.event("message")
    async def message(request: Any) -> None:
        retries.append(request.headers.get("x-slack-retry-num", ["-"])[0])

    @app.middleware
    async def slow(next: Any) -> None:  # noqa: A002
        if not retries:
            await asyncio.sleep(0.6)
        await next()

    async with connected(workspace, app):
        workspace.post("ana", "alerts", "slow")
        await workspace.until(lambda: workspace.deliveries()[0].attempts and workspace.deliveries()[0].attempts[0].via)
        await workspace.advance(3.1)
        await workspace.until(lambda: workspace.deliveries()[0].was_acked)
        await workspace.until(lambda: len(retries) == 2)
    assert broken(workspace) == ["message: not acked within 3 s"]
    assert sorted(retries) == ["0", "1"]


async def test_an_event_goes_to_one_socket_and_over_time_to_all(workspace: Workspace, app: Any) -> None:
    got = listening(app)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(connected(workspace, app))
        for number in range(40):
            workspace.post("ana", "alerts", f"message {number}")
        await workspace.settled()
        assert len(got) == 40
        assert len({delivery.attempts[0].via for delivery in workspace.deliveries()}) == 3


async def test_the_eleventh_socket_is_sent_away(workspace: Workspace) -> None:
    slack = client(workspace)

    async def url() -> str:
        return str((await slack.apps_connections_open(app_token=workspace.app_token))["url"])

    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(await url()) for _ in range(11)]
        first = [(await one.receive_json())["type"] for one in sockets]
        assert first == ["hello"] * 10 + ["disconnect"]
        for one in sockets:
            await one.close()


async def test_after_a_disconnect_the_app_comes_back_and_loses_nothing(workspace: Workspace, app: Any) -> None:
    got = listening(app)
    async with connected(workspace, app) as handler:
        before = await handler.client.session_id()
        await workspace.disconnect()
        workspace.post("ana", "alerts", "while reconnecting")
        await workspace.until(lambda: got)
        await workspace.settled()
        assert await handler.client.session_id() != before


async def test_after_a_broken_connection_the_app_comes_back_and_gets_the_event(workspace: Workspace, app: Any) -> None:
    got = listening(app)
    async with connected(workspace, app):
        await workspace.disconnect(is_abrupt=True)
        await workspace.until(lambda: workspace.sockets == 0)
        workspace.post("ana", "alerts", "while the line was down")
        await workspace.until(lambda: got, timeout_s=8)
        await workspace.settled()


async def test_an_event_waits_for_an_app_that_is_starting(workspace: Workspace, app: Any) -> None:
    got = listening(app)
    workspace.post("ana", "alerts", "early")
    await asyncio.sleep(0.05)
    async with connected(workspace, app):
        await workspace.until(lambda: got)
        await workspace.settled()


async def test_duplicates_and_redeliveries_have_the_same_event_id(workspace: Workspace, app: Any) -> None:
    got = listening(app)
    async with connected(workspace, app):
        workspace.duplicate()
        workspace.post("ana", "alerts", "twice")
        await workspace.settled()
        workspace.redeliver("message")
        await workspace.until(lambda: len(got) == 3)
        await workspace.settled()
    assert len({one["event_id"] for one in got}) == 1


async def test_a_rate_limited_call_is_retried_by_the_sdk_after_the_wait(workspace: Workspace) -> None:
    slack = client(workspace)
    slack.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    workspace.fail("chat.postMessage", status=429, retry_after_s=0)
    await slack.chat_postMessage(channel=workspace.channel_id("alerts"), text="x")
    assert [call.status for call in workspace.calls("chat.postMessage")] == [429, 200]


async def test_calls_fail_and_come_late_as_a_test_asks(workspace: Workspace) -> None:
    slack, loop = client(workspace), asyncio.get_running_loop()
    workspace.fail("auth.test", error="internal_error")
    with pytest.raises(Exception, match="internal_error"):
        await slack.auth_test()
    workspace.fail("*", status=500, times=2)
    for _ in range(2):
        with pytest.raises(Exception, match="500"):
            await slack.auth_test()
    workspace.fail("auth.test", delay_s=0.2)
    started = loop.time()
    await slack.auth_test()
    assert loop.time() - started >= 0.2


async def test_time_runs_faster_when_scaled(workspace: Workspace) -> None:
    before = workspace.team.clock.seconds()
    workspace.scale(1000)
    await asyncio.sleep(0.05)
    assert workspace.team.clock.seconds() - before > 40
