"""The connection to Redis: time-outs on every call, retries of what may be repeated, one kind of error."""

import contextlib
from collections.abc import Generator
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

Store = Any
"""redis-py's client: its commands are typed as unions of sync and async, which strict checking cannot follow."""

CALL_TIMEOUT_S = 5.0
MOST_CONNECTIONS = 2_000
KEEP_S = 30 * 24 * 3600
"""Incidents and their evidence are kept for a month."""


class StoreError(Exception):
    """The store did not answer; nothing can be said about what it holds. Ask again."""


def connect(url: str) -> Store:
    """A client for `redis://…`, `rediss://…` or `unix://…`; connects when first asked.

    A server that restarts is waited for over about two seconds a call. Commands here may be repeated: a lost answer
    of an append gives a second copy of an alert, which its fingerprint folds away.
    """
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        socket_timeout=CALL_TIMEOUT_S,
        socket_connect_timeout=CALL_TIMEOUT_S,
        retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), retries=5),
        retry_on_error=[RedisConnectionError, RedisTimeoutError, ConnectionError],
        health_check_interval=30,
        # The client's own 100 are used up by the sessions that people read along with, and requests then fail.
        max_connections=MOST_CONNECTIONS,
    )


@contextlib.contextmanager
def asked(what: str) -> Generator[None]:
    """Turns the client's errors into `StoreError`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreError(f"the store could not {what}: {error}") from error
