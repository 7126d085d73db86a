"""Who may come in: credentials in constant time, bodies within their limit. Decides before anything is parsed."""

import asyncio
import base64
import hmac
import ipaddress
from collections.abc import Sequence

from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from bot.setting_groups import AlertSource, Http, SignedSource, SnsSource

APPROVE = "approve"
BODY_S = 15.0
"""For all of a body, once it is waited for."""


class TooLarge(Exception):
    """The body is longer than it may be."""


def ways(source: AlertSource | SnsSource) -> list[str]:
    """How a source may show who it is, in words; a source without any is off."""
    if isinstance(source, SnsSource):
        return ["Amazon's signature"] if source.topics else []
    by = {
        "bearer token": bool(source.tokens),
        "basic auth": bool(source.username and source.passwords),
        "signature": isinstance(source, SignedSource) and bool(source.secrets),
    }
    return [way for way, is_set in by.items() if is_set]


def may_send(source: AlertSource, authorization: str) -> bool:
    """Whether the header has one of the source's credentials."""
    scheme, _, value = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return _is_one_of(value.strip(), source.tokens)
        case "basic":
            user, password = _basic(value)
            right_user = hmac.compare_digest(user.encode(), source.username.encode())
            # Both are compared whatever the first gives: the time tells nothing about the user name.
            return _is_one_of(password, source.passwords) and right_user and bool(source.username)
        case _:
            return False


def principal(http: Http, authorization: str, scope: str) -> str | None:
    """Whose token it is; `None` when it may not do this."""
    if not http.tokens:
        # Whoever is on this machine may ask; a decision always has somebody's own token.
        return "local" if is_loopback(http.host) and scope != APPROVE else None
    scheme, _, value = authorization.partition(" ")
    given = value.strip().encode() if scheme.lower() == "bearer" else b""
    found: str | None = None
    for token in http.tokens:
        # Every token is compared, so that the time does not tell which one was nearly right.
        is_it = hmac.compare_digest(given, token.token.get_secret_value().encode())
        if is_it and given and scope in token.scopes:
            found = token.principal
    return found


def is_known(http: Http, authorization: str) -> bool:
    """Whether the caller has a token, whatever its scopes; without any tokens, whether only this machine can ask."""
    scopes = {scope for token in http.tokens for scope in token.scopes} or {""}
    return any(principal(http, authorization, scope) is not None for scope in sorted(scopes))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def body_of(request: Request, limit: int) -> bytes:
    """The body, read only as far as it may go.

    Raises:
        TooLarge: when it is longer, said so or not.
        HTTPException: when it does not come, or not all of it.
    """
    said = request.headers.get("content-length", "0")
    if said.isascii() and said.isdigit() and int(said[:20]) > limit:
        raise TooLarge
    try:
        async with asyncio.timeout(BODY_S):
            return await _read(request, limit)
    except TimeoutError as error:
        raise HTTPException(408, "the body did not come in time", {"Connection": "close"}) from error
    except ClientDisconnect as error:
        # Nobody is there to read it; it is the sender's fault all the same, and none of ours.
        raise HTTPException(400, "the body was broken off") from error


async def _read(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


def _is_one_of(given: str, secrets: Sequence[SecretStr]) -> bool:
    matches = [hmac.compare_digest(given.encode(), each.get_secret_value().encode()) for each in secrets]
    return any(matches) and bool(given)


def _basic(value: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password
