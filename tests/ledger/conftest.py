"""An empty ledger's address for each test, once as a SQLite file and once on a real PostgreSQL."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from bot.stores.ledger.ledger import Ledger, open_ledger
from tests.postgres_server import PostgresServer, postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def postgres_url(server: PostgresServer) -> str:
    server.run("DROP DATABASE IF EXISTS ledger WITH (FORCE)", "CREATE DATABASE ledger")
    return server.owner.replace("@/postgres", "@/ledger")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


@pytest.fixture
def sqlite_url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
async def ledger(url: str) -> AsyncGenerator[Ledger]:
    async with open_ledger(url) as opened:
        yield opened
