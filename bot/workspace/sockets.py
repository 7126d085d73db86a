"""Socket Mode: up to ten WebSockets of the app, an envelope to one of them at random, an ack back."""

import asyncio
import json
import random
import secrets
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from bot.workspace.changes import Changes
from bot.workspace.delivery import Attempt, Delivery, Kind, Unreachable
from bot.workspace.payloads import Json, as_object

MAX_SOCKETS = 10


@dataclass(slots=True, kw_only=True, eq=False)
class Socket:
    """One connection of the app."""

    id: str
    ws: web.WebSocketResponse
    waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict[str, "asyncio.Future[Json]"])
    is_leaving: bool = False

    async def say(self, message: Json) -> None:
        await self.ws.send_str(json.dumps(message))


class Sockets:
    """The app's connections."""

    def __init__(self, app_id: str, changes: Changes) -> None:
        self.open: list[Socket] = []
        self._app_id = app_id
        self._changes = changes
        self._tickets: set[str] = set()

    def ticket(self) -> str:
        """What a new connection shows to be let in, once."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=403)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self._tickets.discard(ticket)
        socket = Socket(id=f"sock-{secrets.token_hex(3)}", ws=ws)
        if len(self.open) >= MAX_SOCKETS:
            await socket.say(_goodbye("too_many_websockets"))
            await ws.close()
            return ws
        self.open.append(socket)
        await socket.say(
            {
                "type": "hello",
                "num_connections": len(self.open),
                "connection_info": {"app_id": self._app_id},
                "debug_info": {"host": socket.id, "approximate_connection_time": 18060},
            }
        )
        self._changes.bump()
        try:
            await self._listen(socket)
        finally:
            self._drop(socket)
        return ws

    async def send(self, delivery: Delivery, attempt: Attempt) -> Json:
        """Send one envelope to a connection at random; waits for one while there is none."""
        while not (ready := [one for one in self.open if not one.is_leaving]):
            await self._changes.after(self._changes.version)
        # One at random is what Slack promises; nothing secret hangs on it.
        socket = random.choice(ready)  # noqa: S311
        attempt.via = socket.id
        envelope: Json = {
            "envelope_id": secrets.token_hex(16),
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind is not Kind.EVENT,
        }
        if delivery.kind is Kind.EVENT:
            envelope |= {"retry_attempt": attempt.number, "retry_reason": delivery.retry_reason}
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        socket.waiting[envelope["envelope_id"]] = answer
        try:
            await socket.say(envelope)
            return await answer
        except ConnectionError as error:
            raise Unreachable(socket.id) from error
        finally:
            socket.waiting.pop(envelope["envelope_id"], None)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to come again, then close it, as Slack does every few hours."""
        leaving = list(self.open)
        for socket in leaving:
            socket.is_leaving = True
            await socket.say(_goodbye(reason))
        await asyncio.sleep(0)
        self._changes.bump()

    async def cut(self) -> None:
        """Break every connection without a word."""
        for socket in list(self.open):
            await socket.ws.close()

    async def close(self) -> None:
        for socket in list(self.open):
            await socket.ws.close()

    async def _listen(self, socket: Socket) -> None:
        async for message in socket.ws:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                ack = as_object(json.loads(message.data))
            except ValueError:
                continue
            answer = socket.waiting.get(str(ack.get("envelope_id")))
            if answer and not answer.done():
                answer.set_result(as_object(ack.get("payload")))

    def _drop(self, socket: Socket) -> None:
        self.open.remove(socket)
        for answer in socket.waiting.values():
            if not answer.done():
                answer.set_exception(Unreachable(socket.id))
        self._changes.bump()


def _goodbye(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "local"}}
