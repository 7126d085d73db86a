"""Requests and drafts for the tests, and what they read of a ledger."""

import secrets
from typing import Any

from whenever import Instant

from approvals.audit import Anchor, Draft, Entry, Intact, Kind, verify
from bot.stores.ledger.ledger import Ledger
from bot.stores.ledger.rows import PROPOSED, RequestRow

NOON = Instant.from_utc(2026, 1, 1, 12)


def draft(kind: Kind = Kind.STARTED, request_id: str | None = "r1", **facts: Any) -> Draft:
    return Draft(kind=kind, at=NOON, request_id=request_id, actor="runner-1", facts=facts)


def row(request_id: str = "r1", **changes: Any) -> RequestRow:
    given: dict[str, Any] = {
        "id": request_id, "merge_key": secrets.token_hex(8), "incident_id": "inc_1", "session_id": "ses_1",
        "requester": "ana", "state": PROPOSED, "body": b"{}", "digest": "d1", "created_at": NOON, "updated_at": NOON,
    }  # fmt: skip
    return RequestRow(**(given | changes))


async def approved(ledger: Ledger, request_id: str = "r1") -> RequestRow:
    """A request that people said yes to, with its entries."""
    await ledger.open_request(row(request_id), draft(Kind.PROPOSED, request_id))
    await ledger.save_request(
        request_id, draft(Kind.REQUESTED, request_id), expected_state=PROPOSED, state="pending", digest="d2"
    )
    return await ledger.save_request(
        request_id, draft(Kind.DECIDED, request_id), expected_state="pending", state="approved"
    )


async def all_entries(ledger: Ledger) -> list[Entry]:
    found = await ledger.entries(limit=1_000_000)
    assert isinstance(verify(found, []), Intact)
    return found


async def kinds(ledger: Ledger, request_id: str | None = None) -> list[Kind]:
    return [entry.kind for entry in await ledger.entries(request_id=request_id)]


def anchor(entry: Entry) -> Anchor:
    return Anchor(seq=entry.seq, hash=entry.hash, at=NOON)
