"""Cards in Slack follow from what is stored, whatever happened to Slack or to us meanwhile."""

import json
from dataclasses import replace

import pytest
from whenever import Instant, TimeDelta

from approvals.ballot import State
from bot.gate import View
from bot.incident import Place
from bot.slack.approval_cards import SlackCards
from bot.slack.calls import Refused, Unavailable, connect
from bot.slack.cards.approval import APPROVE, DENY, DETAILS
from bot.slack.sending import Sender
from bot.workflows.ports import Cards, NoCards
from bot.workspace.server import Workspace
from tests.blocks import requests
from tests.bot.approval_scene import Scene, Store, acting, asked, waiting
from tests.bot.fakes import lossy, settings

ALL = [APPROVE, DENY, DETAILS]


async def test_a25_cards_converge_to_what_is_stored_after_an_outage(workspace: Workspace) -> None:
    store = Store()
    async with acting(workspace, store) as scene:
        await scene.cards.draw(asked(scene))
        workspace.fail("*", times=50, error="internal_error")
        done = asked(scene, state=State.SUCCEEDED, votes=(requests.vote(),), receipts=(requests.receipt(),))
        done = replace(done, verification=requests.verification(helped=True))
        for tell in (scene.cards.draw, scene.cards.outcome, scene.cards.verified):
            with pytest.raises(Unavailable):
                await tell(done)
        assert scene.buttons == ALL
    workspace.team.faults.calls.clear()
    async with acting(workspace, store) as scene:
        for _ in range(2):
            await show(scene.cards, done)
    assert scene.buttons == []
    said = [reply["text"] for reply in scene.replies]
    assert len(said) == 3
    assert said[0].startswith("✅ done: ")
    assert said[1].startswith("✅ *done*")
    assert said[2].startswith("🟢 *it helped*")


async def test_a25_a_card_that_shows_what_is_stored_is_not_sent_again(workspace: Workspace) -> None:
    store = Store()
    async with acting(workspace, store) as scene:
        view = asked(scene, waiting(quorum=2))
        for _ in range(5):
            await scene.cards.draw(view)
        assert workspace.calls("chat.update") == []
        voted = replace(view, votes=(requests.vote(),))
        for _ in range(5):
            await scene.cards.draw(voted)
    async with acting(workspace, store) as scene:
        await scene.cards.draw(voted)
    assert len(workspace.calls("chat.update")) == 1
    assert len(scene.replies) == 1


async def test_a25_an_old_picture_never_goes_over_a_newer_one(workspace: Workspace) -> None:
    async with acting(workspace) as scene:
        old = asked(scene, waiting(quorum=2))
        once = replace(old, votes=(requests.vote(),))
        await scene.cards.draw(old)
        await scene.cards.draw(once)
        await scene.cards.draw(old)
        assert "*1 of 2 approvals*" in json.dumps(scene.card["blocks"])
        await scene.cards.draw(replace(once, state=State.DENIED))
        await scene.cards.draw(once)
        assert scene.buttons == []


async def test_a_freeze_comes_and_goes_on_the_card(workspace: Workspace) -> None:
    async with acting(workspace) as scene:
        view = asked(scene)
        await scene.cards.draw(view)
        await scene.cards.draw(replace(view, frozen="end of the year"))
        assert scene.buttons == [DENY, DETAILS]
        await scene.cards.draw(view)
        assert scene.buttons == ALL


async def test_s27_every_copy_of_a_card_loses_its_buttons_also_when_one_place_cannot_be_reached(
    workspace: Workspace,
) -> None:
    async with acting(workspace) as scene:
        view = asked(scene)
        await scene.cards.draw(view)
        for _ in range(2):
            await scene.cards.copy(view, Place(channel=workspace.channel_id("incidents")))
            await scene.cards.copy(view, Place(channel=workspace.team.direct(workspace.user_id("ana")).id))
        (second,) = workspace.messages("incidents")
        (third,) = workspace.messages("dm", user="ana")
        assert [one["blocks"][-2]["type"] for one in (second, third)] == ["actions", "actions"]
        workspace.create_channel("other", is_private=True)
        workspace.team.conversations.get("incidents").kind = workspace.team.conversations.get("other").kind
        workspace.remove("incidents", workspace.bot_user_id)
        with pytest.raises(Refused):
            await scene.cards.draw(replace(view, state=State.CANCELLED, why="the alert resolved"))
        assert scene.buttons == []
        (third,) = workspace.messages("dm", user="ana")
        assert "the alert resolved" in third["text"]
        workspace.invite("incidents", workspace.bot_user_id)
        await scene.cards.draw(replace(view, state=State.CANCELLED, why="the alert resolved"))
        (second,) = workspace.messages("incidents")
        assert "the alert resolved" in second["text"]


