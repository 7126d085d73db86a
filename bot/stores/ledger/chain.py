"""The audit's entries in the database: appended in the caller's transaction, right after the last one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from approvals.audit import Anchor, Draft, Entry, Unreadable, following, restored
from approvals.canonical import canonical
from bot.stores.ledger.errors import LedgerDamaged
from bot.stores.ledger.schema import anchors, entries


def append(connection: Connection, drafts: Sequence[Draft]) -> Entry | None:
    """Adds the drafts in their order; the head afterwards."""
    last = head(connection)
    for draft in drafts:
        last = following(last, draft)
        connection.execute(
            insert(entries).values(
                seq=last.seq, kind=last.kind, at=last.at.format_iso(), request_id=last.request_id, actor=last.actor,
                facts=canonical(last.facts).decode(), previous=last.previous, hash=last.hash,
            )
        )  # fmt: skip
    return last


def head(connection: Connection) -> Entry | None:
    """The last entry.

    Raises:
        LedgerDamaged: when it cannot be read; nothing can follow it.
    """
    found = latest(connection, 1, None)
    return found[0] if found else None


def records(connection: Connection, after: int | None, limit: int) -> list[Entry | Unreadable]:
    """The entries after a number, in order, whatever state they are in; `None` = from whatever is the first."""
    query = select(entries).order_by(entries.c.seq).limit(limit)
    return _read(connection, query if after is None else query.where(entries.c.seq > after))


def listed(connection: Connection, after: int, limit: int, request_id: str | None) -> list[Entry]:
    """The entries after a number, in order.

    Raises:
        LedgerDamaged: when one of them cannot be read.
    """
    query = select(entries).where(entries.c.seq > after).order_by(entries.c.seq).limit(limit)
    if request_id is not None:
        query = query.where(entries.c.request_id == request_id)
    return _sound(_read(connection, query))


def latest(connection: Connection, limit: int, request_id: str | None) -> list[Entry]:
    """The last entries, in order.

    Raises:
        LedgerDamaged: when one of them cannot be read.
    """
    query = select(entries).order_by(entries.c.seq.desc()).limit(limit)
    if request_id is not None:
        query = query.where(entries.c.request_id == request_id)
    return _sound(_read(connection, query))[::-1]


def anchored(connection: Connection, anchor: Anchor, place: str) -> None:
    """Notes that a head was written down at a place; once."""
    same = select(anchors.c.seq).where(
        anchors.c.seq == anchor.seq, anchors.c.hash == anchor.hash, anchors.c.place == place
    )
    if connection.execute(same).first() is None:
        connection.execute(insert(anchors).values(seq=anchor.seq, hash=anchor.hash, place=place, at=anchor.at))


def known_anchors(connection: Connection) -> list[Anchor]:
    """Every head that was written down, oldest first."""
    query = select(anchors.c.seq, anchors.c.hash, anchors.c.at).order_by(anchors.c.seq, anchors.c.at)
    return [Anchor(seq=row.seq, hash=row.hash, at=row.at) for row in connection.execute(query)]


def _read(connection: Connection, query: Select[Any]) -> list[Entry | Unreadable]:
    return [_entry(row) for row in connection.execute(query)]


def _entry(row: Row[Any]) -> Entry | Unreadable:
    return restored(
        seq=row.seq, kind=row.kind, at=row.at, request_id=row.request_id, actor=row.actor, facts=row.facts,
        previous=row.previous, seal=row.hash,
    )  # fmt: skip


def _sound(found: list[Entry | Unreadable]) -> list[Entry]:
    for entry in found:
        if isinstance(entry, Unreadable):
            raise LedgerDamaged(f"entry {entry.seq} of the audit {entry.why}")
    return [entry for entry in found if isinstance(entry, Entry)]
