"""A gate without a runner of its own, for runners as the process wires them; real servers behind it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from bot.stores.connection import Store
from bot.workflows import service
from tests.approvals.conftest import servers
from tests.approvals.house import House, house
from tests.kubernetes.conftest import api_server, etcd, keys, namespace

__all__ = ["api_server", "etcd", "keys", "namespace", "servers"]
"""Servers of other tests, for tests here as well."""


@pytest_asyncio.fixture(loop_scope="module")
async def gate(servers: tuple[service.Client, Store], tmp_path: Path) -> AsyncGenerator[House]:
    async with house(*servers, tmp_path, has_runner=False) as own:
        yield own
