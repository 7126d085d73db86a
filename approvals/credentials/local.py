"""The server of `locum dev secrets` in the place of a real store: on this machine only, never in production.

It answers `GET /secrets/{reference}` with `{"value": …}`, 404 where it has none, and `GET /health`.
"""

import ipaddress
import json
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote, urlsplit

import aiohttp

from approvals.credentials.errors import (
    CredentialsError,
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
)
from approvals.credentials.provider import Grant, Lease, held
from approvals.credentials.reference import Reference
from approvals.credentials.secret import sealed
from tools.retrying import attempts

TIMEOUT_S = 3.0
ATTEMPTS_WITHIN_S = 10.0


class Local:
    """A development server on this machine; it has references of every scheme."""

    def __init__(self, url: str, *, in_production: bool) -> None:
        """Connects to nobody yet.

        Raises:
            CredentialsRefused: in production, and for an address that is not of this machine.
        """
        if in_production:
            raise CredentialsRefused("the local server of secrets is for development; production does not use it")
        if not _is_here(url):
            raise CredentialsRefused("the local server of secrets must be on this machine: http://127.0.0.1:port")
        self._url = url.rstrip("/")

    async def fetch(self, references: Sequence[Reference], *, ttl_s: float) -> Grant:
        """Their values, each asked for anew.

        Raises:
            CredentialsMissing: when the server has none for one of them.
            CredentialsRefused: when it refuses, or a value cannot be used.
            CredentialsUnavailable: when it does not answer properly.
        """
        values: dict[Reference, object] = {}
        for each in references:
            path = f"/secrets/{quote(str(each), safe='')}"
            answer = await attempts(lambda path=path, each=each: self._get(path, str(each)), within_s=ATTEMPTS_WITHIN_S)
            values[each] = answer.get("value")
        return Grant(secrets=sealed(values, in_development=True), lease=held(ttl_s), accessor="")

    async def renew(self, lease: Lease, *, ttl_s: float) -> Lease:
        """What is held needs no renewal: the lease as it is."""
        del ttl_s
        return lease

    async def revoke(self, lease_id: str) -> None:
        """There is nothing to revoke."""

    async def health(self) -> str:
        """Whether it answers.

        Raises:
            CredentialsUnavailable: when it does not.
        """
        answer = await self._get("/health", "its health")
        return f"answers, in mode {answer.get('mode')!r}"

    async def _get(self, path: str, what: str) -> dict[str, Any]:
        answer = await self._answer(path, what)
        if isinstance(answer, CredentialsError):
            # Raised here: the client's own exception would stay with it as its context.
            raise answer
        return answer

    async def _answer(self, path: str, what: str) -> dict[str, Any] | CredentialsError:
        try:
            # A session a request: there are few of them, and none is left open.
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
                session.get(self._url + path, allow_redirects=False) as response,
            ):
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return CredentialsUnavailable(f"the local server of secrets cannot be reached: {type(error).__name__}")
        if status == 404:
            return CredentialsMissing(f"the local server of secrets has nothing for {what}")
        if status in (400, 401, 403):
            return CredentialsRefused(f"the local server of secrets refuses {what} ({status})")
        return _parsed(status, body)


def _parsed(status: int, body: bytes) -> dict[str, Any] | CredentialsError:
    try:
        document: object = json.loads(body)
    except ValueError:
        document = None
    if status == 200 and isinstance(document, dict):
        return cast("dict[str, Any]", document)
    return CredentialsUnavailable(f"what answers as the local server of secrets is none ({status})")


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.scheme == "http" and parts.hostname == "localhost"
