"""One request for approval, deterministic: shown, voted on, looked at once more, carried out at most once, verified.

The history is single-threaded, and is the compare-and-swap: whatever comes first in it wins. Decisions are the pure
functions of `approvals.ballot`; ids and votes pass through here, what is to be done stays in the ledger.
"""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from whenever import Instant

    from approvals.audit import Kind
    from approvals.ballot import Answer, Ballot, Choice, Counted, State
    from bot.workflows.approval_messages import (
        ACTIONS_QUEUE,
        Begin,
        Cast,
        Known,
        Note,
        Ran,
        Recheck,
        Rechecked,
        Reply,
        Run,
        Sealed,
        Seen,
        Told,
        Who,
    )
    from bot.workflows.approval_words import ballot_of, ended, voter_of, voters_of, why

UNKNOWN_WHO = "Who you are could not be checked just now. Nothing was counted: click again."
WENT_ON = "the investigation went on without it"
LONGEST_REASON = 1_000

_RETRY = RetryPolicy(initial_interval=timedelta(seconds=0.5), maximum_interval=timedelta(seconds=15))
_ONCE = RetryPolicy(maximum_attempts=1)
_BEAT = timedelta(seconds=10)
_DAY = timedelta(hours=24)
_TO_START = timedelta(seconds=60)
_ASK_WHO = timedelta(seconds=15)
_VERIFY = timedelta(minutes=10)

_KINDS = {
    State.APPROVED: Kind.DECIDED,
    State.DENIED: Kind.DECIDED,
    State.EXPIRED: Kind.EXPIRED,
    State.CANCELLED: Kind.CANCELLED,
    State.EXECUTING: Kind.STARTED,
    State.SUCCEEDED: Kind.FINISHED,
    State.FAILED: Kind.FINISHED,
    State.UNKNOWN: Kind.FINISHED,
}


