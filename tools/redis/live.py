"""One Redis or Valkey server, asked with read-only commands.

What the client library says about a connection may repeat how it connects, so none of its words leave this module.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, cast

from redis import asyncio as client
from redis.credentials import CredentialProvider
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as ReplyLate

from tools.errors import ToolError, ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.redis import commands
from tools.redis.commands import COMMANDS, MOST_SLOW, SETTINGS

BETWEEN_S = 1.0
"""Between the two samples of counters that make a rate; the server's own `instantaneous_*` look back as far."""

_REASONS = (
    "connection refused", "timed out", "timeout", "name or service not known", "nodename nor servname",
    "certificate verify failed", "hostname mismatch", "wrong version number", "no route to host", "reset by peer",
    "connection closed by server", "no such file or directory", "loading the dataset", "max number of clients reached",
)  # fmt: skip
"""What is worth repeating of why nobody answers; nothing of it can hold a credential."""
_FULL = "max number of clients reached"


class _Lent(CredentialProvider):
    """Asks for the credential at each connection, so that nothing here keeps it."""

    def __init__(self, user: str | None, password: Callable[[], str]) -> None:
        self._user, self._password = user, password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        return (self._user, self._password()) if self._user else (self._password(),)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()


class LiveRedis:
    """Implements the port `Redis` of `tools.world`.

    Its user needs `+info +client|list +slowlog|get +latency|latest +config|get +cluster|info` and no key at all. Each
    question has a connection of its own, for no longer than it takes.
    """

    def __init__(
        self,
        name: str,
        *,
        host: str,
        port: int = 6379,
        user: str | None = None,
        password: Callable[[], str] | None = None,
        tls: bool = False,
        ca_file: str | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        """Connects to nothing yet.

        Args:
            name: how people call the deployment.
            host: a host name, or the path of a Unix socket.
            port: of the server itself; a Sentinel knows nothing of memory.
            user: of the ACL; `None` is the default user.
            password: asked at each connection; `None` = the server wants none.
            tls: whether the server wants TLS; its certificate is always checked.
            ca_file: certificates that the server's own must lead to, instead of the system's.
            timeout_s: of connecting, and of each reply.
        """
        self.name = name
        self._host, self._port = host, port
        self._credentials = _Lent(user, password) if password else None
        self._user = user
        self._tls, self._ca_file = tls, ca_file
        self._timeout_s = timeout_s

    async def command(self, command: str) -> Mapping[str, Any]:
        """See `Redis.command`."""
        askers: Mapping[str, Callable[[client.Redis], Awaitable[dict[str, Any]]]] = {
            "info": _info, "config": _config, "clients": _clients, "slowlog": _slowlog, "latency": _latency,
            "cluster": _cluster,
        }  # fmt: skip
        if command not in askers:
            raise ToolRetry(f"there is no command {command!r}; there are {', '.join(COMMANDS)}")
        try:
            # Each reply has its own limit; this one is for a server that goes on and on.
            async with asyncio.timeout(self._timeout_s * 2 + BETWEEN_S), self._connected() as connection:
                return await askers[command](connection)
        except (RedisError, OSError, TimeoutError) as error:
            if command == "info" and _FULL in str(error).lower():
                return {"refused": _FULL}
            raise self._meaning(command, error) from None

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncGenerator[client.Redis]:
        where: dict[str, Any] = {"host": self._host, "port": self._port}
        if self._host.startswith("/"):
            where = {"unix_socket_path": self._host}
        if self._tls:
            where |= {"ssl": True, "ssl_ca_certs": self._ca_file, "ssl_min_version": ssl.TLSVersion.TLSv1_2}
        connection = client.Redis(
            **where,
            username=None if self._credentials else self._user,
            credential_provider=self._credentials,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            retry=None,  # pyright: ignore[reportArgumentType] - `None` is how the library spells "do not try again"
            decode_responses=True,
            encoding_errors="replace",
            single_connection_client=True,
            # Saying the name of the library needs one more permission.
            driver_info=None,
            protocol=2,
        )
        try:
            yield connection
        finally:
            await connection.aclose()

    def _meaning(self, command: str, error: Exception) -> ToolError:
        known = next((reason for reason in _REASONS if reason in str(error).lower()), "")
        match error:
            case NoPermissionError() | AuthorizationError():
                return ToolRefused(f"Redis {self.name!r} refuses {command}: its user may not call it")
            case AuthenticationError():
                return ToolRefused(f"Redis {self.name!r} refuses the credentials of the settings")
            case ReplyLate() | TimeoutError():
                return ToolUnavailable(f"Redis {self.name!r} did not answer {command} in {self._timeout_s:g} s")
            case ResponseError() if "unknown command" in str(error).lower():
                return ToolNoSource(f"Redis {self.name!r} does not know what {command} asks for")
            case ResponseError():
                return ToolUnavailable(f"Redis {self.name!r} fails at {command}")
            case _:
                return ToolUnavailable(f"Redis {self.name!r} cannot be reached: {known or type(error).__name__}")


async def _ask(connection: client.Redis, *words: str) -> Any:
    # One word a time, so that the library's own readers of replies, which expect bytes, stay out of it.
    return await cast("Awaitable[Any]", connection.execute_command(*words))  # pyright: ignore[reportUnknownMemberType]


async def _info(connection: client.Redis) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    first, began = commands.info(await _ask(connection, "INFO")), loop.time()
    await asyncio.sleep(BETWEEN_S)
    second, ended = commands.info(await _ask(connection, "INFO")), loop.time()
    return {"samples": [first, second], "apart_s": round(ended - began, 3)}


async def _config(connection: client.Redis) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in SETTINGS:
        # One at a time: older servers take one name only, and not all know all of them.
        found |= commands.paired(await _ask(connection, "CONFIG", "GET", name))
    return found


async def _clients(connection: client.Redis) -> dict[str, Any]:
    return {"clients": commands.clients(str(await _ask(connection, "CLIENT", "LIST")))}


async def _slowlog(connection: client.Redis) -> dict[str, Any]:
    return {"entries": commands.slow(await _ask(connection, "SLOWLOG", "GET", str(MOST_SLOW)))}


async def _latency(connection: client.Redis) -> dict[str, Any]:
    return {"events": commands.latency(await _ask(connection, "LATENCY", "LATEST"))}


async def _cluster(connection: client.Redis) -> dict[str, Any]:
    return commands.cluster(str(await _ask(connection, "CLUSTER", "INFO")))
