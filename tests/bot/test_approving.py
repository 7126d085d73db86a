"""Clicks on approval cards in a strict Slack, over Socket Mode: what reaches the gate, and what everybody is told."""

import asyncio
import copy
import json
import logging
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_bolt.request.async_request import AsyncBoltRequest
from whenever import Instant, TimeDelta

from approvals.ballot import Choice, State
from bot.slack import approving
from bot.slack.cards import lines
from bot.slack.cards.approval import APPROVE, DENY, DETAILS
from bot.slack.cards.approval_details import DENIAL, LONGEST_REASON, PAGE, REASON_BLOCK
from bot.slack.clicks import Press, read
from bot.workspace.refusals import NotPossible
from bot.workspace.server import Workspace
from tests.blocks import requests
from tests.bot.approval_scene import Scene, Store, asked, listening, waiting
from tests.bot.fakes import eventually
from tools.redaction import redact


async def deny(scene: Scene, who: str, reason: str) -> None:
    workspace = scene.workspace
    workspace.click(who, DENY)
    await workspace.until(lambda: workspace.modal(who))
    workspace.submit(who, {REASON_BLOCK: reason})
    await workspace.until(lambda: workspace.modal(who) is None)


def acks(workspace: Workspace) -> list[float]:
    """How long every click waited for its ack."""
    tries = (attempt for one in workspace.deliveries("block_actions") for attempt in one.attempts)
    return [attempt.ack_s for attempt in tries if attempt.ack_s is not None]


async def dispatch(scene: Scene, body: dict[str, Any]) -> Any:
    """What Slack would get for this interaction."""
    return await scene.slack.app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))


async def test_s24_a_request_is_a_message_in_the_thread_that_a_reload_does_not_lose(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        workspace.reload("ana")
        card = scene.card
    assert card["thread_ts"] == scene.thread_ts
    assert scene.buttons == [APPROVE, DENY, DETAILS]
    assert workspace.ephemerals("ana") == []
    (call,) = workspace.calls("chat.postMessage")
    assert (call.body["unfurl_links"], call.body["unfurl_media"]) == (False, False)


async def test_s25_s27_approving_asks_once_more_and_takes_the_buttons_away_within_a_second(
    workspace: Workspace,
) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        assert workspace.click("ana", APPROVE, confirm=False) is None
        assert scene.gate.clicks == []
        workspace.click("ana", APPROVE)
        await workspace.until(lambda: scene.buttons == [], timeout_s=1)
        said = await scene.answered()
    assert f"⏳ approved by <@{workspace.user_id('ana')}>, running" in scene.card["text"]
    assert said == ["✅ counted: Approved. It runs now."]
    assert max(acks(workspace)) < 1


async def test_s27_a_vote_short_of_the_quorum_updates_the_card_and_the_last_one_decides(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene, waiting(quorum=2)))
        workspace.click("ana", APPROVE)
        assert await scene.answered() == ["✅ counted: Your approval is counted; 1 more needed."]
        assert "*1 of 2 approvals*" in json.dumps(scene.card["blocks"])
        assert scene.buttons == [APPROVE, DENY, DETAILS]
        workspace.click("ben", APPROVE)
        await workspace.until(lambda: scene.buttons == [])
    ana, ben = workspace.user_id("ana"), workspace.user_id("ben")
    assert f"⏳ approved by <@{ana}> and <@{ben}>, running" in scene.card["text"]


