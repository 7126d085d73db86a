"""Freezes, leases and fingerprints, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, or_, select, update
from whenever import Instant

from approvals.audit import Draft
from bot.stores.ledger import chain
from bot.stores.ledger.errors import Conflict
from bot.stores.ledger.rows import Fingerprint, Freeze, Lease
from bot.stores.ledger.schema import fingerprints, freezes, leases


def freeze(connection: Connection, row: Freeze, drafts: Sequence[Draft]) -> None:
    """Adds a freeze. Those that are there stay: a short one must not end a long one early."""
    connection.execute(insert(freezes).values(**asdict(row)))
    chain.append(connection, drafts)


def unfreeze(connection: Connection, scope: str, drafts: Sequence[Draft]) -> bool:
    """Ends every freeze of exactly this scope; whether there was one."""
    if connection.execute(delete(freezes).where(freezes.c.scope == scope)).rowcount == 0:
        return False
    chain.append(connection, drafts)
    return True


def frozen(connection: Connection, now: Instant) -> list[Freeze]:
    """The freezes that hold at a time, oldest first."""
    query = (
        select(freezes.c.scope, freezes.c.by, freezes.c.reason, freezes.c.since, freezes.c.until)
        .where(or_(freezes.c.until.is_(None), freezes.c.until > now))
        .order_by(freezes.c.id)
    )
    return [Freeze(**row) for row in connection.execute(query).mappings()]


def note_lease(connection: Connection, row: Lease, drafts: Sequence[Draft]) -> None:
    """Notes a credential that was handed out."""
    if connection.execute(select(leases.c.at).where(leases.c.lease_id == row.lease_id)).first():
        raise Conflict(f"lease {row.lease_id!r} was noted before")
    connection.execute(insert(leases).values(**asdict(row)))
    chain.append(connection, drafts)


def end_lease(connection: Connection, lease_id: str, outcome: str, drafts: Sequence[Draft]) -> bool:
    """Notes its end; whether it was still out."""
    still_out = (leases.c.lease_id == lease_id) & leases.c.outcome.is_(None)
    if connection.execute(update(leases).where(still_out).values(outcome=outcome)).rowcount == 0:
        return False
    chain.append(connection, drafts)
    return True


def open_leases(connection: Connection, owner: str | None) -> list[Lease]:
    """The credentials that are still out, oldest first."""
    query = select(leases).where(leases.c.outcome.is_(None)).order_by(leases.c.at, leases.c.lease_id)
    if owner is not None:
        query = query.where(leases.c.owner == owner)
    return [Lease(**row) for row in connection.execute(query).mappings()]


def note_fingerprint(connection: Connection, row: Fingerprint) -> None:
    """Notes a fingerprint; once."""
    if row not in known_fingerprints(connection, row.incident_id):
        connection.execute(insert(fingerprints).values(**asdict(row)))


def known_fingerprints(connection: Connection, incident_id: str) -> list[Fingerprint]:
    """The fingerprints of an incident."""
    query = select(fingerprints).where(fingerprints.c.incident_id == incident_id)
    query = query.order_by(fingerprints.c.reference, fingerprints.c.fingerprint)
    return [Fingerprint(**row) for row in connection.execute(query).mappings()]
