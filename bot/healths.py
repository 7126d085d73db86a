"""How every connector of a process is, asked now and then and not at each request."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from whenever import Instant

from bot.connectors import Connector, Health, approval_connectors, world_connectors
from bot.keyring import Keyring
from bot.settings import Settings
from bot.stores import connection
from bot.stores.ledger.ledger import Ledger
from bot.workflows.service import Workflows
from bot.worlds import open_worlds

TTL_S = 10.0
"""Connectors are asked at most this often, however often `/health` is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the connectors of a process are asked with."""

    settings: Settings
    store: connection.Store
    workflows: Workflows
    ledger: Ledger | None
    keyring: Keyring | None
    has_runner: bool


class Healths:
    """Serves `GET /health`."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._asking = asyncio.Lock()
        self._found: tuple[Connector, ...] = ()
        self._asked_at_s = 0.0

    async def __call__(self) -> Sequence[Connector]:
        """Every connector, as it was a moment ago at most."""
        async with self._asking:
            now_s = asyncio.get_running_loop().time()
            if not self._found or now_s - self._asked_at_s > TTL_S:
                self._found, self._asked_at_s = await self._ask(), now_s
            return self._found

    async def _ask(self) -> tuple[Connector, ...]:
        asked = self._asked
        async with open_worlds(asked.settings) as worlds:
            sources = await world_connectors(worlds.about("", ()), asked.settings)
        guards = await approval_connectors(
            asked.settings, opened=asked.ledger, keyring=asked.keyring, has_runner=asked.has_runner
        )
        return (await self._store(), await self._temporal(), *guards, *sources)

    async def _store(self) -> Connector:
        try:
            with connection.asked("answer"):
                await self._asked.store.ping()
            health, detail = Health.OK, "answers"
        except connection.StoreError as error:
            health, detail = Health.FAILED, str(error)
        return Connector(name="redis", health=health, detail=detail, checked_at=Instant.now())

    async def _temporal(self) -> Connector:
        is_well = await self._asked.workflows.is_reachable()
        health, detail = (Health.OK, "answers") if is_well else (Health.FAILED, "does not answer")
        return Connector(name="temporal", health=health, detail=detail, checked_at=Instant.now())
