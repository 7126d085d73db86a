"""Progress on a strict Slack: a plan that loses nothing, whatever happens to its stream."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.progress import Event, Phase, PhaseBegan
from bot.incident import Incident, Place
from bot.slack import narration
from bot.slack.threads import SlackThreads
from bot.workspace.server import Workspace
from tests.blocks import scenes
from tests.bot.fakes import Notes, eventually
from tests.bot.process import SESSION, STORY, look, opened, replies, running, tasks, told

DEFAULT_GAP_S = narration.UPDATE_GAP_S


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narration, "UPDATE_GAP_S", 0.1)


async def test_s12_progress_for_a_person_is_one_streamed_plan(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))
        await threads.narrate(incident, SESSION, told(*STORY))
    (plan,) = replies(workspace, incident)
    assert tasks(plan) == [(f"kubernetes.pods namespace=shop-{number}", "complete") for number in (1, 2)]
    assert "it crashes" in str(plan["blocks"])
    assert [stream["state"] for stream in workspace.streams()] == ["completed"]
    (start,) = workspace.calls("chat.startStream")
    assert start.body["recipient_user_id"] == workspace.user_id("ana")


async def test_s12_a_running_look_is_in_progress(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))
    go_on = asyncio.Event()

    async def events() -> AsyncIterator[tuple[str, Event]]:
        yield "1", look(1)[0]
        await go_on.wait()
        yield "2", look(1)[1]

    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))
        telling = asyncio.create_task(threads.narrate(incident, SESSION, events()))
        await workspace.until(lambda: replies(workspace, incident))
        assert tasks(replies(workspace, incident)[0]) == [("kubernetes.pods namespace=shop-1", "in_progress")]
        go_on.set()
        await telling
    assert tasks(replies(workspace, incident)[0]) == [("kubernetes.pods namespace=shop-1", "complete")]


async def test_s12_progress_for_an_alert_is_a_message_with_the_same_plan(workspace: Workspace) -> None:
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        await threads.narrate(incident, SESSION, told(*STORY))
    (plan,) = replies(workspace, incident)
    assert len(tasks(plan)) == 2
    assert plan["text"] == "🏁 done: 2 of 2 looks done, 1 finding"
    assert workspace.calls("chat.startStream") == []


async def test_s38_an_updated_plan_is_written_at_intervals_and_ends_complete(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narration, "UPDATE_GAP_S", 0.3)

    async def trickle() -> AsyncIterator[tuple[str, Event]]:
        for number in range(20):
            for event in look(number):
                yield "1", event
                await asyncio.sleep(0.02)

    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        await threads.narrate(incident, SESSION, trickle())
    writes = [call.at for call in workspace.calls("chat.update")]
    gaps = [(later - earlier).total("seconds") for earlier, later in itertools.pairwise(writes)]
    assert 2 <= len(writes) <= 5
    assert all(gap >= 0.29 for gap in gaps)
    assert DEFAULT_GAP_S == 3
    assert [status for _, status in tasks(replies(workspace, incident)[0])] == ["complete"] * 20


async def paused(workspace: Workspace, threads: SlackThreads, incident: Incident, then: Any) -> None:
    """Narrate; between two looks do `then`, and see that the second one is shown while it runs."""

    async def events() -> AsyncIterator[tuple[str, Event]]:
        for event in (PhaseBegan(phase=Phase.LOOKING), *look(1)):
            yield "1", event
        await workspace.until(workspace.streams)
        await then()
        began, ended = look(2)
        yield "2", began
        await workspace.until(lambda: "in_progress" in dict(tasks(replies(workspace, incident)[0])).values())
        yield "3", ended

    await threads.narrate(incident, SESSION, events())


async def test_s13_a_stream_that_ended_before_its_plan_is_written_once_more(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))

    async def events() -> AsyncIterator[tuple[str, Event]]:
        yield "1", look(1)[0]
        await workspace.until(workspace.streams)
        await workspace.advance(301)

    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))
        await threads.narrate(incident, SESSION, events())
    (plan,) = replies(workspace, incident)
    assert tasks(plan) == [("kubernetes.pods namespace=shop-1", "error")]
    assert "no answer came" in str(plan["blocks"])


@pytest.mark.parametrize("by", ["ana", ""])
async def test_progress_that_is_cancelled_leaves_nothing_spinning(workspace: Workspace, by: str) -> None:
    notes, place = Notes(), Place(channel=workspace.channel_id("alerts"))
    asked = scenes.asked(place, by=workspace.user_id(by)) if by else scenes.incident(scenes.alert())

    async def endless() -> AsyncIterator[tuple[str, Event]]:
        yield "1", look(1)[0]
        await asyncio.Event().wait()

    async with running(workspace, notes) as threads:
        incident = await opened(threads, asked)
        telling = asyncio.create_task(threads.narrate(incident, SESSION, endless()))
        await eventually(lambda: [key for key, value in notes.kept.items() if "plan" in key and "trying" not in value])
        telling.cancel()
        await asyncio.wait({telling})
    (plan,) = replies(workspace, incident)
    assert telling.cancelled()
    assert tasks(plan) == [("kubernetes.pods namespace=shop-1", "error")]
    assert [stream["state"] for stream in workspace.streams()] == (["completed"] if by else [])


async def test_s13_a_stream_that_slack_ended_is_left_as_a_clean_message(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))

    async def events() -> AsyncIterator[tuple[str, Event]]:
        for event in look(1):
            yield "1", event
        await workspace.until(
            lambda: workspace.streams() and tasks(replies(workspace, incident)[0])[0][1] == "complete"
        )
        await workspace.advance(301)

    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))
        await threads.narrate(incident, SESSION, events())
    assert len(workspace.calls("chat.update")) == 1
    assert len(tasks(replies(workspace, incident)[0])) == 1


async def test_s13_a_run_that_outlives_its_stream_loses_no_task(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))
        await paused(workspace, threads, incident, lambda: workspace.advance(301))
    (plan,) = replies(workspace, incident)
    assert [status for _, status in tasks(plan)] == ["complete", "complete"]
    assert [stream["state"] for stream in workspace.streams()] == ["expired"]


async def test_s13_a_stream_that_a_person_stopped_loses_no_task(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))

        async def stop() -> None:
            workspace.stop("ana", "alerts", incident.place.thread_ts)

        await paused(workspace, threads, incident, stop)
    (plan,) = replies(workspace, incident)
    assert [status for _, status in tasks(plan)] == ["complete", "complete"]


async def test_s13_a_plan_too_long_for_one_message_goes_on_in_the_next(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))
        await threads.narrate(incident, SESSION, told(*(event for number in range(60) for event in look(number))))
    shown = [tasks(plan) for plan in replies(workspace, incident)]
    assert len(shown) == 3
    assert [title for page in shown for title, _ in page] == [
        f"kubernetes.pods namespace=shop-{number}" for number in range(60)
    ]
    assert {status for page in shown for _, status in page} == {"complete"}


async def test_s13_a_stream_is_ended_before_slack_ends_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narration, "STREAM_S", 0)
    place = Place(channel=workspace.channel_id("alerts"))
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))
        await threads.narrate(incident, SESSION, told(*STORY))
    (plan,) = replies(workspace, incident)
    assert len(tasks(plan)) == 2
    assert workspace.calls("chat.update")
    assert [stream["state"] for stream in workspace.streams()] == ["completed"]


@pytest.mark.parametrize("by", ["ana", ""])
async def test_s12_progress_told_again_after_a_crash_goes_on_in_the_same_plan(
    workspace: Workspace, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Killed, not asked to leave.
    monkeypatch.setattr(narration, "LEAVE_S", 0)
    notes, place = Notes(), Place(channel=workspace.channel_id("alerts"))
    asked = scenes.asked(place, by=workspace.user_id(by)) if by else scenes.incident(scenes.alert())
    started = asyncio.Event()

    async def cut_off() -> AsyncIterator[tuple[str, Event]]:
        for event in look(1):
            yield "1", event
        await started.wait()

    async with running(workspace, notes) as threads:
        incident = await opened(threads, asked)
        telling = asyncio.create_task(threads.narrate(incident, SESSION, cut_off()))
        await eventually(lambda: [key for key, value in notes.kept.items() if "plan" in key and "trying" not in value])
        telling.cancel()
        await asyncio.wait({telling})
    async with running(workspace, notes) as restarted:
        await restarted.narrate(incident, SESSION, told(*STORY))
    (plan,) = replies(workspace, incident)
    assert [status for _, status in tasks(plan)] == ["complete", "complete"]


async def test_s13_progress_survives_an_outage_in_the_middle(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.asked(place, by=workspace.user_id("ana")))

        async def outage() -> None:
            workspace.fail("chat.appendStream", status=500)

        await paused(workspace, threads, incident, outage)
    (plan,) = replies(workspace, incident)
    assert [status for _, status in tasks(plan)] == ["complete", "complete"]
