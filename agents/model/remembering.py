"""Answers that the model gave before: the same request is not paid for twice.

What is asked again must be the same to the last letter: the model's names, the instructions, the tools, everything that
was shown, everything that was known and not shown, and the credentials that it was read with. A text that is redacted
in another way is another text. So a stored answer is never stale; the time that it is kept for only bounds the store.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import orjson

from agents.model.failures import ModelError, Reason
from agents.model.replies import Reply, Tokens, ToolCall
from agents.report import Quality, Usage
from tools.caching import Cache, CacheError
from tools.redaction import redact

FORM = 1
"""Of what is stored; counted up when `_written` changes."""
KEPT_S = 86_400.0
"""A day: an incident that comes again, a question that is asked again, work that is done again after a crash."""
PATIENCE_S = 1.0
"""A cache that takes longer is not waited for; asking the model takes a few seconds."""
FROM_BEFORE = Usage(quality=Quality(cached=1))
"""What an answer costs that was given before."""

_OWN = frozenset({Reason.BUDGET, Reason.TIMED_OUT})
"""Failures by the asker's own limits: whoever waited for the same answer has others, and asks itself."""

Asked = Callable[[], Awaitable[tuple[Reply, Usage]]]


class Asking(Protocol):
    """What is asked; `agents.model.asking.Request` is one."""

    @property
    def known(self) -> str:
        """A digest of what was known, shown or not."""
        ...

    def body(self, model: str, max_tokens: int) -> Mapping[str, Any]:
        """All that the model sees."""
        ...


def key(request: Asking, *, names: Sequence[str], grant: str) -> str:
    """The name of the answer to one request.

    Args:
        request: what is asked.
        names: of the models, in the order in which they are asked.
        grant: of the credentials that the world was read with; empty without any.
    """
    told = [FORM, list(names), grant, request.known, request.body("", 0)]
    return "answer/" + hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Memory:
    """The answers of one process, over a cache that others may share."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._asking: dict[str, asyncio.Future[Reply | Reason | None]] = {}

    async def answered(
        self, name: str, ask: Asked, *, is_good: Callable[[Reply], bool], within_s: float
    ) -> tuple[Reply, Usage]:
        """The stored answer, that of somebody who asks the same at this moment, or a new one.

        Args:
            name: of the answer, as `key` gives it.
            ask: asks the model.
            is_good: whether an answer is worth keeping.
            within_s: how long somebody else's answer is waited for.

        Raises:
            ModelError: when there is no answer; a failing cache is no reason.
        """
        ends_at_s = asyncio.get_running_loop().time() + within_s
        while (other := self._asking.get(name)) is not None:
            found = await _waited(other, ends_at_s)
            if isinstance(found, Reason):
                raise ModelError(found, "for somebody who asked the same")
            if found:
                return found, FROM_BEFORE
        # Nothing is awaited between looking and taking the place.
        self._asking[name] = mine = asyncio.get_running_loop().create_future()
        outcome: Reply | Reason | None = None
        try:
            reply, cost = await self._kept(name), FROM_BEFORE
            if reply is None:
                reply, cost = await ask()
                if is_good(reply):
                    await self._keep(name, reply)
            outcome = reply
        except ModelError as error:
            outcome = None if error.reason in _OWN else error.reason
            raise
        finally:
            del self._asking[name]
            mine.set_result(outcome)
        return reply, cost

    async def _kept(self, name: str) -> Reply | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await self._cache.get(name)
            return _read(found[0]) if found else None
        except (CacheError, TimeoutError, ValueError, KeyError, TypeError) as error:
            _tell("answer_not_read", error=type(error).__name__)
            return None

    async def _keep(self, name: str, reply: Reply) -> None:
        written = _written(reply)
        if written is None:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._cache.put(name, written, KEPT_S)
        except (CacheError, TimeoutError) as error:
            _tell("answer_not_kept", error=type(error).__name__)


async def _waited(other: "asyncio.Future[Reply | Reason | None]", ends_at_s: float) -> Reply | Reason | None:
    try:
        async with asyncio.timeout_at(ends_at_s):
            # Shielded, for one who gives up must not take the answer from the others.
            return await asyncio.shield(other)
    except TimeoutError as error:
        raise ModelError(Reason.TIMED_OUT, "while somebody else asked the same") from error


def _written(reply: Reply) -> bytes | None:
    """The answer for the cache; `None` when it holds what must not lie in one."""
    calls = [{"id": each.id, "name": each.name, "args": each.args, "size": each.size} for each in reply.calls]
    written = orjson.dumps({"model": reply.model, "text": reply.text, "calls": calls, "stop": reply.stop})
    text = written.decode()
    return written if redact(text) == text else None


def _read(written: bytes) -> Reply:
    found = orjson.loads(written)
    calls = cast("list[dict[str, Any]]", found["calls"])
    return Reply(
        model=found["model"], text=found["text"], calls=tuple(ToolCall(**each) for each in calls),
        stop=found["stop"], tokens=Tokens(),
    )  # fmt: skip


def _tell(event: str, **fields: object) -> None:
    # Imported late: a session in which all goes well never needs it.
    import structlog

    structlog.get_logger(__name__).warning(event, **fields)
