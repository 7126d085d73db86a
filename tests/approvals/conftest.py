"""One real Temporal and one real Valkey for all tests of a module."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.embedded.servers import running
from bot.settings import Settings
from bot.stores.connection import Store, connect
from bot.workflows import service
from tests.approvals.house import House, house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[service.Client, Store]]:
    async with running(Settings(data_dir=tmp_path_factory.mktemp("data"))) as endpoints:
        client = await service.connect(endpoints.temporal_address, namespace="locum", tls=False)
        store = connect(endpoints.redis_url)
        yield client, store
        await store.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def gatehouse(servers: tuple[service.Client, Store], tmp_path: Path) -> AsyncGenerator[House]:
    async with house(*servers, tmp_path) as own:
        yield own
