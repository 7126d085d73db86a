"""The Jobs of one namespace, through the API server. The sandbox's only module that reaches a cluster.

Its credentials may create and delete Jobs, read pods, their logs and network policies, all in that one namespace.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import aiohttp
import orjson

from approvals.sandbox.port import SandboxLost, SandboxUnavailable
from tools.errors import ToolError
from tools.kubernetes.connecting import connect
from tools.kubernetes.fields import items, text

MAX_ANSWER = 4 * 2**20
"""Bytes of one answer."""


class LiveJobs:
    """Implements the port `Jobs`; connects when first asked."""

    def __init__(
        self, namespace: str, *, kubeconfig: Path | None = None, context: str | None = None, timeout_s: float = 10.0
    ) -> None:
        self._namespace = quote(namespace, safe="")
        self._kubeconfig = kubeconfig
        """`None` = the service account of the pod that this runs in, or else the user's own file."""
        self._context = context
        self._timeout_s = timeout_s
        self._client: Any = None
        self._retired: list[Any] = []
        self._connecting = asyncio.Lock()

    async def policies(self) -> Sequence[Mapping[str, Any]]:
        """See `Jobs.policies`."""
        path = f"/apis/networking.k8s.io/v1/namespaces/{self._namespace}/networkpolicies"
        return items(_object(await self._ask("GET", path), path), "items")

    async def create(self, job: Mapping[str, Any]) -> bool:
        """See `Jobs.create`."""
        try:
            await self._ask("POST", self._jobs, body=job)
        except _Refused as e:
            if e.status == 409:
                return False
            if e.status >= 500:
                raise SandboxLost(f"whether the Job was created is not known: {e}") from e
            raise
        except _NoAnswer as e:
            raise SandboxLost(f"whether the Job was created is not known: {e}") from e
        return True

    async def pods(self, job: str) -> Sequence[Mapping[str, Any]]:
        """See `Jobs.pods`."""
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        return items(_object(await self._ask("GET", path, query={"labelSelector": f"job-name={job}"}), path), "items")

    async def log(self, pod: str, limit_bytes: int) -> bytes:
        """See `Jobs.log`."""
        path = f"/api/v1/namespaces/{self._namespace}/pods/{quote(pod, safe='')}/log"
        return (await self._ask("GET", path, query={"limitBytes": str(limit_bytes)}))[:limit_bytes]

    async def delete(self, job: str) -> None:
        """See `Jobs.delete`."""
        path = f"{self._jobs}/{quote(job, safe='')}"
        try:
            await self._ask("DELETE", path, query={"propagationPolicy": "Background"})
        except _Refused as e:
            if e.status != 404:
                raise

    async def aclose(self) -> None:
        """Closes the connections."""
        clients = [*self._retired, *([self._client] if self._client else [])]
        self._retired, self._client = [], None
        for client in clients:
            await client.close()

    @property
    def _jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self._namespace}/jobs"

    async def _ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> bytes:
        """The body of one answer that says yes."""
        client = await self._connected()
        status, answer = await self._send(client, method, path, query, body)
        if status == 401:
            # A token lives for minutes; reading the configuration again renews it. Nothing was done on the first try.
            self._retire(client)
            status, answer = await self._send(await self._connected(), method, path, query, body)
        if not 200 <= status < 300:
            raise _Refused(f"the API server answered {status} to {method} {path}: {_said(answer)}", status)
        return answer

    async def _send(
        self, client: Any, method: str, path: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> tuple[int, bytes]:
        method, url, headers, content, _ = await client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json"},
            body=body,
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        try:
            reply = await client.call_api(method, url, headers, content, _request_timeout=timeout)
            async with reply.response as response:
                return response.status, await _body(response)
        except aiohttp.ClientConnectorError as e:
            # Nothing was sent.
            raise SandboxUnavailable(f"the API server cannot be reached: {e}") from e
        except (TimeoutError, aiohttp.ClientError, OSError) as e:
            raise _NoAnswer(f"the API server did not answer {path} within {self._timeout_s:g} s: {e!r}") from e

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    def _retire(self, client: Any) -> None:
        # Others may be in the middle of an answer on it: it is closed at the end, with the rest.
        if self._client is client:
            self._retired.append(client)
            self._client = None

    async def _connect(self) -> Any:
        try:
            return await connect(kubeconfig=self._kubeconfig, context=self._context, timeout_s=self._timeout_s)
        except ToolError as e:
            raise SandboxUnavailable(f"no cluster is configured for the sandbox: {e}") from e


class _NoAnswer(SandboxUnavailable):
    """The server may have done what it was asked."""


class _Refused(SandboxUnavailable):
    """The server says no."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def _body(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        content += chunk
        if len(content) > MAX_ANSWER:
            break
    return bytes(content[:MAX_ANSWER])


def _object(content: bytes, path: str) -> Mapping[str, Any]:
    try:
        return cast("Mapping[str, Any]", orjson.loads(content))
    except orjson.JSONDecodeError as e:
        raise SandboxUnavailable(f"the API server's answer to {path} is not JSON: {e}") from e


def _said(answer: bytes) -> str:
    try:
        said = orjson.loads(answer)
    except orjson.JSONDecodeError:
        said = {}
    return text(said, "message") or answer[:200].decode("utf-8", errors="replace")
