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

from bot.workspace.api import Api
from bot.workspace.control import LOOPBACK, Control, only_here
from bot.workspace.manifest import Manifest
from bot.workspace.page.serving import Page
from bot.workspace.uploads import Uploads
from bot.workspace.workspace import Workspace

MAX_BODY = 50 * 2**20

__all__ = ["Workspace", "serve"]


@contextlib.asynccontextmanager
async def serve(
    host: str = "127.0.0.1", port: int = 0, *, manifest: Manifest | None = None
) -> AsyncGenerator[Workspace]:
    """Run a workspace; port 0 takes a free one."""
    if host not in LOOPBACK:
        raise ValueError(f"the workspace has no passwords and is served on loopback only, not on {host!r}")
    workspace = Workspace(manifest or Manifest())
    runner = web.AppRunner(_application(workspace), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        port = int(runner.addresses[0][1])
        name = f"[{host}]" if ":" in host else host
        workspace.team.base_url = f"http://{name}:{port}"
        yield workspace
    finally:
        await workspace.end()
        await runner.cleanup()


def _application(workspace: Workspace) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY, middlewares=[only_here])
    uploads, control, page = Uploads(workspace.team, workspace.interactions), Control(workspace), Page(workspace)
    app.add_routes(
        [
            web.route("*", "/api/{method}", Api(workspace.team).serve),
            web.get("/socket", workspace.serve_socket),
            web.post("/response/{token}", uploads.respond),
            web.post("/upload/{token}", uploads.take),
            web.get("/files/{id}/{name}", uploads.give),
            web.post("/control/{verb}", control.do),
            web.get("/control/{verb}", control.ask),
            web.get("/", page.show),
            web.get("/changes", page.changes),
            web.get("/archives/{channel}/{ts}", page.archive),
            web.get("/static/{name}", page.static),
        ]
    )
    return app
