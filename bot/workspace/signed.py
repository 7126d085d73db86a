"""Signed HTTP: what Slack sends to request URLs instead of a socket."""

import hashlib
import hmac
import json
import secrets
import time
from urllib.parse import urlencode

import aiohttp

from bot.workspace.delivery import Attempt, BadStatus, Delivery, Kind, Unreachable
from bot.workspace.faults import Faults
from bot.workspace.payloads import Json, as_object

TIMEOUT = aiohttp.ClientTimeout(total=10)


class SignedHttp:
    """Deliveries as POSTs to one URL of the app, signed as Slack signs them."""

    def __init__(self, url: str, *, signing_secret: str, faults: Faults) -> None:
        self._url = url
        self._secret = signing_secret
        self._faults = faults

    async def verify(self) -> None:
        """The handshake when a request URL is entered: the app must echo the challenge."""
        challenge = secrets.token_hex(16)
        body = json.dumps({"type": "url_verification", "challenge": challenge, "token": "local"})
        status, answer, _ = await self._post(body, "application/json", {})
        if status != 200 or challenge not in answer:
            raise ConnectionError(f"the request URL {self._url!r} did not answer the challenge: HTTP {status}")

    async def send(self, delivery: Delivery, attempt: Attempt) -> Json:
        """POST once; the JSON of the answer."""
        extra: dict[str, str] = {}
        if attempt.number:
            reason = "http_error" if delivery.retry_reason == "http_error" else "http_timeout"
            extra = {"X-Slack-Retry-Num": str(attempt.number), "X-Slack-Retry-Reason": reason}
        body, content_type = _encode(delivery)
        attempt.via = self._url
        try:
            status, answer, headers = await self._post(body, content_type, extra)
        except (aiohttp.ClientError, TimeoutError) as error:
            attempt.via = ""
            raise Unreachable(self._url) from error
        if status != 200:
            raise BadStatus(status, may_retry=headers.get("X-Slack-No-Retry") != "1")
        if not answer.strip():
            return {}
        try:
            return as_object(json.loads(answer))
        except ValueError:
            return {"text": answer}

    async def _post(self, body: str, content_type: str, extra: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        # Signed in real time, not the workspace's: the app compares with its own clock.
        timestamp = str(int(time.time() + self._faults.skew_s))
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self._secret, timestamp, body),
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            **extra,
        }
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.post(self._url, data=body.encode(), headers=headers) as answer,
        ):
            return answer.status, await answer.text(), dict(answer.headers)


def signature(secret: str, timestamp: str, body: str) -> str:
    """Slack's signature of one request."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256)
    return f"v0={digest.hexdigest()}"


def _encode(delivery: Delivery) -> tuple[str, str]:
    form = "application/x-www-form-urlencoded"
    if delivery.kind is Kind.EVENT:
        return json.dumps(delivery.payload), "application/json"
    if delivery.kind is Kind.COMMAND:
        return urlencode(delivery.payload), form
    return urlencode({"payload": json.dumps(delivery.payload)}), form