async def test_a_card_that_somebody_deleted_stays_deleted_and_stops_nothing(workspace: Workspace) -> None:
    async with acting(workspace) as scene:
        view = asked(scene)
        await scene.cards.draw(view)
        message = workspace.team.messages.find(view.place.channel, scene.card["ts"])
        assert message
        workspace.team.delete(message)
        await scene.cards.draw(replace(view, state=State.DENIED))
        assert scene.replies == []


async def test_a_card_whose_answer_got_lost_is_posted_once(workspace: Workspace) -> None:
    store = Store()
    async with acting(workspace, store) as scene, lossy(workspace) as between:
        configured = settings(workspace, api_url=between.url)
        between.lose("chat.postMessage")
        calls = connect(configured)
        cards = SlackCards(Sender(calls), store.notes)
        with pytest.raises(Unavailable):
            await cards.draw(asked(scene))
        await cards.draw(asked(scene))
        await calls.close()
        assert scene.buttons == ALL


async def test_a25_a_card_is_found_again_when_every_note_about_it_was_lost(workspace: Workspace) -> None:
    store = Store()
    async with acting(workspace, store) as scene:
        view = asked(scene)
        await scene.cards.draw(view)
        store.notes.kept.clear()
        older = replace(view, request=replace(view.request, created_at=Instant.now() - TimeDelta(minutes=5)))
        for state in (State.APPROVED, State.CANCELLED):
            await scene.cards.draw(replace(older, state=state))
        assert scene.buttons == []
        store.notes.kept.clear()
        other = replace(older, request=replace(older.request, id=requests.RequestId("b" * 32)))
        await scene.cards.draw(other)
        assert len(scene.replies) == 2


async def test_a25_a_card_that_was_posted_and_not_noted_before_a_kill_shows_what_is_so_now(
    workspace: Workspace,
) -> None:
    store = Store()
    async with acting(workspace, store) as scene:
        view = asked(scene)
        await scene.cards.draw(view)
        for note in [note for note in store.notes.kept if note.endswith((":copies", ":drawn"))]:
            del store.notes.kept[note]
        await scene.cards.draw(replace(view, state=State.DENIED))
        assert scene.buttons == []


async def test_a_request_of_an_incident_without_a_channel_is_shown_nowhere(workspace: Workspace) -> None:
    async with acting(workspace) as scene:
        before = len(workspace.calls())
        view = replace(requests.executed(State.SUCCEEDED, requests.receipt()), place=Place(channel=""))
        for cards in (scene.cards, NoCards()):
            await show(cards, replace(view, verification=requests.verification(helped=True)))
        assert len(workspace.calls()) == before


async def show(cards: Cards, *views: View) -> None:
    for view in views:
        await cards.draw(view)
        await cards.outcome(view)
        await cards.verified(view)


async def test_s27_the_thread_of_a_request_from_asking_to_helping_says_each_thing_once(workspace: Workspace) -> None:
    async with acting(workspace) as scene:
        view = asked(scene)
        at = view.request.created_at
        running = replace(view, state=State.EXECUTING, votes=(requests.vote(),), began_at=at)
        ended = replace(
            running, state=State.UNKNOWN, ended_at=at + TimeDelta(seconds=130), why="the runner was not heard of"
        )
        seen = replace(ended, verification=requests.verification(helped=None))
        for _ in range(2):
            await show(scene.cards, view, running, ended, seen)
        texts = [reply["text"] for reply in scene.replies]
    assert len(texts) == 3
    assert "outcome unknown" in texts[0]
    assert "in 2 min 10 s" in texts[0]
    assert f"`locum approvals record {requests.ID}`" in texts[1]
    assert texts[2].startswith("⚪ *whether it helped could not be seen*")


async def test_s33_nothing_that_is_posted_unfurls_or_links_names(workspace: Workspace) -> None:
    async with acting(workspace) as scene:
        await show(scene.cards, asked(scene), with_outcome(scene))
        for call in workspace.calls("chat.postMessage"):
            assert (call.body["unfurl_links"], call.body["unfurl_media"]) == (False, False)
            assert "link_names" not in call.body
        assert all(call.body["parse"] == "none" for call in workspace.calls("chat.update"))


def with_outcome(scene: Scene) -> View:
    return asked(scene, state=State.SUCCEEDED, receipts=(requests.receipt(),), votes=(requests.vote(),))
