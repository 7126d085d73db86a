"""HTTP mode: only what Slack signed, a moment ago and for the first time, is read."""

import asyncio
import contextlib
import io
import json
import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.applications import Starlette

from bot.slack.app import create
from bot.slack.cards import lines
from bot.slack.http import PATH, is_genuine, route
from bot.workspace.server import Workspace
from bot.workspace.signed import signature
from tests.bot.fakes import Desk, SeenKeys, eventually, settings
from tests.servers import free_port
from tests.slack import broken


@dataclass(frozen=True, kw_only=True)
class Server:
    """The surface under test."""

    url: str
    secret: str

    async def send(self, body: str, *, timestamp: str = "", signed: str = "", kind: str = "application/json") -> int:
        at = timestamp or str(int(time.time()))
        headers = {
            "Content-Type": kind,
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": signed or signature(self.secret, at, body),
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=body.encode(), headers=headers) as answer,
        ):
            assert "Traceback" not in await answer.text()
            return answer.status


@contextlib.asynccontextmanager
async def serving(workspace: Workspace, desk: Desk, seen: SeenKeys) -> AsyncGenerator[Server]:
    slack = create(settings(workspace), desk, seen)
    port = free_port()
    web = Starlette(routes=[route(slack, settings(workspace), seen)])
    server = uvicorn.Server(
        uvicorn.Config(web, host="127.0.0.1", port=port, log_level="warning", lifespan="off", ws="none")
    )
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield Server(url=f"http://127.0.0.1:{port}{PATH}", secret=workspace.signing_secret)
    finally:
        await slack.asking.close()
        server.should_exit = True
        await serving
        await slack.close()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def seen() -> SeenKeys:
    return SeenKeys()


def event(workspace: Workspace) -> str:
    said = {"type": "message", "channel_type": "im", "channel": "D1", "user": "U0001ANA", "ts": "1.1", "text": "why?"}
    return json.dumps({"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": said})


async def test_the_whole_workspace_works_over_signed_http(workspace: Workspace, desk: Desk, seen: SeenKeys) -> None:
    async with serving(workspace, desk, seen) as server:
        await workspace.call_back(server.url)
        workspace.post("ana", "alerts", "@locum cart is slow")
        await eventually(lambda: desk.taken)
        workspace.slash("ana", "alerts", "/diagnose", "checkout is slow")
        await eventually(lambda: len(desk.taken) == 2)
        await workspace.settled()
    assert [one["text"] for one in workspace.ephemerals("ana")] == [lines.TAKEN]
    assert [question.text for question in desk.questions] == ["cart is slow", "checkout is slow"]


async def test_s04_a_retry_of_slacks_over_http_is_the_same_question(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with serving(workspace, desk, seen) as server:
        await workspace.call_back(server.url)
        workspace.duplicate(2)
        workspace.post("ana", "alerts", "@locum cart is slow")
        await eventually(lambda: desk.taken)
        await workspace.settled()
    assert len(desk.questions) == 1
    # Two copies sent in the same second are the same signed request, which is refused the second time.
    assert all("HTTP 401" in rule for rule in broken(workspace))


async def test_a_signed_request_is_taken_once_and_its_recording_refused(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with serving(workspace, desk, seen) as server:
        body, at = event(workspace), str(int(time.time()))
        assert await server.send(body, timestamp=at) == 200
        assert await server.send(body, timestamp=at) == 401
    async with serving(workspace, desk, seen) as restarted:
        assert await restarted.send(body, timestamp=at) == 401
    assert desk.calls == 1


@pytest.mark.parametrize("timestamp", ["now", "1e9", "-5", "9" * 40, "0", "4000000000"])
async def test_a_request_that_was_not_signed_now_is_401_and_reaches_nobody(
    workspace: Workspace, desk: Desk, seen: SeenKeys, timestamp: str
) -> None:
    async with serving(workspace, desk, seen) as server:
        assert await server.send(event(workspace), timestamp=timestamp) == 401
    assert desk.calls == 0


@pytest.mark.parametrize("signed", ["v0=00", "garbage", "v0=" + "0" * 64])
async def test_a_request_that_slack_did_not_sign_is_401_and_its_body_is_in_no_log(
    workspace: Workspace, desk: Desk, caplog: pytest.LogCaptureFixture, signed: str
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(workspace, desk, SeenKeys()) as server:
        assert await server.send(event(workspace), signed=signed) == 401
    assert desk.calls == 0
    assert "why?" not in caplog.text
    assert signed not in caplog.text


@pytest.mark.parametrize(("timestamp", "signed"), [("٣٣٣", "v0=0"), ("1", "v0=é")])
def test_what_is_not_ascii_is_not_genuine_and_no_error(timestamp: str, signed: str) -> None:
    assert not is_genuine(SecretStr("shh"), timestamp, b"{}", signed, now_s=1)


@pytest.mark.parametrize(("age_s", "is_taken"), [(-310, False), (-290, True), (290, True), (310, False)])
def test_a_signature_is_good_for_five_minutes(age_s: int, *, is_taken: bool) -> None:
    signed = signature("shh", "1800000000", "{}")
    now_s = 1_800_000_000 + age_s
    assert is_genuine(SecretStr("shh"), "1800000000", b"{}", signed, now_s=now_s) is is_taken


async def test_a_request_without_a_signature_or_too_large_is_refused(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with serving(workspace, desk, seen) as server, aiohttp.ClientSession() as session:
        async with session.post(server.url, data=b"{}") as answer:
            assert answer.status == 401
        async with session.post(server.url, data=io.BytesIO(b"x" * 1_100_000)) as answer:
            assert answer.status == 413
        async with session.get(server.url) as answer:
            assert answer.status == 405
    assert desk.calls == 0


async def test_a_signed_body_that_is_nonsense_gets_no_traceback(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    form = "application/x-www-form-urlencoded"
    async with serving(workspace, desk, seen) as server:
        for body, kind in (("{", "application/json"), ("[]", "application/json"), (urlencode({"payload": "{"}), form)):
            assert await server.send(body, kind=kind) in {400, 404, 500}
    assert desk.calls == 0


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=300))
def test_what_slack_signed_is_genuine_and_one_changed_byte_is_not(body: bytes, age_s: int) -> None:
    secret, now = SecretStr("shh"), 1_800_000_000
    text = body.decode("latin-1")
    signed = signature("shh", str(now), text)
    raw = text.encode()
    assert is_genuine(secret, str(now), raw, signed, now_s=now + age_s)
    assert not is_genuine(secret, str(now), raw + b" ", signed, now_s=now)
    assert not is_genuine(secret, str(now), raw, signed[:-1] + ("0" if signed[-1] != "0" else "1"), now_s=now)
