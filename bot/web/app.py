"""Locum's HTTP surface. Errors are JSON with one clear sentence; what went wrong inside is in the logs alone."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from bot.connectors import Connector, Health
from bot.desk import Desk, DeskClosed
from bot.gate import Gate, GateClosed
from bot.settings import Settings
from bot.telemetry import metrics
from bot.web.alerting import RETRY_AFTER_S, Alerting, TakesAlerts
from bot.web.alerting import router as alerting
from bot.web.approving import router as approving
from bot.web.asking import router as asking
from bot.web.guarding import TooLarge, is_known, principal

_log = structlog.get_logger("locum.web")

Healths = Callable[[], Awaitable[Sequence[Connector]]]


def create_app(settings: Settings, *, inbox: TakesAlerts, desk: Desk, gate: Gate | None, healths: Healths) -> FastAPI:
    """The application; without a gate nothing can be approved; `healths` asks every connector how it is."""
    # An address is right or wrong: a redirect would send a stranger wherever the Host header says.
    app = FastAPI(title="Locum", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.settings = settings
    app.state.desk = desk
    app.state.gate = gate
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DeskClosed, _closed)
    app.add_exception_handler(GateClosed, _closed)
    app.add_exception_handler(TimeoutError, _closed)
    app.add_exception_handler(TooLarge, _too_large)
    app.add_exception_handler(Exception, _broken)
    app.state.alerting = Alerting(settings.alerts, inbox)
    app.include_router(alerting)
    app.include_router(asking)
    app.include_router(approving)

    async def get_health(request: Request) -> JSONResponse:
        found = await healths()
        # What is off by choice does not make Locum ill; what was asked and did not answer does.
        is_well = all(each.health is not Health.FAILED for each in found)
        # Details name hosts and what they answered: probes and strangers need the states alone.
        in_detail = is_known(settings.http, request.headers.get("authorization", ""))
        shown = [_shown(one, in_detail=in_detail) for one in found]
        body = {"status": "ok" if is_well else "failed", "connectors": shown}
        return JSONResponse(body, status_code=200 if is_well else 503)

    async def get_metrics(_: Annotated[str, Depends(_scraper)]) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app.add_api_route("/health", get_health, methods=["GET"])
    app.add_api_route("/metrics", get_metrics, methods=["GET"])
    return app


def _shown(one: Connector, *, in_detail: bool) -> dict[str, str]:
    shown = {"name": one.name, "health": str(one.health)}
    return {**shown, "detail": one.detail, "checked_at": str(one.checked_at)} if in_detail else shown


def _scraper(request: Request) -> str:
    settings: Settings = request.app.state.settings
    found = principal(settings.http, request.headers.get("authorization", ""), "metrics")
    if found is None:
        raise HTTPException(401, "unauthorized", {"WWW-Authenticate": "Bearer"})
    return found


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status, headers=headers)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return _error(error.status_code, error.detail, dict(error.headers or {}))


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    # As everywhere: the place and the reason, never the values.
    parts = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]]
    return _error(422, "; ".join(parts))


async def _closed(_: Request, error: Exception) -> Response:
    _log.warning("a request was not taken", reason=str(error))
    return _error(503, "not available now, ask again", {"Retry-After": str(RETRY_AFTER_S)})


async def _too_large(request: Request, _: Exception) -> Response:
    limit = request.app.state.settings.alerts.max_body_bytes
    return _error(413, f"the body is larger than {limit} bytes", {"Connection": "close"})


async def _broken(_: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return _error(500, "something went wrong; the logs say what")
