"""The thread of an incident on a strict Slack: posted once, whatever is retried, restarted or lost."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from agents.alert import AlertStatus
from agents.case import SessionId
from agents.progress import LookBegan
from bot.incident import IncidentStatus, Place
from bot.slack.calls import Refused, Unavailable
from bot.workspace.server import Workspace
from tests.blocks import scenes
from tests.bot.fakes import Notes, lossy
from tests.bot.process import SESSION, STORY, opened, replies, running, told
from tests.slack import broken


async def test_s03_an_incident_opens_one_thread_whoever_asks_again(workspace: Workspace) -> None:
    notes, incident = Notes(), scenes.incident(scenes.alert())
    async with running(workspace, notes) as threads:
        first = await threads.open(incident)
        second = await threads.open(incident)
    async with running(workspace, notes) as restarted:
        third = await restarted.open(incident)
    (message,) = workspace.messages("alerts")
    assert first == second == third == Place(channel=workspace.channel_id("alerts"), thread_ts=message["ts"])
    assert message["metadata"] == {"event_type": "locum_incident", "event_payload": {"incident_id": "inc_1"}}


async def test_s03_a_lost_answer_to_the_first_post_does_not_open_a_second_thread(workspace: Workspace) -> None:
    notes, incident = Notes(), scenes.incident(scenes.alert())
    async with lossy(workspace) as between, running(workspace, notes, api_url=between.url) as threads:
        between.lose("chat.postMessage")
        with pytest.raises(Unavailable):
            await threads.open(incident)
        place = await threads.open(incident)
    assert [message["ts"] for message in workspace.messages("alerts")] == [place.thread_ts]


async def test_s03_a_post_that_never_happened_is_made_by_the_next_try(workspace: Workspace) -> None:
    notes, incident = Notes(), scenes.incident(scenes.alert())
    workspace.fail("chat.postMessage", status=500)
    async with running(workspace, notes) as threads:
        with pytest.raises(Unavailable):
            await threads.open(incident)
        await threads.open(incident)
    assert len(workspace.messages("alerts")) == 1


async def test_s08_a_question_from_a_command_gets_a_root_that_says_who_asked_what(workspace: Workspace) -> None:
    place = Place(channel=workspace.channel_id("alerts"))
    async with running(workspace, Notes()) as threads:
        await threads.open(scenes.asked(place, by=workspace.user_id("ana"), text="checkout <!here> is slow"))
    (message,) = workspace.messages("alerts")
    assert f"<@{workspace.user_id('ana')}> asked:" in message["text"]
    assert "&lt;!here&gt;" in message["text"]


async def test_s05_a_question_from_a_message_is_answered_in_its_thread_and_nothing_else_is_posted(
    workspace: Workspace,
) -> None:
    asked = workspace.post("ana", "alerts", "@locum cart is slow")
    place = Place(channel=workspace.channel_id("alerts"), thread_ts=asked["ts"])
    incident = scenes.asked(place, by=workspace.user_id("ana"))
    async with running(workspace, Notes()) as threads:
        assert await threads.open(incident) == place
        await threads.refresh(incident)
        await threads.conclude(incident, SESSION, scenes.diagnosis())
    assert len(workspace.messages("alerts")) == 1
    assert len(replies(workspace, incident)) == 1


async def test_a_channel_that_does_not_exist_or_where_locum_is_not_is_a_refusal_with_slacks_word(
    workspace: Workspace,
) -> None:
    async with running(workspace, Notes()) as threads:
        with pytest.raises(Refused, match="'channel_not_found'"):
            await threads.open(scenes.incident(scenes.alert(), channel="#nowhere"))
        with pytest.raises(Refused, match="'not_in_channel'"):
            await threads.open(scenes.incident(scenes.alert(), channel="#general"))


async def test_an_incident_without_a_channel_sends_nothing(workspace: Workspace) -> None:
    incident = scenes.incident(channel="")
    async with running(workspace, Notes()) as threads:
        assert await threads.open(incident) == incident.place
        await threads.refresh(incident)
        await threads.narrate(incident, SESSION, told(*STORY))
        await threads.conclude(incident, SESSION, scenes.diagnosis())
        await threads.apologise(incident, SESSION, "no")
    assert workspace.calls() == []


async def test_s20_a_resolved_alert_updates_the_card_and_tells_the_thread_once(workspace: Workspace) -> None:
    over = scenes.alert(status=AlertStatus.RESOLVED)
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        resolved = replace(incident, alerts=(over,), status=IncidentStatus.RESOLVED, firing_count=0)
        await threads.refresh(resolved)
        await threads.refresh(resolved)
    (root,) = workspace.messages("alerts")
    assert root["text"].startswith("✅ resolved")
    assert [reply["text"].split(":")[0] for reply in replies(workspace, incident)] == ["✅ resolved"]


async def test_s21_a_storm_updates_its_digest_in_place(workspace: Workspace) -> None:
    async with running(workspace, Notes()) as threads:
        digest = await opened(threads, replace(scenes.incident(scenes.alert()), is_digest=True))
        for number in range(2, 5):
            await threads.refresh(replace(digest, alert_count=number * 1_000, firing_count=number))
    (root,) = workspace.messages("alerts")
    assert "4 of 4,000 alerts firing" in str(root["blocks"])


async def test_s38_what_waited_for_slack_goes_out_once_and_in_order(workspace: Workspace) -> None:
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        workspace.fail("chat.postMessage", status=429, retry_after_s=1)
        async with asyncio.TaskGroup() as group:
            for number in range(1, 4):
                session = SessionId(f"ses_{number}")
                group.create_task(threads.conclude(incident, session, scenes.diagnosis(session)))
    sessions = [one["metadata"]["event_payload"]["session_id"] for one in replies(workspace, incident)]
    assert sessions == ["ses_1", "ses_2", "ses_3"]


async def test_a_thread_whose_root_was_deleted_still_gets_its_conclusion_once(workspace: Workspace) -> None:
    notes = Notes()
    asked = workspace.post("ana", "alerts", "@locum cart is slow")
    place = Place(channel=workspace.channel_id("alerts"), thread_ts=asked["ts"])
    incident = scenes.asked(place, by=workspace.user_id("ana"))
    workspace.delete("ana", "alerts", asked["ts"])
    async with lossy(workspace) as between, running(workspace, notes, api_url=between.url) as threads:
        between.lose("chat.postMessage", 2)
        for _ in range(2):
            with contextlib.suppress(Unavailable):
                await threads.conclude(incident, SESSION, scenes.diagnosis())
        await threads.conclude(incident, SESSION, scenes.diagnosis())
    assert [message["text"].split(":")[0] for message in workspace.messages("alerts")] == ["🔴 failing"]


async def test_s15_a_session_has_one_conclusion_however_often_it_is_concluded(workspace: Workspace) -> None:
    notes = Notes()
    async with running(workspace, notes) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        await threads.conclude(incident, SESSION, scenes.diagnosis())
        await threads.conclude(incident, SESSION, scenes.diagnosis())
    async with running(workspace, notes) as restarted:
        await restarted.conclude(incident, SESSION, scenes.diagnosis())
        await restarted.conclude(incident, SessionId("ses_2"), scenes.diagnosis("ses_2"))
    sessions = [one["metadata"]["event_payload"]["session_id"] for one in replies(workspace, incident)]
    assert sessions == ["ses_1", "ses_2"]


async def test_s15_a_lost_answer_leaves_one_conclusion_with_all_its_replies(workspace: Workspace) -> None:
    notes = Notes()
    many = scenes.long_diagnosis()
    async with lossy(workspace) as between, running(workspace, notes, api_url=between.url) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        lost = 0
        for _ in range(10):
            between.lose("chat.postMessage", int(lost < 2))
            try:
                await threads.conclude(incident, SESSION, many)
                break
            except Unavailable:
                lost += 1
    parts = [one["metadata"]["event_payload"]["part"] for one in replies(workspace, incident)]
    assert lost == 2
    assert len(parts) > 1
    assert parts == list(range(1, len(parts) + 1))


async def test_s15_a_crash_between_post_and_note_leaves_one_conclusion(workspace: Workspace) -> None:
    notes = Notes()
    async with running(workspace, notes) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        await threads.conclude(incident, SESSION, scenes.diagnosis())
        # What a process that died after the post had written down.
        notes.kept["conclusion:ses_1:1"] = f"trying:{int(float(incident.place.thread_ts))}"
        await threads.conclude(incident, SESSION, scenes.diagnosis())
    assert len(replies(workspace, incident)) == 1
    assert notes.kept["conclusion:ses_1:1"] == replies(workspace, incident)[0]["ts"]


async def test_s38_a_429_waits_for_retry_after_and_posts_once(workspace: Workspace) -> None:
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        workspace.fail("chat.postMessage", status=429, retry_after_s=1)
        began_s = asyncio.get_running_loop().time()
        await threads.conclude(incident, SESSION, scenes.diagnosis())
        assert asyncio.get_running_loop().time() - began_s >= 1
    assert len(replies(workspace, incident)) == 1


async def test_s34_blocks_that_slack_refuses_go_out_as_text(workspace: Workspace) -> None:
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        workspace.fail("chat.postMessage", error="invalid_blocks")
        await threads.conclude(incident, SESSION, scenes.diagnosis())
    (reply,) = replies(workspace, incident)
    assert reply["text"].startswith("🔴 failing: Cart is failing")
    assert "blocks" not in reply


async def test_s33_nothing_unfurls_or_links_names(workspace: Workspace) -> None:
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        await threads.refresh(incident)
        await threads.narrate(incident, SESSION, told(*STORY))
        await threads.conclude(incident, SESSION, scenes.diagnosis())
        await threads.apologise(incident, SESSION, "the model was away")
    posts = workspace.calls("chat.postMessage")
    assert len(posts) == 4
    assert all(call.body["unfurl_links"] is False and call.body["unfurl_media"] is False for call in posts)
    assert not any("link_names" in call.body for call in workspace.calls())
    assert all(call.body["parse"] == "none" for call in workspace.calls("chat.update"))


@pytest.mark.parametrize("text", [scenes.HOSTILE, scenes.LONG])
async def test_s32_hostile_text_everywhere_breaks_no_rule_of_slacks(workspace: Workspace, text: str) -> None:
    labels = {"alertname": text, "severity": text, "service": text}
    story = [LookBegan(key="k", tool=text, title=text)]
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert(labels=labels), title=text))
        await threads.narrate(incident, SESSION, told(*story))
        await threads.conclude(incident, SESSION, scenes.diagnosis(summary=text, notes=(text,), question=text))
        await threads.apologise(incident, SESSION, text)
    assert broken(workspace) == []
    assert "<!channel>" not in str([reply["text"] for reply in replies(workspace, incident)])


async def test_an_apology_says_why_and_what_to_do_once(workspace: Workspace) -> None:
    async with running(workspace, Notes()) as threads:
        incident = await opened(threads, scenes.incident(scenes.alert()))
        for _ in range(2):
            await threads.apologise(incident, SESSION, "the snapshot could not be read")
    (reply,) = replies(workspace, incident)
    assert "the snapshot could not be read" in reply["text"]
    assert "Mention me in this thread to try again" in reply["text"]
