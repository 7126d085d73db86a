"""Runs any tool and makes evidence of what it read: time-outs, retries, rate limits, cache, redaction.

A look never raises for the world's sake: a source that is absent, silent or says no is evidence too, of a gap.
"""

import asyncio
import difflib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson
from pydantic import ValidationError
from whenever import Instant

from tools.caching import Cache, CacheError
from tools.catalogue import Args, Reading, Tool, catalogue
from tools.errors import ToolError, ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.evidence import Evidence, EvidenceId, Outcome
from tools.redaction import redact, redact_fields
from tools.resting import cache_key, from_rest, to_rest
from tools.retrying import attempts, turn
from tools.world import World

DETAIL_LIMIT = 160
"""Characters of a look's result that progress shows."""


class Progress(StrEnum):
    """How far a look is."""

    STARTED = "started"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look's progress, for whoever shows it to people."""

    number: int
    """Counts the looks of one investigation; start and end of the same look share it."""
    tool: str
    title: str
    """The first sentence of what the tool is for."""
    summary: str
    """The arguments that were given, `name=value`, redacted, at most 120 characters."""
    state: Progress
    outcome: Outcome | None = None
    detail: str = ""
    """First line of the answer, or why there is none; redacted."""
    seconds: float | None = None
    evidence_id: EvidenceId | None = None


@dataclass(slots=True)
class _Shared:
    task: asyncio.Task[Evidence]
    waiting: int = 0


class Looker:
    """Looks at one world on behalf of one investigation."""

    def __init__(self, world: World, *, cache: Cache, on_look: Callable[[Look], None] | None = None) -> None:
        self.world = world
        self.calls = 0
        """Looks so far; callers that shared one look at the same moment count once."""
        self._cache = cache
        self._on_look = on_look
        self._shared: dict[str, _Shared] = {}

    async def look(self, name: str, args: Mapping[str, Any]) -> Evidence:
        """Evidence of one tool call, whatever happens to the source.

        Callers that ask the same at the same time share one read. A snapshot does not change: there the first
        answer also serves all later ones.
        """
        known = catalogue().get(name)
        if known is None:
            return _gap(name, args, _unknown_tool(name))
        try:
            wanted = known.args.model_validate(dict(args))
        except ValidationError as wrong:
            return _gap(name, args, _wrong_arguments(wrong))
        key = cache_key(self.world.name, name, wanted)
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = _Shared(asyncio.create_task(self._shown(key, known, wanted)))
        return await self._joined(key, shared)

    async def _joined(self, key: str, shared: _Shared) -> Evidence:
        shared.waiting += 1
        try:
            # Shielded, for one caller that gives up must not take the answer from the others.
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            task = shared.task
            ended_well = task.done() and not task.cancelled() and task.exception() is None
            if self._shared.get(key) is shared and not (shared.waiting or (ended_well and not self._is_live)):
                del self._shared[key]
            if not task.done() and not shared.waiting:
                task.cancel()
                await asyncio.wait([task])

    @property
    def _is_live(self) -> bool:
        return self.world.captured_at is None

    async def _shown(self, key: str, tool: Tool[Any], args: Args) -> Evidence:
        self.calls += 1
        look = Look(
            number=self.calls,
            tool=tool.name,
            title=tool.doc.partition("\n")[0],
            summary=_summary(args),
            state=Progress.STARTED,
        )
        self._show(look)
        began = asyncio.get_running_loop().time()
        ended = replace(look, state=Progress.ENDED, outcome=Outcome.ERROR, detail="given up")
        try:
            evidence = await self._cached(key, tool, args)
            detail = next(iter((evidence.why or evidence.excerpt).splitlines()), "")[:DETAIL_LIMIT]
            ended = replace(ended, outcome=evidence.outcome, detail=detail, evidence_id=evidence.id)
            return evidence
        finally:
            self._show(replace(ended, seconds=asyncio.get_running_loop().time() - began))

    def _show(self, look: Look) -> None:
        if self._on_look:
            self._on_look(look)

    async def _cached(self, key: str, tool: Tool[Any], args: Args) -> Evidence:
        if not self._is_live or tool.ttl_s <= 0:
            return await self._read(tool, args)
        try:
            kept = await self._cache.get(key)
            if kept and (reading := from_rest(kept[0])):
                age_s = max(0.0, (Instant.now() - kept[1]).total("seconds"))
                return replace(_evidence(tool, reading), age_s=age_s)
        except CacheError as error:
            _warn("cache_not_read", tool=tool.name, error=str(error))
        return await self._read(tool, args, key=key)

    async def _read(self, tool: Tool[Any], args: Args, *, key: str | None = None) -> Evidence:
        call = _call(tool.name, args.model_dump(mode="json", exclude_defaults=True))
        try:
            if self._is_live:
                await turn(tool.name)
            async with asyncio.timeout(tool.timeout_s):
                reading = await self._asked(tool, args)
        except ToolNoSource as gap:
            return Evidence.gap(tool.name, call, Outcome.NO_SOURCE, str(gap))
        except ToolError as error:
            return Evidence.gap(tool.name, call, Outcome.ERROR, _why(error))
        except TimeoutError:
            why = f"no answer within {tool.timeout_s:g} s. {_SAYS_NOTHING}"
            return Evidence.gap(tool.name, call, Outcome.ERROR, why)
        except Exception as bug:  # noqa: BLE001 - the outer edge of all integrations: one broken tool must not end the session
            # The place, not the exception with its locals: those hold credentials and what was read.
            where = "".join(traceback.format_tb(bug.__traceback__))
            _warn(
                "tool_failed",
                tool=tool.name,
                error=type(bug).__name__,
                said=redact(str(bug))[:300],
                where=redact(where),
            )
            why = f"the tool {tool.name!r} itself failed ({type(bug).__name__}). {_SAYS_NOTHING}"
            return Evidence.gap(tool.name, call, Outcome.ERROR, why)
        if key:
            await self._keep(key, tool, reading)
        return _evidence(tool, reading)

    async def _asked(self, tool: Tool[Any], args: Args) -> Reading:
        if not self._is_live:
            # What a folder could not give it will not give in a second either.
            return await tool.run(self.world, args)
        return await attempts(lambda: tool.run(self.world, args), within_s=tool.timeout_s)

    async def _keep(self, key: str, tool: Tool[Any], reading: Reading) -> None:
        try:
            if value := await asyncio.to_thread(to_rest, reading):
                await self._cache.put(key, value, tool.ttl_s)
        except (CacheError, TypeError) as error:
            # TypeError: data that is not plain JSON, which a tool should not give, and which is no reason to lose it.
            _warn("cache_not_written", tool=tool.name, error=str(error))


