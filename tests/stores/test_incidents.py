import asyncio
from dataclasses import replace

import pytest
from whenever import Instant, TimeDelta

from agents.alert import Alert, AlertStatus
from agents.case import SessionId
from agents.grouping import GroupKey
from agents.health import Verdict
from bot.incident import Incident, IncidentId, IncidentStatus, Place, Question
from bot.stores.connection import Store
from bot.stores.incidents import CARRIED, Applied, Incidents
from tests.durable.home import alert

pytestmark = pytest.mark.asyncio(loop_scope="module")

ID = IncidentId("inc_1")
KEY = GroupKey("generic|g")
NOTHING = Applied(new=0, repeated=0, resolved=0)


def record(incident_id: IncidentId = ID, place: Place | None = None) -> Incident:
    return Incident(
        id=incident_id,
        title="Down (shop)",
        status=IncidentStatus.OPEN,
        opened_at=Instant.from_utc(2026, 1, 1, 10),
        place=place or Place(channel="#alerts"),
        question=Question(key="k", text="why?", asked_by="U1", context={"service": "cart"}),
    )


async def opened(store: Store) -> Incidents:
    incidents = Incidents(store)
    await incidents.open(record(), group=KEY)
    return incidents


async def get(incidents: Incidents) -> Incident:
    found = await incidents.get(ID)
    assert found is not None
    return found


def over(one: Alert) -> Alert:
    return replace(one, status=AlertStatus.RESOLVED)


async def test_a_record_is_read_as_it_was_written_and_opening_again_changes_nothing(store: Store) -> None:
    incidents = await opened(store)
    assert await get(incidents) == record()
    await incidents.placed(ID, Place(channel="C1", thread_ts="1.2"))
    await incidents.open(record())
    assert await get(incidents) == record(place=Place(channel="C1", thread_ts="1.2"))
    assert await incidents.of_thread("C1", "1.2") == ID
    assert await incidents.of_thread("C2", "1.2") is None


async def test_who_is_not_there_is_not_there(store: Store) -> None:
    incidents = Incidents(store)
    assert await incidents.get(IncidentId("inc_none")) is None
    assert await incidents.look(IncidentId("inc_none")) is None
    assert await incidents.current(KEY) == (None, False)


async def test_a_delivery_counts_once_however_often_it_is_applied(store: Store) -> None:
    incidents = await opened(store)
    assert await incidents.apply(ID, "1-0", [alert("A"), alert("B")]) == Applied(new=2, repeated=0, resolved=0)
    assert await incidents.apply(ID, "1-0", [alert("A"), alert("B")]) == NOTHING
    assert await incidents.apply(ID, "2-0", [alert("A")]) == Applied(new=0, repeated=1, resolved=0)
    found = await get(incidents)
    assert (found.alert_count, found.firing_count, found.repeats) == (2, 2, 1)


async def test_two_readers_that_apply_the_same_delivery_at_once_count_it_once(store: Store) -> None:
    incidents = await opened(store)
    many = [alert(f"A{number}") for number in range(20)]
    applied = await asyncio.gather(*(incidents.apply(ID, "1-0", many) for _ in range(10)))
    assert sorted(each.new for each in applied) == [0] * 9 + [20]
    assert (await get(incidents)).repeats == 0


async def test_an_incident_is_resolved_when_nothing_of_it_fires_and_open_when_something_fires_again(
    store: Store,
) -> None:
    incidents = await opened(store)
    assert (await get(incidents)).status is IncidentStatus.OPEN
    await incidents.apply(ID, "1-0", [alert("A"), alert("B")])
    await incidents.apply(ID, "2-0", [over(alert("A"))])
    assert (await get(incidents)).status is IncidentStatus.OPEN
    assert await incidents.apply(ID, "3-0", [over(alert("B"))]) == Applied(new=0, repeated=0, resolved=1)
    found = await get(incidents)
    assert (found.status, found.firing_count, found.alert_count) == (IncidentStatus.RESOLVED, 0, 2)
    assert await incidents.apply(ID, "4-0", [alert("A")]) == Applied(new=1, repeated=0, resolved=0)
    assert (await get(incidents)).status is IncidentStatus.OPEN


