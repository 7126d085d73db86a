"""From the inbox to incidents on a real store, with every place where a process could be killed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from bot.incident import Incident, IncidentId
from bot.intake import Intake
from bot.settings import Settings
from bot.stores.connection import Store
from bot.stores.inbox import STREAM, Delivery, Entry, Inbox
from bot.stores.incidents import Incidents
from bot.workflows.service import WorkflowsAway
from tests.durable.home import alert, delivery, until
from tests.stores.conftest import store, url

__all__ = ["store", "url"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Bell:
    """Wakes nobody, and remembers whom it should have."""

    rung: list[IncidentId] = field(default_factory=list[IncidentId])
    broken_for: int = 0

    async def alerts_changed(self, incident_id: IncidentId) -> None:
        if self.broken_for:
            self.broken_for -= 1
            raise WorkflowsAway("the workflow service does not answer")
        self.rung.append(incident_id)


@dataclass
class Door:
    store: Store
    bell: Bell
    inbox: Inbox
    incidents: Incidents

    def intake(self, **alerts: object) -> Intake:
        """A process; after a kill another one is made."""
        slack = {
            "bot_token": "xoxb-1",
            "channels": [{"labels": {"team": "shop"}, "channel": "#shop"}],
        }
        settings = Settings.model_validate({"slack": slack, "alerts": alerts})
        return Intake(settings, inbox=self.inbox, incidents=self.incidents, workflows=self.bell, reader="r")

    async def taken(self) -> list[Entry]:
        return await self.inbox.read("r", most=100, wait_ms=20)

    async def work(self, *deliveries: Delivery) -> list[Incident]:
        for each in deliveries:
            await self.inbox.append(each)
        await self.intake().take(await self.taken())
        return await self.all()

    async def all(self) -> list[Incident]:
        keys = {await self.store.get(each) for each in await self.store.keys("locum:group:*")}
        found = [await self.incidents.get(IncidentId(each.decode())) for each in sorted(keys)]
        return [each for each in found if each]


@pytest_asyncio.fixture(loop_scope="module")
async def door(store: Store) -> AsyncGenerator[Door]:
    inbox = Inbox(store)
    await inbox.open()
    yield Door(store, Bell(), inbox, Incidents(store))


async def test_alerts_of_one_group_are_one_incident_whose_workflow_is_told_once(door: Door) -> None:
    (incident,) = await door.work(delivery(alert("A"), alert("B")), delivery(alert("C")), delivery(alert("A")))
    assert (incident.alert_count, incident.firing_count, incident.repeats) == (3, 3, 1)
    assert incident.place.channel == "#alerts"
    assert door.bell.rung == [incident.id]
    assert await door.store.xlen(STREAM) == 0


async def test_the_last_delivery_has_the_last_word(door: Door) -> None:
    (incident,) = await door.work(delivery(alert("A")), delivery(alert("A", status="resolved")))
    assert (incident.firing_count, incident.status) == (0, "resolved")


async def test_news_of_the_end_of_something_unknown_open_nothing(door: Door) -> None:
    assert await door.work(delivery(alert("A", status="resolved"))) == []
    assert await door.store.xlen(STREAM) == 0
    assert not door.bell.rung


async def test_labels_choose_the_channel(door: Door) -> None:
    found = await door.work(delivery(alert("A", group="1", team="shop"), alert("A", group="2", team="it")))
    assert sorted(each.place.channel for each in found) == ["#alerts", "#shop"]


async def test_what_a_storm_brings_goes_to_one_digest_in_each_channel(door: Door) -> None:
    many = [alert(f"A{number}", group=f"g{number}", team=("shop", "it")[number % 2]) for number in range(40)]
    await door.inbox.append(delivery(*many))
    await door.intake(storm_incidents=3).take(await door.taken())
    found = await door.all()
    digests = [each for each in found if each.is_digest]
    assert sorted((each.place.channel, each.alert_count) for each in digests) == [("#alerts", 17), ("#shop", 17)]
    assert len(found) == 8
    assert sum(each.alert_count for each in found) == 40


async def test_a_closed_incident_is_followed_by_another_of_the_same_group(door: Door) -> None:
    (first,) = await door.work(delivery(alert("A")))
    await door.incidents.mark(first.id, closed=True)
    (second,) = await door.work(delivery(alert("A")))
    assert second.id != first.id
    assert (second.alert_count, second.repeats) == (1, 0)


async def test_whatever_line_a_process_is_killed_at_nothing_is_lost_or_counted_twice(door: Door) -> None:
    """Kills at each call to the store or the workflow service, then lets another process go on."""
    await door.inbox.append(delivery(alert("A"), alert("B", pod="b")))
    await door.inbox.append(delivery(alert("C", group="other")))
    await door.taken()
    calls, is_over = 0, False
    while not is_over:
        calls += 1
        door.incidents = _Mortal(door.store, calls)
        try:
            await door.intake().take(await door.inbox.held("r"))
            is_over = True
        except _Killed:
            door.incidents = Incidents(door.store)
    door.incidents = Incidents(door.store)
    found = await door.all()
    assert calls > 8
    assert sorted((each.alert_count, each.repeats) for each in found) == [(1, 0), (2, 0)]
    assert set(door.bell.rung) == {each.id for each in found}
    assert await door.store.xlen(STREAM) == 0


async def test_a_workflow_service_that_is_away_is_waited_for(door: Door) -> None:
    door.bell.broken_for = 2
    running = asyncio.create_task(door.intake().run())
    await door.inbox.append(delivery(alert("A")))

    async def is_done() -> bool:
        return bool(door.bell.rung) and not await door.store.xlen(STREAM)

    await until(is_done, within_s=10)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    (incident,) = await door.all()
    assert (incident.alert_count, incident.repeats) == (1, 0)


class _Killed(BaseException):
    pass


class _Mortal(Incidents):
    """Dies at its nth call, before or after the work."""

    def __init__(self, store: Store, lives: int) -> None:
        super().__init__(store)
        self._lives = lives
        for name in ("current", "openings", "open", "count_opening", "bind", "apply", "needs_signal", "signalled"):
            setattr(self, name, self._mortal(getattr(self, name)))

    def _mortal(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def dying(*args: Any, **kwargs: Any) -> Any:
            self._count()
            found = await work(*args, **kwargs)
            self._count()
            return found

        return dying

    def _count(self) -> None:
        self._lives -= 1
        if self._lives == 0:
            raise _Killed