@workflow.defn(name="Approval")
class ApprovalWorkflow:
    """One request; the workflow's id is `approval-<request id>`."""

    @workflow.init
    def __init__(self, begin: Begin) -> None:
        self._id = begin.request_id
        self._incident_id = begin.incident_id
        self._has_runner = begin.has_runner
        self._sealed = Sealed()
        self._ballot: Ballot | None = None
        self._cancelled = ""
        self._released = False
        self._notes: list[Note] = []
        self._redraw = False

    @workflow.update
    async def vote(self, cast: Cast) -> Reply:
        """Count one click, or say why not.

        A refusal is an answer and not an exception, so that it stays in the history.
        """
        try:
            known = await self._identify(cast)
        except ActivityError:
            return Reply(counted=Counted.REFUSED, text=UNKNOWN_WHO)
        if self._ballot is None:
            return Reply(counted=Counted.REFUSED, text="It is not ready to be decided yet. Nothing was counted.")
        # After the await, on purpose: while we asked who this is, another vote, the deadline or a freeze may have
        # closed the ballot that we would have counted on.
        ballot, answer = self._ballot.cast(
            voter_of(known),
            Choice(cast.choice),
            account=cast.account,
            now=_now(),
            hindrance=known.hindrance,
            reason=cast.reason,
            only=None if cast.only is None else frozenset(cast.only),
        )
        self._note_click(cast, known, answer)
        self._turn(ballot, actor=known.principal or cast.account)
        return Reply(counted=answer.counted, text=answer.text)

    @vote.validator
    def _well_formed(self, cast: Cast) -> None:
        # Drops what no honest client sends; whatever can be answered to a person is answered in the handler.
        if cast.choice not in set(Choice) or len(cast.key) > 128 or len(cast.reason) > LONGEST_REASON:
            raise ValueError("not a vote")

    @workflow.signal
    def cancel(self, why: str) -> None:
        """It is wanted no more: the alert resolved, the target changed, another request stands for it."""
        self._cancelled = self._cancelled or why
        if self._ballot is not None:
            self._turn(self._ballot.cancel(why, now=_now()), actor="locum")

    @workflow.signal
    def release(self) -> None:
        """Whoever wanted the grant is done with it, or went on without."""
        self._released = True
        self.cancel(WENT_ON)

    @workflow.signal
    def redraw(self) -> None:
        """The cards may not show what is so: after an outage, or when a freeze begins or ends."""
        self._redraw = True

    @workflow.run
    async def run(self, begin: Begin) -> None:
        """From the dry run to the way back."""
        del begin
        helpers = [asyncio.create_task(self._keep_book()), asyncio.create_task(self._keep_drawn())]
        if await self._sealed_and_shown():
            await self._decided()
            await self._carried_out()
        await self._written()
        await self._shown()
        await self._try("outcome", self._id)
        await self._try("tell_incident", self._told())
        await self._followed_up()
        # Both at once: while the last entry is written, one more click may come. Not in a `finally`: an instance that
        # its worker drops is closed outside of its loop, where nothing can be waited for.
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() and not self._notes)
        for helper in helpers:
            helper.cancel()

    async def _sealed_and_shown(self) -> bool:
        """Whether people are asked."""
        if self._has_runner:
            try:
                await workflow.execute_activity(
                    "prepare", self._id, task_queue=ACTIONS_QUEUE, retry_policy=_RETRY, heartbeat_timeout=_BEAT,
                    start_to_close_timeout=timedelta(minutes=1), schedule_to_close_timeout=timedelta(minutes=3),
                )  # fmt: skip
            except ActivityError as error:
                self._note(Kind.CANCELLED, state=State.CANCELLED, why=f"it could not be prepared: {why(error)}")
                return False
        self._sealed = await self._give("seal", self._id, Sealed)
        if self._sealed.refused:
            return False
        self._ballot = ballot_of(self._sealed)
        if self._cancelled:
            self._turn(self._ballot.cancel(self._cancelled, now=_now()), actor="locum")
        self._redraw = True
        return True

    async def _decided(self) -> None:
        """Waits until the votes, the clock or a signal decided."""
        while self._state is State.PENDING:
            left = (self._open.terms.expires_at - _now()).total("seconds")
            try:
                await workflow.wait_condition(
                    lambda: self._state is not State.PENDING, timeout=timedelta(seconds=max(left, 0.001))
                )
            except TimeoutError:
                self._turn(self._open.at(_now()), actor="locum")

    async def _carried_out(self) -> None:
        # What was decided stands in the audit before anything follows from it.
        await self._written()
        if not self._is(State.APPROVED):
            return
        rechecked = await self._recheck()
        voters = voters_of(self._open, rechecked)
        self._turn(self._open.begin(voters, hindrance=rechecked.hindrance, now=_now()), actor="locum")
        await self._written()
        if not self._is(State.EXECUTING):
            return
        ran = await self._run() if self._has_runner else await self._lent()
        self._turn(self._open.end(State(ran.outcome), why=ran.why, now=_now()), actor="runner")

    async def _recheck(self) -> Rechecked:
        ballot = self._open
        voters = tuple(
            Who(request_id=self._id, account=vote.account, via=self._via(vote.account)) for vote in ballot.votes
        )
        question = Recheck(request_id=self._id, digest=self._sealed.digest, voters=voters)
        left = (ballot.terms.expires_at - _now()).total("seconds")
        try:
            return await workflow.execute_activity(
                "recheck", question, result_type=Rechecked, retry_policy=_RETRY, heartbeat_timeout=_BEAT,
                start_to_close_timeout=_ASK_WHO, schedule_to_close_timeout=timedelta(seconds=max(left, 1)),
            )  # fmt: skip
        except ActivityError:
            return Rechecked(hindrance="it could not be checked once more before it was to run")

    async def _run(self) -> Ran:
        try:
            return await workflow.execute_activity(
                "execute",
                Run(request_id=self._id, digest=self._sealed.digest, items=tuple(sorted(self._open.approved_items))),
                result_type=Ran,
                task_queue=ACTIONS_QUEUE,
                # Not again, whatever happens: who cannot know whether it was done asks a person.
                retry_policy=_ONCE,
                schedule_to_start_timeout=_TO_START,
                start_to_close_timeout=timedelta(seconds=self._sealed.timeout_s),
                heartbeat_timeout=_BEAT,
            )
        except ActivityError as error:
            return ended(error)

    async def _lent(self) -> Ran:
        """A grant lasts until it is released or its time is up."""
        await self._try("tell_incident", self._told())
        try:
            lasts = timedelta(seconds=self._sealed.timeout_s)
            await workflow.wait_condition(lambda: self._released, timeout=lasts)
        except TimeoutError:
            return Ran(outcome=State.SUCCEEDED, why="its time was up")
        return Ran(outcome=State.SUCCEEDED, why="the investigation ended")

    async def _followed_up(self) -> None:
        """Looks whether it helped, says so, and offers the way back."""
        if not (self._has_runner and self._state in (State.SUCCEEDED, State.UNKNOWN)):
            return
        try:
            seen = await workflow.execute_activity(
                "verify", self._id, result_type=Seen, retry_policy=_RETRY, heartbeat_timeout=_BEAT,
                start_to_close_timeout=_VERIFY, schedule_to_close_timeout=_VERIFY * 2,
            )  # fmt: skip
        except ActivityError:
            seen = Seen(helped=None, said="It could not be looked at again.")
        self._note(Kind.VERIFIED, why=seen.said, helped=seen.helped)
        await self._written()
        await self._try("tell_verified", self._id)
        await self._try("offer_way_back", self._id)

    async def _identify(self, cast: Cast) -> Known:
        return await workflow.execute_activity(
            "identify", Who(request_id=self._id, account=cast.account, via=cast.via), result_type=Known,
            retry_policy=_RETRY, start_to_close_timeout=timedelta(seconds=5), schedule_to_close_timeout=_ASK_WHO,
        )  # fmt: skip

    def _via(self, account: str) -> str:
        return "api" if account.startswith("api:") else "slack"

    @property
    def _open(self) -> Ballot:
        assert self._ballot is not None  # noqa: S101 - it was sealed before
        return self._ballot

    @property
    def _state(self) -> State:
        return State.CANCELLED if self._ballot is None else self._ballot.state

    def _is(self, state: State) -> bool:
        return self._state is state

    def _turn(self, ballot: Ballot, *, actor: str) -> None:
        """The next ballot; a new state is noted and drawn."""
        before, self._ballot = self._state, ballot
        if ballot.state is not before:
            self._note(_KINDS[ballot.state], state=ballot.state, why=ballot.why, actor=actor)

    def _note_click(self, cast: Cast, known: Known, answer: Answer) -> None:
        is_counted = answer.counted in (Counted.COUNTED, Counted.DECIDED)
        self._notes.append(
            Note(
                request_id=self._id,
                kind=Kind.VOTE_COUNTED if is_counted else Kind.CLICK_REFUSED,
                at=str(_now()),
                actor=cast.account,
                click=cast,
                reply=Reply(counted=answer.counted, text=answer.text),
                principal=known.principal,
            )
        )

    def _note(
        self, kind: Kind, *, state: str = "", why: str = "", actor: str = "locum", helped: bool | None = None
    ) -> None:
        self._notes.append(
            Note(request_id=self._id, kind=kind, at=str(_now()), actor=actor, state=state, why=why, helped=helped)
        )

    async def _keep_book(self) -> None:
        """Writes the audit in order; whatever waits for it waits as long as the ledger is away."""
        while True:
            await workflow.wait_condition(lambda: bool(self._notes))
            await self._do("note", self._notes[0])
            self._notes.pop(0)
            self._redraw = True

    async def _keep_drawn(self) -> None:
        while True:
            await workflow.wait_condition(lambda: self._redraw and not self._notes)
            await self._shown()

    async def _shown(self) -> None:
        self._redraw = False
        await self._try("draw", self._id)

    async def _written(self) -> None:
        await workflow.wait_condition(lambda: not self._notes)

    def _told(self) -> Told:
        return Told(request_id=self._id, incident_id=self._incident_id, state=self._state)

    async def _do(self, name: str, about: Any, *, within: timedelta | None = None) -> None:
        await workflow.execute_activity(
            name, about, retry_policy=_RETRY, heartbeat_timeout=_BEAT,
            start_to_close_timeout=timedelta(minutes=2), schedule_to_close_timeout=within,
        )  # fmt: skip

    async def _try(self, name: str, about: Any) -> None:
        """What is for people and decides nothing: tried for a day, then left."""
        try:
            await self._do(name, about, within=_DAY)
        except ActivityError:
            workflow.logger.warning("could not be told", extra={"activity": name})

    async def _give(self, name: str, about: Any, kind: type[Sealed]) -> Sealed:
        return await workflow.execute_activity(
            name, about, result_type=kind, retry_policy=_RETRY, heartbeat_timeout=_BEAT,
            start_to_close_timeout=timedelta(minutes=2), schedule_to_close_timeout=_DAY,
        )  # fmt: skip


def _now() -> Instant:
    return Instant.from_timestamp(workflow.time())
