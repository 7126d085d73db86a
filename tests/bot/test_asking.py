"""What people type in a strict Slack, over Socket Mode, and what of it reaches the desk."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from bot.incident import Place, Question
from bot.slack import app as slack_app
from bot.slack.app import create
from bot.slack.calls import Method
from bot.slack.cards import lines
from bot.slack.socket import Socket
from bot.workspace.server import Workspace
from tests.bot.fakes import Desk, SeenKeys, eventually, settings
from tests.slack import broken


@contextlib.asynccontextmanager
async def running(workspace: Workspace, desk: Desk, seen: SeenKeys) -> AsyncGenerator[None]:
    """One process that listens."""
    slack = create(settings(workspace), desk, seen)
    socket = Socket(slack, settings(workspace))
    before = workspace.sockets
    await socket.connect()
    try:
        await workspace.connected(before + 1)
        yield
        await workspace.settled()
        await slack.asking.close()
    finally:
        await socket.close()
        await slack.close()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def seen() -> SeenKeys:
    return SeenKeys()


def replies(workspace: Workspace, channel: str, ts: str) -> list[str]:
    return [reply["text"] for reply in workspace.thread(channel, ts)[1:]]


def ephemerals(workspace: Workspace, user: str = "ana") -> list[str]:
    return [one["text"] for one in workspace.ephemerals(user)]


async def test_s01_s05_a_mention_gets_eyes_and_starts_a_run_in_its_thread(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with running(workspace, desk, seen):
        asked = workspace.post("ana", "alerts", "@locum why is <b>cart</b> slow & sad?")
        await workspace.until(lambda: workspace.calls("reactions.add"), timeout_s=1)
        await eventually(lambda: desk.taken)
    channel = workspace.channel_id("alerts")
    assert desk.questions == [
        Question(
            key=f"{channel}:{asked['ts']}",
            text="why is <b>cart</b> slow & sad?",
            asked_by=workspace.user_id("ana"),
            place=Place(channel=channel, thread_ts=asked["ts"], message_ts=asked["ts"]),
        )
    ]
    assert workspace.messages("alerts")[0]["reactions"][0]["name"] == "eyes"


async def test_s04_the_twins_of_a_mention_and_every_redelivery_are_one_question(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with running(workspace, desk, seen):
        workspace.duplicate(2)
        workspace.post("ana", "alerts", "@locum cart is slow")
        await eventually(lambda: desk.taken)
        await workspace.settled()
        workspace.redeliver("app_mention")
        workspace.redeliver("message")
        await workspace.settled()
    assert len(desk.questions) == 1
    assert broken(workspace) == []


async def test_s04_a_redelivery_after_a_restart_is_the_same_question(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with running(workspace, desk, seen):
        asked = workspace.post("ana", "alerts", "@locum cart is slow")
        await eventually(lambda: desk.taken)
    async with running(workspace, desk, seen):
        workspace.redeliver("app_mention")
    assert desk.calls >= 2
    assert len(desk.questions) == 1
    assert replies(workspace, "alerts", asked["ts"]) == []


async def test_s04_two_processes_that_get_a_twin_each_ask_one_question(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with running(workspace, desk, seen), running(workspace, desk, seen):
        for number in range(5):
            workspace.post("ana", "alerts", f"@locum cart {number} is slow")
        await eventually(lambda: len(desk.taken) == 5)
    assert len(desk.questions) == 5
    assert len(workspace.messages("alerts")) == 5


async def test_a_question_that_a_killed_process_had_not_taken_is_delivered_to_the_next_one(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    stuck = Desk(delay_s=60)
    killed = create(settings(workspace), stuck, seen)
    socket = Socket(killed, settings(workspace))
    await socket.connect()
    workspace.post("ana", "incidents", "@locum cart is slow")
    await eventually(lambda: stuck.calls)
    await socket.close()
    for task in set(killed.asking._running):  # pyright: ignore[reportPrivateUsage]
        task.cancel()
    await killed.close()
    async with running(workspace, desk, seen):
        await eventually(lambda: desk.taken)
    assert [question.text for question in desk.questions] == ["cart is slow"]


async def test_a_slow_desk_is_not_acked_in_time_and_still_takes_the_question_once(
    workspace: Workspace, desk: Desk, seen: SeenKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_app, "ACK_S", 0.05)
    desk.delay_s = 0.5
    async with running(workspace, desk, seen):
        asked = workspace.post("ana", "alerts", "@locum cart is slow")
        await eventually(lambda: desk.calls)
        await workspace.advance(4)
        await eventually(lambda: desk.taken)
        desk.delay_s = 0
        await workspace.advance(4)
        await workspace.advance(61)
    assert len(desk.questions) == 1
    assert replies(workspace, "alerts", asked["ts"]) == []
    assert all("not acked within" in rule for rule in broken(workspace))


@pytest.mark.parametrize("who", ["app", "own", "edit", "plain", "join"])
async def test_s04_bots_own_messages_edits_and_talk_without_a_mention_get_no_answer(
    workspace: Workspace, desk: Desk, seen: SeenKeys, who: str
) -> None:
    mention = f"<@{workspace.bot_user_id}> cart is slow"
    async with running(workspace, desk, seen):
        match who:
            case "app":
                workspace.alert("pager", "alerts", mention)
            case "own":
                slack = create(settings(workspace), desk, seen)
                await slack.calls(Method.POST, channel=workspace.channel_id("alerts"), text=mention)
                await slack.close()
            case "edit":
                said = workspace.post("ana", "alerts", "cart is slow")
                workspace.edit("ana", "alerts", said["ts"], mention)
            case "plain":
                workspace.post("ana", "alerts", "cart is slow")
            case _:
                workspace.open_home("ana")
        await workspace.settled()
    assert desk.calls == 0
    assert workspace.calls("reactions.add") == []


@pytest.mark.parametrize(
    "difference",
    [
        {"bot_id": "B1"},
        {"edited": {"user": "U0001ANA", "ts": "2.2"}},
        {"user": "U0LOCUMBOT"},
        {"user": None},
        {"subtype": "channel_join"},
        {"subtype": "message_changed"},
        {"text": "cart is slow"},
    ],
)
def test_s04_an_event_that_is_no_persons_question_is_none(
    workspace: Workspace, desk: Desk, seen: SeenKeys, difference: dict[str, Any]
) -> None:
    asking = create(settings(workspace), desk, seen).asking
    event = {"user": "U0001ANA", "channel": "C1", "ts": "1.1", "text": "<@U0LOCUMBOT> cart is slow"}
    assert asking.question(event, "U0LOCUMBOT")
    assert asking.question(event | difference, "U0LOCUMBOT") is None


async def test_s18_a_mention_in_a_thread_is_asked_in_that_thread(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with running(workspace, desk, seen):
        root = workspace.post("ben", "alerts", "cart pages me")
        workspace.post("ana", "alerts", "no idea", thread_ts=root["ts"])
        asked = workspace.post("ana", "alerts", "and since when, @locum ?", thread_ts=root["ts"])
        await eventually(lambda: desk.taken)
    (question,) = desk.questions
    assert question.place == Place(channel=workspace.channel_id("alerts"), thread_ts=root["ts"], message_ts=asked["ts"])
    assert question.text == "and since when, ?"


async def test_s11_a_direct_message_is_answered_in_its_own_thread_without_a_mention(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with running(workspace, desk, seen):
        asked = workspace.post("ana", "dm", "is checkout healthy?")
        await eventually(lambda: desk.taken)
        again = workspace.post("ana", "dm", "and payments?", thread_ts=asked["ts"])
        await eventually(lambda: len(desk.taken) == 2)
    places = [question.place for question in desk.questions]
    assert [(place.thread_ts, place.message_ts) for place in places if place] == [
        (asked["ts"], asked["ts"]),
        (asked["ts"], again["ts"]),
    ]


async def test_a_mention_without_words_is_told_how_to_ask(workspace: Workspace, desk: Desk, seen: SeenKeys) -> None:
    async with running(workspace, desk, seen):
        asked = workspace.post("ana", "alerts", "@locum")
        await workspace.until(lambda: replies(workspace, "alerts", asked["ts"]))
        await workspace.settled()
    assert replies(workspace, "alerts", asked["ts"]) == [lines.NO_WORDS]
    assert desk.calls == 0


async def test_a_desk_that_is_closed_is_said_once_in_the_thread_with_what_to_do(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    desk.is_closed = True
    async with running(workspace, desk, seen):
        asked = workspace.post("ana", "alerts", "@locum cart is slow")
        await workspace.until(lambda: replies(workspace, "alerts", asked["ts"]))
        await workspace.settled()
        calls = desk.calls
        workspace.redeliver("app_mention")
        await eventually(lambda: desk.calls > calls)
    assert replies(workspace, "alerts", asked["ts"]) == [lines.NOT_TAKEN]
    assert "please ask again" in lines.NOT_TAKEN


class BrokenDesk(Desk):
    """Fails in a way that nobody foresaw."""

    async def ask(self, question: Question) -> Any:
        raise RuntimeError("secret innards")


async def test_an_error_that_nobody_foresaw_is_a_polite_line_without_its_innards(
    workspace: Workspace, seen: SeenKeys, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(workspace, BrokenDesk(), seen):
        asked = workspace.post("ana", "alerts", "@locum cart is slow")
        await workspace.until(lambda: replies(workspace, "alerts", asked["ts"]))
        workspace.slash("ana", "alerts", "/diagnose", "cart is slow")
        await workspace.until(lambda: lines.NOT_TAKEN in ephemerals(workspace))
    assert replies(workspace, "alerts", asked["ts"]) == [lines.NOT_TAKEN]
    assert "taking a question failed" in caplog.messages
    assert not any("cart is slow" in record.getMessage() for record in caplog.records)


async def test_s02_s08_a_command_is_acked_before_any_call_and_while_everything_is_slow(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    desk.delay_s = 0.3
    async with running(workspace, desk, seen):
        workspace.fail("*", times=5, delay_s=0.3)
        workspace.slash("ana", "alerts", "/diagnose", "checkout is slow in @ben's region")
        await workspace.until(lambda: ephemerals(workspace), timeout_s=0.25)
        assert desk.calls == 0
        await eventually(lambda: desk.taken)
    (question,) = desk.questions
    assert ephemerals(workspace) == [lines.TAKEN]
    assert question.place == Place(channel=workspace.channel_id("alerts"))
    assert question.asked_by == workspace.user_id("ana")
    assert question.key.startswith("command:")
    assert [delivery.was_acked for delivery in workspace.deliveries("/diagnose")] == [True]


@pytest.mark.parametrize(
    ("said", "answer"), [("", lines.USAGE), ("help", lines.USAGE), ("private cart", lines.NO_PRIVATE)]
)
async def test_a_command_that_asks_nothing_is_answered_to_the_caller_alone(
    workspace: Workspace, desk: Desk, seen: SeenKeys, said: str, answer: str
) -> None:
    async with running(workspace, desk, seen):
        workspace.slash("ana", "alerts", "/diagnose", said)
        await workspace.until(lambda: ephemerals(workspace))
    assert ephemerals(workspace) == [answer]
    assert ephemerals(workspace, "ben") == []
    assert desk.calls == 0


async def test_s10_a_command_where_locum_is_not_says_how_to_invite_it(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    workspace.create_channel("secret", is_private=True, members=["ana"])
    async with running(workspace, desk, seen):
        for channel in ("general", "secret"):
            workspace.slash("ana", channel, "/diagnose", "cart is slow")
        await workspace.until(lambda: sum("/invite" in said for said in ephemerals(workspace)) == 2)
    assert f"/invite <@{workspace.bot_user_id}> " in ephemerals(workspace)[-1]
    assert desk.calls == 0
    assert broken(workspace) == []


async def test_a_command_that_the_desk_cannot_take_says_so(workspace: Workspace, desk: Desk, seen: SeenKeys) -> None:
    desk.is_closed = True
    async with running(workspace, desk, seen):
        workspace.slash("ana", "alerts", "/diagnose", "cart is slow")
        await workspace.until(lambda: len(ephemerals(workspace)) == 2)
    assert ephemerals(workspace)[-1] == lines.NOT_TAKEN


async def test_a_lost_connection_comes_back_and_takes_questions(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with running(workspace, desk, seen):
        await workspace.disconnect()
        workspace.post("ana", "alerts", "@locum cart is slow")
        await eventually(lambda: desk.taken, 15)
    assert len(desk.questions) == 1


async def test_s01_a_sign_that_cannot_be_given_does_not_lose_the_question(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    workspace.fail("reactions.add", error="internal_error")
    async with running(workspace, desk, seen):
        workspace.post("ana", "alerts", "@locum cart is slow")
        await eventually(lambda: desk.taken)
    assert len(desk.questions) == 1


async def test_a_question_of_a_100_kb_line_is_kept_short_and_says_so(
    workspace: Workspace, desk: Desk, seen: SeenKeys
) -> None:
    async with running(workspace, desk, seen):
        workspace.post("ana", "dm", "x" * 100_000)
        await eventually(lambda: desk.taken)
    (question,) = desk.questions
    assert len(question.text) <= 4_000
    assert question.text.endswith("more characters)")


async def test_the_listener_logs_no_text_of_people(
    workspace: Workspace, desk: Desk, seen: SeenKeys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(workspace, desk, seen):
        workspace.post("ana", "alerts", "@locum the password is swordfish")
        await eventually(lambda: desk.taken)
        await asyncio.sleep(0)
    assert "swordfish" not in caplog.text
