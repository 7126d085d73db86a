"""One question to the model: within the budget, asked again where that helps, by another model where it does not.

Retries live here alone; the client library's own are off.
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from agents.model.budget import LEAST_OUTPUT, Budget, Ledger, estimated_tokens
from agents.model.circuits import Circuit
from agents.model.failures import ELSEWHERE, TRANSIENT, ModelError, Reason
from agents.model.prices import price
from agents.model.remembering import Memory, key
from agents.model.replies import Reply, Tokens
from agents.report import Usage

ATTEMPTS = 3
"""Requests for one question, over all models."""
PATIENCE_S = 10.0
"""A longer wish to wait is only granted when no other model could be asked meanwhile."""
MOST_OUTPUT = 1_500
"""Tokens of one reply."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, whichever model answers."""

    system: str
    tools: Sequence[Json]
    """As the service takes them."""
    messages: Sequence[Json]
    forced: str | None = None
    """The tool that must be called; `None` leaves the choice to the model."""
    known: str = ""
    """A digest of all that was known when it was asked, also of what there was no room to tell."""

    def body(self, model: str, max_tokens: int) -> dict[str, Any]:
        """The request as it is sent. What stays the same from turn to turn comes first and is cached by the service.

        The service puts tools before the system's words, so that the mark there is for both.
        """
        choice = {"type": "tool", "name": self.forced} if self.forced else {"type": "auto"}
        return {
            "model": model,
            "max_tokens": max_tokens,
            "stream": True,
            "system": [{"type": "text", "text": self.system, "cache_control": _CACHED}],
            "tools": list(self.tools),
            "tool_choice": choice,
            # The case by itself, and the whole talk so far, which is the next turn's beginning.
            "messages": [_marked(self.messages[0]), *self.messages[1:-1], *map(_marked, self.messages[1:][-1:])],
        }


_CACHED = {"type": "ephemeral"}


def _marked(message: Json) -> Json:
    *blocks, last = message["content"]
    return {**message, "content": [*blocks, {**last, "cache_control": _CACHED}]}


class Wire(Protocol):
    """The way to the service."""

    async def send(self, body: Mapping[str, Any], *, timeout_s: float) -> Reply:
        """One request, one whole reply, or `ModelError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One request that was sent, for whoever watches."""

    model: str
    failure: Reason | None
    """`None`: there was a reply."""
    tokens: Tokens
    seconds: float


