"""An API server, asked with the runner's own credentials. Nothing is sent twice by itself.

Changes may be sent with a token that was lent for them instead; what is read, is read with the runner's own.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import aiohttp
import orjson

from approvals.runners.kubernetes.api import Answered, Lost, Unsent
from tools.errors import ToolError, ToolNoSource, ToolUnavailable
from tools.kubernetes.connecting import connect
from tools.kubernetes.discovery import Discovery
from tools.kubernetes.fields import items, text
from tools.redaction import redact
from tools.world import Object

MANAGER = "locum"
"""As `managedFields` and the cluster's audit log name who changed a field."""
PAGE = 500
_CONNECT_S = 5.0
_SURE_NO = frozenset((400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422))
"""Answers that the server gives instead of doing anything, as a `Status`; what else says so may be a proxy."""
_TOO_BUSY = 429
HEARD_OF_S = 5.0
"""How long the server may take to hear what a token that was just made may do."""
_ASK_AGAIN_S = 0.25


class LiveApi:
    """One cluster; connects when first asked, and anew when its credentials have expired."""

    def __init__(
        self,
        *,
        kubeconfig: Path | None = None,
        context: str | None = None,
        timeout_s: float = 10.0,
        token: Callable[[], str] | None = None,
    ) -> None:
        """`token` gives what changes are sent with, as long as it is lent; unset = the runner's own credentials."""
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout_s = timeout_s
        self._token = token
        self._client: Any = None
        self._discovery = Discovery(self._discovered)

    def borrowing(self, token: Callable[[], str]) -> "LiveApi":
        """The same API server; what is changed there, is changed with that token and with nothing else."""
        return LiveApi(kubeconfig=self._kubeconfig, context=self._context, timeout_s=self._timeout_s, token=token)

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """One object, with its `apiVersion` and `kind`."""
        return await self._read(await self._path(kind, namespace, name), {})

    async def list(self, kind: str, namespace: str) -> Sequence[Object]:
        """All objects of a kind in one namespace, or in the cluster where the kind has none, page by page."""
        path = await self._path(kind, namespace)
        found: list[Object] = []
        query = {"limit": str(PAGE)}
        while True:
            page = await self._read(path, query)
            version = text(page, "apiVersion")
            found += [{"apiVersion": version, "kind": kind, **each} for each in items(page, "items")]
            query["continue"] = text(page, "metadata", "continue")
            if not query["continue"]:
                return found

    async def patch(
        self, kind: str, namespace: str, name: str, operations: Sequence[Mapping[str, Any]], *, dry_run: bool
    ) -> Object:
        """Applies JSON-patch operations; gives the object as it is then, or would be."""
        query = {"fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})}
        path = await self._path(kind, namespace, name)
        return await self._write("PATCH", path, query, list(operations))

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str, version: str, dry_run: bool) -> None:
        """Deletes the object, if it is still exactly that one; its dependents go after it."""
        options: dict[str, Any] = {
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
            "preconditions": {"uid": uid, "resourceVersion": version},
        }  # fmt: skip
        if dry_run:
            options["dryRun"] = ["All"]
        await self._write("DELETE", await self._path(kind, namespace, name), {}, options)

    async def aclose(self) -> None:
        """Closes the connections."""
        client, self._client = self._client, None
        if client:
            await client.close()

    async def _path(self, kind: str, namespace: str, name: str | None = None) -> str:
        try:
            resource = await self._discovery.find(kind)
        except ToolNoSource as e:
            raise Answered(404, str(e)) from e
        except ToolError as e:
            raise Unsent(str(e)) from e
        place = resource.path(quote(namespace, safe="") or None)
        return place if name is None else f"{place}/{quote(name, safe='')}"

    async def _discovered(self, path: str) -> Mapping[str, Any]:
        try:
            return await self._read(path, {})
        except (Answered, Unsent) as e:
            raise ToolUnavailable(str(e)) from e

    async def _read(self, path: str, query: Mapping[str, str]) -> Object:
        """One GET. However it fails, nothing was done."""
        try:
            for _ in range(2):
                client = self._client = self._client or await self._connect()
                try:
                    return await self._send(client, "GET", path, query, None)
                except Answered as e:
                    if e.status != 401:
                        raise
                    # A token lives for an hour or less; reading the configuration again renews it.
                    await self.aclose()
        except Lost as e:
            raise Unsent(str(e)) from e
        raise Answered(401, "the API server does not accept the runner's credentials")

    async def _write(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Object:
        if self._token is None:
            return await self._write_with("", method, path, query, body)
        clock = asyncio.get_running_loop().time
        stops_at_s = clock() + HEARD_OF_S
        while True:
            try:
                return await self._write_with(self._token(), method, path, query, body)
            except Answered as e:
                # It may have been made a moment ago. What was forbidden was not done, so that it may be sent again.
                if e.status != 403 or clock() >= stops_at_s:
                    raise
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _write_with(self, token: str, method: str, path: str, query: Mapping[str, str], body: Any) -> Object:
        # A connection of its own: on one that was used before, a request may be lost that nobody can tell from one
        # that was carried out.
        client = await self._connect(token)
        client.configuration.client_session_kwargs = {"middlewares": (_once,)}
        try:
            return await self._send(client, method, path, query, body)
        finally:
            await client.close()

    async def _connect(self, token: str = "") -> Any:
        try:
            return await connect(
                kubeconfig=self._kubeconfig, context=self._context, timeout_s=self._timeout_s, token=token
            )
        except ToolError as e:
            raise Unsent(str(e)) from e

    async def _send(self, client: Any, method: str, path: str, query: Mapping[str, str], body: Any) -> Object:
        content = "application/json-patch+json" if method == "PATCH" else "application/json"
        method, url, sent, body, _ = await client.param_serialize(
            method,
            path,
            query_params=[(key, each) for key, each in query.items() if each],
            header_params={"Accept": "application/json", "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=min(_CONNECT_S, self._timeout_s))
        try:
            reply = await client.call_api(method, url, sent, body, _request_timeout=timeout)
            async with reply.response as response:
                return _answer(response.status, await response.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as e:
            raise Unsent(f"the API server cannot be reached: {e}") from e
        except TimeoutError as e:
            raise Lost(f"the API server did not answer within {self._timeout_s} s") from e
        except (aiohttp.ClientError, OSError) as e:
            raise Lost(f"the connection to the API server broke: {type(e).__name__}") from e


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Around each sending: aiohttp sends a deletion again by itself when the connection breaks, and must not here."""
    try:
        return await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as e:
        raise Lost(f"the connection to the API server broke: {type(e).__name__}") from e


def _answer(status: int, content: bytes) -> Object:
    try:
        found: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    if status in (200, 201, 202) and isinstance(found, dict):
        return cast("Object", found)
    is_own = status in _SURE_NO and text(found, "kind") == "Status"
    message = redact(text(found, "message") or content[:200].decode("utf-8", errors="replace") or f"HTTP {status}")
    if is_own or status == _TOO_BUSY:
        raise Answered(status, message)
    raise Lost(f"the API server answered {status}: {message}")
