"""A whole Locum in the test's own process: strict workspace, real Valkey and Temporal, bot and worker."""

import contextlib
import json
import secrets
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from bot.demo.show import INCIDENTS
from bot.embedded import servers
from bot.embedded.child import Child
from bot.running import running
from bot.setting_groups import Alerts, AlertSource, ChannelRule, Http, Redis, Slack, Telemetry, Temporal
from bot.settings import Settings
from bot.slack.checking import SCOPES
from bot.workspace.manifest import Manifest
from bot.workspace.server import Workspace, serve

NAMES = tuple(f"room-{number}" for number in range(20))
"""Channels: each test has one for itself, since Slack takes one message a second in each."""
RULES = tuple(ChannelRule(labels={"room": name}, channel=f"#{name}") for name in NAMES)
PATIENCE_S = 60
MANIFEST = Manifest(scopes=SCOPES, shortcuts=())

Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Rooms:
    """A strict workspace with channels that nobody used yet, and the threads in them."""

    workspace: Workspace
    _unused: Iterator[str] = field(default_factory=lambda: iter(NAMES))

    def __post_init__(self) -> None:
        # All at once: Locum reads the list of channels not more than once a minute.
        for name in NAMES:
            self.workspace.create_channel(name)
            self.workspace.invite(name, self.workspace.bot_user_id)

    def new(self) -> str:
        """A channel of one's own, with Locum in it; alerts with the label `room` of this name go there."""
        return next(self._unused)

    def roots(self, room: str) -> list[Json]:
        """First messages of incidents."""
        return [each for each in self.workspace.messages(room) if kind(each) == "locum_incident"]

    def conclusions(self, room: str, thread_ts: str) -> list[Json]:
        """One for each conclusion: its first message."""
        return [each for each in self.parts(room, thread_ts) if each["metadata"]["event_payload"]["part"] == 1]

    def parts(self, room: str, thread_ts: str) -> list[Json]:
        """Every message of every conclusion."""
        return [each for each in self.workspace.thread(room, thread_ts) if kind(each) == "locum_conclusion"]

    async def root(self, room: str) -> str:
        """The ts of the first message of the room's incident, once it is there."""
        await self.workspace.until(lambda: self.roots(room), timeout_s=PATIENCE_S)
        return str(self.roots(room)[0]["ts"])

    async def concluded(self, room: str, thread_ts: str, times: int = 1) -> Json:
        """The newest conclusion, once there are this many; more of them, or one twice, is a failure."""
        await self.workspace.until(lambda: len(self.conclusions(room, thread_ts)) >= times, timeout_s=PATIENCE_S)
        await self.workspace.until(lambda: self.is_whole(room, thread_ts), timeout_s=PATIENCE_S)
        found = self.conclusions(room, thread_ts)
        assert len(found) == times, [said(each)[:200] for each in found]
        ids = [json.dumps(each["metadata"]["event_payload"], sort_keys=True) for each in self.parts(room, thread_ts)]
        assert len(set(ids)) == len(ids), ids
        return found[-1]

    def is_whole(self, room: str, thread_ts: str) -> bool:
        """Whether the last part of the newest conclusion is there: its footer names the session."""
        return "Session ses_" in said(self.parts(room, thread_ts)[-1])

    def everything(self, room: str, thread_ts: str) -> str:
        """All words of a thread."""
        return "\n".join(said(each) for each in self.workspace.thread(room, thread_ts))


@dataclass(slots=True, kw_only=True)
class House(Rooms):
    """A Locum at work."""

    url: str
    token: str
    temporal: str
    children: tuple[Child, ...]

    async def fire(self, payload: Mapping[str, Any]) -> None:
        """Posts an Alertmanager payload to the webhook."""
        assert await posted(self.url, payload, self.token) == 202


@contextlib.asynccontextmanager
async def at_work(folder: Path, **changes: Any) -> AsyncGenerator[House]:
    """A Locum on recorded worlds; `changes` are settings."""
    token = secrets.token_urlsafe(12)
    plain = Settings(data_dir=folder)
    async with serve(manifest=MANIFEST) as workspace, servers.running(plain) as endpoints:
        usual: Json = {
            "data_dir": folder,
            "snapshot": INCIDENTS,
            "telemetry": Telemetry(log_level="ERROR"),
            "redis": Redis(url=SecretStr(endpoints.redis_url)),
            "temporal": Temporal(address=endpoints.temporal_address),
            "http": Http(port=0),
            "alerts": Alerts(alertmanager=AlertSource(tokens=(SecretStr(token),)), storm_incidents=1_000),
            "slack": Slack(
                bot_token=SecretStr(workspace.bot_token),
                app_token=SecretStr(workspace.app_token),
                api_url=workspace.api_url,
                channels=RULES,
            ),
        }
        settings = Settings(**(usual | changes))
        async with running(settings, ("bot", "worker")) as locum:
            await workspace.connected()
            yield House(
                workspace=workspace,
                url=locum.url,
                token=token,
                temporal=endpoints.temporal_address,
                children=endpoints.embedded,
            )
        assert workspace.violations == []


async def posted(url: str, payload: Mapping[str, Any], token: str) -> int:
    """The status of the answer to an Alertmanager payload."""
    timeout, headers = aiohttp.ClientTimeout(total=10), {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(f"{url}/alerts/alertmanager", json=payload, headers=headers) as answer,
    ):
        return answer.status


def alert(incident: str, room: str) -> Json:
    """A recorded incident's payload, as an alert of the room's own."""
    recorded = json.loads((INCIDENTS / incident / "alerts" / "01.json").read_text())
    recorded["groupKey"] += room
    for each in recorded["alerts"]:
        each["labels"]["room"] = room
        each["fingerprint"] = f"{room}-{each['fingerprint']}"
    return recorded


def resolved(payload: Mapping[str, Any]) -> Json:
    """The same, over."""
    alerts = [{**each, "status": "resolved", "endsAt": "2026-03-14T10:30:00Z"} for each in payload["alerts"]]
    return {**payload, "status": "resolved", "alerts": alerts}


def kind(message: Mapping[str, Any]) -> str:
    """What Locum says that a message is."""
    return str(message.get("metadata", {}).get("event_type", ""))


def said(message: Mapping[str, Any]) -> str:
    """Everything in a message that somebody could read."""
    return json.dumps([message.get("text", ""), message.get("blocks", [])], ensure_ascii=False)


def mode(conclusion: Mapping[str, Any]) -> str:
    """Who worded a conclusion, as it says."""
    words = said(conclusion)
    found = [each for each in ("rules: decided and worded by rules", "model: decided by rules") if each in words]
    assert len(found) == 1, words
    return found[0].partition(":")[0]
