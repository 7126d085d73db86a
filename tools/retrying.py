"""How often and how fast live sources are asked. Looks only read, so asking again is safe."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from tools.errors import ToolUnavailable

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

T = TypeVar("T")

ATTEMPTS = 3
LOOKS_PER_SECOND = 20
"""For each integration, over all investigations of this process."""
PATIENCE_S = 30.0
"""How long a look waits for its turn; a storm of investigations must not look like a silent source before."""

_limits: "dict[str, tuple[asyncio.AbstractEventLoop, AsyncLimiter]]" = {}


async def turn(tool: str) -> None:
    """Waits until the tool's integration may be asked once more.

    Raises:
        ToolUnavailable: when too many others wait as well.
    """
    from aiolimiter import AsyncLimiter

    integration, loop = tool.partition(".")[0], asyncio.get_running_loop()
    known = _limits.get(integration)
    if known is None or known[0] is not loop:
        known = _limits[integration] = (loop, AsyncLimiter(LOOKS_PER_SECOND, time_period=1))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await known[1].acquire()
    except TimeoutError as error:
        raise ToolUnavailable(f"too many looks wait for {integration}; it was not asked") from error


async def attempts(ask: Callable[[], Awaitable[T]], *, within_s: float) -> T:
    """The first good answer of at most three attempts; only `ToolUnavailable` is tried again, when the source wishes.

    Raises:
        ToolUnavailable: when the last attempt failed, or the source's own wish does not fit into `within_s`.
    """
    # Imported late: an investigation of a snapshot never retries.
    import stamina

    loop = asyncio.get_running_loop()
    ends_at = loop.time() + within_s

    def pause(error: Exception) -> bool | float:
        if not isinstance(error, ToolUnavailable):
            return False
        if error.retry_after_s is None:
            return True
        return error.retry_after_s if loop.time() + error.retry_after_s < ends_at else False

    async for attempt in stamina.retry_context(
        on=pause, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=2.0, wait_jitter=0.2
    ):
        with attempt:
            return await ask()
    raise AssertionError("stamina either returns or raises")
