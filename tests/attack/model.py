"""Generated histories of one request on the pure ballot, judged by rules that are written down here a second time.

The oracle keeps its own book of who was in the group when, who denied when, and what time it was; it never asks the
ballot whether something is allowed.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from whenever import Instant, TimeDelta

from approvals.ballot import Ballot, Choice, Principal, State, Stranger, Terms, Voter
from tests.attack.counts import Counts

EPOCH = Instant.from_utc(2026, 1, 1)
PEOPLE = tuple(Principal(name) for name in ("ana", "ben", "cleo", "dora", "locum"))
LEGAL = {
    "pending": {"pending", "approved", "denied", "expired", "cancelled"},
    "approved": {"approved", "executing", "denied", "expired", "cancelled"},
    "executing": {"executing", "succeeded", "failed", "unknown"},
    **{end: {end} for end in ("succeeded", "failed", "unknown", "denied", "expired", "cancelled")},
}
TTL = 1_800


class Broken(AssertionError):
    """Something happened that must not; the message says what."""


@dataclass
class Oracle:
    """What may happen, told by whoever watches from outside."""

    quorum: int
    barred: frozenset[Principal]
    group: set[Principal]
    is_frozen: bool = False
    clock: int = 0
    latest: int = 0
    approved_by: dict[Principal, int] = field(default_factory=dict[Principal, int])
    denied: bool = False
    cancelled: bool = False
    executions: int = 0

    def may_execute(self) -> bool:
        """Whether enough people who may, still may, and nothing stands in the way."""
        standing = {who for who in self.approved_by if who in self.group and who not in self.barred}
        everybody_stands = standing == set(self.approved_by)
        return (
            len(standing) >= self.quorum
            and everybody_stands
            and not (self.denied or self.cancelled or self.is_frozen)
            and self.latest < TTL
        )


def history(rng: random.Random) -> int:
    """Plays one history; how often it was executed.

    Raises:
        Broken: when something happened that must not.
    """
    quorum = rng.choice((1, 1, 2, 3))
    barred = frozenset({Principal("locum"), *rng.sample(PEOPLE[:4], rng.choice((0, 0, 1)))})
    oracle = Oracle(quorum=quorum, barred=barred, group=set(rng.sample(PEOPLE, rng.choice((2, 4, 5, 5)))))
    terms = Terms(
        risk="medium", quorum=quorum, groups=frozenset({"on-call"}), barred=barred, policy_version="1",
        expires_at=EPOCH + TimeDelta(seconds=TTL),
    )  # fmt: skip
    ballot = Ballot(terms=terms, items=1)
    for _ in range(rng.randint(3, 14)):
        before = ballot
        ballot = _step(rng, ballot, oracle)
        if ballot.state not in LEGAL[before.state]:
            raise Broken(f"{before.state} became {ballot.state}")
        if len(set(ballot.approvers)) != len(ballot.approvers):
            raise Broken("one principal is counted twice")
    return oracle.executions


def _step(rng: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    steps: tuple[Callable[[random.Random, Ballot, Oracle], Ballot], ...] = (
        _vote, _vote, _vote, _vote, _time, _time, _roles, _freeze, _cancel, _begin, _begin, _end, _replay,
    )  # fmt: skip
    return rng.choice(steps)(rng, ballot, oracle)


def _vote(rng: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    who, choice = rng.choice(PEOPLE), rng.choice((Choice.APPROVE, Choice.APPROVE, Choice.APPROVE, Choice.DENY))
    is_stale = rng.random() < 0.1
    # The real gateway asks at every click; a stale answer is what an outage between question and count would give.
    known_at = _now(oracle) - TimeDelta(seconds=61 if is_stale else rng.randint(0, 60))
    is_member = who in oracle.group
    voter = (
        Stranger(why="nobody knows")
        if rng.random() < 0.05
        else Voter(principal=who, groups=frozenset({"on-call"} if is_member else {"others"}), known_at=known_at)
    )
    was_open = ballot.state in (State.PENDING, State.APPROVED) and oracle.latest < TTL
    was_pending = ballot.state is State.PENDING
    hindrance = "frozen" if oracle.is_frozen else ""
    after, _ = ballot.cast(voter, choice, account="U1", now=_now(oracle), hindrance=hindrance)
    if isinstance(voter, Stranger) or (is_stale and oracle.clock >= oracle.latest):
        if len(after.votes) != len(ballot.votes):
            raise Broken("a vote of nobody, or on stale facts, is counted")
        return after
    if not was_open:
        if len(after.votes) != len(ballot.votes):
            raise Broken("a vote after the end is counted")
        return after
    is_fresh = oracle.latest - (oracle.clock - _age(oracle, known_at)) <= 60
    if choice is Choice.DENY and is_fresh and (is_member or who in oracle.barred):
        oracle.denied = True
        if after.state is not State.DENIED:
            raise Broken("an eligible deny did not win")
    elif choice is Choice.APPROVE and len(after.votes) > len(ballot.votes):
        if not (is_member and who not in oracle.barred and is_fresh and was_pending and not oracle.is_frozen):
            raise Broken("an approval is counted that must not be")
        oracle.approved_by[who] = oracle.clock
    return after


def _age(oracle: Oracle, known_at: Instant) -> int:
    return round((_now(oracle) - known_at).total("seconds"))


def _time(rng: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    # Also backwards: a clock that steps back revives nothing.
    oracle.clock += rng.choice((1, 30, 61, 600, TTL, -900))
    oracle.clock = max(oracle.clock, 0)
    oracle.latest = max(oracle.latest, oracle.clock)
    after = ballot.at(_now(oracle))
    if oracle.latest >= TTL and after.state in (State.PENDING, State.APPROVED):
        raise Broken("it is open after its expiry")
    return after


def _roles(rng: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    oracle.group = set(rng.sample(PEOPLE, rng.choice((0, 3, 4, 5, 5))))
    return ballot


def _freeze(rng: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    oracle.is_frozen = rng.random() < 0.25
    return ballot


def _cancel(rng: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    if rng.random() < 0.7:
        return ballot
    after = ballot.cancel("the alert resolved", now=_now(oracle))
    if after.state in (State.PENDING, State.APPROVED):
        raise Broken("it is open after it was called off")
    oracle.cancelled = oracle.cancelled or after.state is State.CANCELLED
    return after


def _begin(_: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    voters: dict[Principal, Voter | Stranger] = {
        who: Voter(
            principal=who, groups=frozenset({"on-call"} if who in oracle.group else ()),
            known_at=EPOCH + TimeDelta(seconds=oracle.latest),
        )
        for who in ballot.approvers
    }  # fmt: skip
    may = oracle.may_execute()
    after = ballot.begin(voters, hindrance="frozen" if oracle.is_frozen else "", now=_now(oracle))
    if after.state is State.EXECUTING and ballot.state is not State.EXECUTING:
        oracle.executions += 1
        if not may:
            raise Broken("it is executed without a valid approval")
        if oracle.executions > 1:
            raise Broken("it is executed twice")
    return after


def _end(rng: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    if ballot.state is not State.EXECUTING:
        return ballot
    return ballot.end(rng.choice((State.SUCCEEDED, State.FAILED, State.UNKNOWN)), now=_now(oracle))


def _replay(_: random.Random, ballot: Ballot, oracle: Oracle) -> Ballot:
    """A restart: the same value again, at the same time."""
    return ballot.at(_now(oracle))


def _now(oracle: Oracle) -> Instant:
    return EPOCH + TimeDelta(seconds=oracle.clock)


def run(count: int, say: Callable[[str], None], *, seed: int = 0) -> Counts:
    """Plays `count` histories; each broken one is told with its seed."""
    executed = unapproved = double = 0
    for number in range(count):
        try:
            executed += history(random.Random(f"{seed}:{number}"))
        except Broken as broken:
            say(f"history {seed}:{number}: {broken}")
            double += "twice" in str(broken)
            unapproved += "twice" not in str(broken)
    say(f"model: {count} histories, {executed} of them executed")
    return Counts(histories=count, unapproved=unapproved, double=double)
