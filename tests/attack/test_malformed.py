"""What a stranger sends, in the size that fits a test run, and each mistake that such requests once found."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.alerts.payload import ParseError, read_json
from bot.slack import http
from bot.web import guarding, serving
from bot.workspace.server import serve
from tests.attack import malformed, replaying
from tests.attack.garbage import slack_signature
from tests.bot.approval_scene import acting
from tests.bot.fakes import SeenKeys, eventually, settings
from tests.servers import free_port

SEED = 0


async def test_a5_malformed_and_unsigned_requests_get_4xx_and_leave_nothing_behind() -> None:
    said: list[str] = []
    # No body of these is so slow that the process waits until its time is up.
    counts = await malformed.fire(requests=3_000, say=said.append, seed=SEED)
    assert counts.is_clean, said
    assert counts.malformed == 3_000


async def test_a5_a17_a_click_that_is_replayed_or_delivered_again_is_counted_and_carried_out_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replaying, "TIMES", 32)
    said: list[str] = []
    counts = await replaying.run(say=said.append)
    assert counts.is_clean, said
    assert counts.malformed > 100


@pytest.mark.parametrize("opens", ["[", '{"a":'])
def test_a_body_as_deep_as_its_reader_just_bears_is_refused_and_no_accident(opens: str) -> None:
    closes = {"[": "]", '{"a":': "}"}[opens]
    refused = 0
    for depth in range(700, 1_100):
        body = '{"x":' + opens * depth + '"\\ud83d\\ude00"' + closes * depth + "}"
        try:
            read_json(body.encode())
        except ParseError:
            refused += 1
    assert 0 < refused < 400


async def test_a_body_that_does_not_come_is_waited_for_a_while_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "BODY_S", 0.05)

    async def nothing() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    with pytest.raises(HTTPException) as refused:
        await guarding.body_of(Request({"type": "http", "method": "POST", "headers": []}, nothing), 100)
    assert refused.value.status_code == 408


async def test_a_body_that_is_broken_off_is_the_senders_mistake() -> None:
    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    with pytest.raises(HTTPException) as refused:
        await guarding.body_of(Request({"type": "http", "method": "POST", "headers": []}, gone), 100)
    assert refused.value.status_code == 400


async def test_who_does_not_get_to_the_point_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_S", 0.1)
    async with _served(_refuse) as port:
        for first in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if first:
                writer.write(first)
                assert b"401" in await reader.readuntil(b"\r\n\r\n")
            for _ in range(3):
                # As slowly as ever: each byte is news, and none of them is a request.
                writer.write(b"G")
                await asyncio.sleep(0.03)
            async with asyncio.timeout(3):
                assert await reader.read() == b""
            writer.close()


async def test_who_is_still_worked_for_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_S", 0.05)

    async def slow(_: Request) -> Response:
        await asyncio.sleep(0.3)
        return Response(status_code=200)

    async with _served(slow) as port, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                assert answer.status == 200


async def test_a_body_that_turns_out_to_be_none_after_the_answer_breaks_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with _served(_refuse) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b"401" in await reader.readuntil(b"\r\n\r\n")
        with caplog.at_level(logging.ERROR):
            writer.write(b"no chunk\r\n")
            async with asyncio.timeout(5):
                assert await reader.read() == b""
        writer.close()
    assert caplog.records == []


@pytest.mark.parametrize(
    "sent", [b"{", b"[]", b"null", b"\xff", b"payload=[]", b"payload=%7B", b'{"event": []}', b"[" * 9_999]
)
async def test_what_slack_signed_and_never_sends_is_refused_in_front_of_everything(sent: bytes) -> None:
    async with serve() as workspace, acting(workspace) as scene:
        taking = http.route(scene.slack, settings(workspace), SeenKeys())
        async with _serving(Starlette(routes=[taking])) as port, aiohttp.ClientSession() as session:
            at = str(int(time.time()))
            headers = {
                "X-Slack-Request-Timestamp": at,
                "X-Slack-Signature": slack_signature(workspace.signing_secret, at, sent),
                "Content-Type": "application/json" if sent[:1] in b"[{n" else "application/x-www-form-urlencoded",
            }
            async with session.post(f"http://127.0.0.1:{port}{http.PATH}", data=sent, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (400, b"")


async def _refuse(_: Request) -> Response:
    return Response(status_code=401)


def _served(answer: Callable[[Request], Awaitable[Response]]) -> AbstractAsyncContextManager[int]:
    return _serving(Starlette(routes=[Route("/", answer, methods=["GET", "POST"])]))


@asynccontextmanager
async def _serving(app: Starlette) -> AsyncGenerator[int]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, http=serving.Http, ws="none", log_config=None, access_log=False, lifespan="off")
    )
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield port
    finally:
        server.should_exit = True
        await running
