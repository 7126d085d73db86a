import asyncio
import os
import signal
from pathlib import Path

from bot.incident import Incident, IncidentId, Place, Question
from tests.durable.home import alert, delivery, home


async def test_the_same_question_twice_is_one_session_and_a_follow_up_is_another(tmp_path: Path) -> None:
    async with home(tmp_path) as locum:
        question = Question(key="k", text="why?", asked_by="U1", place=Place(channel="C1"))
        first, second = await locum.desk.ask(question), await locum.desk.ask(question)
        assert (first.is_new, second.is_new) == (True, False)
        assert first.session_id == second.session_id
        await locum.conclusions(1)
        thread = f"1.{first.incident_id}"
        assert await locum.incidents.of_thread("C1", thread) == first.incident_id
        place = Place(channel="C1", thread_ts=thread)
        follow_up = await locum.desk.ask(Question(key="k2", text="and now?", asked_by="U1", place=place))
        assert follow_up.incident_id == first.incident_id
        assert await locum.conclusions(2) == [first.session_id, follow_up.session_id]


async def test_valkey_and_temporal_killed_in_the_middle_still_give_exactly_one_conclusion(tmp_path: Path) -> None:
    async with home(tmp_path, names=("slow",)) as locum:
        await locum.inbox.append(delivery(alert()))
        async with asyncio.timeout(15):
            await locum.thinker.has_begun.wait()
        for child in locum.endpoints.embedded:
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
        await asyncio.sleep(1)
        locum.thinker.may_go.set()
        said = await locum.conclusions(1, within_s=40)
        assert len(said) == 1


async def test_a_storm_becomes_few_incidents_and_loses_nothing(tmp_path: Path) -> None:
    async with home(tmp_path) as locum:
        many = [alert(f"Alert{number}", group=f"g{number}") for number in range(300)]
        for one in many:
            await locum.inbox.append(delivery(one))
        found = 0
        keys: set[bytes] = set()
        records: list[Incident | None] = []
        async with asyncio.timeout(30):
            while found < 300:
                keys = {await locum.store.get(key) for key in await locum.store.keys("locum:group:*")}
                records = [await locum.incidents.get(IncidentId(key.decode())) for key in keys]
                found = sum(each.alert_count for each in records if each)
                await asyncio.sleep(0.2)
        assert found == 300
        assert len(keys) == 11
        assert sum(each.is_digest for each in records if each) == 1
