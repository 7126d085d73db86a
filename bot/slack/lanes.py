"""Turns at something that Slack limits: so many at once, then one every so often, the most urgent first."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncGenerator
from enum import IntEnum


class Priority(IntEnum):
    """Who goes first when there is a queue."""

    FIRST = 0
    """A thread's first message: the sign that something was noticed."""
    ANSWER = 1
    STATE = 2
    PROGRESS = 3


class Lane:
    """One turn at a time: whoever has it may be told to wait by Slack, and then everybody waits, in order."""

    def __init__(self, *, burst: int, gap_s: float) -> None:
        self._burst = burst
        self._gap_s = gap_s
        self._free = float(burst)
        self._counted_s = 0.0
        self._queue: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._is_busy = False
        self._alarm: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def turn(self, priority: Priority) -> AsyncGenerator[None]:
        """Wait for a turn and keep it while the block runs."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._numbers), mine))
        self._call_next()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._end()
            raise
        try:
            yield
        finally:
            self._end()

    @property
    def is_free(self) -> bool:
        """Whether a turn would come at once."""
        self._count()
        return not self._is_busy and not self._queue and self._free >= 1

    def _end(self) -> None:
        self._is_busy = False
        self._call_next()

    def _call_next(self) -> None:
        while self._queue and self._queue[0][2].cancelled():
            heapq.heappop(self._queue)
        if self._is_busy or self._alarm or not self._queue:
            return
        self._count()
        if self._free < 1:
            wait_s = (1 - self._free) * self._gap_s
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self._wake)
            return
        self._free -= 1
        self._is_busy = True
        heapq.heappop(self._queue)[2].set_result(None)

    def _wake(self) -> None:
        self._alarm = None
        self._call_next()

    def _count(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._counted_s:
            self._free = min(self._burst, self._free + (now_s - self._counted_s) / self._gap_s)
        self._counted_s = now_s
