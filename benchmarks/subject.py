"""Locum as it runs: `locum up` in one process, the local Slack in another, the embedded Valkey and Temporal.

The embedded servers are started here, by the same code and with the same flags, so that what is stored can be counted.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from agents.grouping import GroupKey
from benchmarks.alerts import TOKEN, Webhook
from benchmarks.processes import LOCUM, child, helper
from benchmarks.rules import INCIDENT
from benchmarks.slack import channel
from bot.embedded import servers
from bot.incident import IncidentId
from bot.settings import Settings
from bot.stores.connection import connect
from bot.stores.incidents import Incidents

START_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A Locum that runs."""

    webhook: Webhook
    slack: "Slack"
    stored: "Stored"


class Slack:
    """What the workspace tells about itself."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def ask(self, question: str, **arguments: str) -> Any:
        """An answer of the workspace's control surface."""
        async with self._session.get(f"{self._url}/control/{question}", params=arguments) as answer:
            answer.raise_for_status()
            return (await answer.json())["result"]

    async def posts(self) -> list[dict[str, Any]]:
        """Calls of `chat.postMessage` that gave a message, in order."""
        return [call for call in await self.ask("calls", method="chat.postMessage") if call["answer"]["ok"]]

    async def until_quiet(self, seconds: float) -> None:
        """Waits until no message was posted for so long."""
        before = -1
        while (now := len(await self.posts())) != before:
            before = now
            await asyncio.sleep(seconds)

    async def messages(self, name: str) -> int:
        """Messages in a channel, those in its threads included."""
        roots = await self.ask("messages", channel=name)
        threads = [await self.ask("thread", channel=name, thread_ts=each["ts"]) for each in roots]
        return sum(map(len, threads))


class Stored:
    """What Locum's store holds."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents
        self._of_group: dict[str, IncidentId] = {}

    async def alerts(self, groups: Iterable[str]) -> int:
        """Different alerts in the incidents of these groups."""
        for group in groups:
            if group not in self._of_group:
                found, _ = await self._incidents.current(GroupKey(f"alertmanager|{group}"))
                if found:
                    self._of_group[group] = found
        known = [await self._incidents.get(each) for each in set(self._of_group.values())]
        return sum(each.alert_count for each in known if each)

    async def until(self, count: int, groups: list[str], *, within_s: float) -> int:
        """Waits until so many alerts are stored, or too long; how many are."""
        ends_at_s = asyncio.get_running_loop().time() + within_s
        while True:
            stored = await self.alerts(groups)
            if stored >= count or asyncio.get_running_loop().time() > ends_at_s:
                return stored
            await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def running(channels: int) -> AsyncGenerator[Subject]:
    """Locum with so many channels; an alert's label `channel` chooses one."""
    with tempfile.TemporaryDirectory() as folder, _told(Path(folder) / "locum.log") as log:
        async with contextlib.AsyncExitStack() as stack:
            slack = await (await stack.enter_async_context(helper("benchmarks.slack", str(channels)))).heard()
            embedded = Settings(data_dir=Path(folder))
            endpoints = await stack.enter_async_context(servers.running(embedded))
            rules = [{"labels": {"channel": name}, "channel": f"#{name}"} for name in map(channel, range(channels))]
            settings = {
                "LOCUM_REDIS__URL": endpoints.redis_url,
                "LOCUM_TEMPORAL__ADDRESS": endpoints.temporal_address,
                "LOCUM_SNAPSHOT": str(INCIDENT),
                "LOCUM_HTTP__PORT": "0",
                "LOCUM_ALERTS__ALERTMANAGER__TOKENS": json.dumps([TOKEN]),
                "LOCUM_SLACK__BOT_TOKEN": slack["bot_token"],
                "LOCUM_SLACK__APP_TOKEN": slack["app_token"],
                "LOCUM_SLACK__API_URL": f"{slack['url']}/api/",
                "LOCUM_SLACK__CHANNELS": json.dumps(rules),
            }
            with log.open("wb") as out:
                locum = await stack.enter_async_context(child(LOCUM, "up", stderr=out, **settings))
            host, port = (await _address(locum, log)).split(":")
            store = connect(endpoints.redis_url)
            stack.push_async_callback(store.aclose)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            yield Subject(
                webhook=Webhook(host, int(port)),
                slack=Slack(session, slack["url"]),
                stored=Stored(Incidents(store)),
            )


@contextlib.contextmanager
def _told(log: Path) -> Generator[Path]:
    """Shows what Locum said last when a measurement does not end well."""
    try:
        yield log
    except BaseException:
        sys.stderr.write(f"\nLocum's last words:\n{log.read_text()[-3000:] if log.exists() else ''}\n")
        raise


async def _address(locum: Process, log: Path) -> str:
    for _ in range(START_S * 10):
        said = await asyncio.to_thread(log.read_text)
        if "; Ctrl-C ends it" in said:
            return said.rpartition(" on http://")[2].partition(";")[0]
        if locum.returncode is not None:
            break
        await asyncio.sleep(0.1)
    raise SystemExit("Locum did not start")
