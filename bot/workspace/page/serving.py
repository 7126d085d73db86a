"""The page for people over HTTP: the whole page as HTML, a signal when it changed, and two static files."""

import asyncio
import contextlib
from pathlib import Path

from aiohttp import web

from bot.workspace.page.markup import Html
from bot.workspace.page.panes import Panes
from bot.workspace.page.where import Where
from bot.workspace.people import Person
from bot.workspace.workspace import Workspace

STATIC = Path(__file__).parent / "static"
KINDS = {"page.css": "text/css", "page.js": "text/javascript"}
HEAD = Html(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Locum: local workspace</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
    '<link rel="stylesheet" href="/static/page.css"><script defer src="/static/page.js"></script></head>'
)
SAFETY = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; "
        "form-action 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
QUIET_S = 0.1
ALIVE_S = 15


class Page:
    """Serves the page of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._panes = Panes(workspace)

    async def show(self, request: web.Request) -> web.Response:
        """The page as one person sees it: `/?as=ana&channel=alerts&thread=<ts>`, `/?channel=dm&tab=home`."""
        body = self._panes.page(self._where(request))
        return web.Response(text=f"{HEAD}{body}</html>", content_type="text/html", headers=SAFETY)

    async def archive(self, request: web.Request) -> web.Response:
        """A permalink leads to the page."""
        conversation = self._workspace.team.conversations.find(request.match_info["channel"])
        if conversation is None:
            raise web.HTTPNotFound
        digits = request.match_info["ts"].removeprefix("p")
        ts = request.query.get("thread_ts") or f"{digits[:-6]}.{digits[-6:]}"
        raise web.HTTPFound(f"/?channel={conversation.name or 'dm'}&thread={ts}")

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in KINDS:
            raise web.HTTPNotFound
        text = await asyncio.to_thread((STATIC / name).read_text)
        return web.Response(text=text, content_type=KINDS[name], headers={"Cache-Control": "no-cache"})

    async def changes(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: one whenever something changed, at most ten a second."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        changes, version = self._workspace.team.changes, self._workspace.team.changes.version
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    async with asyncio.timeout(ALIVE_S):
                        version = await changes.after(version)
                    await response.write(f"data: {version}\n\n".encode())
                    await asyncio.sleep(QUIET_S)
                except TimeoutError:
                    await response.write(b": alive\n\n")
        return response

    def _where(self, request: web.Request) -> Where:
        team = self._workspace.team
        person = self._person(request.query.get("as", ""))
        mine = [one for one in team.conversations.by_id.values() if one.name and person.id in one.members]
        wanted = request.query.get("channel", "")
        found = next((one for one in mine if wanted in {one.name, one.id}), None)
        if found is None:
            found = team.direct(person.id) if wanted == "dm" or not mine else mine[0]
        thread_ts = request.query.get("thread", "")
        if not team.messages.find(found.id, thread_ts):
            thread_ts = ""
        is_home = request.query.get("tab") == "home" and not found.name
        return Where(person=person, conversation=found, thread_ts=thread_ts, is_home=is_home)

    def _person(self, name: str) -> Person:
        people = self._workspace.team.people
        found = people.find(name) if name else None
        if found and not found.is_bot:
            return found
        return next(one for one in people.by_id.values() if not one.is_bot)
