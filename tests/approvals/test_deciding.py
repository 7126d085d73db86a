"""One request from the proposal to the way back, on a real Temporal: who decides, what runs, what is written down."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.audit import Intact, Kind, verify
from approvals.ballot import Choice, Counted, State
from approvals.canonical import canonical, read
from approvals.plan import Unclear
from bot.workflows.approval_messages import Run, Seen
from tests.approvals.house import ANA, ANA_TOO, BEN, CLEO, DORA, House, proposal, restart

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_approved_action_runs_once_is_verified_and_written_down(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    # Row before card: nobody sees what is not stored.
    assert gatehouse.wall.last(request_id).state is State.PENDING
    answer = await gatehouse.click(request_id, ANA)
    assert answer.counted is Counted.DECIDED
    assert await gatehouse.ended(request_id) == State.SUCCEEDED
    await gatehouse.over(request_id)
    assert gatehouse.target.effects == [f"{request_id}-0"]
    last = gatehouse.wall.last(request_id)
    assert [last.state, last.votes[0].principal, last.receipts[0].detail] == [
        State.SUCCEEDED, "ana", "It was restarted.",
    ]  # fmt: skip
    assert [view.request.id for view in gatehouse.wall.outcomes] == [request_id]
    assert gatehouse.wall.verifications[0].verification is not None
    assert gatehouse.wall.verifications[0].verification.helped is True
    kinds = [entry.kind for entry in await gatehouse.entries(request_id)]
    assert kinds == [
        Kind.PROPOSED, Kind.REQUESTED, Kind.VOTE_COUNTED, Kind.DECIDED, Kind.STARTED, Kind.STARTED, Kind.FINISHED,
        Kind.FINISHED, Kind.VERIFIED,
    ]  # fmt: skip
    assert isinstance(verify(await gatehouse.ledger.entries(), ()), Intact)


async def test_a24_the_audit_says_who_what_when_why_under_which_policy(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    await gatehouse.click(request_id, ANA, Choice.DENY, reason="password=hunter2hunter2 is not the way")
    await gatehouse.over(request_id)
    entries = await gatehouse.entries(request_id)
    asked = next(entry for entry in entries if entry.kind is Kind.REQUESTED)
    voted = next(entry for entry in entries if entry.kind is Kind.VOTE_COUNTED)
    row = await gatehouse.ledger.request(request_id)
    assert row is not None
    assert asked.facts["digest"] == row.digest
    assert str(asked.facts["policy"]).startswith("1-")
    assert [voted.actor, voted.facts["principal"], voted.facts["choice"]] == [ANA, "ana", "deny"]
    # Never a secret, not even one that a person typed.
    assert "hunter2" not in str([entry.facts for entry in entries])
    assert "is not the way" in str(voted.facts["reason"])


async def test_a8_neither_who_asked_nor_locum_approves_and_another_may(gatehouse: House) -> None:
    request_id = await gatehouse.ask(proposal(prompted_by=ANA))
    answer = await gatehouse.click(request_id, ANA_TOO)
    assert answer.counted is Counted.REFUSED
    assert "asked for themselves" in answer.text
    assert (await gatehouse.click(request_id, BEN)).counted is Counted.DECIDED
    assert await gatehouse.ended(request_id) == State.SUCCEEDED


async def test_a9_a10_two_accounts_of_one_person_are_one_vote_and_two_people_are_two(gatehouse: House) -> None:
    gatehouse.set_policy(quorum=2)
    request_id = await gatehouse.ask()
    answers = [await gatehouse.click(request_id, who) for who in (ANA, ANA_TOO, BEN)]
    assert [each.counted for each in answers] == [Counted.COUNTED, Counted.DUPLICATE, Counted.DECIDED]
    assert await gatehouse.ended(request_id) == State.SUCCEEDED
    assert len(gatehouse.target.effects) == 1


async def test_a7_authority_is_decided_at_click_time(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    assert (await gatehouse.click(request_id, DORA)).counted is Counted.REFUSED
    gatehouse.people.in_group = {DORA}
    assert (await gatehouse.click(request_id, ANA)).counted is Counted.REFUSED
    assert (await gatehouse.click(request_id, DORA)).counted is Counted.DECIDED


async def test_a10_a_vote_that_counts_no_more_at_execution_stops_it(gatehouse: House) -> None:
    gatehouse.set_policy(quorum=2)
    request_id = await gatehouse.ask()
    await gatehouse.click(request_id, ANA)
    # Ana leaves the group between her vote and the one that decides.
    gatehouse.people.in_group = {BEN}
    assert (await gatehouse.click(request_id, BEN)).counted is Counted.DECIDED
    assert await gatehouse.ended(request_id) == State.CANCELLED
    assert gatehouse.target.effects == []
    assert "ana counts no more" in gatehouse.wall.last(request_id).why


async def test_a11_a_deny_wins_and_a_broken_policy_denies(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    gatehouse.policy_path.write_text("version: [")
    assert (await gatehouse.click(request_id, ANA)).counted is Counted.REFUSED
    gatehouse.set_policy()
    assert (await gatehouse.click(request_id, BEN, Choice.DENY, reason="no")).counted is Counted.DECIDED
    assert (await gatehouse.click(request_id, ANA)).counted is Counted.CLOSED
    assert await gatehouse.ended(request_id) == State.DENIED
    assert gatehouse.target.asked == []
    gatehouse.policy_path.unlink()
    assert await gatehouse.ask(proposal(restart("other"))) == ""


async def test_a15_a_freeze_and_the_kill_switch_stop_even_what_is_approved(gatehouse: House) -> None:
    gatehouse.set_policy(quorum=2)
    request_id = await gatehouse.ask()
    await gatehouse.click(request_id, ANA)
    gatehouse.people.is_away = True

    async def vote() -> str:
        return (await gatehouse.press(request_id, BEN)).text

    late = asyncio.create_task(vote())
    await gatehouse.ledger.freeze("production", "cli:root", "the year's end", None)
    gatehouse.people.is_away = False
    assert "frozen" in await late
    assert gatehouse.target.asked == []
    await gatehouse.ledger.unfreeze("production")
    gatehouse.set_policy(quorum=2, kill_switch=True)
    assert (await gatehouse.click(request_id, BEN)).counted is Counted.REFUSED
    assert gatehouse.target.asked == []


async def test_a16_a_second_attempt_to_execute_is_refused(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    gatehouse.target.is_slow = asyncio.Event()
    await gatehouse.click(request_id, ANA)
    await gatehouse.target.begun.wait()
    row = await gatehouse.ledger.request(request_id)
    assert row is not None
    # Another replica, a reset workflow, a retry: whoever comes second gets no lease.
    assert not await gatehouse.ledger.claim(
        request_id,
        row.digest,
        "another",
    )
    gatehouse.target.is_slow.set()
    assert await gatehouse.ended(request_id) == State.SUCCEEDED
    assert len(gatehouse.target.effects) == 1


async def test_a17_the_same_click_many_times_is_one_vote_and_the_rest_are_noted(gatehouse: House) -> None:
    gatehouse.set_policy(quorum=2)
    request_id = await gatehouse.ask()
    answers = await asyncio.gather(*(gatehouse.click(request_id, ANA, key="one-click") for _ in range(8)))
    assert {each.counted for each in answers} == {Counted.COUNTED}
    assert len(await gatehouse.noted(request_id, Kind.VOTE_COUNTED, 1)) == 1
    assert len(await gatehouse.noted(request_id, Kind.DUPLICATE_IGNORED, 7)) == 7


async def test_a14_two_clicks_at_once_end_in_one_state_that_all_see(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    answers = await asyncio.gather(
        gatehouse.click(request_id, ANA), gatehouse.click(request_id, BEN, Choice.DENY, reason="no")
    )
    state = await gatehouse.ended(request_id)
    decided = [each.counted for each in answers]
    # A deny that comes while the approved request is looked at once more still wins.
    assert state in {State.SUCCEEDED, State.DENIED}
    assert Counted.DECIDED in decided
    assert len(gatehouse.target.effects) == (1 if state == State.SUCCEEDED else 0)
    await gatehouse.over(request_id)
    assert gatehouse.wall.last(request_id).state == state


async def test_a19_a_lost_answer_is_unknown_and_never_runs_again(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    gatehouse.target.failure = Unclear("the connection broke after it was sent")
    await gatehouse.click(request_id, ANA)
    assert await gatehouse.ended(request_id) == State.UNKNOWN
    gatehouse.target.failure = None
    late = await gatehouse.click(request_id, BEN)
    assert late.counted is Counted.CLOSED
    assert len(gatehouse.target.asked) == 1


async def test_a4_a_target_that_changed_is_left_alone(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    gatehouse.target.version = 2
    await gatehouse.click(request_id, ANA)
    assert await gatehouse.ended(request_id) == State.FAILED
    assert gatehouse.target.effects == []
    assert "not what was shown" in gatehouse.wall.last(request_id).receipts[0].detail


async def test_a1_what_is_stored_and_not_what_was_approved_never_runs(gatehouse: House) -> None:
    gatehouse.set_policy(quorum=2)
    request_id = await gatehouse.ask()
    row = await gatehouse.ledger.request(request_id)
    assert row is not None
    body = read(row.body)
    forged = Run(request_id=request_id, digest="0" * 64, items=(0,))
    assert isinstance(body, dict)
    assert canonical(body) == row.body
    # The runner compares what it is told with what is stored, and with what that hashes to.
    handle = await gatehouse.client.start_activity(
        "execute", forged, id=f"forged-{request_id}", task_queue="actions", result_type=dict,
        start_to_close_timeout=timedelta(seconds=20),
    )  # fmt: skip
    assert (await handle.result())["outcome"] == State.FAILED
    assert gatehouse.target.asked == []


async def test_a20_an_unknown_id_never_executes_and_is_answered(gatehouse: House) -> None:
    answer = await gatehouse.click("x" * 32, ANA)
    assert [answer.counted, "no such request" in answer.text] == [Counted.CLOSED, True]
    assert gatehouse.target.asked == []


async def test_a30_the_same_proposal_again_is_the_same_request(gatehouse: House) -> None:
    first = await gatehouse.ask()
    assert await gatehouse.ask() == first
    assert await gatehouse.ask(proposal(restart("other"))) != first


async def test_what_was_denied_or_done_is_not_asked_again_at_the_next_question(gatehouse: House) -> None:
    request_id = await gatehouse.ask(proposal(restart("again")))
    await gatehouse.click(request_id, ANA, Choice.DENY, reason="no")
    await gatehouse.over(request_id)
    assert await gatehouse.ask(proposal(restart("again"))) == ""
    done = await gatehouse.ask(proposal(restart("done")))
    await gatehouse.click(done, ANA)
    await gatehouse.over(done)
    assert await gatehouse.ask(proposal(restart("done"))) == ""
    refused = (await gatehouse.ledger.latest(limit=1))[0]
    assert [refused.kind, "succeeded" in str(refused.facts["why"])] == [Kind.REFUSED, True]


async def test_a_resolved_alert_cancels_what_rests_on_it(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    await gatehouse.approvals.cancel(request_id, "the alert is resolved")
    assert await gatehouse.ended(request_id) == State.CANCELLED
    answer = await gatehouse.click(request_id, ANA)
    assert [answer.counted, "the alert is resolved" in answer.text] == [Counted.CLOSED, True]
    assert gatehouse.target.asked == []


async def test_who_cannot_be_asked_about_is_not_counted_and_told_so(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    gatehouse.people.is_away = True
    with pytest.raises(TimeoutError):
        await gatehouse.click(request_id, ANA)
    gatehouse.people.is_away = False
    assert gatehouse.target.asked == []
    assert (await gatehouse.press(request_id, ANA)).counted in {Counted.DECIDED, Counted.CLOSED}


async def test_guests_and_strangers_decide_nothing(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    gatehouse.people.guests = {BEN}
    gatehouse.people.gone = {CLEO}
    answers = [await gatehouse.click(request_id, who) for who in (BEN, CLEO, "U0NOBODY01")]
    assert {each.counted for each in answers} == {Counted.REFUSED}
    # Refused clicks are in the audit as well.
    refused = await gatehouse.noted(request_id, Kind.CLICK_REFUSED, 3)
    assert [entry.actor for entry in refused] == [BEN, CLEO, "U0NOBODY01"]


async def test_a29_a_batch_is_one_decision_and_stops_at_what_fails(gatehouse: House) -> None:
    request_id = await gatehouse.ask(proposal(restart("a"), restart("b"), restart("c")))
    answer = await gatehouse.click(request_id, ANA, only=frozenset({0, 2}))
    assert answer.counted is Counted.DECIDED
    assert await gatehouse.ended(request_id) == State.SUCCEEDED
    assert gatehouse.target.effects == [f"{request_id}-0", f"{request_id}-2"]
    receipts = gatehouse.wall.last(request_id).receipts
    assert len(receipts) == 2


async def test_what_did_not_help_says_so(gatehouse: House) -> None:
    gatehouse.looker.seen = Seen(helped=False, said="Still there, 1 of 1 finding: 2 of 2 pods do not answer.")
    request_id = await gatehouse.ask()
    await gatehouse.click(request_id, ANA)
    await gatehouse.over(request_id)
    found = gatehouse.wall.verifications[-1].verification
    assert found is not None
    assert [found.helped, "Still there" in found.said] == [False, True]


async def test_the_view_of_a_request_is_what_the_ledger_says(gatehouse: House) -> None:
    request_id = await gatehouse.ask()
    view = await gatehouse.requests.view(request_id)
    assert view is not None
    assert view.request.digest == replace(view.request).digest
    waiting = await gatehouse.gate.open_requests("ses_house")
    assert request_id in {each.request.id for each in waiting}
