"""Requests, and the intents and votes that belong to them, in the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, func, insert, select, update
from whenever import Instant

from approvals.audit import Draft
from bot.stores.ledger import chain
from bot.stores.ledger.errors import Conflict
from bot.stores.ledger.rows import FIRST, NEXT, PROPOSED, RUNNABLE, TERMINAL, Intent, RequestRow, VoteRow
from bot.stores.ledger.schema import intents, requests, votes


def open_request(connection: Connection, row: RequestRow, drafts: Sequence[Draft]) -> tuple[RequestRow, bool]:
    """The open request of that merge key, or this one, made now."""
    if same := get(connection, row.id):
        if same.merge_key != row.merge_key:
            raise Conflict(f"request {row.id!r} is there already, for something else")
        return same, False
    waiting = select(requests).where(requests.c.merge_key == row.merge_key, requests.c.state.not_in(TERMINAL))
    if found := connection.execute(waiting).mappings().first():
        return RequestRow(**found), False
    if row.state not in FIRST or row.version != 1:
        raise Conflict(f"a request cannot be opened as {row.state!r}, version {row.version}")
    connection.execute(insert(requests).values(**asdict(row)))
    chain.append(connection, drafts)
    return row, True


def save(
    connection: Connection,
    request_id: str,
    *,
    expected: Collection[str],
    state: str,
    body: bytes | None,
    digest: str | None,
    drafts: Sequence[Draft],
) -> RequestRow:
    """Moves a request on, if it is in one of the expected states and may go there."""
    row = get(connection, request_id)
    if row is None:
        raise Conflict(f"there is no request {request_id!r}")
    if row.state not in expected:
        raise Conflict(f"request {request_id!r} is {row.state}; expected {' or '.join(sorted(expected))}")
    if row.state in TERMINAL or state not in NEXT[row.state] | {row.state}:
        raise Conflict(f"request {request_id!r} is {row.state} and cannot become {state}")
    changes: dict[str, object] = {"state": state, "version": row.version + 1, "updated_at": Instant.now()}
    given = {name: value for name, value in (("body", body), ("digest", digest)) if value is not None}
    if given and row.state != PROPOSED:
        raise Conflict(f"request {request_id!r} is {row.state}: what people decide on does not change any more")
    connection.execute(update(requests).where(requests.c.id == request_id).values(**changes, **given))
    chain.append(connection, drafts)
    changed = get(connection, request_id)
    assert changed is not None  # noqa: S101 - it was changed in this transaction
    return changed


def get(connection: Connection, request_id: str) -> RequestRow | None:
    """One request."""
    found = connection.execute(select(requests).where(requests.c.id == request_id)).mappings().first()
    return RequestRow(**found) if found else None


def listed(
    connection: Connection,
    *,
    states: Collection[str] | None,
    incident_id: str | None,
    session_id: str | None,
    limit: int,
) -> list[RequestRow]:
    """Requests, newest first."""
    query = select(requests).order_by(requests.c.created_at.desc(), requests.c.id).limit(limit)
    if states is not None:
        query = query.where(requests.c.state.in_(states))
    if incident_id is not None:
        query = query.where(requests.c.incident_id == incident_id)
    if session_id is not None:
        query = query.where(requests.c.session_id == session_id)
    return [RequestRow(**row) for row in connection.execute(query).mappings()]


def count(connection: Connection, since: Instant, *, incident_id: str | None, requester: str | None) -> int:
    """How many were opened since then."""
    query = select(func.count()).select_from(requests).where(requests.c.created_at >= since)
    if incident_id is not None:
        query = query.where(requests.c.incident_id == incident_id)
    if requester is not None:
        query = query.where(requests.c.requester == requester)
    return connection.execute(query).scalar_one()


def claim(connection: Connection, request_id: str, digest: str, owner: str, drafts: Sequence[Draft]) -> bool:
    """The right to execute a request, to the first who asks."""
    if intent(connection, request_id):
        return False
    row = get(connection, request_id)
    if row is None:
        raise Conflict(f"there is no request {request_id!r}")
    if row.digest != digest:
        raise Conflict(f"request {request_id!r} is not the one that was approved: its digest is another")
    if row.state not in RUNNABLE:
        raise Conflict(f"request {request_id!r} is {row.state}; expected {' or '.join(sorted(RUNNABLE))}")
    connection.execute(
        insert(intents).values(request_id=request_id, digest=digest, owner=owner, claimed_at=Instant.now())
    )
    chain.append(connection, drafts)
    return True


def settle(connection: Connection, request_id: str, outcome: str, drafts: Sequence[Draft]) -> bool:
    """How an execution ended; whether that was news."""
    found = intent(connection, request_id)
    if found is None:
        raise Conflict(f"nobody claimed request {request_id!r}")
    if found.outcome == outcome:
        return False
    if found.outcome is not None:
        raise Conflict(f"request {request_id!r} ended as {found.outcome}, and cannot end as {outcome}")
    connection.execute(update(intents).where(intents.c.request_id == request_id).values(outcome=outcome))
    chain.append(connection, drafts)
    return True


def intent(connection: Connection, request_id: str) -> Intent | None:
    """Who claimed a request, and how it ended."""
    found = connection.execute(select(intents).where(intents.c.request_id == request_id)).mappings().first()
    return Intent(**found) if found else None


def vote(connection: Connection, row: VoteRow, drafts: Sequence[Draft]) -> bool:
    """Keeps a click; whether it was new."""
    if get(connection, row.request_id) is None:
        raise Conflict(f"there is no request {row.request_id!r}")
    same = select(votes.c.at).where(votes.c.request_id == row.request_id, votes.c.vote_key == row.vote_key)
    if connection.execute(same).first():
        return False
    connection.execute(insert(votes).values(**asdict(row)))
    chain.append(connection, drafts)
    return True


def cast(connection: Connection, request_id: str) -> list[VoteRow]:
    """The clicks of a request, in their order."""
    query = select(votes).where(votes.c.request_id == request_id).order_by(votes.c.at, votes.c.vote_key)
    return [VoteRow(**row) for row in connection.execute(query).mappings()]
