"""Where answers of live sources wait for the next one who asks the same. What lies here is redacted already.

A cache may forget at any time and may fail: it makes looks cheaper, never different.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from whenever import Instant, TimeDelta


class CacheError(Exception):
    """The cache did not answer; whoever asked goes to the source instead."""


class Cache(Protocol):
    """Bytes by key, with the moment when they were put."""

    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        """The value and when it was put; `None` when there is none or its time is over.

        Raises:
            CacheError: when the cache cannot be read.
        """
        ...

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keeps `value` for `ttl_s` seconds at most.

        Raises:
            CacheError: when the cache cannot be written.
        """
        ...


class Since:
    """Another cache without what was put there before a moment, for somebody whom only later answers help."""

    def __init__(self, cache: Cache, moment: Instant) -> None:
        self._cache = cache
        self._moment = moment

    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        """See `Cache.get`."""
        found = await self._cache.get(key)
        return found if found and found[1] >= self._moment else None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """See `Cache.put`."""
        await self._cache.put(key, value, ttl_s)


@dataclass(frozen=True, slots=True)
class _Kept:
    value: bytes
    put_at: Instant
    expires_at: Instant


class MemoryCache:
    """A cache of this process, bounded by bytes: the least recently read goes first."""

    def __init__(self, limit_bytes: int = 64_000_000) -> None:
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        """See `Cache.get`; never fails."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires_at <= Instant.now():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.value, kept.put_at

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """See `Cache.put`; never fails. A value larger than the whole cache is not kept."""
        if key in self._kept:
            self._drop(key)
        if len(value) > self._limit_bytes or ttl_s <= 0:
            return
        now = Instant.now()
        self._kept[key] = _Kept(value, now, now + TimeDelta(seconds=ttl_s))
        self._bytes += len(value)
        while self._bytes > self._limit_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        self._bytes -= len(self._kept.pop(key).value)
