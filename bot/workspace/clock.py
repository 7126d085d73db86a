"""The workspace's own time: it runs as fast as it is told to, and jumps ahead when a test says so."""

import asyncio
import time

from whenever import Instant


class Clock:
    """Virtual time: real time, scaled, plus every jump."""

    def __init__(self) -> None:
        self._base = time.time()
        self._since = time.monotonic()
        self._scale = 1.0
        self._changed = asyncio.Event()
        self._last_ts = 0

    def seconds(self) -> float:
        """Seconds since the epoch, in virtual time."""
        return self._base + (time.monotonic() - self._since) * self._scale

    def now(self) -> Instant:
        return Instant.from_timestamp(int(self.seconds() * 1e6), unit="microsecond")

    def ts(self) -> str:
        """A message timestamp: the time in microseconds, and never the same twice."""
        self._last_ts = max(self._last_ts + 1, int(self.seconds() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def advance(self, seconds: float) -> None:
        """Jump ahead; whoever sleeps past the new time wakes."""
        if seconds < 0:
            raise ValueError(f"time goes forward only, not by {seconds!r} s")
        self._rebase(self.seconds() + seconds)

    def scale(self, factor: float) -> None:
        """Run `factor` times as fast as real time from here on."""
        if factor <= 0:
            raise ValueError(f"a clock runs forward, not at {factor!r}")
        self._rebase(self.seconds())
        self._scale = factor

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of virtual time."""
        until = self.seconds() + seconds
        while (left := until - self.seconds()) > 0:
            changed = self._changed
            try:
                async with asyncio.timeout(left / self._scale):
                    await changed.wait()
            except TimeoutError:
                continue

    def _rebase(self, seconds: float) -> None:
        self._base, self._since = seconds, time.monotonic()
        self._changed.set()
        self._changed = asyncio.Event()
