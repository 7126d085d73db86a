"""The durable inbox of accepted alerts: what is in it will be worked on, whatever is killed.

A request is answered with 202 after its append came back; a reader acknowledges after its work is safe elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from agents.alert import Alert
from bot.stores.codec import pack, unpack
from bot.stores.connection import Store, asked

STREAM = "locum:inbox"
UNREADABLE = "locum:unreadable"
GROUP = "intake"
LONGEST = 100_000
"""Entries that may wait; then senders are told to come back."""
KEPT_UNREADABLE = 100
CLAIM_AFTER_MS = 30_000
"""An entry that a dead reader held for so long is read again by another."""

_log = structlog.get_logger("locum.inbox")


class InboxFull(Exception):
    """Too much is waiting; the sender shall retry."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one request brought."""

    alerts: tuple[Alert, ...]
    received_s: float
    """Unix seconds; the latency to the first message is counted from here."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One delivery waiting in the inbox."""

    id: str
    delivery: Delivery


class Inbox:
    """The stream and its one group of readers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self) -> None:
        """Makes the group where it is missing.

        Raises:
            StoreError: when the store does not answer.
        """
        with asked("open the inbox"):
            if not await self._store.exists(STREAM) or not await self._store.xinfo_groups(STREAM):
                await self._store.xgroup_create(STREAM, GROUP, id="0", mkstream=True)

    async def append(self, delivery: Delivery) -> None:
        """Takes a delivery; once this returned, it is safe.

        Raises:
            InboxFull: when too much is waiting.
            StoreError: when it could not be stored.
        """
        with asked("take the alerts"):
            if await self._store.xlen(STREAM) >= LONGEST:
                raise InboxFull(f"{LONGEST} deliveries are waiting")
            await self._store.xadd(STREAM, {"delivery": pack(delivery)})

    async def read(self, reader: str, *, most: int, wait_ms: int) -> list[Entry]:
        """Entries that nobody works on: those of readers that died, then new ones, waiting a moment for the first.

        Raises:
            StoreError: when the store does not answer.
        """
        with asked("read the inbox"):
            _, stale, *_ = await self._store.xautoclaim(STREAM, GROUP, reader, CLAIM_AFTER_MS, count=most)
            found = stale or [
                each
                for _, entries in await self._store.xreadgroup(GROUP, reader, {STREAM: ">"}, count=most, block=wait_ms)
                for each in entries
            ]
        return await self._entries(found)

    async def held(self, reader: str) -> list[Entry]:
        """What this reader had taken before it died.

        Raises:
            StoreError: when the store does not answer.
        """
        with asked("read the inbox"):
            found: list[Any] = await self._store.xreadgroup(GROUP, reader, {STREAM: "0"}, count=LONGEST)
        return await self._entries([each for _, entries in found or () for each in entries])

    async def _entries(self, found: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Entry]:
        entries: list[Entry] = []
        for key, fields in found:
            if not fields:
                continue
            try:
                entries.append(Entry(key.decode(), unpack(Delivery, fields[b"delivery"])))
            except ValidationError as error:
                # Of another version of Locum. It must neither stop what came after it nor be thrown away unseen.
                _log.error("an entry of the inbox cannot be read", entry=key.decode(), mistakes=error.error_count())
                await self.keep_unreadable("inbox", fields[b"delivery"], f"{error.error_count()} mistakes")
                await self._forget([key.decode()])
        return entries

    async def done(self, entries: list[Entry]) -> None:
        """Forgets entries whose work is safe elsewhere.

        Raises:
            StoreError: when the store does not answer.
        """
        await self._forget([entry.id for entry in entries])

    async def _forget(self, ids: Sequence[str]) -> None:
        with asked("clear the inbox"):
            await self._store.xack(STREAM, GROUP, *ids)
            await self._store.xdel(STREAM, *ids)

    async def keep_unreadable(self, source: str, body: bytes, reason: str) -> None:
        """Keeps the newest payloads that did not parse, for people to look at.

        Raises:
            StoreError: when the store does not answer.
        """
        with asked("keep an unreadable payload"):
            fields = {"source": source, "reason": reason, "body": body[:10_000]}
            await self._store.xadd(UNREADABLE, fields, maxlen=KEPT_UNREADABLE, approximate=False)
