"""How an activity runs: it beats, its ids are in every log line, and only the kind of an error enters the history."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from bot.telemetry import metrics
from bot.telemetry.traces import span

BEAT_EVERY_S = 2.0
MOST_ATTEMPTS = 4
"""Of what fails by itself; a store or a Slack that is away is waited for longer."""
_PATIENT = ("StoreError", "Unavailable", "LedgerError", "DirectoryUnavailable", "WorkflowsAway")
_IDS = ("incident_id", "session_id", "request_id")

S = TypeVar("S")
W = TypeVar("W")
P = ParamSpec("P")
R = TypeVar("R")

_log = structlog.get_logger("locum.activities")


def durable(work: Callable[Concatenate[S, W, P], Awaitable[R]]) -> Callable[Concatenate[S, W, P], Awaitable[R]]:
    """Beats while `work` runs; lets only the kind of an error into the history, whose words may be an outsider's.

    The first argument is what it is about: something with ids, or a request's id itself.
    """

    @functools.wraps(work)
    async def beating(self: S, about: W, *args: P.args, **kwargs: P.kwargs) -> R:
        ids = _ids(about)
        heart = asyncio.create_task(_beat())
        try:
            with structlog.contextvars.bound_contextvars(**ids), span(work.__name__, **ids):
                return await work(self, about, *args, **kwargs)
        except ApplicationError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge between work and workflow; logged, counted, seen by people
            raise _failure(work.__name__, error) from None
        finally:
            heart.cancel()

    return beating


def _ids(about: object) -> dict[str, str]:
    if isinstance(about, str):
        return {"request_id": about}
    found: dict[str, Any] = {name: getattr(about, name, "") for name in _IDS}
    return {name: value for name, value in found.items() if value}


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(BEAT_EVERY_S)


def _failure(name: str, error: Exception) -> ApplicationError:
    kind = type(error).__name__
    metrics.FAILURES.labels(activity=name, error=kind).inc()
    _log.warning("an attempt failed", activity=name, attempt=activity.info().attempt, exc_info=error)
    is_final = kind not in _PATIENT and (name == "specialist" and activity.info().attempt >= MOST_ATTEMPTS)
    return ApplicationError(f"{name} failed", type=kind, non_retryable=is_final)
