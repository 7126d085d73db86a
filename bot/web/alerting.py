"""`POST /alerts/{source}`: who may send is decided before anything is read, and 202 is said when it is safe."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from whenever import Instant

from bot.alerts import Batch, ParseError, parse, read_json, sources
from bot.setting_groups import Alerts, AlertSource, SignedSource, SnsSource
from bot.stores.connection import StoreError
from bot.stores.inbox import Delivery, InboxFull
from bot.telemetry import metrics
from bot.telemetry.traces import span
from bot.web.guarding import body_of, may_send, ways
from bot.web.signatures import is_signed
from bot.web.sns import Amazon, Fetches, Sns

RETRY_AFTER_S = 5

router = APIRouter()
_log = structlog.get_logger("locum.web")


class TakesAlerts(Protocol):
    """Where accepted alerts are safe."""

    async def append(self, delivery: Delivery) -> None:
        """Takes a delivery durably."""
        ...

    async def keep_unreadable(self, source: str, body: bytes, reason: str) -> None:
        """Keeps what did not parse."""
        ...


class Alerting:
    """Takes what monitoring systems send."""

    def __init__(self, settings: Alerts, inbox: TakesAlerts, amazon: Fetches | None = None) -> None:
        self._settings = settings
        self._inbox = inbox
        self._sns = Sns(settings.cloudwatch.topics, amazon or Amazon())

    async def take(self, source: str, request: Request) -> JSONResponse:
        """One request, to its answer.

        Raises:
            HTTPException: 401, 404, 422 or 503, with a sentence.
        """
        received_s = Instant.now().timestamp(unit="millisecond") / 1000
        body = await self._let_in(source, request, received_s)
        with span("webhook", source=source):
            if source == "cloudwatch":
                await self._check_sns(body)
            batch = await self._read(source, body)
            await self._append(source, Delivery(batch.alerts, received_s))
            if batch.rejected:
                metrics.ALERTS_REJECTED.labels(source=source, reason="alert").inc(len(batch.rejected))
                await self._keep(source, body, "; ".join(batch.rejected[:20]))
            if batch.truncated:
                _log.warning("the sender left alerts out", source=source, truncated=batch.truncated)
        answer = {"accepted": len(batch.alerts), "rejected": list(batch.rejected), "truncated": batch.truncated}
        return JSONResponse(answer, status_code=202)

    async def _let_in(self, source: str, request: Request, now_s: float) -> bytes:
        """The body of whoever may send."""
        configured = getattr(self._settings, source, None) if source in sources() else None
        if not isinstance(configured, AlertSource | SnsSource) or not ways(configured):
            raise HTTPException(404, "no such alert source")
        limit = self._settings.max_body_bytes
        match configured:
            case SnsSource():
                # Whose it is stands in the body itself.
                return await body_of(request, limit)
            case AlertSource() if may_send(configured, request.headers.get("authorization", "")):
                return await body_of(request, limit)
            case SignedSource() if configured.secrets:
                body = await body_of(request, limit)
                if is_signed(source, configured, request.headers, body, now_s=now_s):
                    return body
            case _:
                pass
        raise _stranger(source)

    async def _check_sns(self, body: bytes) -> None:
        try:
            message: Mapping[str, Any] = read_json(body)
        except ParseError as error:
            # A stranger learns nothing of what was wrong with it.
            raise _stranger("cloudwatch") from error
        try:
            if not await self._sns.is_theirs(message):
                raise _stranger("cloudwatch")
            if message.get("Type") == "SubscriptionConfirmation":
                await self._sns.confirm(message)
        except OSError as error:
            _log.warning("Amazon could not be asked", reason=str(error))
            raise _later() from error

    async def _read(self, source: str, body: bytes) -> Batch:
        try:
            return parse(source, body)
        except ParseError as error:
            metrics.ALERTS_REJECTED.labels(source=source, reason="unreadable").inc()
            await self._keep(source, body, str(error))
            raise HTTPException(422, str(error)) from error

    async def _append(self, source: str, delivery: Delivery) -> None:
        if not delivery.alerts:
            return
        try:
            await self._inbox.append(delivery)
        except (StoreError, InboxFull) as error:
            _log.warning("alerts were not taken", source=source, reason=str(error))
            raise _later() from error
        metrics.ALERTS_RECEIVED.labels(source=source).inc(len(delivery.alerts))

    async def _keep(self, source: str, body: bytes, reason: str) -> None:
        try:
            await self._inbox.keep_unreadable(source, body, reason)
        except StoreError as error:
            _log.warning("an unreadable payload was not kept", source=source, reason=str(error))


@router.post("/alerts/{source}")
async def post_alerts(source: str, request: Request) -> JSONResponse:
    """Alerts of one source."""
    alerting: Alerting = request.app.state.alerting
    return await alerting.take(source, request)


def _stranger(source: str) -> HTTPException:
    metrics.ALERTS_REJECTED.labels(source=source, reason="unauthorized").inc()
    return HTTPException(401, "unauthorized", {"WWW-Authenticate": "Bearer"})


def _later() -> HTTPException:
    return HTTPException(503, "not taken, send it again", {"Retry-After": str(RETRY_AFTER_S)})
