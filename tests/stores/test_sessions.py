import asyncio
from collections.abc import AsyncIterator

import pytest
from whenever import Instant

from agents.case import SessionId
from agents.progress import Event, FindingSeen, LookEnded, Phase, PhaseBegan
from agents.report import Report, Usage
from bot.incident import IncidentId, Place, Question
from bot.stores.connection import Store
from bot.stores.marks import RedisCache, RedisMarks, RedisSeen
from bot.stores.sessions import Session, Sessions
from tests.model.cases import EVENTS, GAP, OBJECTS, brief, diagnosis, finding
from tools.evidence import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")

ID = SessionId("ses_1")
SESSION = Session(
    id=ID,
    incident_id=IncidentId("inc_1"),
    question=Question(key="k", text="wäre das alles? 🙂", asked_by="U1", place=Place(channel="C1", thread_ts="1.2")),
    asked_at=Instant.from_utc(2026, 1, 1, 10),
)
LOOK = LookEnded(key="k", tool="t", title="t a=1", outcome=Outcome.EMPTY, detail="", seconds=0.5)
SEEN = FindingSeen(specialist="s", cause="c", entity="pod/a/b", severity="info", summary="seen")
DONE = PhaseBegan(phase=Phase.DONE)


async def events(of: AsyncIterator[tuple[str, Event]]) -> list[tuple[str, Event]]:
    async with asyncio.timeout(10):
        return [each async for each in of]


async def test_a_session_is_opened_once_and_read_as_it_was_asked(store: Store) -> None:
    sessions = Sessions(store)
    assert await sessions.status(ID) == ""
    assert await sessions.get(ID) is None
    opened = await asyncio.gather(*(sessions.open(SESSION) for _ in range(5)))
    assert sorted(opened) == [False] * 4 + [True]
    assert await sessions.get(ID) == SESSION
    assert await sessions.status(ID) == "queued"
    await sessions.mark(ID, "running")
    assert not await sessions.open(SESSION)
    assert await sessions.status(ID) == "running"


async def test_everything_of_a_session_is_read_as_it_was_written(store: Store) -> None:
    sessions = Sessions(store)
    await sessions.open(SESSION)
    assert (await sessions.case(ID), await sessions.reports(ID), await sessions.diagnosis(ID)) == (None, (), None)
    assert await sessions.specialists(ID) == ()
    case, answer = brief().case, diagnosis()
    report = Report(
        specialist="network", findings=(finding(),), evidence=(OBJECTS, EVENTS, GAP), usage=Usage(model_calls=2)
    )
    await sessions.save_case(case)
    await sessions.save_specialists(ID, ["network", "generalist"])
    await sessions.save_report(ID, Report(specialist="network", failure="it took too long"))
    await sessions.save_report(ID, report)
    await sessions.save_report(ID, Report(specialist="generalist"))
    await sessions.save_diagnosis(answer)
    assert await sessions.case(ID) == case
    assert await sessions.specialists(ID) == ("network", "generalist")
    assert await sessions.reports(ID) == (Report(specialist="generalist"), report)
    assert await sessions.diagnosis(ID) == answer
    assert [key for key in await store.keys("*") if await store.ttl(key) < 0] == []


async def test_progress_comes_while_it_is_told_and_ends_when_the_session_is_done(store: Store) -> None:
    sessions = Sessions(store)
    await sessions.open(SESSION)
    await sessions.tell(ID, SEEN)
    listening = asyncio.create_task(events(sessions.events(ID)))
    await asyncio.sleep(0.1)
    await sessions.tell(ID, LOOK)
    await sessions.tell(ID, DONE)
    heard = await listening
    assert [event for _, event in heard] == [SEEN, LOOK, DONE]
    assert await sessions.told(ID) == (SEEN, LOOK, DONE)
    # Who comes back with the last id that it saw gets the rest.
    assert await events(sessions.events(ID, after=heard[0][0])) == heard[1:]


@pytest.mark.parametrize("status", ["done", "failed"])
async def test_progress_ends_with_its_session_although_the_last_word_was_lost(status: str, store: Store) -> None:
    sessions = Sessions(store)
    await sessions.open(SESSION)
    await sessions.tell(ID, SEEN)
    await sessions.mark(ID, status)
    assert [event for _, event in await events(sessions.events(ID))] == [SEEN]


async def test_progress_of_no_session_ends_at_once(store: Store) -> None:
    assert await events(Sessions(store).events(SessionId("ses_none"))) == []


async def test_marks_and_what_was_seen_outlive_who_wrote_them(store: Store) -> None:
    assert await RedisMarks(store).get("k") is None
    await RedisMarks(store).put("k", "ä")
    assert await RedisMarks(store).get("k") == "ä"
    first = await asyncio.gather(*(RedisSeen(store).first("event", 60) for _ in range(5)))
    assert sorted(first) == [False] * 4 + [True]
    assert 0 < await store.ttl("locum:seen:event") <= 60


async def test_the_cache_gives_back_any_bytes_and_when_they_were_put_and_forgets_in_time(store: Store) -> None:
    cache, before = RedisCache(store), Instant.now()
    value = bytes(range(256)) + b"2026-01-01T00:00:00Z "
    await cache.put("k", value, 0.2)
    found = await cache.get("k")
    assert found is not None
    assert found[0] == value
    assert before <= found[1] <= Instant.now()
    await asyncio.sleep(0.25)
    assert await cache.get("k") is None
