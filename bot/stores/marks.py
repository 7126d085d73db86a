"""Small facts that must survive a restart: which message stands where, which event was taken. And the tool cache."""

from whenever import Instant

from bot.stores.connection import KEEP_S, Store, StoreError, asked
from tools.caching import CacheError


class RedisMarks:
    """Text by key, kept for a month."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, key: str) -> str | None:
        """The text.

        Raises:
            StoreError: when the store does not answer.
        """
        with asked("read a mark"):
            found = await self._store.get(f"locum:mark:{key}")
        return found.decode() if found is not None else None

    async def put(self, key: str, value: str) -> None:
        """Keeps the text.

        Raises:
            StoreError: when the store does not answer.
        """
        with asked("write a mark"):
            await self._store.set(f"locum:mark:{key}", value, ex=KEEP_S)


class RedisSeen:
    """Keys that were seen."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def first(self, key: str, ttl_s: int) -> bool:
        """Whether this is the first time within `ttl_s` seconds; from now on it was seen.

        Raises:
            StoreError: when the store does not answer.
        """
        with asked("remember an event"):
            return bool(await self._store.set(f"locum:seen:{key}", b"1", nx=True, ex=ttl_s))


class RedisCache:
    """Answers of tools; implements `tools.caching.Cache`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        """The value and when it was put."""
        try:
            with asked("read the cache"):
                found = await self._store.get(f"locum:cache:{key}")
        except StoreError as error:
            raise CacheError(str(error)) from error
        if found is None:
            return None
        put_at, _, value = found.partition(b" ")
        return value, Instant.parse_iso(put_at.decode())

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keeps the value."""
        try:
            with asked("write the cache"):
                entry = str(Instant.now()).encode() + b" " + value
                await self._store.set(f"locum:cache:{key}", entry, px=round(ttl_s * 1000))
        except StoreError as error:
            raise CacheError(str(error)) from error
