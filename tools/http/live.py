"""Asks a JSON API over HTTP with GET, and says what went wrong in the words of `tools.errors`.

Shared by the integrations that speak to such an API. It never follows a redirect: the credentials are for one host.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

import aiohttp
from whenever import Instant

from tools.errors import ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable

LIMIT_BYTES = 32_000_000


class JsonSource:
    """One API with its address, its credentials and one connection pool."""

    def __init__(
        self, name: str, url: str, *, headers: Mapping[str, str], ca_file: str | None, timeout_s: float
    ) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        """The JSON object at `path`.

        Raises:
            ToolRetry: the source refuses the query itself (400, 422), or the answer is too large.
            ToolRefused: the credentials are missing, wrong or not enough (401, 403).
            ToolNoSource: there is no such API at this address (404).
            ToolUnavailable: anything else that is not a proper answer.
        """
        try:
            async with self._open().get(self._url + path, params=params, allow_redirects=False) as response:
                body = await self._body(response)
                self._judge(response, body)
        except TimeoutError as error:
            raise ToolUnavailable(f"{self._name} did not answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            raise ToolUnavailable(f"{self._name} cannot be reached: {_reason(error)}") from error
        return self._parsed(body)

    async def aclose(self) -> None:
        """Closes the connections; the source cannot be asked afterwards."""
        if self._session:
            await self._session.close()
            # aiohttp closes TLS transports in the next turns of the loop.
            await asyncio.sleep(0)

    def _open(self) -> aiohttp.ClientSession:
        # Here and not in the constructor: a session belongs to the running loop.
        if self._session is None:
            trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=self._ca_file) if self._ca_file else True
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(ssl=trust, limit=8),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, connect=min(3.0, self._timeout_s)),
            )
        return self._session

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            body += chunk
            if len(body) > LIMIT_BYTES:
                raise ToolRetry(f"{self._name} answers with more than {LIMIT_BYTES // 1_000_000} MB: ask for less")
        return bytes(body)

    def _judge(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        status, said = response.status, _message(body)
        if status == 200:
            return
        if status in (400, 422):
            raise ToolRetry(f"{self._name} does not accept the query: {said}")
        if status in (401, 403):
            raise ToolRefused(f"{self._name} answers {status} to these credentials: {said}")
        if status == 404:
            raise ToolNoSource(f"{self._name} has nothing at {response.url.path} (404): is its address right?")
        raise ToolUnavailable(
            f"{self._name} answers {status}: {said}", retry_after_s=_retry_after(response.headers.get("Retry-After"))
        )

    def _parsed(self, body: bytes) -> Mapping[str, Any]:
        try:
            document = json.loads(body)
        except ValueError as error:
            raise ToolUnavailable(f"{self._name} does not answer with JSON") from error
        if not isinstance(document, dict):
            raise ToolUnavailable(f"{self._name} does not answer with a JSON object")
        return cast("dict[str, Any]", document)


def _message(body: bytes) -> str:
    text = body[:2_000].decode(errors="replace").strip()
    try:
        document: object = json.loads(text)
    except ValueError:
        return text[:300] or "no reason given"
    if isinstance(document, dict):
        fields = cast("dict[str, Any]", document)
        return str(fields.get("error") or fields.get("message") or text)[:300]
    return text[:300]


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text[:300]


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or a date; `None` when it says nothing that can be read."""
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        at = Instant(parsedate_to_datetime(value))
    except ValueError:
        return None
    return max(0.0, (at - Instant.now()).total("seconds"))
