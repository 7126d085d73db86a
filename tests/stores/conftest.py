"""One real Valkey for all tests of a module, emptied before each."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from bot.embedded.servers import running
from bot.settings import Settings
from bot.stores.connection import Store, connect


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    settings = Settings.model_validate(
        {"data_dir": tmp_path_factory.mktemp("data"), "temporal": {"address": "127.0.0.1:9"}}
    )
    async with running(settings) as found:
        yield found.redis_url


@pytest_asyncio.fixture(loop_scope="module")
async def store(url: str) -> AsyncGenerator[Store]:
    found = connect(url)
    await found.flushall()
    yield found
    await found.aclose()
