"""Generated histories on the pure ballot; and that a ballot with one guard less is caught by them."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from whenever import Instant

from approvals.ballot import Answer, Ballot, Choice, Counted, Principal, State, Stranger, Vote, Voter
from tests.attack import model
from tests.attack.counts import Counts

MOST = 4_000
"""Histories after which a hole must have been found."""
REFUSAL, AT, BEGIN, COUNT, CAST = Ballot.refusal, Ballot.at, Ballot.begin, Ballot.count, Ballot.cast
"""As they ship."""

Voters = Mapping[Principal, Voter | Stranger]


def forgiving(words: str) -> Callable[..., str]:
    """A ballot that refuses nobody with these words."""

    def refusal(
        self: Ballot, voter: Voter | Stranger, choice: Choice, *, hindrance: str, only: frozenset[int] | None
    ) -> str:
        said = REFUSAL(self, voter, choice, hindrance=hindrance, only=only)
        return "" if words in said else said

    return refusal


def at_without_an_expiry(self: Ballot, now: Instant) -> Ballot:
    return replace(self, seen_at=max(now, self.seen_at))


def at_with_a_clock_that_steps_back(self: Ballot, now: Instant) -> Ballot:
    return AT(replace(self, seen_at=Instant.MIN), now)


def begin_without_asking_again(self: Ballot, voters: Voters, *, hindrance: str, now: Instant) -> Ballot:
    remembered = {who: Voter(principal=who, groups=self.terms.groups, known_at=now) for who in voters}
    return BEGIN(replace(self, seen_at=now), remembered, hindrance=hindrance, now=now)


def begin_in_a_freeze(self: Ballot, voters: Voters, *, hindrance: str, now: Instant) -> Ballot:
    del hindrance
    return BEGIN(self, voters, hindrance="", now=now)


def begin_before_the_last_vote(self: Ballot, voters: Voters, *, hindrance: str, now: Instant) -> Ballot:
    is_half = self.state is State.PENDING and self.votes
    return BEGIN(replace(self, state=State.APPROVED) if is_half else self, voters, hindrance=hindrance, now=now)


def begin_once_more(self: Ballot, voters: Voters, *, hindrance: str, now: Instant) -> Ballot:
    is_over = self.state in (State.SUCCEEDED, State.FAILED, State.UNKNOWN)
    return BEGIN(replace(self, state=State.APPROVED) if is_over else self, voters, hindrance=hindrance, now=now)


def count_without_the_quorum(self: Ballot, vote: Vote) -> tuple[Ballot, Answer]:
    ballot, answer = COUNT(self, vote)
    return (replace(ballot, state=State.APPROVED) if answer.counted is Counted.COUNTED else ballot), answer


def count_twice(self: Ballot, vote: Vote) -> tuple[Ballot, Answer]:
    return replace(self, votes=(*self.votes, vote)), Answer(counted=Counted.COUNTED, text="")


def cast_without_a_deny(self: Ballot, voter: Voter | Stranger, choice: Choice, **more: object) -> object:
    ballot, answer = CAST(self, voter, choice, **more)  # pyright: ignore[reportArgumentType]
    return (self if ballot.state is State.DENIED else ballot), answer


def cancel_in_vain(self: Ballot, why: str, *, now: Instant) -> Ballot:
    del why
    return self.at(now)


HOLES: Mapping[str, tuple[str, Callable[..., object]]] = {
    "anybody decides": ("refusal", forgiving("only members of")),
    "who asked approves": ("refusal", forgiving("nobody approves what they asked for")),
    "old facts will do": ("refusal", forgiving("older than a minute")),
    "a freeze holds nobody back": ("refusal", forgiving("frozen")),
    "nothing expires": ("at", at_without_an_expiry),
    "a clock that steps back revives": ("at", at_with_a_clock_that_steps_back),
    "nobody is asked again before it runs": ("begin", begin_without_asking_again),
    "it runs in a freeze": ("begin", begin_in_a_freeze),
    "it runs before the last vote": ("begin", begin_before_the_last_vote),
    "it runs once more": ("begin", begin_once_more),
    "one vote is a quorum": ("count", count_without_the_quorum),
    "one person is two": ("count", count_twice),
    "a deny is not heard": ("cast", cast_without_a_deny),
    "what was called off goes on": ("cancel", cancel_in_vain),
}


def test_a10_a13_a14_no_history_of_thousands_executes_without_a_valid_approval_or_twice() -> None:
    said: list[str] = []
    assert model.run(5_000, said.append, seed=1) == Counts(histories=5_000), said
    # Histories that never come to an execution would show nothing.
    executed = int(said[-1].split()[3])
    assert executed > 100


@pytest.mark.parametrize("hole", HOLES)
def test_a_ballot_with_one_guard_less_is_caught(hole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, broken = HOLES[hole]
    monkeypatch.setattr(Ballot, name, broken)
    with pytest.raises(model.Broken):
        played(MOST)


def played(count: int) -> None:
    for number in range(count):
        model.history(random.Random(number))
