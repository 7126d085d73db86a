"""From a conclusion to a request: policy first, then the ledger, then the workflow. Runs where the gateway runs."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from temporalio import activity
from whenever import Instant, TimeDelta

from agents.case import SessionId
from approvals.action import kinds
from approvals.audit import Draft, Kind
from approvals.ballot import Principal, State, Stranger
from approvals.policy import Facts, Refused, Reviewed, review
from approvals.policy import Freeze as Frozen
from approvals.policy_file import PolicyFile
from approvals.request import ID_BYTES, ApprovalRequest, Proposal
from bot.proposals import credentials, proposals, way_back
from bot.requests import draft_body, proposal_of
from bot.stores.ledger.ledger import Ledger
from bot.stores.ledger.rows import PROPOSED, Freeze, RequestRow
from bot.stores.sessions import Sessions
from bot.workflows.approval_messages import Begin
from bot.workflows.approving import Approvals
from bot.workflows.messages import Wants, Work
from bot.workflows.ports import Directory
from bot.workflows.who import account_of, identified
from bot.workflows.working import durable

HOUR = TimeDelta(hours=1)
"""Over which the policy counts requests."""
DECIDED = (State.DENIED, State.SUCCEEDED, State.UNKNOWN)
OPEN = (PROPOSED, State.PENDING, State.APPROVED, State.EXECUTING)

_log = structlog.get_logger("locum.proposing")


class Proposing:
    """Bound to the stores and ports of one process."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        sessions: Sessions,
        policies: PolicyFile,
        directory: Directory,
        approvals: Approvals,
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._policies = policies
        self._directory = directory
        self._approvals = approvals

    def all(self) -> Sequence[Callable[..., Any]]:
        """What a worker of the proposals' queue offers."""
        return [self.propose, self.ask_credentials, self.withdraw, self.release]

    @activity.defn(name="propose")
    @durable
    async def propose(self, about: Work) -> None:
        """Asks for what the session's conclusion proposes."""
        session_id = SessionId(about.session_id)
        diagnosis = await self._sessions.diagnosis(session_id)
        if diagnosis is None:
            return
        for proposal in proposals(diagnosis, prompted_by=await self._prompter(session_id)):
            await self.open(proposal, about.incident_id, session_id)

    @activity.defn(name="ask_credentials")
    @durable
    async def ask_credentials(self, wants: Wants) -> str:
        """Asks to read with credentials; the request's id, or nothing when policy refuses."""
        prompted_by = await self._prompter(SessionId(wants.session_id))
        purposes = dict(wants.purposes)
        proposal = credentials(wants.session_id, purposes, minutes=wants.minutes, prompted_by=prompted_by)
        return await self.open(proposal, wants.incident_id, wants.session_id)

    @activity.defn(name="withdraw")
    @durable
    async def withdraw(self, about: Work) -> None:
        """Cancels what waits and rests on the incident's alerts: they are over."""
        for row in await self._ledger.requests(states=OPEN, incident_id=about.incident_id):
            if proposal_of(row.state, row.body).rests_on_alert:
                await self._approvals.cancel(row.id, about.reason)

    @activity.defn(name="release")
    @durable
    async def release(self, request_id: str) -> None:
        """The session that used the grant is over."""
        await self._approvals.release(request_id)

    async def reviewed(self, proposal: Proposal, row: RequestRow) -> tuple[Refused | Reviewed, Instant]:
        """What policy says now, and when now is."""
        policy = await self._policies.current()
        facts = await self._facts(proposal, row)
        return review(proposal, facts, policy), facts.now

    async def way_back(self, request: ApprovalRequest, row: RequestRow) -> None:
        """Asks whether an executed request shall be taken back, where it can be."""
        if proposal := way_back(request):
            await self.open(proposal, row.incident_id, row.session_id)

    async def open(self, proposal: Proposal, incident_id: str, session_id: str) -> str:
        now = Instant.now()
        row = RequestRow(
            # Hex, for whatever looks like a token is redacted where it is shown.
            id=secrets.token_hex(ID_BYTES),
            merge_key=proposal.merge_key(incident_id),
            incident_id=incident_id,
            session_id=session_id,
            requester=proposal.prompted_by or incident_id,
            state=PROPOSED,
            body=draft_body(proposal),
            digest="",
            created_at=now,
            updated_at=now,
        )
        found = await self._decided_before(row) or (await self.reviewed(proposal, row))[0]
        actions = [each.to_json() for each in proposal.actions]
        if isinstance(found, Refused):
            facts = {"why": found.reason, "hint": found.hint, "actions": actions, "session_id": session_id}
            await self._ledger.append(Draft(kind=Kind.REFUSED, at=now, actor="policy", facts=facts))
            _log.info("a proposal was refused", reason=found.reason, incident_id=incident_id)
            return ""
        facts = {"actions": actions, "proposed_by": proposal.proposed_by, "session_id": session_id}
        draft = Draft(kind=Kind.PROPOSED, at=now, request_id=row.id, actor=proposal.proposed_by, facts=facts)
        opened, _ = await self._ledger.open_request(row, draft)
        # Also for one that was opened before: whoever opened it may have been killed between these two lines.
        has_runner = any(kinds()[each.name].runner for each in proposal.actions)
        await self._approvals.start(Begin(request_id=opened.id, incident_id=incident_id, has_runner=has_runner))
        return opened.id

    async def _decided_before(self, row: RequestRow) -> Refused | None:
        """Why the same is not asked again so soon: a follow-up question must not undo a person's no."""
        for each in await self._ledger.requests(states=DECIDED, incident_id=row.incident_id):
            if each.merge_key == row.merge_key and row.created_at - each.updated_at < HOUR:
                return Refused(reason=f"the same was asked for here and is {each.state}", hint="ask again in an hour")
        return None

    async def _facts(self, proposal: Proposal, row: RequestRow) -> Facts:
        now = Instant.now()
        waiting = await self._ledger.requests(states=OPEN, incident_id=row.incident_id)
        others = [each for each in waiting if each.merge_key != row.merge_key]
        in_thread = await self._ledger.count_requests(now - HOUR, incident_id=row.incident_id)
        by_requester = await self._ledger.count_requests(now - HOUR, requester=row.requester)
        return Facts(
            now=now,
            open_in_thread=len(others),
            requests_last_hour=max(in_thread, by_requester),
            freezes=frozen(await self._ledger.freezes(now)),
            prompter=await self._identified(proposal.prompted_by),
        )

    async def _identified(self, account: str) -> Principal | Stranger | None:
        if not account:
            return None
        found = await identified(account, await self._policies.current(), self._directory)
        return found if isinstance(found, Stranger) else found.principal

    async def _prompter(self, session_id: SessionId) -> str:
        session = await self._sessions.get(session_id)
        return account_of(session.question) if session and session.question else ""


def frozen(rows: Sequence[Freeze]) -> tuple[Frozen, ...]:
    """The ledger's freezes as the policy takes them."""
    return tuple(Frozen(scope=each.scope, reason=each.reason, by=each.by, until=each.until) for each in rows)
