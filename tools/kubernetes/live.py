"""A live cluster, read through its API server. The only module that touches the `kubernetes` package.

Only GET is ever sent. Secrets are not read: to list them is to see their values.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import aiohttp
import orjson
import yaml

from tools.errors import ToolError, ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.kubernetes.discovery import Discovery, Resource
from tools.kubernetes.fields import items, mapping, text
from tools.kubernetes.kinds import canonical
from tools.world import Object

PAGE = 500
"""Objects of one page, as `kubectl` asks for."""
MAX_LOG_BYTES = 2 * 2**20
"""Bytes of a log that are kept, the newest."""
_RESTARTS = 3
"""Times that a list begins anew when the server dropped its continuation."""
_NOT_YET = ("is waiting to start", "ContainerCreating", "PodInitializing", "previous terminated container")
"""What the kubelet says of a container that has written nothing: a fact, not a failure."""


class LiveCluster:
    """Reads one cluster; connects when first asked, and anew when its credentials have expired."""

    def __init__(self, *, kubeconfig: Path | None = None, context: str | None = None, timeout_s: float = 10.0) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._client: Any = None
        self._connecting = asyncio.Lock()
        self._discovery = Discovery(self._json)

    async def objects(self, kind: str, namespace: str | None) -> Sequence[Object]:
        """All objects of one kind, page by page."""
        kind = canonical(kind)
        if kind == "Secret":
            raise ToolRefused("Locum does not read secrets: whoever may list them sees their values")
        resource = await self._discovery.find(kind)
        for _ in range(_RESTARTS):
            try:
                return await self._pages(resource, None if namespace is None else quote(namespace, safe=""))
            except _Expired:
                continue
            except ToolNoSource:
                self._discovery.forget(kind)
                raise
        raise ToolUnavailable(f"the list of {resource.plural} changed faster than it could be read")

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
        except _BadRequest as e:
            if any(phrase in str(e) for phrase in _NOT_YET):
                return ""
            raise ToolRetry(str(e)) from e
        except ToolNoSource as e:
            raise ToolRetry(str(e)) from e
        return content.decode("utf-8", errors="replace").rstrip("\n")

    async def aclose(self) -> None:
        """Closes the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _pages(self, resource: Resource, namespace: str | None) -> Sequence[Object]:
        found: list[Object] = []
        query = {"limit": str(PAGE)}
        while True:
            page = await self._json(resource.path(namespace), query)
            version = text(page, "apiVersion")
            for item in items(page, "items"):
                metadata = dict(mapping(item, "metadata"))
                # Who wrote which field: a third of an object's size, and no tool reads it.
                metadata.pop("managedFields", None)
                found.append({"apiVersion": version, "kind": resource.kind, **item, "metadata": metadata})
            query["continue"] = text(page, "metadata", "continue")
            if not query["continue"]:
                return found

    async def _json(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        content = await self._get(path, query or {})
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError as e:
            raise ToolUnavailable(f"the API server's answer to {path} is not JSON: {e}") from e
        if not isinstance(found, dict):
            raise ToolUnavailable(f"the API server's answer to {path} is not an object")
        return cast("Mapping[str, Any]", found)

    async def _get(self, path: str, query: Mapping[str, str], *, keep: int | None = None) -> bytes:
        """One GET; `keep` bounds what is kept of the answer, from its end."""
        client = await self._connected()
        try:
            status, headers, body = await self._send(client, path, query, keep)
            if status == 401:
                # A token of an exec plugin or a cloud lives for minutes; reading the configuration again renews it.
                await self._drop(client)
                status, headers, body = await self._send(await self._connected(), path, query, keep)
        except TimeoutError as e:
            raise ToolUnavailable(f"the API server did not answer {path} within {self._timeout.total} s") from e
        except (aiohttp.ClientError, OSError) as e:
            raise ToolUnavailable(f"the API server cannot be reached: {e}") from e
        if status != 200:
            raise _refusal(status, headers, body, path)
        return body

    async def _send(
        self, client: Any, path: str, query: Mapping[str, str], keep: int | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        method, url, headers, _, _ = await client.param_serialize(
            "GET",
            path,
            query_params=[(key, each) for key, each in query.items() if each],
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        reply = await client.call_api(method, url, headers, _request_timeout=self._timeout)
        response: aiohttp.ClientResponse = reply.response
        async with response:
            return response.status, response.headers, await _body(response, keep)

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _drop(self, client: Any) -> None:
        if self._client is client:
            await self.aclose()

    async def _connect(self) -> Any:
        # The package takes more than a second to import, and holds a loop up if it is done there.
        api, config = await asyncio.to_thread(_library)
        configuration = api.Configuration()
        try:
            if self._kubeconfig is None and self._context is None and _is_in_cluster():
                config.load_incluster_config(client_configuration=configuration)
            else:
                # May run a program that fetches a token.
                async with asyncio.timeout(self._timeout.total):
                    await config.load_kube_config(
                        config_file=None if self._kubeconfig is None else str(self._kubeconfig),
                        context=self._context,
                        client_configuration=configuration,
                        persist_config=False,
                    )
        except TimeoutError as e:
            raise ToolUnavailable("the credentials of the kubeconfig did not come in time") from e
        except config.ConfigException as e:
            raise ToolNoSource(f"no Kubernetes cluster is configured: {e}") from e
        except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as e:
            # The loader walks the file unchecked: whatever is missing in it shows as one of these.
            raise ToolNoSource(f"the kubeconfig cannot be used: {e}") from e
        configuration.retries = None
        try:
            client = api.ApiClient(configuration)
        except (OSError, ValueError) as e:
            raise ToolNoSource(f"the certificates of the kubeconfig cannot be used: {e}") from e
        # So that the cluster's audit log tells whose questions these are.
        client.user_agent = "locum"
        return client


class _Expired(ToolUnavailable):
    """The server no longer knows the continuation of a list."""


class _BadRequest(ToolRetry):
    """The server says what is wrong with the question."""


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


def _refusal(status: int, headers: Mapping[str, str], body: bytes, path: str) -> ToolError:
    """The error that tells what a status other than 200 means for the question."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    message = text(said, "message") or body[:200].decode("utf-8", errors="replace") or f"HTTP {status}"
    match status:
        case 403:
            return ToolRefused(f"{message}; add to the read role: {_rule(path)}")
        case 404:
            return ToolNoSource(f"the cluster does not serve {path}: {message}")
        case 400 | 422:
            return _BadRequest(message)
        case 410:
            return _Expired(message)
        case 401:
            return ToolUnavailable(f"the API server does not accept the credentials: {message}")
        case _:
            wait = headers.get("Retry-After", "")
            seconds = float(wait) if wait.isascii() and wait.isdigit() else None
            return ToolUnavailable(f"the API server answered {status} to {path}: {message}", retry_after_s=seconds)


def _rule(path: str) -> str:
    """The RBAC rule that would allow to read a path."""
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
    if not rest:
        return f'{{nonResourceURLs: ["{path}"], verbs: ["get"]}}'
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    is_log = len(rest) > 2
    resource, verbs = (f"{rest[0]}/{rest[2]}", '"get"') if is_log else (rest[0], '"get", "list", "watch"')
    return f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: [{verbs}]}}'


def _library() -> tuple[Any, Any]:
    from kubernetes.aio import client, config

    return client, config


def _is_in_cluster() -> bool:
    from kubernetes.aio.config import incluster_config

    return Path(incluster_config.SERVICE_TOKEN_FILENAME).is_file()
