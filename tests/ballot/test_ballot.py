"""Who decided what, in any order, at any time, and that there is one end."""

from collections.abc import Callable
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from whenever import Instant, TimeDelta

from approvals.ballot import (
    EDGES,
    FRESH,
    Answer,
    Ballot,
    Choice,
    Counted,
    Principal,
    State,
    Stranger,
    Terms,
    Voter,
)

NOW = Instant.parse_iso("2026-03-01T12:00:00Z")
EXPIRES = NOW + TimeDelta(minutes=30)
SECOND = TimeDelta(seconds=1)
ENDS = (State.SUCCEEDED, State.FAILED, State.UNKNOWN)


def ballot(*, quorum: int = 1, items: int = 1, barred: tuple[str, ...] = ("locum", "asker")) -> Ballot:
    terms = Terms(
        risk="medium",
        quorum=quorum,
        groups=frozenset({"oncall", "leads"}),
        barred=frozenset(map(Principal, barred)),
        policy_version="7-0123456789ab",
        expires_at=EXPIRES,
    )
    return Ballot(terms=terms, items=items)


def voter(name: str = "ada", *groups: str, at: Instant = NOW) -> Voter:
    return Voter(principal=Principal(name), groups=frozenset(groups or ("oncall",)), known_at=at)


def approve(on: Ballot, name: str = "ada", *, at: Instant = NOW, **more: Any) -> tuple[Ballot, Answer]:
    return on.cast(voter(name, at=at), Choice.APPROVE, account=f"U-{name}", now=at, **more)


def deny(on: Ballot, name: str = "ada", *, at: Instant = NOW, **more: Any) -> tuple[Ballot, Answer]:
    return on.cast(voter(name, at=at), Choice.DENY, account=f"U-{name}", now=at, **more)


def begun(on: Ballot, *, at: Instant = NOW, hindrance: str = "") -> Ballot:
    """Begun with everybody as they were."""
    return on.begin({each: voter(each, at=at) for each in on.approvers}, hindrance=hindrance, now=at)


def test_one_eligible_approval_decides_where_one_is_enough() -> None:
    approved, answer = approve(ballot())
    assert (approved.state, answer.counted) == (State.APPROVED, Counted.DECIDED)
    assert approved.approvers == ("ada",)
    assert begun(approved).state is State.EXECUTING


@pytest.mark.parametrize(("quorum", "groups"), [(0, {"oncall"}), (-1, {"oncall"}), (1, set[str]())])
def test_a10_terms_under_which_nobody_decides_cannot_be_made(quorum: int, groups: set[str]) -> None:
    with pytest.raises(ValueError, match=r"at least one person|no group"):
        Terms(
            risk="low",
            quorum=quorum,
            groups=frozenset(groups),
            barred=frozenset(),
            policy_version="1-0",
            expires_at=EXPIRES,
        )


def test_a10_a_quorum_takes_that_many_different_people() -> None:
    one, answer = approve(ballot(quorum=2))
    assert (one.state, answer.counted) == (State.PENDING, Counted.COUNTED)
    assert answer.text == "Your approval is counted; 1 more needed."
    two, answer = approve(one, "grace")
    assert (two.state, answer.counted) == (State.APPROVED, Counted.DECIDED)
    assert two.approvers == ("ada", "grace")


def test_a9_a_second_account_of_one_person_adds_no_vote() -> None:
    one, _ = approve(ballot(quorum=2))
    again, answer = one.cast(voter(), Choice.APPROVE, account="U-another", now=NOW)
    assert answer.counted is Counted.DUPLICATE
    assert again == one


