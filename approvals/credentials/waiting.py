"""Waiting that does not go on for ever, and work that must not be left halfway."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

import structlog

from approvals.credentials.errors import CredentialsUnavailable, JournalFailed

NOTE_WITHIN_S = 5.0
"""For one call of the journal."""

T = TypeVar("T")

_log = structlog.get_logger("locum.credentials")


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What a store of credentials answers, if it does so in time.

    Raises:
        CredentialsUnavailable: when it does not.
    """
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise CredentialsUnavailable(f"the store of credentials did not answer within {seconds:.3g} s") from None


@contextlib.asynccontextmanager
async def journal_in_time() -> AsyncGenerator[None]:
    """Bounds calls of the journal.

    Raises:
        JournalFailed: when it does not answer in time.
    """
    try:
        async with asyncio.timeout(NOTE_WITHIN_S):
            yield
    except TimeoutError:
        raise JournalFailed(f"the journal did not answer within {NOTE_WITHIN_S:g} s") from None


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Awaits `work` whatever happens; a cancellation of the caller is raised when the work is done."""
    task = asyncio.create_task(work)
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is None:
        return task.result()
    if error := task.exception():
        _log.error("cancelled, and what had to end before that failed", reason=type(error).__name__)
    raise interrupted
