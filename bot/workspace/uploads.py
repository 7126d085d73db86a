"""The URLs that Slack hands out: where files go up and come down, and where interactions are answered."""

import json
import mimetypes
import secrets

from aiohttp import web

from bot.workspace.interactions import Interactions
from bot.workspace.payloads import as_object
from bot.workspace.refusals import Refused
from bot.workspace.team import Team


class Uploads:
    """Serves upload URLs, file URLs and response URLs."""

    def __init__(self, team: Team, interactions: Interactions) -> None:
        self._team = team
        self._interactions = interactions

    async def take(self, request: web.Request) -> web.Response:
        """The bytes of a file, as many as were announced."""
        token = request.match_info["token"]
        file = next((one for one in self._team.files.values() if secrets.compare_digest(one.token, token)), None)
        if file is None or file.content is not None:
            return web.Response(status=404, text="no such upload")
        content = await request.read()
        if len(content) != file.length:
            self._team.broke("upload", f"{file.name}: {len(content)} bytes, announced were {file.length}")
            return web.Response(status=400, text="wrong length")
        file.content = content
        return web.Response(text=f"OK - {file.length}")

    async def give(self, request: web.Request) -> web.Response:
        """A file, as something that a browser must not run."""
        file = self._team.files.get(request.match_info["id"])
        if file is None or file.content is None:
            raise web.HTTPNotFound
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        is_image = kind in {"image/png", "image/jpeg", "image/gif"}
        headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "inline" if is_image else "attachment"}
        return web.Response(body=file.content, content_type=kind if is_image else "text/plain", headers=headers)

    async def respond(self, request: web.Request) -> web.Response:
        """One answer through a response_url."""
        try:
            body = as_object(json.loads(await request.text()))
            response = self._team.triggers.use(request.match_info["token"], now_s=self._team.clock.seconds())
            self._interactions.respond(response, body, "response_url")
        except ValueError:
            self._team.broke("response_url", "the body is no JSON")
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        except Refused as refusal:
            self._team.broke("response_url", f"{refusal.code} {'; '.join(refusal.problems)}".strip())
            return web.json_response({"ok": False, "error": refusal.code}, status=404)
        return web.Response(text="ok")
