"""What a ballot keeps of a click and what it tells people, word for word: they act on it."""

import pytest

from approvals.ballot import FRESH, Answer, Ballot, Choice, Counted, Principal, State, Terms, Voter
from approvals.canonical import digest
from tests.policy.builders import NOW, proposal, restart

EXPIRES = NOW + FRESH + FRESH


def ballot(*, quorum: int = 1, items: int = 1) -> Ballot:
    terms = Terms(
        risk="medium",
        quorum=quorum,
        groups=frozenset({"oncall", "leads"}),
        barred=frozenset({Principal("locum")}),
        policy_version="7-0123456789ab",
        expires_at=EXPIRES,
    )
    return Ballot(terms=terms, items=items)


def voter(name: str) -> Voter:
    return Voter(principal=Principal(name), groups=frozenset({"oncall"}), known_at=NOW)


@pytest.mark.parametrize("choice", Choice)
def test_a_vote_keeps_who_when_by_which_account_why_and_on_what(choice: Choice) -> None:
    cast, _ = ballot(items=2, quorum=2).cast(
        voter("ada"), choice, account="U-ada", now=NOW, reason="too risky", only=frozenset({1})
    )
    (vote,) = cast.votes
    assert (vote.principal, vote.choice, vote.at, vote.account) == ("ada", choice, NOW, "U-ada")
    assert (vote.reason, vote.only) == ("too risky", frozenset({1}))


def test_it_says_how_many_approvals_are_missing() -> None:
    open_one = ballot(quorum=3)
    assert open_one.told() == "It waits for 3 more approval(s)."
    after, answer = open_one.cast(voter("ada"), Choice.APPROVE, account="U1", now=NOW)
    assert answer == Answer(counted=Counted.COUNTED, text="Your approval is counted; 2 more needed.")
    assert after.told() == "It waits for 2 more approval(s)."


def test_an_approval_that_would_leave_no_item_says_so() -> None:
    one, _ = ballot(quorum=2, items=2).cast(voter("ada"), Choice.APPROVE, account="U1", now=NOW, only=frozenset({0}))
    same, answer = one.cast(voter("grace"), Choice.APPROVE, account="U2", now=NOW, only=frozenset({1}))
    text = "No item would have every approval: others approved other items. Choose again, or deny."
    assert answer == Answer(counted=Counted.REFUSED, text=text)
    assert same.state is State.PENDING
    assert same.approvers == ("ada",)


def test_what_is_known_too_long_ago_asks_for_another_click() -> None:
    late = NOW + FRESH
    _, on_time = ballot(quorum=2).cast(voter("ada"), Choice.APPROVE, account="U1", now=late)
    assert on_time.counted is Counted.COUNTED
    _, answer = ballot().cast(voter("ada"), Choice.APPROVE, account="U1", now=late.add(nanoseconds=1))
    text = "what is known of your groups is older than a minute: click again"
    assert answer == Answer(counted=Counted.REFUSED, text=text)


def test_the_merge_key_is_a_digest_of_a_kind_of_its_own() -> None:
    what = proposal(restart())
    told = {"incident": "inc_1", "actions": [action.to_json() for action in what.actions]}
    assert what.merge_key("inc_1") == digest("locum.proposal.v1", told)


def test_an_approval_that_decides_says_so_and_what_stops_it_later_is_kept() -> None:
    approved, answer = ballot().cast(voter("ada"), Choice.APPROVE, account="U1", now=NOW)
    assert answer == Answer(counted=Counted.DECIDED, text="Approved. It runs now.")
    stopped = approved.begin({Principal("ada"): voter("ada")}, hindrance="changes are frozen", now=NOW)
    assert (stopped.state, stopped.why) == (State.CANCELLED, "changes are frozen")
    assert stopped.told() == "It was cancelled: changes are frozen. Nothing was done."
    ended = approved.begin({Principal("ada"): voter("ada")}, hindrance="", now=NOW).end(State.SUCCEEDED, now=NOW)
    assert (ended.state, ended.why) == (State.SUCCEEDED, "")


def test_a_denial_says_that_nothing_will_be_done() -> None:
    denied, answer = ballot().cast(voter("ada"), Choice.DENY, account="U1", now=NOW)
    assert answer == Answer(counted=Counted.DECIDED, text="Denied. Nothing will be done.")
    assert denied.told() == "It was denied by ada at 2026-03-01 12:00 UTC."
