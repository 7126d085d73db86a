"""Who decided what about one request, and what may happen next. Pure: no clock, no store, no Slack, no framework.

A ballot is a value: every step gives the next one and an answer for whoever took it. The workflow that holds it is
single-threaded, so whatever comes first in its history wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NewType, Self

from whenever import Instant, TimeDelta

FRESH = TimeDelta(seconds=60)
"""How old the facts about a voter may be when the vote is counted."""

Principal = NewType("Principal", str)
"""One person or program, however many Slack accounts or tokens it has."""


class State(StrEnum):
    """Where a request is."""

    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Nobody can know whether it was done; never runs again by itself."""
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return not EDGES[self]


_ENDS = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED})
_NOTHING = frozenset[State]()

EDGES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.PENDING: _ENDS | {State.APPROVED},
        State.APPROVED: _ENDS | {State.EXECUTING},
        State.EXECUTING: frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN}),
        State.SUCCEEDED: _NOTHING,
        State.FAILED: _NOTHING,
        State.UNKNOWN: _NOTHING,
        State.DENIED: _NOTHING,
        State.EXPIRED: _NOTHING,
        State.CANCELLED: _NOTHING,
    }
)
"""The only ways from one state to another; terminal states absorb."""


class Choice(StrEnum):
    """What a person can press."""

    APPROVE = "approve"
    DENY = "deny"


