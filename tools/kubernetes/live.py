"""A live cluster, read through its API server.

Only GET is ever sent. Secrets are not read: to list them is to see their values.
"""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

import aiohttp
import orjson

from tools.errors import ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.kubernetes.changes import Changes
from tools.kubernetes.connecting import connect
from tools.kubernetes.discovery import Discovery, Resource
from tools.kubernetes.fields import items, mapping, number, text
from tools.kubernetes.kinds import canonical
from tools.kubernetes.refusals import BadRequest, Expired, refusal
from tools.kubernetes.writers import without_writers
from tools.world import Object

PAGE = 500
"""Objects of one page, as `kubectl` asks for."""
MAX_LOG_BYTES = 2 * 2**20
"""Bytes of a log that are kept, the newest."""
MAX_LINE_BYTES = 4 * 2**20
"""Bytes of one change, which holds one object: twice what a cluster stores of one."""
_RESTARTS = 3
"""Times that a list or a watch begins anew when the server no longer knows where it stood."""
_PAUSE_S = 0.5
"""Between two watches, so that a server which ends each at once is not asked without end."""
_NOT_YET = ("is waiting to start", "ContainerCreating", "PodInitializing", "previous terminated container")
"""What the kubelet says of a container that has written nothing: a fact, not a failure."""


T = TypeVar("T")


