"""The verbs of the workspace over HTTP, for other processes and for the page: `POST /control/<verb>` with JSON.

The workspace has no passwords, so a web page from elsewhere must not reach it: only JSON is taken, which a browser
sends across sites after asking first, and only under a loopback name.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any, cast
from urllib.parse import urlsplit

from aiohttp import web
from whenever import Instant

from bot.workspace.payloads import Json, as_object
from bot.workspace.refusals import NotPossible
from bot.workspace.workspace import Workspace

LOOPBACK = ("127.0.0.1", "localhost", "::1")
VERBS = (
    "post", "alert", "edit", "delete", "slash", "shortcut", "click", "select", "submit", "close",
    "open_home", "open_messages", "stop", "reload", "uninstall",
    "add_person", "change_person", "add_group", "create_channel", "invite", "remove", "archive", "share",
    "advance", "scale", "fail", "drop_acks", "duplicate", "redeliver", "disconnect", "skew", "call_back", "settled",
)  # fmt: skip
QUESTIONS = (
    "messages", "thread", "ephemerals", "modal", "home", "prompts", "streams", "sessions", "files",
    "calls", "deliveries", "violations", "sockets",
)  # fmt: skip


class Control:
    """Answers `POST /control/<verb>` and `GET /control/<question>?...`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def do(self, request: web.Request) -> web.Response:
        """Do one verb with the arguments in the body."""
        verb = request.match_info["verb"]
        if request.content_type != "application/json" or verb not in VERBS:
            return _failed(f"{verb!r} is no verb, or the body is no JSON", 404)
        try:
            body = await request.text()
            arguments = as_object(json.loads(body)) if body.strip() else {}
        except ValueError as error:
            return _failed(f"the body is no JSON: {error}", 400)
        return await self._answer(getattr(self._workspace, verb), arguments)

    async def ask(self, request: web.Request) -> web.Response:
        """Answer one question; its arguments are in the query."""
        question = request.match_info["verb"]
        if question not in QUESTIONS:
            return _failed(f"{question!r} is no question", 404)
        found = getattr(self._workspace, question)
        return await self._answer(found if callable(found) else lambda: found, dict(request.query))

    async def _answer(self, run: Callable[..., Any], arguments: Json) -> web.Response:
        try:
            result: Any = run(**arguments)
            if isawaitable(result):
                result = await result
        except (NotPossible, LookupError, TypeError, ValueError, OSError) as error:
            return _failed(str(error), 400)
        return web.json_response({"ok": True, "result": as_json(result)})


@web.middleware
async def only_here(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Refuse requests that came under another name, as after DNS rebinding, or from another site."""
    names = [urlsplit(f"//{request.headers.get('Host', '')}").hostname]
    if origin := request.headers.get("Origin"):
        names.append(urlsplit(origin).hostname)
    if any(name not in LOOPBACK for name in names):
        raise web.HTTPForbidden(text="the workspace answers on loopback only")
    response: web.StreamResponse = await handler(request)
    return response


def as_json(value: Any) -> Any:
    """A result as JSON."""
    if isinstance(value, Instant):
        return value.format_iso()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in cast("list[Any]", value)]
    return value


def _failed(error: str, status: int) -> web.Response:
    return web.json_response({"ok": False, "error": error}, status=status)
