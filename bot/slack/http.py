"""HTTP mode: Slack posts to `/slack/events`. Nothing is read from a request before its signature was checked."""

import asyncio
import hashlib
import hmac
import logging
import time
from typing import cast

from pydantic import SecretStr
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.request.internals import parse_body
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bot.setting_groups import Slack
from bot.slack.app import SlackApp
from bot.slack.asking import Seen

PATH = "/slack/events"
CLOCK_S = 300
BODY = 1_048_576
BODY_S = 15.0

logger = logging.getLogger(__name__)


def route(slack: SlackApp, settings: Slack, seen: Seen) -> Route:
    """The route that takes events, commands and interactions.

    Raises:
        ValueError: when no signing secret is set.
    """
    if settings.signing_secret is None:
        raise ValueError("slack.signing_secret is not set: HTTP mode cannot tell Slack from anybody else")
    secret, handler = settings.signing_secret, AsyncSlackRequestHandler(slack.app)

    async def take(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_S):
                body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except TimeoutError:
            return Response(status_code=408, headers={"Connection": "close"})
        if body is None:
            return Response(status_code=413)
        signature = request.headers.get("x-slack-signature", "")
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        if not is_genuine(secret, timestamp, body, signature, now_s=time.time()):
            logger.warning("a request that Slack did not sign was refused")
            return Response(status_code=401)
        if not _is_readable(body, request.headers.get("content-type", "")):
            logger.warning("a request of Slack's cannot be read")
            return Response(status_code=400)
        # A retry of Slack's is signed anew; the very same signature again is a recording.
        if not await seen.first(f"slack:signature:{signature}", 2 * CLOCK_S):
            logger.warning("a request that was taken before was refused")
            return Response(status_code=401)
        return await handler.handle(_Replayed(request, body))

    return Route(PATH, take, methods=["POST"])


def is_genuine(secret: SecretStr, timestamp: str, body: bytes, signature: str, *, now_s: float) -> bool:
    """Whether Slack signed exactly this body, a moment ago."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        return False
    if abs(now_s - int(timestamp)) > CLOCK_S:
        return False
    digest = hmac.new(secret.get_secret_value().encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256)
    return hmac.compare_digest(f"v0={digest.hexdigest()}".encode(), signature.encode())


def _is_readable(body: bytes, content_type: str) -> bool:
    """Whether it is what Slack sends at all: bolt takes that for granted, and stumbles over anything else."""
    try:
        found = cast("object", parse_body(body.decode(), content_type))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(cast("dict[str, object]", found).get("event", {}), dict)


class _Replayed(Request):
    """The request with the body that was read from it."""

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(request.scope)
        self._body = body


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY:
            return None
    return bytes(body)