def test_a17_identical_clicks_are_one_vote_and_duplicates() -> None:
    current, answers = ballot(quorum=2), list[Counted]()
    for _ in range(20):
        current, answer = approve(current)
        answers.append(answer.counted)
    assert answers == [Counted.COUNTED, *[Counted.DUPLICATE] * 19]
    assert len(current.votes) == 1


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (Stranger(why="guests decide nothing"), "guests decide nothing"),
        (voter("eve", "dev"), "only members of leads or oncall decide this"),
        (voter("ada", at=NOW - FRESH - SECOND), "older than a minute"),
        (voter("asker"), "nobody approves what they asked for"),
        (voter("locum"), "nobody approves what they asked for"),
    ],
    ids=["stranger", "group", "stale", "asker", "locum"],
)
def test_a8_an_approval_by_who_may_not_is_refused_with_the_reason(who: Voter | Stranger, why: str) -> None:
    after, answer = ballot().cast(who, Choice.APPROVE, account="U", now=NOW)
    assert answer.counted is Counted.REFUSED
    assert why in answer.text
    assert (after.state, after.votes) == (State.PENDING, ())


def test_a7_facts_of_exactly_a_minute_ago_still_count() -> None:
    who = voter(at=NOW - FRESH)
    assert ballot().cast(who, Choice.APPROVE, account="U", now=NOW)[1].counted is Counted.DECIDED


def test_a11_an_eligible_deny_before_the_execution_wins() -> None:
    for before in (ballot(), approve(ballot())[0]):
        denied, answer = deny(before, "grace", reason="not now")
        assert (denied.state, answer.counted) == (State.DENIED, Counted.DECIDED)
        assert denied.votes[-1].reason == "not now"
        assert begun(denied).state is State.DENIED


def test_a11_whoever_asked_may_take_it_back_and_nobody_else_outside_of_the_groups() -> None:
    assert deny(ballot(), "asker")[0].state is State.DENIED
    after, answer = ballot().cast(voter("eve", "dev"), Choice.DENY, account="U", now=NOW)
    assert (after.state, answer.counted) == (State.PENDING, Counted.REFUSED)
    after, _ = ballot().cast(Stranger(why="a bot"), Choice.DENY, account="U", now=NOW)
    assert after.state is State.PENDING


def test_a15_what_stands_in_the_way_stops_approvals_and_not_denials() -> None:
    after, answer = approve(ballot(), hindrance="changes are frozen")
    assert (after.state, answer.text) == (State.PENDING, "changes are frozen")
    assert deny(ballot(), hindrance="changes are frozen")[0].state is State.DENIED
    assert begun(approve(ballot())[0], hindrance="changes are frozen").state is State.CANCELLED


# Time


@pytest.mark.parametrize(("at", "state"), [(EXPIRES - SECOND, State.PENDING), (EXPIRES, State.EXPIRED)])
def test_a12_exactly_at_its_expiry_it_is_expired(at: Instant, state: State) -> None:
    assert ballot().at(at).state is state
    approved, _ = approve(ballot())
    assert approved.at(at).state is (State.APPROVED if state is State.PENDING else State.EXPIRED)
    assert approve(ballot(), at=at)[1].counted is (Counted.DECIDED if state is State.PENDING else Counted.CLOSED)
    assert begun(approved, at=at).state is (State.EXECUTING if state is State.PENDING else State.EXPIRED)


def test_a12_a_clock_that_steps_back_revives_nothing() -> None:
    late = ballot().at(EXPIRES)
    back, answer = approve(late, at=NOW)
    assert (back.state, answer.counted) == (State.EXPIRED, Counted.CLOSED)
    # Nor is a deadline reached later because an earlier step was told an earlier time.
    seen = ballot().at(EXPIRES - SECOND).at(NOW)
    assert seen.seen_at == EXPIRES - SECOND
    assert seen.at(EXPIRES).state is State.EXPIRED


def test_a12_facts_that_were_fresh_by_a_clock_that_stepped_back_are_not() -> None:
    ahead = ballot().at(NOW + TimeDelta(minutes=5))
    _, answer = approve(ahead, at=NOW)
    assert answer.counted is Counted.REFUSED


def test_a12_what_has_begun_ends_though_its_time_is_over() -> None:
    running = begun(approve(ballot())[0])
    assert running.at(EXPIRES).state is State.EXECUTING
    assert running.end(State.SUCCEEDED, now=EXPIRES + SECOND).state is State.SUCCEEDED