class Counted(StrEnum):
    """What became of a click; every click is answered with one of these."""

    COUNTED = "counted"
    """The vote stands; more are needed."""
    DECIDED = "decided"
    """This vote decided."""
    DUPLICATE = "duplicate"
    """The same person's same vote stands already."""
    REFUSED = "refused"
    """This person may not, or not now."""
    CLOSED = "closed"
    """It is decided, expired or cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What whoever clicked is told."""

    counted: Counted
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which conditions a request may be carried out; what policy said when it was made."""

    risk: str
    quorum: int
    """Distinct principals that must approve."""
    groups: frozenset[str]
    """A voter must be in one of them."""
    barred: frozenset[Principal]
    """May not approve: who asked, the human whose words led to it, and Locum itself."""
    policy_version: str
    """Version and content of the policy, such as `7-1f2e3d4c5b6a`: a file that changed is another policy."""
    expires_at: Instant

    def __post_init__(self) -> None:
        if self.quorum < 1:
            raise ValueError(f"a quorum of {self.quorum}: at least one person decides")
        if not self.groups:
            raise ValueError("no group may decide this: name one in the policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """A principal with what is known of them right now."""

    principal: Principal
    groups: frozenset[str]
    known_at: Instant
    """When Slack or the identity provider said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Somebody who maps to no principal, to several, or may not decide at all."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One counted vote."""

    principal: Principal
    choice: Choice
    at: Instant
    account: str
    """The Slack user or API token that was used."""
    reason: str = ""
    only: frozenset[int] | None = None
    """Narrows a batch to these items; `None` = all of them. Nothing can be added by a vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """The votes on one request."""

    terms: Terms
    items: int
    """How many actions the request holds, one for most."""
    state: State = State.PENDING
    votes: tuple[Vote, ...] = ()
    why: str = ""
    """Why it ended, where it was not decided by votes."""
    seen_at: Instant = Instant.MIN
    """The latest time that any step was given: a clock that steps back revives nothing."""

    def cast(
        self,
        voter: Voter | Stranger,
        choice: Choice,
        *,
        account: str,
        now: Instant,
        hindrance: str = "",
        reason: str = "",
        only: frozenset[int] | None = None,
    ) -> tuple[Self, Answer]:
        """One click, counted or refused.

        Args:
            voter: who it is, asked just now.
            choice: what was pressed.
            account: the Slack user or API token.
            now: the workflow's time.
            hindrance: why nothing may be approved at present (freeze, kill switch); empty = nothing stands in the way.
            reason: why a person denies.
            only: the items of a batch that are approved; `None` = all.
        """
        ballot = self.at(now)
        if ballot.state not in (State.PENDING, State.APPROVED):
            return ballot, Answer(counted=Counted.CLOSED, text=ballot.told())
        if refusal := ballot.refusal(voter, choice, hindrance=hindrance, only=only):
            return ballot, Answer(counted=Counted.REFUSED, text=refusal)
        assert isinstance(voter, Voter)  # noqa: S101 - a stranger was refused above
        vote = Vote(
            principal=voter.principal, choice=choice, at=ballot.seen_at, account=account, reason=reason, only=only
        )
        if choice is Choice.DENY:
            denied = replace(ballot, votes=(*ballot.votes, vote), state=State.DENIED)
            return denied, Answer(counted=Counted.DECIDED, text="Denied. Nothing will be done.")
        return ballot.count(vote)

    def at(self, now: Instant) -> Self:
        """The ballot as it stands at a time: exactly at its expiry it is expired."""
        seen_at = max(now, self.seen_at)
        ballot = replace(self, seen_at=seen_at)
        if self.state in (State.PENDING, State.APPROVED) and seen_at >= self.terms.expires_at:
            return replace(ballot, state=State.EXPIRED, why="nobody decided in time")
        return ballot

    def cancel(self, why: str, *, now: Instant) -> Self:
        """Ends it before it runs; what runs or has ended stays as it is."""
        ballot = self.at(now)
        if State.CANCELLED not in EDGES[ballot.state]:
            return ballot
        return replace(ballot, state=State.CANCELLED, why=why)

    def begin(self, voters: Mapping[Principal, Voter | Stranger], *, hindrance: str, now: Instant) -> Self:
        """From approved to executing, after everything was looked at once more; else why not.

        Args:
            voters: everyone whose approval was counted, asked just now.
            hindrance: what else stands in the way: freeze, kill switch, policy, digest, target.
            now: the workflow's time.
        """
        ballot = self.at(now)
        if ballot.state is not State.APPROVED:
            return ballot
        if hindrance:
            return ballot.cancel(hindrance, now=now)
        for vote in ballot.votes:
            known = voters.get(vote.principal, Stranger(why="is not known any more"))
            if refusal := ballot.refusal(known, Choice.APPROVE, hindrance="", only=vote.only):
                return ballot.cancel(f"the approval of {vote.principal} counts no more: {refusal}", now=now)
        return replace(ballot, state=State.EXECUTING)

    def end(self, state: State, *, why: str = "", now: Instant) -> Self:
        """How the execution ended.

        Raises:
            ValueError: when nothing executes, or this is no end of it.
        """
        if state not in EDGES[self.state] or self.state is not State.EXECUTING:
            raise ValueError(f"a request that is {self.state} cannot become {state}")
        return replace(self.at(now), state=state, why=why)

    @property
    def approvers(self) -> tuple[Principal, ...]:
        """Whose approvals are counted, first one first."""
        return tuple(vote.principal for vote in self.votes if vote.choice is Choice.APPROVE)

    @property
    def approved_items(self) -> frozenset[int]:
        """The items that every counted approval holds."""
        everything = frozenset(range(self.items))
        for vote in self.votes:
            if vote.choice is Choice.APPROVE and vote.only is not None:
                everything &= vote.only
        return everything

    def told(self) -> str:
        """Who decided and when, or how it stands, in one sentence."""
        last = self.votes[-1] if self.votes else None
        if self.state is State.DENIED and last:
            return f"It was denied by {last.principal} at {_clock(last.at)}."
        if self.state is State.EXPIRED:
            return f"It expired at {_clock(self.terms.expires_at)}: nobody decided in time. Nothing was done."
        if self.state is State.CANCELLED:
            return f"It was cancelled: {self.why}. Nothing was done."
        if self.state is State.PENDING or last is None:
            return f"It waits for {self.terms.quorum - len(self.votes)} more approval(s)."
        approved = f"It was approved by {' and '.join(self.approvers)} at {_clock(last.at)}"
        ended = {
            State.APPROVED: "is about to run",
            State.EXECUTING: "runs now",
            State.SUCCEEDED: "was done",
            State.FAILED: "failed",
            State.UNKNOWN: "ended without anybody knowing how",
        }
        return f"{approved} and {ended[self.state]}."

    def count(self, vote: Vote) -> tuple[Self, Answer]:
        """One eligible approval, counted at most once a principal."""
        if vote.principal in self.approvers:
            return self, Answer(
                counted=Counted.DUPLICATE, text="Your approval is counted already: one person, one vote."
            )
        if self.state is State.APPROVED:
            return self, Answer(counted=Counted.CLOSED, text=self.told())
        counted = replace(self, votes=(*self.votes, vote))
        if not counted.approved_items:
            text = "No item would have every approval: others approved other items. Choose again, or deny."
            return self, Answer(counted=Counted.REFUSED, text=text)
        missing = self.terms.quorum - len(counted.votes)
        if missing > 0:
            text = f"Your approval is counted; {missing} more needed."
            return counted, Answer(counted=Counted.COUNTED, text=text)
        return replace(counted, state=State.APPROVED), Answer(counted=Counted.DECIDED, text="Approved. It runs now.")

    def refusal(self, voter: Voter | Stranger, choice: Choice, *, hindrance: str, only: frozenset[int] | None) -> str:
        """Why this voter's choice is not counted; empty when it is."""
        if isinstance(voter, Stranger):
            return voter.why
        if self.seen_at - voter.known_at > FRESH:
            return "what is known of your groups is older than a minute: click again"
        is_barred = voter.principal in self.terms.barred
        if choice is Choice.DENY and is_barred:
            # Whoever asked may take it back.
            return ""
        if not voter.groups & self.terms.groups:
            return f"only members of {' or '.join(sorted(self.terms.groups))} decide this"
        if choice is Choice.DENY:
            return ""
        if is_barred:
            return "nobody approves what they asked for themselves: another member has to"
        if only is not None and not (only and only <= frozenset(range(self.items))):
            return "these are not items of this request"
        return hindrance


def _clock(at: Instant) -> str:
    return f"{str(at.round('second'))[:16].replace('T', ' ')} UTC"
