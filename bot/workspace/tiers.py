"""How often a method may be called.

Slack counts per method and workspace by tier, and messages per channel. Its short bursts are not documented; here a
tier is what its name says in any 60 seconds, and a channel takes a burst of 5 messages, then one a second.
"""

import math
from collections import defaultdict, deque
from enum import IntEnum

from bot.workspace.refusals import Refused

WINDOW_S = 60
POST_BURST = 5
POSTS_PER_S = 1


class Tier(IntEnum):
    """Calls a minute."""

    ONE = 1
    TWO = 20
    THREE = 50
    FOUR = 100
    STATUS = 600
    """`assistant.threads.setStatus` has its own."""
    FREE = 1_000_000


class Tiers:
    """The calls of the last minute, and the messages each channel may still take."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        self._tokens: dict[str, tuple[float, float]] = {}

    def count(self, method: str, tier: Tier, *, now_s: float) -> None:
        """Count one call, else it is refused with the seconds to wait."""
        calls = self._calls[method]
        while calls and calls[0] <= now_s - WINDOW_S:
            calls.popleft()
        if len(calls) >= tier:
            raise Refused("ratelimited", retry_after=max(1, math.ceil(calls[0] + WINDOW_S - now_s)))
        calls.append(now_s)

    def count_post(self, channel: str, *, now_s: float) -> None:
        """Count one message to a channel, else it is refused."""
        tokens, since_s = self._tokens.get(channel, (float(POST_BURST), now_s))
        tokens = min(POST_BURST, tokens + (now_s - since_s) * POSTS_PER_S)
        if tokens < 1:
            self._tokens[channel] = tokens, now_s
            raise Refused("ratelimited", retry_after=max(1, math.ceil((1 - tokens) / POSTS_PER_S)))
        self._tokens[channel] = tokens - 1, now_s
