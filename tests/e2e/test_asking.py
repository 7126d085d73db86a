"""People and alerts ask a whole Locum over Socket Mode and the webhook; rules answer from the recorded worlds."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.durable.record import words as words_of
from tests.e2e.house import House, alert, at_work, mode, resolved, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHY = "@locum why does checkout fail for customers"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    async with at_work(tmp_path_factory.mktemp("locum")) as found:
        yield found


async def test_a_mention_gets_eyes_a_plan_and_one_conclusion_and_so_does_a_follow_up(house: House) -> None:
    room = house.new()
    asked = house.workspace.post("ana", room, WHY)
    first = await house.concluded(room, asked["ts"])
    assert mode(first) == "rules"
    assert "deployment/shop/checkout" in said(first)
    root = house.workspace.thread(room, asked["ts"])[0]
    assert [each["name"] for each in root["reactions"]] == ["eyes"]
    plans = [each for each in house.workspace.streams() if each["thread_ts"] == asked["ts"]]
    assert plans
    assert all(task["status"] == "complete" for task in plans[0]["tasks"])
    again = house.workspace.post("ben", room, "@locum what changed before this?", thread_ts=asked["ts"])
    second = await house.concluded(room, asked["ts"], times=2)
    assert "what changed before this?" in said(second)
    reply = next(each for each in house.workspace.thread(room, asked["ts"]) if each["ts"] == again["ts"])
    assert [each["name"] for each in reply["reactions"]] == ["eyes"]


async def test_a_command_opens_a_thread_with_one_conclusion(house: House) -> None:
    room = house.new()
    house.workspace.slash("ana", room, "/diagnose", "why does checkout fail for customers")
    root = await house.root(room)
    assert "deployment/shop/checkout" in said(await house.concluded(room, root))
    assert len(house.roots(room)) == 1
    assert any("Got it" in each["text"] for each in house.workspace.ephemerals("ana"))


async def test_a_command_where_locum_is_not_is_refused_politely_and_starts_nothing(house: House) -> None:
    house.workspace.slash("ben", "general", "/diagnose", "why does checkout fail")
    await house.workspace.until(lambda: any("not in this channel" in one["text"] for one in _seen_by(house, "ben")))
    assert all(each["channel"] == house.workspace.channel_id("general") for each in _seen_by(house, "ben"))
    assert house.workspace.messages("general") == []


async def test_what_slack_delivers_twice_is_answered_once(house: House) -> None:
    room = house.new()
    house.workspace.duplicate(times=2)
    asked = house.workspace.post("ana", room, WHY)
    await house.concluded(room, asked["ts"])
    house.workspace.redeliver("app_mention")
    house.workspace.redeliver("message")
    await house.workspace.settled()
    # What was started by a second delivery would be served before this one.
    house.workspace.post("ana", room, "@locum and now?", thread_ts=asked["ts"])
    last = await house.concluded(room, asked["ts"], times=2)
    assert "and now?" in said(last)


async def test_a_slack_that_fails_loses_acks_and_cuts_the_line_gets_everything_once(house: House) -> None:
    room = house.new()
    house.workspace.fail("chat.postMessage", times=2, status=503)
    house.workspace.fail("chat.postMessage", times=1, status=429, retry_after_s=1)
    house.workspace.fail("chat.startStream", times=1, error="internal_error")
    house.workspace.drop_acks(2)
    asked = house.workspace.post("ana", room, WHY)
    await house.workspace.disconnect(is_abrupt=True)
    await house.concluded(room, asked["ts"])
    await house.workspace.connected()
    house.workspace.post("ana", room, "@locum and now?", thread_ts=asked["ts"])
    await house.concluded(room, asked["ts"], times=2)


async def test_a_webhook_sent_twice_is_one_thread_and_one_conclusion_until_it_resolves(house: House) -> None:
    room = house.new()
    payload = alert("memory-exhaustion", room)
    await asyncio.gather(house.fire(payload), house.fire(payload))
    root = await house.root(room)
    first = await house.concluded(room, root)
    assert "oom" in said(first)
    await house.fire(payload)
    await house.workspace.until(lambda: "2 repeats" in said(house.roots(room)[0]), timeout_s=20)
    await house.fire(resolved(payload))
    await house.concluded(room, root, times=2)
    await house.workspace.until(lambda: "resolved" in said(house.roots(room)[0]), timeout_s=20)
    assert len(house.roots(room)) == 1


async def test_a_thread_that_could_not_be_opened_is_opened_and_known_once_locum_was_invited(house: House) -> None:
    room, workspace = house.new(), house.workspace
    workspace.remove(room, workspace.bot_user_id)
    payload = alert("dependency-down", room)
    await house.fire(payload)
    channel = workspace.channel_id(room)
    await workspace.until(lambda: channel in [each.body["channel"] for each in workspace.calls("chat.postMessage")])
    workspace.invite(room, workspace.bot_user_id)
    await house.fire(payload)
    root = await house.root(room)
    await house.concluded(room, root)
    workspace.post("ana", room, "@locum and now?", thread_ts=root)
    # The question is about the incident of this thread, and not about whatever its words could mean elsewhere.
    assert "selector-mismatch" in said(await house.concluded(room, root, times=2))
    assert len(house.roots(room)) == 1


async def test_every_recorded_incident_fired_at_once_gets_its_own_verdict(house: House) -> None:
    wanted = {
        "bad-rollout": "degraded",
        "dependency-down": "failing",
        "memory-exhaustion": "degraded",
        "healthy-alert": "recovered",
    }
    rooms = {name: house.new() for name in wanted}
    await asyncio.gather(*(house.fire(alert(name, room)) for name, room in rooms.items()))
    for name, room in rooms.items():
        concluded = await house.concluded(room, await house.root(room))
        assert wanted[name] in concluded["text"], name
        assert mode(concluded) == "rules"


async def test_histories_hold_no_words_of_alerts_people_or_answers(house: House) -> None:
    room = house.new()
    payload = alert("dependency-down", room)
    payload["alerts"][0]["annotations"]["summary"] = "zanzibar is on fire"
    asked = house.workspace.post("ana", room, "@locum is quetzalcoatl to blame?")
    await house.fire(payload)
    await house.concluded(room, asked["ts"])
    await house.concluded(room, await house.root(room))
    client = await Client.connect(house.temporal, namespace="locum")
    # Payloads stand in a history encoded: they are read as whoever opens it would.
    histories = [
        words_of((await client.get_workflow_handle(each.id, run_id=each.run_id).fetch_history()).to_json())
        async for each in client.list_workflows()
    ]
    assert any(root_id(house, room) in each for each in histories)
    whole = "\n".join(histories).lower()
    words = ("zanzibar", "quetzalcoatl", "checkout", "payments", "selector", "room-", house.workspace.bot_token)
    assert [each for each in words if each in whole] == []


def root_id(house: House, room: str) -> str:
    return str(house.roots(room)[0]["metadata"]["event_payload"]["incident_id"])


def _seen_by(house: House, user: str) -> list[dict[str, str]]:
    return house.workspace.ephemerals(user)
