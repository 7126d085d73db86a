"""A strict local Slack for tests, and a real bolt app on it.

    async def test_something(workspace: Workspace, app: Any) -> None:
        @app.event("app_mention")
        async def answer(event, say): ...

        async with connected(workspace, app):
            workspace.post("ana", "alerts", "@locum cart is slow")
            await workspace.until(lambda: len(workspace.messages("alerts")) == 2)

At the end of a test the fixture `workspace` asserts that the app broke none of Slack's rules. A test that breaks them
on purpose says which, with `broken(workspace)`. The fixtures are taken into a `conftest.py` by importing them.

The app and the client are `Any` here, because slack-bolt and slack-sdk leave parts of their types open.
"""

import contextlib
from collections.abc import AsyncGenerator, Awaitable
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace.server import Workspace, serve


@pytest.fixture
async def workspace() -> AsyncGenerator[Workspace]:
    async with serve() as running:
        yield running
        assert running.violations == []


@pytest.fixture
def app(workspace: Workspace) -> Any:
    """A bolt app that is not connected yet: add listeners, then `async with connected(...)`."""
    return AsyncApp(client=client(workspace))


def client(workspace: Workspace, token: str = "") -> Any:
    """A Web API client with the bot's token, or with another."""
    return AsyncWebClient(token=token or workspace.bot_token, base_url=workspace.api_url)


async def refusal(call: Awaitable[Any]) -> Any:
    """The answer to a call that Slack refuses."""
    with pytest.raises(SlackApiError) as error:
        await call
    return vars(error.value)["response"]


def broken(workspace: Workspace) -> list[str]:
    """The rules broken so far, taken as intended by the test."""
    found = workspace.violations
    workspace.team.violations.found.clear()
    return found


@contextlib.asynccontextmanager
async def connected(workspace: Workspace, app: Any) -> AsyncGenerator[Any]:
    """The app on one more socket, over Socket Mode."""
    handler = AsyncSocketModeHandler(app, workspace.app_token, ping_interval=1)
    before = workspace.sockets
    await handler.connect_async()
    try:
        await workspace.connected(before + 1)
        yield handler
    finally:
        await handler.close_async()
