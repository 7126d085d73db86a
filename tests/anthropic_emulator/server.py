"""A strict `/v1/messages` of the Claude API on a free port of 127.0.0.1, for tests of the model's path.

    async with serve([Say("hello")]) as emulator:
        ...  # emulator.url, emulator.key; then emulator.requests

It streams as the service does, counts tokens and caching from the requests, and answers what its script says.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

from aiohttp import web

from tests.anthropic_emulator.script import BreakOff, Refuse, Say, Step, tool_id
from tests.anthropic_emulator.strictness import InvalidRequest, Json, blocks, check

LEAST_CACHED = 1_024
"""Tokens below which the service does not cache."""
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5")
PIECE = 24
"""Characters of one delta."""

Script = Sequence[Step] | Callable[[Json], Step | Awaitable[Step]]


@dataclass(slots=True)
class Emulator:
    """A running one."""

    script: Script
    url: str = ""
    key: str = "sk-emulated-key"
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Every body that was accepted as JSON with a known key, in order; also those that were then refused."""
    sizes: list[int] = field(default_factory=list[int])
    """Bytes of each of `requests` as sent."""
    arrived_at_s: list[float] = field(default_factory=list[float])
    refusals: list[str] = field(default_factory=list[str])
    """Why requests were found invalid: empty when all were as the service wants them."""
    cached: set[str] = field(default_factory=set[str])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        # The service knows both ways to give a key; the SDK since 2.0 gives it as a bearer.
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if given != self.key:
            return _error(401, "authentication_error", "invalid x-api-key")
        raw = await request.read()
        try:
            body = json.loads(raw)
        except ValueError:
            return self._invalid("The request body is not valid JSON")
        self.requests.append(body)
        self.sizes.append(len(raw))
        self.arrived_at_s.append(asyncio.get_running_loop().time())
        try:
            check(body, version=request.headers.get("anthropic-version", ""))
        except InvalidRequest as error:
            return self._invalid(str(error))
        if body["model"] not in MODELS:
            return _error(404, "not_found_error", f"model: {body['model']}")
        step = self._step(body)
        return await self._play(await step if isawaitable(step) else step, body, request)

    def _invalid(self, message: str) -> web.Response:
        self.refusals.append(message)
        return _error(400, "invalid_request_error", message)

    def _step(self, body: Json) -> Step | Awaitable[Step]:
        if callable(self.script):
            return self.script(body)
        number = len(self.requests) - 1
        if number >= len(self.script):
            self.refusals.append("more requests than the script has steps")
            return Refuse(500, "api_error", "the script is over")
        return self.script[number]

    async def _play(self, step: Step, body: Json, request: web.Request) -> web.StreamResponse:
        if isinstance(step, Refuse):
            headers = {"retry-after": step.retry_after} if step.retry_after is not None else {}
            return _error(step.status, step.kind, step.message, headers)
        message = step.message if isinstance(step, BreakOff) else step
        events = self._events(message, body)
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for event in events[: step.events] if isinstance(step, BreakOff) else events:
            await _send(response, event["type"], json.dumps(event))
        if isinstance(step, BreakOff):
            await _broken(step.how, response, request)
        return response

    def _events(self, message: Say, body: Json) -> list[dict[str, Any]]:
        spent = -(-message.characters // 4) or 1
        is_cut = spent > body["max_tokens"]
        usage = {**self._input(body), "output_tokens": 1}
        head: dict[str, Any] = {
            "id": f"msg_{len(self.requests):020d}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        events: list[dict[str, Any]] = [{"type": "message_start", "message": head}, {"type": "ping"}]
        for number, (start, kind, pieces) in enumerate(_contents(message, limit=4 * body["max_tokens"])):
            events.append({"type": "content_block_start", "index": number, "content_block": start})
            key = "text" if kind == "text_delta" else "partial_json"
            events += [
                {"type": "content_block_delta", "index": number, "delta": {"type": kind, key: piece}}
                for piece in pieces
            ]
            events.append({"type": "content_block_stop", "index": number})
        stop = "max_tokens" if is_cut else message.stop or ("tool_use" if message.calls else "end_turn")
        delta = {"stop_reason": stop, "stop_sequence": None}
        output = min(spent, body["max_tokens"])
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": output}})
        return [*events, {"type": "message_stop"}]

    def _input(self, body: Json) -> dict[str, int]:
        """Counts as the service does: what was cached before is read, what is marked now is written."""
        total = _tokens(json.dumps([body.get("tools"), body.get("system"), body["messages"]]))
        text, read, written = "", 0, 0
        for block in blocks(body):
            text += json.dumps({key: value for key, value in block.items() if key != "cache_control"})
            if "cache_control" in block and _tokens(text) >= LEAST_CACHED:
                known = text in self.cached
                self.cached.add(text)
                read, written = (_tokens(text), 0) if known else (read, _tokens(text) - read)
        return {
            "input_tokens": max(total - read - written, 1),
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
        }


@asynccontextmanager
async def serve(script: Script) -> AsyncGenerator[Emulator]:
    """An emulator that plays `script`: steps in order, or a function from the request's body to a step.

    A function may be a coroutine, which makes the service slow.
    """
    emulator = Emulator(script)
    app = web.Application(client_max_size=32_000_000)
    app.router.add_post("/v1/messages", emulator.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        emulator.url = f"http://{host}:{port}"
        yield emulator
    finally:
        await runner.cleanup()


def _contents(message: Say, *, limit: int) -> list[tuple[dict[str, Any], str, list[str]]]:
    found: list[tuple[dict[str, Any], str, list[str]]] = []
    if message.text:
        found.append(({"type": "text", "text": ""}, "text_delta", _pieces(message.text[:limit])))
    left = limit - len(message.text)
    for call in message.calls:
        start: dict[str, Any] = {"type": "tool_use", "id": tool_id(), "name": call.name, "input": {}}
        # The hostile model is not bounded by what was asked for: a service's limit is not ours.
        written = call.written if len(call.written) > 100 * limit else call.written[: max(left, 0)]
        found.append((start, "input_json_delta", ["", *_pieces(written)]))
        left -= len(written)
    return found


def _pieces(text: str) -> list[str]:
    size = PIECE if len(text) < 20_000 else 50_000
    return [text[start : start + size] for start in range(0, len(text), size)]


def _tokens(text: str) -> int:
    return len(text) // 4


async def _send(response: web.StreamResponse, event: str, data: str) -> None:
    await response.write(f"event: {event}\ndata: {data}\n\n".encode())


async def _broken(how: str, response: web.StreamResponse, request: web.Request) -> None:
    match how:
        case "closed":
            pass
        case "reset":
            assert request.transport is not None
            request.transport.abort()
        case "stall":
            await asyncio.sleep(60)
        case "garbage":
            await _send(response, "content_block_delta", '{"type": "content_block_delta", "ind')
        case kind:
            error = {"type": "error", "error": {"type": kind, "message": "scripted"}}
            await _send(response, "error", json.dumps(error))


def _error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_emulated"}
    return web.json_response(body, status=status, headers=headers or {})
