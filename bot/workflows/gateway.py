"""The work of approval workflows: policy, people, cards, the audit. Runs where the gateway runs; no target credentials.

Everything here may run twice. The ledger's own checks (one request an action, one way between states, one vote a
click) make the second run change nothing.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog
from temporalio import activity
from whenever import Instant

from approvals.action import Action
from approvals.actions.use_credentials import use_credentials
from approvals.audit import Draft, Kind
from approvals.ballot import State, Stranger
from approvals.plan import Plan
from approvals.policy import Refused, hindrance
from approvals.policy_file import PolicyFile
from approvals.request import ApprovalRequest, RequestId
from bot.gate import View
from bot.incident import IncidentId, Place
from bot.requests import proposal_of, read_draft, read_request, request_body, view
from bot.stores.incidents import Incidents
from bot.stores.ledger.errors import Conflict
from bot.stores.ledger.ledger import Ledger
from bot.stores.ledger.rows import PROPOSED, REFUSED, RequestRow
from bot.telemetry import metrics
from bot.workflows.approval_messages import Known, LookAgain, Note, Recheck, Rechecked, Sealed, Seen, Told, Who
from bot.workflows.ports import Cards, Directory
from bot.workflows.proposing import Proposing, frozen
from bot.workflows.service import Workflows
from bot.workflows.who import identified
from bot.workflows.working import durable
from tools.redaction import redact

LONGEST_HISTORY = 1_000
"""Audit entries of one request that its view is made of."""

_log = structlog.get_logger("locum.gateway")


class Requests:
    """Requests as people see them, from the ledger."""

    def __init__(self, ledger: Ledger, incidents: Incidents, policies: PolicyFile) -> None:
        self._ledger = ledger
        self._incidents = incidents
        self._policies = policies

    async def view(self, request_id: str) -> View | None:
        """How a request stands; `None` when nobody was ever asked."""
        row = await self._ledger.request(request_id)
        return None if row is None else await self.of(row)

    async def of(self, row: RequestRow) -> View | None:
        """How the request of a row stands; `None` when nobody was ever asked."""
        if row.state in (PROPOSED, REFUSED) or not row.digest:
            return None
        request = read_request(row.body)
        entries = await self._ledger.entries(request_id=row.id, limit=LONGEST_HISTORY)
        incident = await self._incidents.get(IncidentId(row.incident_id))
        frozen = await self.hindrance(request)
        return view(
            request, State(row.state), entries, place=incident.place if incident else Place(channel=""), frozen=frozen
        )

    async def hindrance(self, request: ApprovalRequest) -> str:
        """Why nothing may be approved or run at present; empty when nothing stands in the way."""
        policy = await self._policies.current()
        now = Instant.now()
        return hindrance(request, policy, frozen(await self._ledger.freezes(now)), now)


class Gateway:
    """Bound to the ledger and the ports of one process."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        requests: Requests,
        policies: PolicyFile,
        directory: Directory,
        cards: Cards,
        workflows: Workflows,
        proposing: Proposing,
    ) -> None:
        self._ledger = ledger
        self._requests = requests
        self._policies = policies
        self._directory = directory
        self._cards = cards
        self._workflows = workflows
        self._proposing = proposing

    def all(self) -> Sequence[Callable[..., Any]]:
        """What a worker of the gateway's queue offers."""
        return [
            self.seal, self.identify, self.recheck, self.note, self.draw, self.outcome, self.tell_incident,
            self.verify, self.tell_verified, self.offer_way_back,
        ]  # fmt: skip

    @activity.defn(name="seal")
    @durable
    async def seal(self, request_id: str) -> Sealed:
        """Makes the request that people are asked: under the policy's terms, with its digest, audited, then visible."""
        row = await self._known(request_id)
        if row.state == REFUSED:
            return Sealed(refused="policy")
        if row.state != PROPOSED:
            return _sealed(read_request(row.body))
        proposal, plans = read_draft(row.body)
        reviewed, now = await self._proposing.reviewed(proposal, row)
        if isinstance(reviewed, Refused):
            draft = _draft(Kind.REFUSED, row.id, state=REFUSED, why=reviewed.reason)
            await self._ledger.save_request(row.id, draft, expected_state=PROPOSED, state=REFUSED)
            return Sealed(refused=reviewed.reason)
        request = ApprovalRequest(
            id=RequestId(row.id),
            incident_id=row.incident_id,
            session_id=row.session_id,
            environment=reviewed.environment,
            proposal=proposal,
            items=plans if plans is not None else tuple(_granted(action) for action in proposal.actions),
            terms=reviewed.terms,
            credential=reviewed.credential,
            timeout_s=reviewed.timeout_s,
            created_at=now,
        )
        draft = _draft(
            Kind.REQUESTED, row.id, state=State.PENDING, digest=request.digest, environment=request.environment,
            policy=request.terms.policy_version, risk=request.terms.risk, quorum=request.terms.quorum,
            actions=[item.action.to_json() for item in request.items], expires_at=str(request.terms.expires_at),
            proposed_by=proposal.proposed_by, prompted_by=proposal.prompted_by, session_id=row.session_id,
        )  # fmt: skip
        await self._ledger.save_request(
            row.id, draft, expected_state=PROPOSED, state=State.PENDING, body=request_body(request),
            digest=request.digest,
        )  # fmt: skip
        return _sealed(request)

    @activity.defn(name="identify")
    @durable
    async def identify(self, who: Who) -> Known:
        """Who an account is right now, and whether anything may be approved at present."""
        row = await self._known(who.request_id)
        known = await self._identified(who.account)
        return replace(known, hindrance=await self._requests.hindrance(read_request(row.body)))

    @activity.defn(name="recheck")
    @durable
    async def recheck(self, asked: Recheck) -> Rechecked:
        """Everything once more, right before it runs: each voter, the digest, the policy, freezes, the kill switch."""
        row = await self._known(asked.request_id)
        request = read_request(row.body)
        voters = tuple([await self._identified(each.account) for each in asked.voters])
        if not row.digest == request.digest == asked.digest:
            return Rechecked(hindrance="what is stored is not what was approved", voters=voters)
        return Rechecked(hindrance=await self._requests.hindrance(request), voters=voters)

    @activity.defn(name="note")
    @durable
    async def note(self, note: Note) -> None:
        """Writes what happened; the state follows in the same step."""
        if note.click is not None:
            await self._note_click(note)
            return
        draft = _draft(
            Kind(note.kind), note.request_id, actor=note.actor, at=Instant.parse_iso(note.at), state=note.state,
            why=note.why, helped=note.helped,
        )  # fmt: skip
        if not note.state:
            await self._ledger.append(draft)
            return
        row = await self._known(note.request_id)
        if row.state == note.state:
            # It was written before the answer was lost.
            return
        await self._ledger.save_request(note.request_id, draft, expected_state=row.state, state=note.state)
        for action in proposal_of(row.state, row.body).actions:
            metrics.APPROVALS.labels(action=action.name, state=note.state).inc()

    @activity.defn(name="draw")
    @durable
    async def draw(self, request_id: str) -> None:
        """The card as the request stands now."""
        if shown := await self._requests.view(request_id):
            await self._cards.draw(shown)

    @activity.defn(name="outcome")
    @durable
    async def outcome(self, request_id: str) -> None:
        """One line in the thread: how it ended."""
        if shown := await self._requests.view(request_id):
            await self._cards.outcome(shown)

    @activity.defn(name="tell_verified")
    @durable
    async def tell_verified(self, request_id: str) -> None:
        """One message in the thread: whether it helped."""
        if shown := await self._requests.view(request_id):
            await self._cards.verified(shown)

    @activity.defn(name="tell_incident")
    @durable
    async def tell_incident(self, told: Told) -> None:
        """The incident's workflow may wait for it."""
        await self._workflows.decided(IncidentId(told.incident_id), told.request_id, told.state)

    @activity.defn(name="verify")
    @durable
    async def verify(self, request_id: str) -> Seen:
        """Lets the investigators look for the findings that led to it once more."""
        row = await self._known(request_id)
        shown = await self._requests.of(row)
        watched = shown.request.proposal.watched if shown else ()
        if not shown or not watched:
            return Seen(helped=None, said="Nothing was named that could be looked at again.")
        question = LookAgain(
            request_id=request_id,
            session_id=row.session_id,
            since=str(shown.began_at or row.created_at),
            watched=tuple((each.cause, str(each.entity)) for each in watched),
        )
        return await self._workflows.look_again(question)

    @activity.defn(name="offer_way_back")
    @durable
    async def offer_way_back(self, request_id: str) -> None:
        """Asks whether it shall be taken back, where that is possible."""
        row = await self._known(request_id)
        await self._proposing.way_back(read_request(row.body), row)

    async def _note_click(self, note: Note) -> None:
        assert note.click is not None  # noqa: S101 - asked for by the caller
        assert note.reply is not None  # noqa: S101 - as above
        click, reply = note.click, note.reply
        draft = _draft(
            Kind(note.kind), note.request_id, actor=click.account, at=Instant.parse_iso(note.at), via=click.via,
            principal=note.principal, choice=click.choice, reason=click.reason, answer=reply.counted, text=reply.text,
            key=click.key, only=None if click.only is None else list(click.only),
        )  # fmt: skip
        # The key makes it one entry, however often this runs.
        with contextlib.suppress(Conflict):
            await self._ledger.vote(note.request_id, click.key, note.principal, click.choice, b"{}", draft)

    async def _identified(self, account: str) -> Known:
        found = await identified(account, await self._policies.current(), self._directory)
        if isinstance(found, Stranger):
            return Known(stranger=found.why)
        return Known(principal=found.principal, groups=tuple(sorted(found.groups)), known_at=str(found.known_at))

    async def _known(self, request_id: str) -> RequestRow:
        row = await self._ledger.request(request_id)
        if row is None:
            raise LostRequest(request_id)
        return row


