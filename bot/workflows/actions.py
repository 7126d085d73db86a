"""The runner's work: prepares actions without effect, carries out what was approved, once. No model, no Slack.

The intent row comes first: a crash may lose a run, never repeat one. A credential is fetched after that, for one
action, and given back before its outcome is told.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from stamina import retry_context
from temporalio import activity
from temporalio.exceptions import ApplicationError
from whenever import Instant

from approvals.action import Action, kinds
from approvals.audit import Draft, Kind
from approvals.ballot import State
from approvals.credentials.broker import Broker
from approvals.credentials.errors import CredentialsError
from approvals.credentials.reference import BadReference, Reference
from approvals.plan import (
    Borrower,
    NotPossible,
    NotReached,
    Outcome,
    Plan,
    Receipt,
    Runner,
    RunnerError,
    Unclear,
)
from approvals.policy import hindrance
from approvals.policy_file import PolicyFile
from approvals.policy_schema import Unusable
from approvals.request import ApprovalRequest
from bot.requests import draft_body, read_draft, read_request, receipts_fact
from bot.stores.ledger.errors import Conflict, LedgerError
from bot.stores.ledger.ledger import Ledger
from bot.stores.ledger.rows import PROPOSED
from bot.workflows.approval_messages import Ran, Run
from bot.workflows.proposing import frozen
from bot.workflows.working import durable
from tools.redaction import Redacted, redact

SETTLE_WITHIN_S = 20.0
TOLD = 300
"""Characters of an answer that go into the workflow's history; the ledger has all of it."""
NOT_STARTED = "NotStarted"
"""The kind of the error when nothing was begun, for the workflow to tell from the rest."""

_log = structlog.get_logger("locum.runner")


