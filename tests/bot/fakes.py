"""Small strict stand-ins: the desk, the store's notes, and a Slack whose answers get lost."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from agents.case import SessionId
from bot.desk import DeskClosed, SessionStatus, Ticket
from bot.incident import IncidentId, Question
from bot.setting_groups import Slack
from bot.workspace.server import Workspace


@dataclass
class Notes:
    """Notes in memory; hand the same ones to the next process."""

    kept: dict[str, str] = field(default_factory=dict[str, str])

    async def get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def put(self, key: str, value: str) -> None:
        assert value
        self.kept[key] = value


@dataclass
class SeenKeys:
    """Keys in memory; hand the same ones to the next process."""

    keys: set[str] = field(default_factory=set[str])

    async def first(self, key: str, ttl_s: int) -> bool:
        assert ttl_s > 0
        is_first = key not in self.keys
        self.keys.add(key)
        return is_first


@dataclass
class Desk:
    """Takes questions, each key once."""

    taken: dict[str, Question] = field(default_factory=dict[str, Question])
    calls: int = 0
    is_closed: bool = False
    delay_s: float = 0

    async def ask(self, question: Question) -> Ticket:
        self.calls += 1
        assert question.key
        assert question.text.strip()
        await asyncio.sleep(self.delay_s)
        if self.is_closed:
            raise DeskClosed("the workflow service is away")
        is_new = question.key not in self.taken
        if not is_new:
            assert self.taken[question.key] == question
        self.taken[question.key] = question
        number = list(self.taken).index(question.key)
        return Ticket(session_id=SessionId(f"ses_{number}"), incident_id=IncidentId(f"inc_{number}"), is_new=is_new)

    async def status(self, session_id: SessionId) -> SessionStatus | None:
        raise NotImplementedError(session_id)

    def events(self, session_id: SessionId, *, after: str = "0") -> AsyncIterator[tuple[str, dict[str, Any]]]:
        raise NotImplementedError(session_id, after)

    @property
    def questions(self) -> list[Question]:
        return list(self.taken.values())


async def eventually(holds: Callable[[], object], within_s: float = 5) -> None:
    """Wait until `holds()` is true; for what happens on our side, which the workspace does not see."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  (what is waited for sets no event)
            await asyncio.sleep(0.005)


def settings(workspace: Workspace, *, api_url: str = "") -> Slack:
    return Slack(
        bot_token=SecretStr(workspace.bot_token),
        app_token=SecretStr(workspace.app_token),
        signing_secret=SecretStr(workspace.signing_secret),
        api_url=api_url or workspace.api_url,
    )


@dataclass
class Lossy:
    """What stands between Locum and Slack: passes calls on, and drops the answers it is told to."""

    url: str = ""
    scopes: str = ""
    """What the answers say that the token may do, as Slack's do."""
    losses: dict[str, int] = field(default_factory=dict[str, int])

    def lose(self, method: str, times: int = 1) -> None:
        """The next `times` calls of `method` happen, and their answers do not arrive."""
        self.losses[method] = times


@contextlib.asynccontextmanager
async def lossy(workspace: Workspace) -> AsyncGenerator[Lossy]:
    """A way to the workspace on which answers get lost."""
    between = Lossy()

    async def passed(request: web.Request) -> web.StreamResponse:
        method, body = request.match_info["method"], await request.read()
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        url = f"{workspace.api_url}{method}?{request.query_string}"
        async with aiohttp.ClientSession() as session:
            answer = await session.request(request.method, url, data=body, headers=headers)
            content = await answer.read()
        if between.losses.get(method, 0) > 0:
            between.losses[method] -= 1
            assert request.transport is not None
            request.transport.abort()
        granted = {"X-OAuth-Scopes": between.scopes} if between.scopes else {}
        return web.Response(body=content, status=answer.status, content_type="application/json", headers=granted)

    app = web.Application()
    app.router.add_route("*", "/api/{method}", passed)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        between.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
        yield between
    finally:
        await runner.cleanup()
