"""One embedded Valkey and Temporal for all tests of a module."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from bot.embedded.servers import Endpoints, running
from bot.settings import Settings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def endpoints(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Endpoints]:
    async with running(Settings(data_dir=tmp_path_factory.mktemp("data"))) as found:
        yield found
