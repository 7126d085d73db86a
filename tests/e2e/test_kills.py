"""Everything that can be killed is killed in the middle of an investigation; the thread gets exactly one conclusion."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.embedded import servers
from bot.settings import Settings
from bot.workspace.server import serve as serve_workspace
from tests.anthropic_emulator.script import Say
from tests.anthropic_emulator.server import Emulator
from tests.anthropic_emulator.server import serve as serve_model
from tests.e2e.answers import proven
from tests.e2e.house import MANIFEST, PATIENCE_S, Rooms, alert, posted, said
from tests.e2e.processes import TOKEN, Locum, gone, settings, started

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(slots=True)
class Slow:
    """A model that answers when it may, so that an investigation stays in its middle."""

    emulator: Emulator
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def environment(self) -> dict[str, str]:
        return {"LOCUM_MODEL__API_KEY": self.emulator.key, "LOCUM_MODEL__BASE_URL": self.emulator.url}

    async def asked(self) -> None:
        """Until an investigation waits for the model."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.emulator.requests:  # noqa: ASYNC110 - the emulator has no event for it
                await asyncio.sleep(0.02)

    @contextlib.contextmanager
    def holding(self) -> Generator[None]:
        """While it lasts, investigations do not come to their end."""
        self.emulator.requests.clear()
        self.may_answer.clear()
        try:
            yield
        finally:
            self.may_answer.set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncGenerator[Slow]:
    may_answer = asyncio.Event()
    may_answer.set()

    async def script(body: Mapping[str, Any]) -> Say:
        await may_answer.wait()
        return proven(body)

    async with serve_model(script) as emulator:
        yield Slow(emulator, may_answer)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rooms() -> AsyncGenerator[Rooms]:
    async with serve_workspace(manifest=MANIFEST) as workspace:
        yield Rooms(workspace=workspace)
        assert workspace.violations == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locum(tmp_path_factory: pytest.TempPathFactory, rooms: Rooms, model: Slow) -> AsyncGenerator[Locum]:
    folder = tmp_path_factory.mktemp("locum")
    async with started("up", folder, settings(rooms.workspace, folder, **model.environment())) as found:
        yield found


async def once(rooms: Rooms, room: str) -> None:
    """One root, one whole conclusion, nothing broken on the way."""
    root = await rooms.root(room)
    concluded = await rooms.concluded(room, root)
    assert "selector-mismatch" in said(concluded)
    assert len(rooms.roots(room)) == 1
    assert rooms.workspace.violations == []


@pytest.mark.parametrize("server", ["valkey", "temporal"])
async def test_a_killed_server_comes_back_and_the_thread_gets_one_conclusion(
    server: str, rooms: Rooms, locum: Locum, model: Slow
) -> None:
    room = rooms.new()
    with model.holding():
        assert await posted(locum.url, alert("dependency-down", room), TOKEN) == 202
        await model.asked()
        killed = locum.children()[server]
        killed.send_signal(signal.SIGKILL)
        await gone([killed])
    await once(rooms, room)
    assert locum.children()[server].pid != killed.pid


async def test_a_killed_locum_goes_on_where_it_was_and_leaves_no_server_behind(
    rooms: Rooms, locum: Locum, model: Slow
) -> None:
    room = rooms.new()
    with model.holding():
        assert await posted(locum.url, alert("dependency-down", room), TOKEN) == 202
        await model.asked()
        left = list(locum.children().values())
        assert len(left) == 2
        await locum.kill()
        await gone(left)
        await locum.start()
    await once(rooms, room)


async def test_alerts_that_were_taken_are_worked_on_after_a_kill(rooms: Rooms, locum: Locum) -> None:
    new = [rooms.new() for _ in range(3)]
    taken = await asyncio.gather(*(posted(locum.url, alert("dependency-down", room), TOKEN) for room in new))
    await locum.kill()
    assert taken == [202, 202, 202]
    await locum.start()
    for room in new:
        await once(rooms, room)


async def test_what_was_handled_before_a_restart_is_not_handled_again(rooms: Rooms, locum: Locum) -> None:
    workspace, asked_in, alerted = rooms.workspace, rooms.new(), rooms.new()
    payload = alert("dependency-down", alerted)
    assert await posted(locum.url, payload, TOKEN) == 202
    await once(rooms, alerted)
    asked = workspace.post("ana", asked_in, "@locum why does checkout fail for customers")
    await rooms.concluded(asked_in, asked["ts"])
    await locum.kill()
    await locum.start()
    assert await posted(locum.url, payload, TOKEN) == 202
    await workspace.until(lambda: "1 repeat" in said(rooms.roots(alerted)[0]), timeout_s=PATIENCE_S)
    await workspace.connected()
    workspace.redeliver("app_mention")
    workspace.redeliver("message")
    await workspace.settled()
    # Whatever a second delivery had started would be concluded before what comes now.
    workspace.post("ben", asked_in, "@locum and now?", thread_ts=asked["ts"])
    assert "and now?" in said(await rooms.concluded(asked_in, asked["ts"], times=2))
    await once(rooms, alerted)


async def test_a_killed_worker_s_investigation_is_finished_by_the_next(
    tmp_path: Path, rooms: Rooms, model: Slow
) -> None:
    room = rooms.new()
    async with servers.running(Settings(data_dir=tmp_path / "servers")) as endpoints:
        environment = settings(
            rooms.workspace,
            tmp_path,
            LOCUM_REDIS__URL=endpoints.redis_url,
            LOCUM_TEMPORAL__ADDRESS=endpoints.temporal_address,
            **model.environment(),
        )
        async with started("bot", tmp_path, environment) as bot, started("worker", tmp_path, environment) as worker:
            with model.holding():
                assert await posted(bot.url, alert("dependency-down", room), TOKEN) == 202
                await model.asked()
                await worker.kill()
                await worker.start()
            await once(rooms, room)