# Before the run


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "is not known any more"),
        ({Principal("ada"): Stranger(why="deactivated")}, "deactivated"),
        ({Principal("ada"): voter("ada", "dev")}, "only members"),
        ({Principal("ada"): voter("ada", at=NOW - FRESH - SECOND)}, "older than a minute"),
    ],
    ids=["gone", "off", "role-lost", "stale"],
)
def test_a10_every_counted_vote_is_looked_at_again_before_the_run(asked: dict[Any, Any], why: str) -> None:
    approved, _ = approve(ballot())
    ended = approved.begin(asked, hindrance="", now=NOW)
    assert ended.state is State.CANCELLED
    assert why in ended.why
    assert "the approval of ada counts no more" in ended.told()


def test_a16_what_is_not_approved_does_not_begin_and_what_runs_does_not_begin_again() -> None:
    assert begun(ballot()).state is State.PENDING
    running = begun(approve(ballot())[0])
    assert begun(running) == running


@pytest.mark.parametrize("end", ENDS)
def test_a13_an_execution_ends_once(end: State) -> None:
    running = begun(approve(ballot())[0])
    done = running.end(end, why="said the target", now=NOW)
    assert (done.state, done.why) == (end, "said the target")
    for again in (*ENDS, State.CANCELLED):
        with pytest.raises(ValueError, match="cannot become"):
            done.end(again, now=NOW)
    with pytest.raises(ValueError, match="a request that is executing cannot become denied"):
        running.end(State.DENIED, now=NOW)
    with pytest.raises(ValueError, match="pending cannot become approved"):
        ballot().end(State.APPROVED, now=NOW)


def test_a13_terminal_states_have_no_way_out_and_the_others_have_one() -> None:
    assert {state for state in State if state.is_terminal} == {
        State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.DENIED, State.EXPIRED, State.CANCELLED,
    }  # fmt: skip
    assert set(EDGES) == set(State)


# Batches


def test_a29_an_approver_narrows_a_batch_and_the_quorum_agrees_on_what_is_left() -> None:
    one, _ = approve(ballot(quorum=2, items=3), only=frozenset({0, 1}))
    two, _ = approve(one, "grace", only=frozenset({1, 2}))
    assert two.state is State.APPROVED
    assert two.approved_items == {1}
    whole, _ = approve(ballot(items=3))
    assert whole.approved_items == {0, 1, 2}
    assert ballot(items=2).approved_items == {0, 1}


def test_a29_approvals_that_leave_no_common_item_do_not_add_up() -> None:
    one, _ = approve(ballot(quorum=2, items=2), only=frozenset({0}))
    two, answer = approve(one, "grace", only=frozenset({1}))
    assert (two.state, answer.counted) == (State.PENDING, Counted.REFUSED)
    assert two.approvers == ("ada",)


@pytest.mark.parametrize("only", [frozenset[int](), frozenset({0, 3}), frozenset({-1}), frozenset({7})])
def test_a27_nothing_can_be_added_by_narrowing(only: frozenset[int]) -> None:
    after, answer = approve(ballot(items=3), only=only)
    assert (after.votes, answer.text) == ((), "these are not items of this request")


# Two at once: whatever comes first in the history wins


def test_a14_two_approvals_at_once_are_one_decision_in_both_orders() -> None:
    for first, second in (("ada", "grace"), ("grace", "ada")):
        one, answer = approve(ballot(), first)
        two, late = approve(one, second)
        assert (answer.counted, late.counted) == (Counted.DECIDED, Counted.CLOSED)
        assert two == one
        assert f"approved by {first} at 2026-03-01 12:00 UTC and is about to run" in late.text


def test_a14_approve_and_deny_at_once_end_denied_in_both_orders() -> None:
    approved, _ = approve(ballot(), "ada")
    assert deny(approved, "grace")[0].state is State.DENIED
    denied, _ = deny(ballot(), "grace")
    late, answer = approve(denied, "ada")
    assert (late, answer.counted) == (denied, Counted.CLOSED)