async def test_a_persons_word_that_it_is_over_holds_until_something_new_fires(store: Store) -> None:
    incidents = await opened(store)
    await incidents.apply(ID, "1-0", [alert("A")])
    await incidents.mark(ID, resolved=True)
    await incidents.apply(ID, "2-0", [alert("A")])
    assert (await get(incidents)).status is IncidentStatus.RESOLVED
    await incidents.apply(ID, "3-0", [alert("B")])
    assert (await get(incidents)).status is IncidentStatus.OPEN


async def test_a_record_carries_the_newest_alerts_firing_ones_first_and_counts_the_rest(store: Store) -> None:
    incidents = await opened(store)
    began = Instant.from_utc(2026, 1, 1)
    firing = [replace(alert(f"F{n:02}"), starts_at=began.add(TimeDelta(seconds=n))) for n in range(CARRIED - 10)]
    gone = [replace(over(alert(f"G{n:02}")), starts_at=began.add(TimeDelta(seconds=n))) for n in range(40)]
    await incidents.apply(ID, "1-0", [*gone, *firing])
    found = await get(incidents)
    assert (found.alert_count, found.firing_count, len(found.alerts)) == (CARRIED + 30, CARRIED - 10, CARRIED)
    assert [each.name for each in found.alerts[:2]] == ["F39", "F38"]
    assert [each.name for each in found.alerts[-2:]] == ["G31", "G30"]


async def test_a_group_knows_its_newest_incident_and_whether_that_is_open(store: Store) -> None:
    incidents = await opened(store)
    assert await incidents.current(KEY) == (ID, True)
    await incidents.mark(ID, closed=True)
    assert await incidents.current(KEY) == (ID, False)
    await incidents.mark(ID, closed=False)
    assert await incidents.current(KEY) == (ID, True)
    await incidents.bind(IncidentId("inc_never_opened"), KEY)
    assert await incidents.current(KEY) == ("inc_never_opened", False)


async def test_openings_are_counted_once_for_each_incident_of_the_last_minute_and_channel(store: Store) -> None:
    incidents = Incidents(store)
    for name, at_s in (("a", 10.0), ("b", 50.0), ("b", 60.0), ("c", 70.0)):
        await incidents.count_opening("C1", IncidentId(name), now_s=at_s)
    assert await incidents.openings("C1", now_s=71.0) == 2
    assert await incidents.openings("C2", now_s=71.0) == 0


async def test_a_workflow_is_told_once_until_it_looks(store: Store) -> None:
    incidents = await opened(store)
    assert await incidents.needs_signal(ID)
    # Who was to tell it may have been killed: another tells it again.
    assert await incidents.needs_signal(ID)
    await incidents.signalled(ID)
    assert not await incidents.needs_signal(ID)
    await incidents.look(ID)
    assert await incidents.needs_signal(ID)
    await incidents.look(ID)
    await incidents.signalled(ID)
    assert await incidents.needs_signal(ID), "it had looked before it was remembered as told"


async def test_sessions_and_the_newest_answer_are_kept(store: Store) -> None:
    incidents = await opened(store)
    for name in ("ses_1", "ses_2", "ses_1"):
        await incidents.add_session(ID, SessionId(name))
    await incidents.concluded(ID, Verdict.FAILING, "cart is down.")
    found = await get(incidents)
    assert (found.sessions, found.verdict, found.headline) == (("ses_1", "ses_2"), Verdict.FAILING, "cart is down.")


async def test_everything_of_an_incident_is_forgotten_in_the_end(store: Store) -> None:
    incidents = await opened(store)
    await incidents.apply(ID, "1-0", [alert("A"), over(alert("B"))])
    await incidents.add_session(ID, SessionId("ses_1"))
    await incidents.count_opening("C1", ID, now_s=Instant.now().timestamp())
    assert await incidents.needs_signal(ID)
    keys = await store.keys("*")
    assert len(keys) >= 8
    assert [key for key in keys if await store.ttl(key) < 0] == []
