"""Getting events, clicks and commands to the app: one try, an ack within 3 seconds, and for events three more tries."""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from whenever import Instant

from bot.workspace.changes import Changes
from bot.workspace.clock import Clock
from bot.workspace.faults import Faults
from bot.workspace.payloads import Json
from bot.workspace.refusals import Violations

ACK_S = 3
RETRY_AFTER_S = (0, 60, 300)
KEPT = 20_000
"""How many deliveries, and elsewhere calls, are remembered, so that a demo can run for days."""

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """The type of a Socket Mode envelope."""

    EVENT = "events_api"
    INTERACTION = "interactive"
    COMMAND = "slash_commands"


class Outcome(StrEnum):
    """How one try ended."""

    PENDING = "pending"
    ACKED = "acked"
    TIMEOUT = "timeout"
    DROPPED = "dropped"
    """The app acked, and a fault lost it."""
    UNREACHABLE = "unreachable"
    """Nobody was connected, or the connection broke."""
    HTTP_ERROR = "http_error"


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try to deliver."""

    number: int
    at: Instant
    via: str = ""
    outcome: Outcome = Outcome.PENDING
    acked_at: Instant | None = None
    ack_s: float | None = None
    answer: Json = field(default_factory=dict[str, object])


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One event, interaction or command on its way to the app."""

    id: str
    kind: Kind
    name: str
    """The event's type, the interaction's type or the command."""
    payload: Json
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    is_done: bool = False

    @property
    def was_acked(self) -> bool:
        return any(attempt.outcome is Outcome.ACKED for attempt in self.attempts)

    @property
    def retry_reason(self) -> str:
        if len(self.attempts) < 2:
            return ""
        return "http_error" if self.attempts[-2].outcome is Outcome.HTTP_ERROR else "timeout"


class Unreachable(Exception):
    """Nobody took the delivery."""


class BadStatus(Exception):
    """The request URL answered with something else than 200."""

    def __init__(self, status: int, *, may_retry: bool = True) -> None:
        super().__init__(f"HTTP {status}")
        self.may_retry = may_retry


class Transport(Protocol):
    """A way to the app."""

    async def send(self, delivery: Delivery, attempt: Attempt) -> Json:
        """Send once and wait for the ack; its payload.

        Raises:
            Unreachable: Nobody is there.
            BadStatus: The answer was no 200.
        """
        ...


class Deliveries:
    """Everything sent to the app, and the tasks that send it."""

    def __init__(self, clock: Clock, faults: Faults, violations: Violations, changes: Changes) -> None:
        self.all: deque[Delivery] = deque(maxlen=KEPT)
        self.transport: Transport | None = None
        self._clock = clock
        self._faults = faults
        self._violations = violations
        self._changes = changes
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight = 0

    def send(
        self, kind: Kind, name: str, payload: Json, *, then: Callable[[Json | None], None] | None = None
    ) -> Delivery:
        """Start delivering; `then` gets the ack's payload, or None when nobody acked."""
        delivery = Delivery(id=f"env-{secrets.token_hex(8)}", kind=kind, name=name, payload=payload)
        self.all.append(delivery)
        self._start(delivery, then)
        if kind is Kind.EVENT and self._faults.duplicates > 0:
            self._faults.duplicates -= 1
            self._start(delivery, None)
        return delivery

    def again(self, delivery: Delivery) -> None:
        """Deliver once more what was delivered already."""
        self._start(delivery, None)

    async def settle(self, within_s: float) -> bool:
        """Wait, in real time, until no try is waiting for its ack; whether that came."""
        try:
            async with asyncio.timeout(within_s):
                while self._in_flight:
                    await self._changes.after(self._changes.version)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, delivery: Delivery, then: Callable[[Json | None], None] | None) -> None:
        # Counted here and not in the task, so that settle() right after a post waits for it.
        self._in_flight += 1
        task = asyncio.create_task(self._deliver(delivery, then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery, then: Callable[[Json | None], None] | None) -> None:
        waits = RETRY_AFTER_S if delivery.kind is Kind.EVENT else ()
        answer = await self._try(delivery, is_first=True)
        for wait_s in waits:
            if answer is not None or delivery.is_done:
                break
            await self._clock.sleep(wait_s)
            answer = await self._try(delivery, is_first=False)
        delivery.is_done = True
        if then:
            then(answer)
        self._changes.bump()

    async def _try(self, delivery: Delivery, *, is_first: bool) -> Json | None:
        if not is_first:
            self._in_flight += 1
        attempt = Attempt(number=len(delivery.attempts), at=self._clock.now())
        delivery.attempts.append(attempt)
        started_s = self._clock.seconds()
        try:
            attempt.outcome = await self._outcome(delivery, attempt)
        finally:
            self._in_flight -= 1
            self._changes.bump()
        if attempt.outcome is not Outcome.ACKED:
            return None
        attempt.acked_at = self._clock.now()
        attempt.ack_s = self._clock.seconds() - started_s
        return attempt.answer

    async def _outcome(self, delivery: Delivery, attempt: Attempt) -> Outcome:
        if self.transport is None:
            raise RuntimeError("the workspace has no way to the app")
        sending = asyncio.create_task(self.transport.send(delivery, attempt))
        deadline = asyncio.create_task(self._clock.sleep(ACK_S))
        try:
            await asyncio.wait({sending, deadline}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                return self._late(delivery, attempt)
            try:
                attempt.answer = sending.result()
            except Unreachable:
                return Outcome.UNREACHABLE
            except BadStatus as refusal:
                delivery.is_done = not refusal.may_retry
                self._violations.add(attempt.at, delivery.name, f"answered with {refusal}")
                return Outcome.HTTP_ERROR
            return Outcome.DROPPED if self._faults.drop_ack() else Outcome.ACKED
        finally:
            await _end(sending)
            await _end(deadline)

    def _late(self, delivery: Delivery, attempt: Attempt) -> Outcome:
        if not attempt.via:
            return Outcome.UNREACHABLE
        self._violations.add(attempt.at, delivery.name, f"not acked within {ACK_S} s")
        return Outcome.TIMEOUT


async def _end(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.wait({task})