def test_a14_a_deny_that_comes_after_the_beginning_is_too_late_and_told_so() -> None:
    running = begun(approve(ballot())[0])
    after, answer = deny(running, "grace")
    assert (after.state, answer.counted) == (State.EXECUTING, Counted.CLOSED)
    assert "runs now" in answer.text


STEPS: dict[str, Callable[[Ballot], Ballot]] = {
    "ada": lambda on: approve(on, "ada")[0],
    "grace": lambda on: approve(on, "grace")[0],
    "deny": lambda on: deny(on, "grace")[0],
    "expire": lambda on: on.at(EXPIRES),
    "cancel": lambda on: on.cancel("the alert resolved", now=NOW),
    "policy": lambda on: on,
    "begin": begun,
}


@pytest.mark.parametrize("quorum", [1, 2])
def test_a14_any_interleaving_of_all_that_can_happen_gives_one_end_that_stays(quorum: int) -> None:
    ends: set[State] = set()
    for order in permutations(STEPS):
        current = ballot(quorum=quorum)
        path = [current.state]
        for place, step in enumerate(order):
            is_hindered = step == "begin" and "policy" in order[:place]
            current = begun(current, hindrance="the policy changed") if is_hindered else STEPS[step](current)
            path.append(current.state)
        moves = [(old, new) for old, new in pairwise(path) if old is not new]
        assert all(new in EDGES[old] or _expired_at_once(old, new) for old, new in moves), (order, path)
        if State.EXECUTING in path:
            assert len(current.approvers) >= quorum
            assert order.index("begin") < min(order.index(each) for each in ("deny", "expire", "cancel", "policy"))
            current = current.end(State.SUCCEEDED, now=NOW)
        assert current.state.is_terminal, (order, path)
        ends.add(current.state)
        # Seen alike by all, and for good.
        for step in STEPS.values():
            later = step(current)
            assert (later.state, later.votes, later.why) == (current.state, current.votes, current.why)
    assert ends == {State.SUCCEEDED, State.DENIED, State.EXPIRED, State.CANCELLED}


def _expired_at_once(old: State, new: State) -> bool:
    return old in (State.PENDING, State.APPROVED) and new is State.EXPIRED


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ballot(quorum=2), "It waits for 2 more approval(s)."),
        (lambda: deny(ballot())[0], "It was denied by ada at 2026-03-01 12:00 UTC."),
        (lambda: ballot().at(EXPIRES), "It expired at 2026-03-01 12:30 UTC: nobody decided in time."),
        (lambda: ballot().cancel("superseded", now=NOW), "It was cancelled: superseded. Nothing was done."),
        (lambda: begun(approve(ballot())[0]).end(State.SUCCEEDED, now=NOW), "and was done."),
        (lambda: begun(approve(ballot())[0]).end(State.FAILED, now=NOW), "and failed."),
        (lambda: begun(approve(ballot())[0]).end(State.UNKNOWN, now=NOW), "ended without anybody knowing how."),
    ],
    ids=["pending", "denied", "expired", "cancelled", "done", "failed", "unknown"],
)
def test_how_it_stands_is_one_sentence(make: Callable[[], Ballot], told: str) -> None:
    assert told in make().told()


def test_what_runs_or_has_ended_cannot_be_cancelled() -> None:
    running = begun(approve(ballot())[0])
    assert running.cancel("too late", now=NOW) == running
    assert deny(ballot())[0].cancel("too late", now=NOW).state is State.DENIED