class Model:
    """The models of one service, asked on behalf of one session."""

    def __init__(
        self,
        wire: Wire | None,
        *,
        names: Sequence[str],
        budget: Budget,
        timeout_s: float,
        spent: Usage | None = None,
        circuits: dict[str, Circuit] | None = None,
        memory: Memory | None = None,
        grant: str = "",
        on_call: Callable[[Called], None] | None = None,
    ) -> None:
        self._wire = wire
        self._names = tuple(names)
        self._timeout_s = timeout_s
        self._ledger = Ledger(budget=budget, spent=spent or Usage())
        self._circuits: dict[str, Circuit] = {} if circuits is None else circuits
        self._memory = memory
        self._grant = grant
        self._on_call = on_call
        self._began_at_s: float | None = None

    def for_session(self, spent: Usage | None = None, *, grant: str = "") -> "Model":
        """The same service for another session, whose budget is untouched but for what it has spent before.

        What it is told was read with the credentials of `grant`; only who has the same may hear its answers again.
        """
        return Model(
            self._wire,
            names=self._names,
            budget=self._ledger.budget,
            timeout_s=self._timeout_s,
            spent=spent,
            circuits=self._circuits,
            memory=self._memory,
            grant=grant,
            on_call=self._on_call,
        )

    @property
    def is_configured(self) -> bool:
        """Whether there is a model to ask."""
        return self._wire is not None and bool(self._names)

    @property
    def spent(self) -> Usage:
        """What the session has spent, over all who asked; without seconds, for they may have asked side by side."""
        return replace(self._ledger.spent, seconds=0.0)

    async def ask(
        self, request: Request, *, within_s: float, is_good: Callable[[Reply], bool] | None = None
    ) -> tuple[Reply, Usage]:
        """The reply to one question, and what it cost together with the attempts that failed.

        Args:
            request: the question.
            within_s: how long to wait, over all attempts.
            is_good: whether a reply is worth keeping for whoever asks the very same again; `None` keeps none.

        Raises:
            ModelError: when there is no reply within the budget, the time and three attempts; its `cost` is of all.
        """
        if self._wire is None or not self._names:
            raise ModelError(Reason.NO_KEY)
        if self._memory is None or is_good is None:
            return await self._asked(self._wire, request, within_s=within_s)
        return await self._memory.answered(
            key(request, names=self._names, grant=self._grant),
            partial(self._asked, self._wire, request, within_s=within_s),
            is_good=is_good,
            within_s=within_s,
        )

    async def _asked(self, wire: Wire, request: Request, *, within_s: float) -> tuple[Reply, Usage]:
        loop = asyncio.get_running_loop()
        ends_at_s = loop.time() + within_s
        cost, at, tried = Usage(), 0, 0
        while True:
            name = self._names[at]
            try:
                reply = await self._once(wire, name, request, ends_at_s=ends_at_s)
                return reply, cost + usage(name, reply.tokens)
            except ModelError as error:
                failure = error
            if failure.reason not in _NOT_SENT:
                cost, tried = cost + usage(name, failure.tokens), tried + 1
            left_s = ends_at_s - loop.time()
            step = next_step(failure, at=at, last=len(self._names) - 1, tried=tried, left_s=left_s)
            if step is None:
                failure.cost = cost
                raise failure
            at, pause_s = step
            _tell("model_asked_again", reason=str(failure.reason), model=self._names[at], pause_s=round(pause_s, 2))
            await asyncio.sleep(pause_s)

    async def _once(self, wire: Wire, name: str, request: Request, *, ends_at_s: float) -> Reply:
        now_s = asyncio.get_running_loop().time()
        circuit = self._circuits.get(name, Circuit()).asked(now_s=now_s)
        if circuit is None:
            raise ModelError(Reason.CIRCUIT_OPEN, name)
        estimate, body = self._planned(name, request, now_s=now_s)
        left_s = min(self._timeout_s, ends_at_s - now_s, self._seconds_left(now_s))
        if left_s <= 0:
            raise ModelError(Reason.BUDGET, "seconds")
        self._circuits[name] = circuit
        self._ledger = self._ledger.promise(estimate)
        tokens, failure = Tokens(), None
        try:
            reply = await wire.send(body, timeout_s=left_s)
            tokens = reply.tokens
        except ModelError as error:
            failure = error.reason
            # The service bills no more than was asked for, however much came.
            tokens = error.tokens = replace(error.tokens, output=min(error.tokens.output, body["max_tokens"]))
            self._circuits[name] = _after(circuit, error.reason)
            raise
        finally:
            # Also when the asker gave up: a promise that stays would starve all who ask later.
            self._ledger = self._ledger.settle(estimate, usage(name, tokens))
            if self._on_call:
                seconds = asyncio.get_running_loop().time() - now_s
                self._on_call(Called(model=name, failure=failure, tokens=tokens, seconds=seconds))
        self._circuits[name] = Circuit()
        return reply

    def _planned(self, name: str, request: Request, *, now_s: float) -> tuple[Usage, dict[str, Any]]:
        cost, ledger = price(name), self._ledger
        tokens = estimated_tokens(len(json.dumps(request.body(name, MOST_OUTPUT), ensure_ascii=False)))
        # A write to the cache is the dearest way to read.
        usd_for_output = ledger.usd_left - cost.usd(Tokens(cache_write=tokens))
        affordable = min(MOST_OUTPUT, ledger.tokens_left - tokens, int(usd_for_output / cost.output * 1_000_000))
        output = max(affordable, LEAST_OUTPUT)
        estimate = replace(usage(name, Tokens(cache_write=tokens, output=output)), seconds=0.0)
        if ceiling := ledger.affords(replace(estimate, seconds=self._elapsed_s(now_s))):
            raise ModelError(Reason.BUDGET, str(ceiling))
        return estimate, request.body(name, output)

    def _elapsed_s(self, now_s: float) -> float:
        if self._began_at_s is None:
            self._began_at_s = now_s
        return now_s - self._began_at_s

    def _seconds_left(self, now_s: float) -> float:
        return self._ledger.budget.seconds - self._ledger.spent.seconds - self._elapsed_s(now_s)


_NOT_SENT = frozenset({Reason.CIRCUIT_OPEN, Reason.BUDGET, Reason.NO_KEY})


def next_step(error: ModelError, *, at: int, last: int, tried: int, left_s: float) -> tuple[int, float] | None:
    """Which model to ask next and after how many seconds; `None` = asking again is useless. Pure but for the jitter."""
    if tried >= ATTEMPTS:
        return None
    if error.reason in ELSEWHERE and at < last:
        return at + 1, 0.0
    if error.reason not in TRANSIENT:
        return None
    pause_s = error.retry_after_s
    if pause_s is None:
        pause_s = 0.2 * 2**tried * random.uniform(0.75, 1.25)  # noqa: S311 - spreads callers, guards nothing
    if at < last and pause_s > min(PATIENCE_S, left_s):
        return at + 1, 0.0
    return (at, pause_s) if pause_s < left_s else None


def usage(name: str, tokens: Tokens) -> Usage:
    """What one request cost."""
    return Usage(model_calls=1, input_tokens=tokens.all_input, output_tokens=tokens.output, usd=price(name).usd(tokens))


def _after(circuit: Circuit, reason: Reason) -> Circuit:
    if reason is Reason.RATE_LIMITED:
        return circuit
    # A service that refuses our request is well.
    return circuit.failed(now_s=asyncio.get_running_loop().time()) if reason in TRANSIENT else Circuit()


def _tell(event: str, **fields: object) -> None:
    # Imported late: a session in which all goes well never needs it.
    import structlog

    structlog.get_logger(__name__).info(event, **fields)