async def test_s25_denying_asks_why_and_everybody_reads_the_reason(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        view = asked(scene)
        await scene.gate.ask(view)
        await deny(scene, "ben", "  <!channel> not before the freeze ends  ")
        assert await scene.answered(who="ben") == ["✅ counted: Denied. Nothing will be done."]
    (click,) = scene.gate.clicks
    assert (click.choice, click.reason) == (Choice.DENY, "<!channel> not before the freeze ends")
    assert scene.buttons == []
    assert "&lt;!channel&gt; not before the freeze ends. Nothing was done." in scene.card["text"]


async def test_s25_a_reason_is_required_and_bounded_and_the_modal_says_so(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        workspace.click("ana", DENY)
        await workspace.until(lambda: workspace.modal("ana"))
        with pytest.raises(NotPossible):
            workspace.submit("ana", {})
        with pytest.raises(NotPossible):
            workspace.submit("ana", {REASON_BLOCK: "x" * (LONGEST_REASON + 1)})
        for empty in (" ", "\u200b", "\n\u2060 "):
            workspace.submit("ana", {REASON_BLOCK: empty})
            await workspace.settled()
            modal = workspace.modal("ana")
            assert modal
            assert modal["errors"] == {REASON_BLOCK: "Say why, in words that the others can read."}
        payload = workspace.submit("ana", {REASON_BLOCK: " "})
        payload["view"]["state"]["values"][REASON_BLOCK]["reason"]["value"] = "x" * 501
        answer = await dispatch(scene, payload)
        assert json.loads(answer.body)["errors"][REASON_BLOCK] == "501 characters are too many: at most 500."
    assert scene.gate.clicks == []


async def test_s25_details_show_everything_to_whoever_is_in_the_channel_and_turn_their_pages(
    workspace: Workspace,
) -> None:
    async with listening(workspace) as scene:
        diff = redact("\n".join(f"+ line {number}" for number in range(3_000)))
        item = requests.plan(diff=diff)
        await scene.gate.ask(asked(scene, replace(waiting(), items=(item,))))
        workspace.click("tom", DETAILS)
        await workspace.until(lambda: workspace.modal("tom"))
        first = json.dumps(workspace.modal("tom"))
        assert "Page 1 of " in first
        workspace.click("tom", f"{PAGE}_on")
        await workspace.until(lambda: "Page 2 of " in json.dumps(workspace.modal("tom")))
        workspace.click("tom", f"{PAGE}_back")
        await workspace.until(lambda: "Page 1 of " in json.dumps(workspace.modal("tom")))
    assert "set-image on deployment/shop/cart" in first
    assert scene.gate.clicks == []
    assert workspace.ephemerals("tom") == []


@pytest.mark.parametrize("who", ["mei", "gus", "vera"])
async def test_s28_s29_who_may_not_is_told_alone_and_why_and_the_channel_sees_nothing(
    workspace: Workspace, who: str
) -> None:
    workspace.add_person("vera", is_grid=True, team_id="T0OTHER")
    async with listening(workspace) as scene:
        for guest in ("gus", "vera"):
            workspace.invite("alerts", guest)
        await scene.gate.ask(asked(scene))
        before = len(workspace.calls("chat.update")), len(workspace.thread("alerts", scene.thread_ts))
        workspace.click(who, APPROVE)
        (said,) = await scene.answered(who=who)
        assert before == (len(workspace.calls("chat.update")), len(workspace.thread("alerts", scene.thread_ts)))
    why = {"mei": "only members of sre-oncall", "gus": "guests decide nothing", "vera": "people of other companies"}
    assert said.startswith(f"⛔ not counted: {why[who]}")
    assert workspace.ephemerals("ana") == []
    assert len(scene.gate.clicks) == 1


async def test_s28_a_click_that_cannot_be_recorded_says_so_and_clicking_again_counts_once(
    workspace: Workspace,
) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        scene.gate.is_closed = True
        for action in (APPROVE, DENY, DETAILS):
            workspace.click("ana", action)
        said = await scene.answered(3)
        assert sorted(said) == sorted([lines.NOT_RECORDED, lines.NOT_READ, lines.NOT_READ])
        scene.gate.is_closed = False
        workspace.click("ana", APPROVE)
        await workspace.until(lambda: scene.buttons == [])
    assert len(scene.gate.views[requests.ID].votes) == 1


async def test_s28_a_click_that_gets_no_answer_in_time_is_answered(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approving, "VOTE_S", 0.1)
    monkeypatch.setattr(approving, "VIEW_S", 0.1)
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        scene.gate.delay_s = scene.gate.view_delay_s = 30
        workspace.click("ana", APPROVE)
        assert await scene.answered() == [lines.NOT_ANSWERED]
        workspace.click("ana", DETAILS)
        assert (await scene.answered(2))[-1] == lines.NOT_READ
    assert max(acks(workspace)) < 1


async def test_s28_whatever_breaks_the_clicker_is_told_without_its_innards(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        scene.gate.is_broken = True
        workspace.click("ana", APPROVE)
        assert await scene.answered() == [lines.NOT_ANSWERED]
        workspace.click("ana", DENY)
        assert (await scene.answered(2))[-1] == lines.NOT_READ
    assert {"taking a click failed", "reading a request failed"} <= set(caplog.messages)


async def test_a20_a_request_that_nobody_knows_is_said_to_be_unknown(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        scene.gate.views.clear()
        for action in (DENY, DETAILS):
            workspace.click("ana", action)
        assert await scene.answered(2) == [lines.NO_REQUEST] * 2
    assert workspace.modal("ana") is None


async def test_s28_a_late_clicker_is_told_who_decided_also_after_a_restart_and_the_card_is_mended(
    workspace: Workspace,
) -> None:
    store = Store()
    async with listening(workspace, store) as scene:
        await scene.gate.ask(asked(scene))
        workspace.fail("chat.update", times=20, error="internal_error")
        workspace.click("ana", APPROVE)
        await eventually(lambda: scene.gate.views[requests.ID].state is State.APPROVED)
        await workspace.settled()
    assert scene.buttons == [APPROVE, DENY, DETAILS]
    async with listening(workspace, store) as scene:
        workspace.click("ben", APPROVE)
        (said,) = await scene.answered(who="ben")
        assert said.startswith("🔒 not counted: It was approved by ana@example.com at 20")
        assert scene.gate.views[requests.ID].votes[0].account == workspace.user_id("ana")
        workspace.team.faults.calls.clear()
        view = replace(scene.gate.views[requests.ID], state=State.SUCCEEDED)
        scene.gate.views[requests.ID] = view
        workspace.click("ben", DENY)
        told = (await scene.answered(2, "ben"))[-1]
        assert told.startswith(f"{lines.DECIDED}: *✅ done* approved by <@{workspace.user_id('ana')}>")
        assert workspace.modal("ben") is None
        await scene.cards.draw(view)
    assert scene.buttons == []


async def test_s28_who_is_not_in_the_channel_any_more_is_answered_in_the_direct_message(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        workspace.click("mei", APPROVE)
        workspace.remove("alerts", "mei")
        await workspace.until(lambda: workspace.messages("dm", user="mei"))
    (answer,) = workspace.messages("dm", user="mei")
    assert "only members of sre-oncall" in answer["text"]


async def test_s28_a_modal_that_slack_does_not_open_in_time_is_answered(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        workspace.fail("views.open", error="expired_trigger_id")
        workspace.click("ana", DENY)
        assert await scene.answered() == [lines.NOT_OPENED]


async def test_s30_nobody_approves_what_they_asked_for(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        barred = frozenset({requests.Principal("ana@example.com")})
        await scene.gate.ask(asked(scene, waiting(barred=barred)))
        workspace.click("ana", APPROVE)
        (said,) = await scene.answered()
    assert said.startswith("⛔ not counted: nobody approves what they asked for")
    assert scene.gate.views[requests.ID].state is State.PENDING


async def test_s30_a28_approved_typed_in_the_thread_is_a_question_at_most_and_no_vote(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        workspace.post("ana", "alerts", "approved", thread_ts=scene.thread_ts)
        workspace.post("ana", "alerts", f"@locum approved {requests.ID}", thread_ts=scene.thread_ts)
        workspace.post("ana", "dm", f"approve {requests.ID}")
        workspace.slash("ana", "alerts", "/diagnose", f"approve {requests.ID}")
        await eventually(lambda: len(scene.desk.questions) == 3)
        await workspace.settled()
    assert scene.gate.clicks == []
    assert scene.gate.views[requests.ID].state is State.PENDING
    assert {question.text.split()[0] for question in scene.desk.questions} == {"approved", "approve"}


async def test_s31_an_expired_request_says_so_and_a_click_on_an_old_card_does_nothing(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        view = scene.gate.views[requests.ID]
        over = replace(view.request.terms, expires_at=Instant.now() - TimeDelta(seconds=1))
        scene.gate.views[requests.ID] = replace(view, request=replace(view.request, terms=over))
        workspace.click("ana", APPROVE)
        (said,) = await scene.answered()
        assert said.startswith("🔒 not counted: It expired at 20")
        assert "Nothing was done." in said
    assert scene.gate.views[requests.ID].state is State.EXPIRED
    assert scene.buttons == []
    assert "⌛ expired" in scene.card["text"]


async def test_s26_s39_what_slack_stores_of_a_request_is_its_id_and_nothing_else(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        workspace.click("ana", DENY)
        await workspace.until(lambda: workspace.modal("ana"))
        modal = workspace.modal("ana")
        card = scene.card
    assert modal
    kept = json.loads(modal["private_metadata"])
    place = {"channel": workspace.channel_id("alerts"), "thread_ts": scene.thread_ts}
    assert kept == {"request_id": requests.ID} | place
    assert card["metadata"]["event_payload"] == {"request_id": requests.ID}


async def test_a17_n_deliveries_of_one_click_are_one_vote_and_get_one_answer(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene, waiting(quorum=2)))
        payload = workspace.click("ana", APPROVE)
        assert payload
        await scene.answered()
        for _ in range(3):
            workspace.redeliver("block_actions")
        await asyncio.gather(*(dispatch(scene, payload) for _ in range(3)))
        await scene.answered(7)
    assert len({click.key for click in scene.gate.clicks}) == 1
    assert set(scene.told()) == {"✅ counted: Your approval is counted; 1 more needed."}
    assert len(scene.gate.views[requests.ID].votes) == 1


async def test_a17_a_person_who_clicks_again_is_told_that_the_vote_stands(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene, waiting(quorum=2)))
        workspace.click("ana", APPROVE)
        await scene.answered()
        workspace.click("ana", APPROVE)
        said = await scene.answered(2)
    assert said[1].startswith("🔁 counted before: ")
    assert len({click.key for click in scene.gate.clicks}) == 2
    assert len(scene.gate.views[requests.ID].votes) == 1


async def test_a17_a_denial_that_is_sent_twice_is_one(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        workspace.click("ana", DENY)
        await workspace.until(lambda: workspace.modal("ana"))
        payload = workspace.submit("ana", {REASON_BLOCK: "no"})
        await scene.answered()
        await dispatch(scene, payload)
        assert await scene.answered(2) == ["✅ counted: Denied. Nothing will be done."] * 2
    assert len({click.key for click in scene.gate.clicks}) == 1


KEPT = {("user", "id"), ("type",), ("actions",), ("actions", 0), ("user",)} | {
    ("actions", 0, name) for name in ("action_id", "value", "action_ts")
}
"""What decides; the rest of a payload may be anything."""


OTHERS: tuple[object, ...] = ("", "other", 7, None, [], {"id": "U0OTHER", "value": "evil"})


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a payload."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            found += places(inner, (*path, name))
    if isinstance(value, list):
        for number, inner in enumerate(cast("list[Any]", value)):
            found += places(inner, (*path, number))
    return found


def changed(payload: dict[str, Any], path: tuple[str | int, ...], to: object) -> dict[str, Any]:
    body: Any = copy.deepcopy(payload)
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return body


async def test_a2_nothing_else_of_a_payload_changes_what_reaches_the_gate(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene, waiting(quorum=2)))
        payload = workspace.click("ana", APPROVE)
        assert payload
        await scene.answered()
        (click,) = scene.gate.clicks
        paths = [path for path in places(payload) if path not in KEPT]
        assert len(paths) > 60
        pressed = read(payload)
        assert isinstance(pressed, Press)
        for path in paths:
            for to in OTHERS:
                got = read(changed(payload, path, to))
                assert isinstance(got, Press)
                # The trigger and the place of the click say where it is answered, to the same person.
                assert replace(got, spot=pressed.spot, trigger_id=pressed.trigger_id) == pressed
        evil = changed(payload, ("message",), {"text": "rm -rf", "blocks": [], "metadata": {"x": 1}})
        evil |= {"response_url": "http://evil.example/", "state": {"values": {"x": 1}}, "team": {"id": "T0EVIL"}}
        evil["user"] = {"id": payload["user"]["id"], "team_id": "T0EVIL", "name": "root"}
        await dispatch(scene, evil)
        await scene.answered(2)
    assert scene.gate.clicks == [click, click]


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("actions",), []),
        (("actions",), None),
        (("actions",), "x"),
        (("actions", 0), "x"),
        (("actions", 0, "action_id"), "locum_execute"),
        (("actions", 0, "action_id"), ["locum_approve"]),
        (("actions", 0, "value"), ""),
        (("actions", 0, "value"), "short"),
        (("actions", 0, "value"), "x" * 65),
        (("actions", 0, "value"), "../../../etc/passwd/aaaaaa"),
        (("actions", 0, "value"), f"{requests.ID}\n"),
        (("actions", 0, "value"), 7),
        (("actions", 0, "action_ts"), ""),
        (("actions", 0, "action_ts"), "now"),
        (("user", "id"), "B0BOT"),
        (("user", "id"), "u0001"),
        (("user", "id"), None),
        (("user",), "U0001ANA"),
        (("type",), "view_closed"),
    ],
)
async def test_a2_a_payload_that_is_not_one_well_formed_click_is_acked_and_dropped(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, path: tuple[str | int, ...], to: object
) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        payload = workspace.click("tom", APPROVE)
        assert payload
        await scene.answered(who="tom")
        assert scene.slack.approving
        before = len(scene.gate.clicks)
        assert scene.slack.approving.take(changed(payload, path, to)) == {}
        await workspace.settled()
    assert len(scene.gate.clicks) == before
    assert "an interaction that is not ours was dropped" in caplog.messages
    assert requests.ID not in caplog.text.rsplit("dropped", 1)[-1]


async def test_a2_two_actions_in_one_payload_are_dropped(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        payload = workspace.click("tom", APPROVE)
        assert payload
        await scene.answered(who="tom")
        answer = await dispatch(scene, payload | {"actions": payload["actions"] * 2})
        assert (answer.status, answer.body) == (200, "")
    assert len(scene.gate.clicks) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(sorted([DENIAL, APPROVE])),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "user", "id", "actions", "view", "callback_id", "value", "private_metadata"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_a2_any_nonsense_is_read_without_an_error_and_is_no_click(nonsense: Any) -> None:
    for kind in ("block_actions", "view_submission"):
        body = {"type": kind, "user": {"id": "U0001ANA"}, "actions": nonsense, "view": nonsense}
        assert read(body) is None
    assert read({"type": nonsense, "user": nonsense}) is None


@pytest.mark.parametrize("metadata", ["", "x", "[]", "{}", '{"request_id": 7}', '{"request_id": "short"}'])
async def test_a2_a_denial_without_its_request_is_dropped(workspace: Workspace, metadata: str) -> None:
    values = {REASON_BLOCK: {"reason": {"type": "plain_text_input", "value": "no"}}}
    view = {"id": "V1", "callback_id": DENIAL, "private_metadata": metadata, "state": {"values": values}}
    assert read({"type": "view_submission", "user": {"id": workspace.user_id("ana")}, "view": view}) is None


async def test_a2_a_page_of_something_else_is_dropped(workspace: Workspace) -> None:
    turn = {"action_id": f"{PAGE}_on", "value": "2", "action_ts": "1.1"}
    good = {"id": "V1", "callback_id": "locum_details_view", "private_metadata": requests.ID}
    body = {"type": "block_actions", "user": {"id": workspace.user_id("ana")}, "actions": [turn], "view": good}
    assert read(body)
    assert read(body | {"view": good | {"callback_id": "other"}}) is None
    assert read(body | {"view": good | {"private_metadata": "other"}}) is None
    assert read(body | {"actions": [turn | {"value": "-1"}]}) is None


async def test_a_page_that_cannot_be_turned_leaves_the_modal_as_it_is(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(workspace) as scene:
        diff = redact("\n".join(f"+ line {number}" for number in range(3_000)))
        await scene.gate.ask(asked(scene, replace(waiting(), items=(requests.plan(diff=diff),))))
        workspace.click("ana", DETAILS)
        await workspace.until(lambda: workspace.modal("ana"))
        workspace.fail("views.update", error="hash_conflict")
        workspace.click("ana", f"{PAGE}_on")
        await eventually(lambda: caplog.messages.count("a page could not be turned") == 1)
        scene.gate.is_closed = True
        workspace.click("ana", f"{PAGE}_on")
        await eventually(lambda: caplog.messages.count("a page could not be turned") == 2)
    assert "Page 1 of" in json.dumps(workspace.modal("ana"))


async def test_an_answer_that_nobody_gets_is_noted_and_nothing_breaks(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        workspace.fail("chat.postEphemeral", error="internal_error")
        workspace.click("mei", APPROVE)
        await eventually(lambda: "a click could not be answered" in caplog.messages)
        workspace.click("mei", APPROVE)
        await scene.answered(who="mei")


async def test_s02_a_hundred_clicks_at_once_are_acked_fast_and_all_answered(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene, waiting(quorum=2)))
        for _ in range(50):
            workspace.click("ana", APPROVE)
        await workspace.until(lambda: len(workspace.ephemerals("ana")) == 50, timeout_s=10)
    assert len(acks(workspace)) == 50
    assert max(acks(workspace)) < 1
    assert len(scene.gate.views[requests.ID].votes) == 1
    assert len(workspace.calls("users.info")) == 1


async def test_a_click_logs_no_reason_and_no_payload(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bot")
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene))
        await deny(scene, "ana", "swordfish")
        await scene.answered()
    assert "swordfish" not in caplog.text
    assert "a click was answered" in caplog.messages


async def test_a2_the_key_of_a_click_is_bound_to_request_person_and_moment(workspace: Workspace) -> None:
    async with listening(workspace) as scene:
        await scene.gate.ask(asked(scene, waiting(quorum=2)))
        payload = workspace.click("mei", APPROVE)
        assert payload
        await scene.answered(who="mei")
        await dispatch(scene, changed(payload, ("actions", 0, "action_ts"), "1.5"))
        await dispatch(scene, changed(payload, ("user", "id"), workspace.user_id("tom")))
        await dispatch(scene, changed(payload, ("actions", 0, "value"), "b" * 32))
        await eventually(lambda: len(scene.gate.clicks) == 4)
        await scene.answered(3, "mei")
    assert len({click.key for click in scene.gate.clicks}) == 4