_SAYS_NOTHING = "This says nothing about the thing asked about: ask again later, or look elsewhere."


def _evidence(tool: Tool[Any], reading: Reading) -> Evidence:
    return Evidence.found(tool.name, reading.query, reading.text, window=reading.window, data=reading.data)


def _gap(name: str, args: Mapping[str, Any], why: str) -> Evidence:
    return Evidence.gap(name, _call(name, args), Outcome.ERROR, why)


def _call(name: str, args: Mapping[str, Any]) -> str:
    return f"{name} {orjson.dumps(dict(args), default=str, option=orjson.OPT_NON_STR_KEYS).decode()}"[:500]


def _why(error: ToolError) -> str:
    match error:
        case ToolRetry():
            return f"The arguments cannot be used: {error}"
        case ToolRefused():
            return f"Refused: {error}. Asking again is useless."
        case ToolUnavailable():
            return f"{error}. {_SAYS_NOTHING}"
        case _:
            return str(error)


def _unknown_tool(name: str) -> str:
    names = sorted(catalogue())
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(names)}"
    return f"there is no tool {name[:80]!r}; {meant}"


def _wrong_arguments(wrong: ValidationError) -> str:
    parts: list[str] = []
    for error in wrong.errors(include_url=False, include_context=False)[:5]:
        where = ".".join(map(str, error["loc"])) or "arguments"
        parts.append(f"argument {where!r}: {error['msg']} (got {str(error['input'])[:80]!r})")
    return f"The arguments cannot be used: {'; '.join(parts)}"


def _summary(args: Args) -> str:
    given = args.model_dump(mode="json", exclude_defaults=True)
    text = redact(" ".join(f"{name}={value}" for name, value in redact_fields(given).items()))
    return text if len(text) <= 120 else f"{text[:119]}…"


def _warn(event: str, **fields: object) -> None:
    # Imported late: it costs more than everything else here, and a snapshot that reads well never needs it.
    import structlog

    structlog.get_logger(__name__).warning(event, **fields)
