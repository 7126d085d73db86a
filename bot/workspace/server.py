"""A strict Slack in one process, for the demo and for tests.

    async with serve() as workspace:
        client = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
        handler = AsyncSocketModeHandler(AsyncApp(client=client), workspace.app_token)
        await handler.connect_async()
        await workspace.connected()

        alert = workspace.post("ana", "alerts", "@locum cart is slow")
        await workspace.until(lambda: len(workspace.thread("alerts", alert["ts"])) > 1)
        assert workspace.violations == []

People, channels and time are moved by the verbs of `Workspace`; the same verbs are behind `POST /control/<verb>` for
other processes, and behind the page for people at `workspace.url`. What Slack refuses, this refuses, and what the app
did wrong collects in `violations`. Everything is kept in memory and is served on the loopback interface only.
"""

import contextlib
from collections.abc import AsyncGenerator

from aiohttp import web

from bot.workspace.acting import Acting
from bot.workspace.api import Api
from bot.workspace.arranging import Arranging
from bot.workspace.clicking import Clicking
from bot.workspace.manifest import Manifest
from bot.workspace.reading import Reading
from bot.workspace.team import Team
from bot.workspace.uploads import Uploads

PEOPLE = ("ana", "ben", "mei", "tom")
"""ana and ben are on call; every name is also the local part of an e-mail address at example.com."""
GUEST = "gus"
CHANNELS = ("alerts", "incidents", "general")
BOT_IN = ("alerts", "incidents")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_BODY = 50 * 2**20


class Workspace(Acting, Clicking, Arranging, Reading):
    """One workspace with the app installed in it; the verbs are in the classes that it is made of."""

    def __init__(self, manifest: Manifest) -> None:
        team = Team(manifest=manifest)
        Acting.__init__(self, team)
        Clicking.__init__(self, team, self.interactions)
        Arranging.__init__(self, team)
        Reading.__init__(self, team)
        self.bot_token, self.app_token, self.signing_secret = team.bot_token, team.app_token, team.signing_secret
        self.bot_user_id, self.bot_id, self.app_id = team.bot.id, team.bot.bot_id, team.bot.app_id
        for name in PEOPLE:
            self.add_person(name)
        self.add_person(GUEST, is_guest=True)
        for name in CHANNELS:
            self.create_channel(name)
        for name in BOT_IN:
            self.invite(name, self.bot_user_id)

    @property
    def url(self) -> str:
        """The page for people."""
        return self.team.base_url

    @property
    def api_url(self) -> str:
        """The `base_url` of a Web API client."""
        return f"{self.team.base_url}/api/"

    def user_id(self, name: str) -> str:
        return self.team.people.get(name).id

    def channel_id(self, name: str) -> str:
        return self.team.conversations.get(name).id


@contextlib.asynccontextmanager
async def serve(
    host: str = "127.0.0.1", port: int = 0, *, manifest: Manifest | None = None
) -> AsyncGenerator[Workspace]:
    """Run a workspace; port 0 takes a free one."""
    if host not in LOOPBACK:
        raise ValueError(f"the workspace has no passwords and is served on loopback only, not on {host!r}")
    workspace = Workspace(manifest or Manifest())
    app = web.Application(client_max_size=MAX_BODY)
    uploads = Uploads(workspace.team, workspace.interactions)
    app.router.add_route("*", "/api/{method}", Api(workspace.team).serve)
    app.router.add_get("/socket", workspace.serve_socket)
    app.router.add_post("/response/{token}", uploads.respond)
    app.router.add_post("/upload/{token}", uploads.take)
    app.router.add_get("/files/{id}/{name}", uploads.give)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        port = int(runner.addresses[0][1])
        workspace.team.base_url = f"http://{host}:{port}"
        yield workspace
    finally:
        await workspace.end()
        await runner.cleanup()
