"""The ways an incident can go, on a real Temporal and Valkey."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from bot.embedded.servers import Endpoints
from tests.durable.home import SECRET_WORDS, HeldAtClosing, alert, delivery, home_on, until
from tests.durable.record import runs, words
from tests.durable.scenes import SCENES, SOON_S, incident_of, question

pytestmark = pytest.mark.asyncio(loop_scope="module")

Scene = Callable[[Endpoints], Awaitable[str]]


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
async def test_it_goes_as_it_should_and_its_history_holds_no_words_of_people_or_alerts(
    scene: Scene, endpoints: Endpoints
) -> None:
    incident_id = await scene(endpoints)
    client = await Client.connect(endpoints.temporal_address, namespace="locum")
    whole = [words(each) for each in await runs(client, incident_id)]
    assert all(f'"incident_id":"{incident_id}"' in each for each in whole), "payloads were not decoded"
    assert not any(SECRET_WORDS in each for each in whole)


async def test_after_the_quiet_time_the_same_group_opens_another_incident(endpoints: Endpoints) -> None:
    async with home_on(endpoints, quiet_s=SOON_S) as locum:
        await locum.inbox.append(delivery(alert(group="again"), alert(group="again", status="resolved")))
        await locum.inbox.append(delivery(alert(group="again")))
        (first, *_) = await locum.conclusions(1)
        incident = await incident_of(locum, first)
        await locum.inbox.append(delivery(alert(group="again", status="resolved")))
        assert await locum.ended(incident.id) is WorkflowExecutionStatus.COMPLETED
        before = await locum.conclusions(2)
        await locum.inbox.append(delivery(alert(group="again")))
        after = await locum.conclusions(len(before) + 1)
        assert (await incident_of(locum, after[-1])).id != incident.id


async def test_an_alert_that_comes_while_its_incident_closes_keeps_it_open(endpoints: Endpoints) -> None:
    async with home_on(endpoints, quiet_s=SOON_S, incidents_of=HeldAtClosing) as locum:
        incidents = locum.incidents
        assert isinstance(incidents, HeldAtClosing)
        await locum.inbox.append(delivery(alert(group="late")))
        (first,) = await locum.conclusions(1)
        incident = await incident_of(locum, first)
        await locum.inbox.append(delivery(alert(group="late", status="resolved")))
        await locum.conclusions(2)
        async with asyncio.timeout(15):
            await incidents.is_closing.wait()
        await locum.inbox.append(delivery(alert(group="late")))

        async def is_taken() -> bool:
            found = await locum.incidents.get(incident.id)
            return found is not None and found.firing_count == 1 and not await locum.store.xlen("locum:inbox")

        await until(is_taken)
        incidents.may_close.set()
        # A third investigation, for it fires again.
        said = await locum.conclusions(3)
        assert {(await incident_of(locum, each)).id for each in said} == {incident.id}
        again = await locum.incidents.get(incident.id)
        assert again is not None
        assert again.firing_count == 1
        key = (await locum.store.keys("locum:group:*"))[0]
        assert await locum.store.get(key) == incident.id.encode()


async def test_where_no_thread_can_be_opened_the_question_is_answered_all_the_same(endpoints: Endpoints) -> None:
    async with home_on(endpoints) as locum:
        locum.room.is_shut = True
        ticket = await locum.desk.ask(question("shut"))
        assert await locum.conclusions(1) == [ticket.session_id]
        assert await locum.sessions.status(ticket.session_id) == "done"
