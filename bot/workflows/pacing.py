"""When investigations may begin: one after the other, so that first messages never wait for them."""

import asyncio

GAP_S = 1.0
"""Between two beginnings in one process. An investigation takes a dozen activities; more workers begin more."""


class Turns:
    """Gives out moments that are `GAP_S` apart."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def take(self) -> float:
        """Seconds until the next free moment, which is now taken."""
        now_s = asyncio.get_running_loop().time()
        mine_s = max(now_s, self._next_s)
        self._next_s = mine_s + GAP_S
        return mine_s - now_s
