"""A process of Locum as a whole: no part of it ends unseen."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot.embedded.servers import Endpoints
from bot.running import PartEnded, Running, running
from bot.settings import Settings
from bot.stores.connection import connect
from bot.stores.inbox import Inbox
from tests.durable.home import alert, delivery

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)
    structlog.reset_defaults()


async def _fails() -> None:
    raise LookupError("words of an alert")


async def _ends() -> None:
    pass


async def _cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("work", "why"),
    [(_fails, "the intake ended: LookupError"), (_ends, "the intake ended: it stopped"), (_cancelled, "it stopped")],
)
async def test_a_part_that_ends_by_itself_ends_the_process_with_its_name(work: Any, why: str) -> None:
    lasts = asyncio.create_task(asyncio.Event().wait(), name="web server")
    part = asyncio.create_task(work(), name="intake")
    whole: Any = (lasts, part)
    with pytest.raises(PartEnded, match=why) as error:
        await Running(url="", embedded=(), parts=whole).until(asyncio.Event())
    assert "words of an alert" not in str(error.value)
    lasts.cancel()


async def test_a_process_that_is_told_to_stop_ends_well() -> None:
    stop = asyncio.Event()
    part: Any = asyncio.create_task(asyncio.Event().wait())
    asyncio.get_running_loop().call_later(0.05, stop.set)
    async with asyncio.timeout(5):
        await Running(url="", embedded=(), parts=(part,)).until(stop)
    part.cancel()


async def test_an_intake_that_meets_what_it_cannot_understand_ends_the_process(
    endpoints: Endpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    store = connect(endpoints.redis_url)
    await store.flushall()
    settings = Settings.model_validate(
        {
            "redis": {"url": endpoints.redis_url},
            "temporal": {"address": endpoints.temporal_address},
            "http": {"port": 0},
        }
    )
    async with running(settings, ("bot", "worker")) as locum:
        assert [each.get_name() for each in locum.parts] == ["worker", "intake", "web server"]
        await store.set("locum:group:generic|broken", b"\xff")
        await Inbox(store).append(delivery(alert(group="broken")))
        with pytest.raises(PartEnded, match="the intake ended: UnicodeDecodeError"):
            async with asyncio.timeout(10):
                await locum.until(asyncio.Event())
    await store.flushall()
    await store.aclose()
    assert "a part of the process ended" in capsys.readouterr().err
