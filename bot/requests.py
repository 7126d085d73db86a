"""A request as the ledger keeps it, and as people see it: the row, and what the audit says of it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from whenever import Instant

from approvals.audit import Entry, Kind
from approvals.ballot import Choice, Principal, State, Vote
from approvals.canonical import canonical, read
from approvals.plan import Outcome, Plan, Receipt
from approvals.request import (
    ApprovalRequest,
    Proposal,
    from_json,
    plan_from_json,
    plan_to_json,
    proposal_from_json,
)
from bot.gate import Verification, View
from bot.incident import Place
from bot.stores.ledger.rows import PROPOSED, REFUSED
from tools.redaction import redact


def draft_body(proposal: Proposal, plans: Sequence[Plan] | None = None) -> bytes:
    """The body of a request that nobody was asked yet."""
    planned = None if plans is None else [plan_to_json(plan) for plan in plans]
    return canonical({"proposal": proposal.to_json(), "items": planned})


def read_draft(body: bytes) -> tuple[Proposal, tuple[Plan, ...] | None]:
    """What `draft_body` wrote: the proposal, and the plans once a runner made them."""
    data = _mapping(read(body))
    planned = data["items"]
    plans = None if planned is None else tuple(plan_from_json(each) for each in planned)
    return proposal_from_json(data["proposal"]), plans


def proposal_of(state: str, body: bytes) -> Proposal:
    """The proposal of a request in whatever state it is."""
    return read_draft(body)[0] if state in (PROPOSED, REFUSED) else read_request(body).proposal


def request_body(request: ApprovalRequest) -> bytes:
    """The body of a request as people see it."""
    return canonical(request.to_json())


def read_request(body: bytes) -> ApprovalRequest:
    """What `request_body` wrote.

    Raises:
        KeyError, ValueError: when it is something else; nothing may be executed then.
    """
    return from_json(_mapping(read(body)))


def view(request: ApprovalRequest, state: State, entries: Sequence[Entry], *, place: Place, frozen: str) -> View:
    """The request as it stands, told by its entries in the audit."""
    return View(
        request=request,
        place=place,
        state=state,
        votes=tuple(_vote(entry) for entry in entries if entry.kind is Kind.VOTE_COUNTED),
        why=_why(state, entries),
        receipts=_receipts(entries),
        began_at=_at(entries, State.EXECUTING),
        ended_at=_at(entries, state) if state.is_terminal else None,
        verification=_verification(entries),
        frozen=frozen if state is State.PENDING else "",
    )


def _vote(entry: Entry) -> Vote:
    facts = _mapping(entry.facts)
    only = facts.get("only")
    return Vote(
        principal=Principal(facts["principal"]),
        choice=Choice(facts["choice"]),
        at=entry.at,
        account=entry.actor,
        reason=facts.get("reason") or "",
        only=None if only is None else frozenset(cast("Sequence[int]", only)),
    )


def _why(state: State, entries: Sequence[Entry]) -> str:
    found = [entry for entry in entries if entry.facts.get("state") == state]
    return str(found[-1].facts.get("why") or "") if found else ""


def _at(entries: Sequence[Entry], state: State) -> Instant | None:
    return next((entry.at for entry in entries if entry.facts.get("state") == state), None)


def _receipts(entries: Sequence[Entry]) -> tuple[Receipt, ...]:
    found = [entry for entry in entries if entry.kind is Kind.FINISHED and "items" in entry.facts]
    if not found:
        return ()
    items = cast("Sequence[Mapping[str, Any]]", found[-1].facts["items"])
    return tuple(
        Receipt(outcome=Outcome(each["outcome"]), detail=redact(each["detail"]), diff=redact(each.get("diff") or ""))
        for each in items
    )


def receipts_fact(receipts: Sequence[Receipt]) -> list[dict[str, str]]:
    """How the audit keeps what became of each item."""
    return [{"outcome": each.outcome, "detail": each.detail, "diff": each.diff} for each in receipts]


def _verification(entries: Sequence[Entry]) -> Verification | None:
    found = [entry for entry in entries if entry.kind is Kind.VERIFIED]
    if not found:
        return None
    facts = found[-1].facts
    helped = facts.get("helped")
    return Verification(
        helped=helped if isinstance(helped, bool) else None, said=redact(str(facts.get("why") or "")), at=found[-1].at
    )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return cast("Mapping[str, Any]", value)