class LiveCluster:
    """Reads one cluster; connects when first asked, and anew when its credentials have expired."""

    def __init__(self, *, kubeconfig: Path | None = None, context: str | None = None, timeout_s: float = 10.0) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout_s = timeout_s
        self._client: Any = None
        self._retired: list[Any] = []
        self._connecting = asyncio.Lock()
        self._discovery = Discovery(self._json)

    async def objects(self, kind: str, namespace: str | None) -> Sequence[Object]:
        """All objects of one kind, page by page."""
        async with self._served(kind) as resource:
            return (await self._list(resource, _segment(namespace)))[0]

    async def serves(self, kind: str) -> bool:
        """Whether any group of the API server serves the kind."""
        try:
            await self._discovery.find(canonical(kind))
        except ToolNoSource:
            return False
        return True

    async def watch(self, kind: str, namespace: str | None, seconds: float) -> Sequence[Mapping[str, Any]]:
        """What happens to objects of one kind: lists them, then follows what the server tells from there on."""
        async with self._served(kind) as resource:
            listed, version = await self._list(resource, _segment(namespace))
            changes = Changes(listed)
            ends_at = asyncio.get_running_loop().time() + seconds
            for _ in range(_RESTARTS):
                try:
                    await self._follow(resource.path(_segment(namespace)), version, changes, ends_at)
                except Expired:
                    listed, version = await self._list(resource, _segment(namespace))
                    changes.catch_up(listed)
                else:
                    return changes.told
        raise ToolUnavailable(f"{resource.plural} could not be watched: the server forgets faster than it tells")

    async def log(self, namespace: str, pod: str, container: str | None, *, previous: bool, tail_lines: int) -> str:
        """The newest lines of a container's log."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/log"
        query = {"tailLines": str(tail_lines)}
        if container is not None:
            query["container"] = container
        if previous:
            query["previous"] = "true"
        try:
            content = await self._get(path, query, keep=MAX_LOG_BYTES)
        except BadRequest as e:
            if any(phrase in str(e) for phrase in _NOT_YET):
                return ""
            raise ToolRetry(str(e)) from e
        except ToolNoSource as e:
            raise ToolRetry(str(e)) from e
        return content.decode("utf-8", errors="replace").rstrip("\n")

    async def aclose(self) -> None:
        """Closes the connections."""
        clients = [*self._retired, *([self._client] if self._client else [])]
        self._retired, self._client = [], None
        for client in clients:
            await client.close()

    @contextlib.asynccontextmanager
    async def _served(self, kind: str) -> AsyncGenerator[Resource]:
        """Where a kind is served, for as long as it is served there."""
        kind = canonical(kind)
        if kind == "Secret":
            raise ToolRefused("Locum does not read secrets: whoever may list them sees their values")
        resource = await self._discovery.find(kind)
        try:
            yield resource
        except ToolNoSource:
            self._discovery.forget(kind)
            raise

    async def _list(self, resource: Resource, namespace: str | None) -> tuple[Sequence[Object], str]:
        for _ in range(_RESTARTS):
            with contextlib.suppress(Expired):
                return await self._pages(resource, namespace)
        raise ToolUnavailable(f"the list of {resource.plural} changed faster than it could be read")

    async def _pages(self, resource: Resource, namespace: str | None) -> tuple[Sequence[Object], str]:
        """All objects, and the version of the list, from which a watch can go on."""
        found: list[Object] = []
        query = {"limit": str(PAGE)}
        while True:
            page = await self._json(resource.path(namespace), query)
            version = text(page, "apiVersion")
            found += [_bare({"apiVersion": version, "kind": resource.kind, **each}) for each in items(page, "items")]
            query["continue"] = text(page, "metadata", "continue")
            if not query["continue"]:
                return found, text(page, "metadata", "resourceVersion")

    async def _follow(self, path: str, version: str, changes: Changes, ends_at: float) -> None:
        """Adds what happens until the time is up; a watch that ends earlier is taken up where it ended."""
        loop = asyncio.get_running_loop()

        async def read(response: aiohttp.ClientResponse) -> None:
            nonlocal version
            async with contextlib.aclosing(_lines(response, path)) as lines:
                async for line in lines:
                    version = _take(_object(line, path), changes, path) or version
                    if changes.is_full:
                        return

        while (left := math.ceil(ends_at - loop.time())) > 0 and not changes.is_full:
            query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(left)}
            # The server ends it. One that is silent beyond that has hung, and did not see that nothing happened.
            await self._ask(path, query, read, timeout_s=left + self._timeout_s)
            if loop.time() < ends_at:
                await asyncio.sleep(min(_PAUSE_S, ends_at - loop.time()))

    async def _json(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        return _object(await self._get(path, query or {}), path)

    async def _get(self, path: str, query: Mapping[str, str], *, keep: int | None = None) -> bytes:
        """The body of one GET; `keep` bounds what is kept of it, from its end."""
        return await self._ask(path, query, lambda response: _body(response, keep), timeout_s=self._timeout_s)

    async def _ask(
        self,
        path: str,
        query: Mapping[str, str],
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
        *,
        timeout_s: float,
    ) -> T:
        """One GET, and what `read` makes of its answer."""
        client = await self._connected()
        try:
            response = await self._send(client, path, query, timeout_s)
            if response.status == 401:
                # A token of an exec plugin or a cloud lives for minutes; reading the configuration again renews it.
                response.close()
                self._retire(client)
                response = await self._send(await self._connected(), path, query, timeout_s)
            async with response:
                if response.status != 200:
                    raise refusal(response.status, response.headers, await response.read(), path)
                return await read(response)
        except TimeoutError as e:
            raise ToolUnavailable(f"the API server did not answer {path} within {timeout_s} s") from e
        except (aiohttp.ClientError, OSError) as e:
            raise ToolUnavailable(f"the API server cannot be reached: {e}") from e

    async def _send(self, client: Any, path: str, query: Mapping[str, str], timeout_s: float) -> aiohttp.ClientResponse:
        method, url, headers, _, _ = await client.param_serialize(
            "GET",
            path,
            query_params=[(key, each) for key, each in query.items() if each],
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        reply = await client.call_api(method, url, headers, _request_timeout=timeout)
        return reply.response

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await connect(
                    kubeconfig=self._kubeconfig, context=self._context, timeout_s=self._timeout_s
                )
            return self._client

    def _retire(self, client: Any) -> None:
        # Others may be in the middle of an answer on it: it is closed at the end, with the rest.
        if self._client is client:
            self._retired.append(client)
            self._client = None


def _segment(namespace: str | None) -> str | None:
    return None if namespace is None else quote(namespace, safe="")


def _bare(obj: Object) -> Object:
    """With no more of who wrote which field than when somebody last did."""
    return {**obj, "metadata": without_writers(text(obj, "kind"), mapping(obj, "metadata"))}


def _object(content: bytes, path: str) -> Mapping[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as e:
        raise ToolUnavailable(f"the API server's answer to {path} is not JSON: {e}") from e
    if not isinstance(found, dict):
        raise ToolUnavailable(f"the API server's answer to {path} is not an object")
    return cast("Mapping[str, Any]", found)


def _take(event: Mapping[str, Any], changes: Changes, path: str) -> str:
    """Adds one event of a watch; gives the version from which to go on, where it says one."""
    obj = mapping(event, "object")
    match text(event, "type"):
        case "ADDED" | "MODIFIED" | "DELETED" as change:
            changes.add(change, _bare(obj))
            return text(obj, "metadata", "resourceVersion")
        case "ERROR":
            raise refusal(number(obj, "code") or 500, {}, orjson.dumps(obj), path)
        case _:
            return ""


async def _lines(response: aiohttp.ClientResponse, path: str) -> AsyncGenerator[bytes]:
    rest = b""
    async for chunk in response.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > MAX_LINE_BYTES:
            raise ToolUnavailable(f"the API server's answer to {path} has a line too long to be read")
    if rest:
        # Cut off in the middle; whoever reads it says so.
        yield rest


async def _body(response: aiohttp.ClientResponse, keep: int | None) -> bytes:
    if keep is None:
        return await response.read()
    chunks: deque[bytes] = deque()
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        while size - len(chunks[0]) > keep:
            size -= len(chunks.popleft())
    return b"".join(chunks)
