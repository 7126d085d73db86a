"""The demo: embedded servers, a local Slack workspace, the whole bot on it, recorded incidents through the webhook."""

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from pydantic import SecretStr
from whenever import Instant

from approvals.runners.overlay import overlaid
from bot.embedded.folder import locked
from bot.running import Running, running
from bot.setting_groups import Alerts, AlertSource, Approvals, Http, Slack
from bot.settings import Settings
from bot.slack.checking import SCOPES
from bot.workspace.manifest import Manifest
from bot.workspace.server import Workspace, serve
from bot.worlds import overlay_of
from tools.snapshot.opening import open_snapshot

INCIDENTS = Path(__file__).parent / "incidents"
POLICY = Path(__file__).parent / "policy.yaml"
LOOK_S = 1.0
NOTICED_S = 15.0
"""How long after its recovery an alert resolves: Prometheus and Alertmanager take their time too."""
CHANNEL = "alerts"
POST_TIMEOUT_S = 10


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo that runs."""

    workspace: Workspace
    locum: Running
    token: str
    overlay: Path

    async def resolve_what_recovers(self) -> None:
        """Posts the end of an incident's alert when an approved action mended its recorded world."""
        left = set(incidents())
        while True:
            await asyncio.sleep(LOOK_S)
            for name in sorted(left):
                current = await asyncio.to_thread(overlaid, INCIDENTS / name, self.overlay)
                if current.parent == INCIDENTS / name:
                    left.discard(name)
                    await asyncio.sleep(NOTICED_S)
                    await self.fire(name, ended_in=current)

    async def fire(self, incident: str, *, ended_in: Path | None = None) -> None:
        """Posts a recorded incident's alert to the webhook, as Alertmanager would; or its end in a recovered world.

        Raises:
            DemoError: when the webhook does not take it.
        """
        body = await asyncio.to_thread((INCIDENTS / incident / "alerts" / "01.json").read_bytes)
        if ended_in:
            body = _resolved(body, (await open_snapshot(ended_in)).now())
        url, headers = f"{self.locum.url}/alerts/alertmanager", {"Authorization": f"Bearer {self.token}"}
        timeout = aiohttp.ClientTimeout(total=POST_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, data=body, headers=headers) as answer,
            ):
                if answer.status != 202:
                    raise DemoError(f"the webhook answered {answer.status}: {await answer.text()}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoError(f"the webhook did not answer: {error!r}") from error

    def threads(self) -> list[dict[str, Any]]:
        """The root messages of the channel, oldest first."""
        return [each for each in self.workspace.messages(CHANNEL) if each.get("thread_ts", each["ts"]) == each["ts"]]

    def conclusion(self, thread_ts: str) -> list[dict[str, Any]]:
        """The thread, once it has its conclusion; empty before."""
        thread = self.workspace.thread(CHANNEL, thread_ts)
        is_over = any(each.get("metadata", {}).get("event_type") == "locum_conclusion" for each in thread)
        return thread if is_over else []


def incidents() -> list[str]:
    """The names of the recorded incidents."""
    return sorted(each.name for each in INCIDENTS.iterdir() if each.is_dir())


def _resolved(body: bytes, at: Instant) -> bytes:
    payload = orjson.loads(body)
    payload["status"] = "resolved"
    for alert in payload["alerts"]:
        alert |= {"status": "resolved", "endsAt": str(at)}
    return orjson.dumps(payload)


def _emptied(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name != "lock":
            each.unlink()


@contextlib.asynccontextmanager
async def showing(settings: Settings, *, port: int) -> AsyncGenerator[Demo]:
    """The demo, for as long as the context lasts. Of the settings only the model and the data folder are taken.

    Raises:
        OSError: when the page's port is taken.
        bot.embedded.folder.FolderTaken: when another demo runs on the same data.
    """
    token = secrets.token_urlsafe(24)
    data = settings.data_dir / "demo"
    async with locked(data.resolve()):
        # The workspace forgets everything at its end; what Locum remembered would speak of threads that are gone.
        await asyncio.to_thread(_emptied, data)
    async with serve(port=port, manifest=Manifest(scopes=SCOPES, shortcuts=())) as workspace:
        own = Settings(
            data_dir=data,
            snapshot=INCIDENTS,
            model=settings.model,
            telemetry=settings.telemetry,
            http=Http(port=0),
            approvals=Approvals(policy=POLICY),
            alerts=Alerts(alertmanager=AlertSource(tokens=(SecretStr(token),))),
            slack=Slack(
                bot_token=SecretStr(workspace.bot_token),
                app_token=SecretStr(workspace.app_token),
                api_url=workspace.api_url,
                channel=f"#{CHANNEL}",
            ),
        )
        async with running(own, ("bot", "worker", "runner")) as locum:
            await workspace.connected()
            demo = Demo(workspace=workspace, locum=locum, token=token, overlay=overlay_of(own))
            resolving = asyncio.create_task(demo.resolve_what_recovers())
            try:
                yield demo
            finally:
                resolving.cancel()