class LostRequest(Exception):
    """The ledger does not know the request: nothing can be decided or done."""


def _sealed(request: ApprovalRequest) -> Sealed:
    terms = request.terms
    return Sealed(
        digest=request.digest,
        quorum=terms.quorum,
        groups=tuple(sorted(terms.groups)),
        barred=tuple(sorted(terms.barred)),
        risk=terms.risk,
        policy_version=terms.policy_version,
        expires_at=str(terms.expires_at),
        items=len(request.items),
        timeout_s=sum(_lasts_s(request, item.action) for item in request.items),
    )


def _lasts_s(request: ApprovalRequest, action: Action) -> int:
    """How long one item may take; a grant lasts for the minutes that were approved."""
    if action.name != use_credentials.name:
        return request.timeout_s
    return use_credentials.arguments(action).minutes * 60


def _granted(action: Action) -> Plan:
    return Plan(
        action=action, fingerprint={}, diff=redact(""), blast_radius=redact("Nothing is changed."), dry_run="none",
        undo=None,
    )  # fmt: skip


def _draft(kind: Kind, request_id: str, *, actor: str = "locum", at: Instant | None = None, **facts: Any) -> Draft:
    known = {name: value for name, value in facts.items() if value not in (None, "")}
    return Draft(kind=kind, at=at or Instant.now(), request_id=request_id, actor=actor, facts=known)