class Actions:
    """Bound to the ledger and the runners of one process."""

    def __init__(
        self, *, ledger: Ledger, policies: PolicyFile, runners: Sequence[Runner], broker: Broker | None = None
    ) -> None:
        """Without a broker no action is carried out for which the policy names a credential."""
        self._ledger = ledger
        self._policies = policies
        self._broker = broker
        self._runners: Mapping[str, Runner] = {each.name: each for each in runners}
        self._owner = f"{socket.gethostname()}:{os.getpid()}"

    def all(self) -> Sequence[Callable[..., Any]]:
        """What a worker of the actions' queue offers."""
        return [self.prepare, self.execute]

    @activity.defn(name="prepare")
    @durable
    async def prepare(self, request_id: str) -> None:
        """Looks at the targets and tries the actions without effect; what it saw goes into the request."""
        row = await self._ledger.request(request_id)
        if row is None or row.state != PROPOSED:
            return
        proposal, _ = read_draft(row.body)
        plans: list[Plan] = []
        try:
            for action in proposal.actions:
                plans.append(await self._planned(action))
        except NotPossible as error:
            # The words are the runner's own and redacted; asking again would get the same answer.
            raise ApplicationError(redact(str(error))[:500], type="NotPossible", non_retryable=True) from None
        except RunnerError as error:
            raise ApplicationError(redact(str(error))[:500], type=type(error).__name__) from None
        body = draft_body(proposal, plans)
        await self._ledger.save_request(request_id, expected_state=PROPOSED, state=PROPOSED, body=body)

    @activity.defn(name="execute")
    @durable
    async def execute(self, run: Run) -> Ran:
        """Carries an approved request out, item by item until one fails; at most once, ever."""
        request = await self._claimed(run)
        if isinstance(request, Ran):
            return request
        receipts: list[Receipt] = []
        for index in run.items:
            receipts.append(await self._done(request, index, is_first=not receipts))
            if receipts[-1].outcome is not Outcome.SUCCEEDED:
                break
        outcome = receipts[-1].outcome
        facts = {"items": receipts_fact(receipts), "outcome": outcome, "tried": list(run.items[: len(receipts)])}
        draft = Draft(kind=Kind.FINISHED, at=Instant.now(), request_id=request.id, actor="runner", facts=facts)
        await self._settled(request.id, outcome, draft)
        why = receipts[-1].detail.partition("\n")[0][:TOLD] if outcome is not Outcome.SUCCEEDED else ""
        return Ran(outcome=outcome, why=why)

    async def _planned(self, action: Action) -> Plan:
        runner = self._runner(kinds()[action.name].runner)
        policy = await self._policies.current()
        rule = None if isinstance(policy, Unusable) else policy.actions.get(action.name)
        if rule is None or not rule.credential:
            return await runner.plan(action)
        # Nothing is lent before people have approved: what only that credential may try is not tried now.
        _, borrower, _ = self._lendable(rule.credential, runner)
        return await borrower.sketch(action)

    async def _settled(self, request_id: str, outcome: Outcome, draft: Draft) -> None:
        """Writes the result; a ledger that is away is waited for, since what was done cannot be done again."""
        async for attempt in retry_context(on=LedgerError, timeout=SETTLE_WITHIN_S, attempts=None):
            with attempt:
                await self._ledger.settle(request_id, outcome, draft)

    async def _claimed(self, run: Run) -> ApprovalRequest | Ran:
        """The request, if this is the first to execute it and it is what was approved."""
        try:
            row = await self._ledger.request(run.request_id)
            if row is None:
                return Ran(outcome=State.FAILED, why="the ledger does not know it; nothing was done")
            request = read_request(row.body)
            if not row.digest == request.digest == run.digest:
                return Ran(outcome=State.FAILED, why="what is stored is not what was approved; nothing was done")
            facts = {"digest": run.digest, "items": list(run.items), "runner": self._owner}
            draft = Draft(kind=Kind.STARTED, at=Instant.now(), request_id=run.request_id, actor="runner", facts=facts)
            is_first = await self._ledger.claim(run.request_id, run.digest, self._owner, draft)
        except (LedgerError, Conflict) as error:
            _log.warning("an execution was not begun", request_id=run.request_id, reason=str(error))
            raise ApplicationError("it was not begun", type=NOT_STARTED, non_retryable=True) from None
        if not is_first:
            intent = await self._ledger.intent(run.request_id)
            ended = intent.outcome if intent else None
            return Ran(outcome=ended or State.UNKNOWN, why="it was begun once before, and is not begun again")
        return request

    async def _done(self, request: ApprovalRequest, index: int, *, is_first: bool) -> Receipt:
        plan = request.items[index]

        async def is_wanted() -> bool:
            now = Instant.now()
            # What began in time may go on: half a batch is worse than a late one.
            if is_first and now >= request.terms.expires_at:
                return False
            policy = await self._policies.current()
            return not hindrance(request, policy, frozen(await self._ledger.freezes(now)), now)

        try:
            return await self._carried_out(request, index, is_wanted)
        except Unclear as error:
            return Receipt(outcome=Outcome.UNKNOWN, detail=redact(str(error)[:1_000]))
        except RunnerError as error:
            return Receipt(outcome=Outcome.FAILED, detail=redact(str(error)[:1_000]))
        except Exception:  # noqa: BLE001 - the outer edge of every runner: nobody knows how far a broken one came
            _log.exception("a runner failed", request_id=request.id, action=plan.action.name)
            return Receipt(outcome=Outcome.UNKNOWN, detail=Redacted("the runner itself failed in the middle"))

    async def _carried_out(
        self, request: ApprovalRequest, index: int, is_wanted: Callable[[], Awaitable[bool]]
    ) -> Receipt:
        """By the runner's own rights, or by those of the credential that the request names."""
        plan, key = request.items[index], request.key(index)
        runner = self._runner(kinds()[plan.action.name].runner)
        if not request.credential:
            return await runner.execute(plan.action, fingerprint=plan.fingerprint, key=key, is_wanted=is_wanted)
        broker, borrower, reference = self._lendable(request.credential, runner)
        purpose, receipt, is_lent = f"{plan.action.name} {plan.action.target}", None, False
        try:
            async with broker.lend(
                [reference], purpose=purpose, request_id=request.id, ttl_s=request.timeout_s
            ) as lent, borrower.borrowing(lent[reference].reveal) as acting:  # fmt: skip
                is_lent = True
                receipt = await acting.execute(
                    plan.action, fingerprint=plan.fingerprint, key=key, is_wanted=is_wanted
                )  # fmt: skip
        except CredentialsError as error:
            if receipt is not None:
                # What was done is done, however the credential ended.
                return receipt
            said = redact(str(error))
            if is_lent:
                raise Unclear(f"It was begun, and its credential ended before it did: {said}") from None
            raise NotReached(f"Its credential could not be had: {said}. Nothing was done.") from None
        return receipt

    def _lendable(self, credential: str, runner: Runner) -> tuple[Broker, Borrower, Reference]:
        """Who lends, to whom, and what.

        Raises:
            NotPossible: when one of them is missing; nothing is done with the runner's own rights instead.
        """
        try:
            reference = Reference.parse(credential)
        except BadReference as error:
            raise NotPossible(f"the policy's credential cannot be used: {error}") from None
        if self._broker is None or not isinstance(runner, Borrower):
            raise NotPossible(f"the policy wants it done with {reference}, and nothing can be lent for it here")
        return self._broker, runner, reference

    def _runner(self, name: str) -> Runner:
        if name not in self._runners:
            raise NotPossible(f"no runner for {name!r} is set up here")
        return self._runners[name]
