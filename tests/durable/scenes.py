"""What happens to incidents: played on real servers by tests, and recorded by `python -m tests.durable.record`."""

import asyncio

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from agents.case import SessionId
from bot.desk import Ticket
from bot.embedded.servers import Endpoints
from bot.incident import Incident, IncidentId, IncidentStatus, Place, Question
from bot.workflows.incident import IncidentWorkflow
from bot.workflows.messages import TASK_QUEUE, Start
from tests.durable.home import SECRET_WORDS, Home, alert, delivery, home_on

SOON_S = 1.5
"""Quiet time of incidents that shall close within a test."""


async def fires_and_resolves(endpoints: Endpoints) -> str:
    async with home_on(endpoints, quiet_s=SOON_S) as locum:
        await locum.inbox.append(delivery(alert(group="fires")))
        (first,) = await locum.conclusions(1)
        incident = await incident_of(locum, first)
        await locum.inbox.append(delivery(alert(group="fires", status="resolved")))
        await locum.conclusions(2)
        assert await locum.ended(incident.id) is WorkflowExecutionStatus.COMPLETED
        found = await locum.incidents.get(incident.id)
        assert found is not None
        assert (found.status, len(found.sessions)) == (IncidentStatus.RESOLVED, 2)
        return incident.id


async def question_with_follow_ups(endpoints: Endpoints) -> str:
    async with home_on(endpoints, names=("slow",)) as locum:
        first = await locum.desk.ask(question("follow"))
        thread = Place(channel="C1", thread_ts=f"1.{first.incident_id}")
        await locum.incidents.placed(first.incident_id, thread)
        more: list[Ticket] = [await locum.desk.ask(question(f"follow {number}", thread)) for number in range(3)]
        again = await locum.desk.ask(question("follow 1", thread))
        assert not again.is_new
        async with asyncio.timeout(10):
            await locum.thinker.has_begun.wait()
        locum.thinker.may_go.set()
        said = await locum.conclusions(4)
        assert said == [first.session_id, *(each.session_id for each in more)]
        assert {each.incident_id for each in more} == {first.incident_id}
        assert locum.thinker.most_at_once == 1
        return first.incident_id


async def failed_specialist(endpoints: Endpoints) -> str:
    async with home_on(endpoints, names=("broken", "network")) as locum:
        ticket = await locum.desk.ask(question("failed"))
        assert await locum.conclusions(1) == [ticket.session_id]
        reports = {each.specialist: each.failure for each in await locum.sessions.reports(ticket.session_id)}
        assert reports == {"broken": "it failed (LookupError)", "network": ""}
        return ticket.incident_id


async def stopped(endpoints: Endpoints) -> str:
    async with home_on(endpoints, names=("slow",)) as locum:
        ticket = await locum.desk.ask(question("stopped"))
        async with asyncio.timeout(10):
            await locum.thinker.has_begun.wait()
        assert await locum.workflows.stop(ticket.incident_id, "U7")
        assert await locum.apologies(1) == ["stopped by U7"]
        assert await locum.sessions.status(ticket.session_id) == "failed"
        locum.thinker.may_go.set()
        place = Place(channel="C1", thread_ts=f"1.{ticket.incident_id}")
        after = await locum.desk.ask(question("stopped, and then", place))
        assert await locum.conclusions(1) == [after.session_id]
        # Nothing runs now: there is nothing to stop, and nobody is told.
        assert await locum.workflows.stop(ticket.incident_id, "U7")
        last = await locum.desk.ask(question("stopped, and at last", place))
        assert await locum.conclusions(2) == [after.session_id, last.session_id]
        assert await locum.apologies(1) == ["stopped by U7"]
        return ticket.incident_id


async def resolved_by_a_person(endpoints: Endpoints) -> str:
    async with home_on(endpoints, quiet_s=SOON_S) as locum:
        await locum.inbox.append(delivery(alert(group="person")))
        (first,) = await locum.conclusions(1)
        incident = await incident_of(locum, first)
        assert await locum.workflows.resolve(incident.id, "U7")
        # It is looked at once more, and closes although the alert still fires.
        await locum.conclusions(2)
        found = await locum.incidents.get(incident.id)
        assert found is not None
        assert (found.status, found.firing_count) == (IncidentStatus.RESOLVED, 1)
        assert await locum.ended(incident.id) is WorkflowExecutionStatus.COMPLETED
        assert not await locum.workflows.resolve(incident.id, "U7")
        assert not await locum.workflows.stop(incident.id, "U7")
        return incident.id


async def goes_on_in_a_new_run(endpoints: Endpoints) -> str:
    async with home_on(endpoints) as locum:
        incident_id = IncidentId("inc_long")
        place = Place(channel="C1", thread_ts="1.long")
        first = Question(key="long", text=SECRET_WORDS, asked_by="U1", place=place)
        await locum.incidents.open(
            Incident(
                id=incident_id, title="t", status=IncidentStatus.OPEN, opened_at=alert().starts_at, place=place,
                question=first,
            )
        )  # fmt: skip
        await locum.incidents.apply(incident_id, "1-0", [alert(group="long")])
        handle = await _started(locum, incident_id)
        run_id = handle.result_run_id
        await locum.conclusions(1)
        asked = await locum.desk.ask(first)
        assert asked.incident_id == incident_id
        await locum.conclusions(2)
        assert await locum.ended(incident_id, run_id) is WorkflowExecutionStatus.CONTINUED_AS_NEW
        # The next run knows what the one before had seen: this question was answered, and the alert looked at.
        await locum.desk.ask(first)
        await locum.inbox.append(delivery(alert(group="long")))
        more = await locum.desk.ask(question("long, and now", place))
        said = await locum.conclusions(3)
        assert said[1:] == [asked.session_id, more.session_id]
        return incident_id


SCENES = {
    each.__name__: each
    for each in (
        fires_and_resolves, question_with_follow_ups, failed_specialist, stopped, resolved_by_a_person,
        goes_on_in_a_new_run,
    )
}  # fmt: skip


def question(key: str, place: Place | None = None) -> Question:
    return Question(key=key, text=SECRET_WORDS, asked_by="U1", place=place or Place(channel="C1"))


async def incident_of(locum: Home, session_id: str) -> Incident:
    session = await locum.sessions.get(SessionId(session_id))
    assert session is not None
    found = await locum.incidents.get(session.incident_id)
    assert found is not None
    return found


async def _started(locum: Home, incident_id: str) -> WorkflowHandle[IncidentWorkflow, None]:
    # As the service starts it, but for a limit that a test can reach.
    return await locum.client.start_workflow(
        IncidentWorkflow.run,
        Start(incident_id=incident_id, quiet_s=3600, long_history=60),
        id=incident_id,
        task_queue=TASK_QUEUE,
    )