class Histories(RuleBasedStateMachine):
    """Anything that can happen to a ballot, beside a bookkeeper who counts for himself."""

    people = st.sampled_from(["ada", "grace", "linus", "eve", "asker", "locum"])

    @initialize(quorum=st.integers(1, 3), items=st.integers(1, 3))
    def start(self, quorum: int, items: int) -> None:
        self.ballot = ballot(quorum=quorum, items=items)
        self.quorum = quorum
        self.clock = NOW
        self.latest = Instant.MIN
        self.members = {"ada", "grace", "linus", "asker", "locum"}
        self.approved: dict[str, frozenset[int]] = {}
        self.ended: State | None = None

    def known(self, name: str, age_s: int = 0) -> Voter:
        groups = ("oncall",) if name in self.members else ("dev",)
        return voter(name, *groups, at=self.clock - TimeDelta(seconds=age_s))

    def moved(self, after: Ballot) -> None:
        before = self.ballot.state
        assert after.state is before or after.state in EDGES[before]
        if before.is_terminal:
            assert after.state is before
            assert after.votes == self.ballot.votes
        self.ballot = after
        self.latest = max(self.latest, self.clock)

    @rule(seconds=st.sampled_from([-600, -61, -1, 1, 30, 61, 600, 1799]))
    def tick(self, seconds: int) -> None:
        self.clock += TimeDelta(seconds=seconds)
        self.moved(self.ballot.at(self.clock))

    @rule(name=people, age_s=st.sampled_from([0, 0, 0, 60, 61]), only=st.sampled_from([None, None, {0}, {1}, {0, 2}]))
    def approves(self, name: str, age_s: int, only: set[int] | None) -> None:
        chosen = frozenset(only) if only is not None else None
        latest = max(self.latest, self.clock)
        known = self.known(name, age_s)
        before = self.ballot.state
        after, answer = self.ballot.cast(known, Choice.APPROVE, account=name, now=self.clock, only=chosen)
        if answer.counted in (Counted.COUNTED, Counted.DECIDED):
            assert before is State.PENDING
            assert latest < EXPIRES
            assert name in self.members - {"asker", "locum"}
            assert name not in self.approved
            assert latest - known.known_at <= FRESH
            everything = frozenset(range(self.ballot.items))
            assert chosen is None or chosen <= everything
            self.approved[name] = everything if chosen is None else chosen
            assert (after.state is State.APPROVED) is (len(self.approved) >= self.quorum)
        self.moved(after)

    @rule(name=people)
    def denies(self, name: str) -> None:
        before = self.ballot.state
        after, answer = self.ballot.cast(self.known(name), Choice.DENY, account=name, now=self.clock)
        if answer.counted is Counted.DECIDED:
            assert before in (State.PENDING, State.APPROVED)
            assert after.state is State.DENIED
            assert name in self.members | {"asker", "locum"}
        self.moved(after)

    @rule(name=people)
    def loses_or_regains_role(self, name: str) -> None:
        self.members ^= {name}

    @rule()
    def cancels(self) -> None:
        self.moved(self.ballot.cancel("the alert resolved", now=self.clock))

    @rule(hindrance=st.sampled_from(["", "", "changes are frozen"]))
    def begins(self, hindrance: str) -> None:
        before = self.ballot.state
        asked = {Principal(name): self.known(name) for name in self.approved}
        after = self.ballot.begin(asked, hindrance=hindrance, now=self.clock)
        if after.state is State.EXECUTING and before is not State.EXECUTING:
            # The one sentence that all of this is for.
            assert before is State.APPROVED
            assert not hindrance
            assert max(self.latest, self.clock) < EXPIRES
            assert len(self.approved) >= self.quorum
            assert set(self.approved) <= self.members - {"asker", "locum"}
            assert after.approved_items == frozenset[int].intersection(*self.approved.values())
            assert after.approved_items
        self.moved(after)

    @precondition(lambda self: self.ballot.state is State.EXECUTING)
    @rule(end=st.sampled_from(ENDS))
    def ends(self, end: State) -> None:
        self.moved(self.ballot.end(end, now=self.clock))

    @invariant()
    def votes_are_of_different_people(self) -> None:
        approvers = self.ballot.approvers
        assert len(set(approvers)) == len(approvers)
        assert set(approvers) == set(self.approved)

    @invariant()
    def an_end_stays(self) -> None:
        if self.ended is not None:
            assert self.ballot.state is self.ended
        if self.ballot.state.is_terminal:
            self.ended = self.ballot.state


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
test_a13_a14_no_history_executes_without_a_valid_approval = Histories.TestCase
