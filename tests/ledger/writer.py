"""Processes that write to a ledger until something ends them; they tell over a pipe what they were promised."""

import asyncio
import importlib
import os
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection

from approvals.audit import Kind
from bot.stores.ledger.errors import LedgerError
from bot.stores.ledger.ledger import Ledger, open_ledger
from tests.ledger.scenes import approved, draft

NOBODY = 65534

# Once, where the processes fork from: the library would load them in every one.
for _driver in ("psycopg", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"):
    importlib.import_module(_driver)


def append(url: str, pipe: "Connection[object, object]", count: int) -> None:
    """Appends, as one of several."""

    async def work() -> None:
        async with open_ledger(url) as ledger:
            for number in range(count):
                pipe.send((await ledger.append(draft(n=number))).seq)

    asyncio.run(work())


def execute(url: str, pipe: "Connection[object, object]", name: str) -> None:
    """Takes requests from proposal to outcome, for ever."""
    asyncio.run(_execute(url, pipe, name))


def claim(url: str, pipe: "Connection[object, object]", request_ids: list[str]) -> None:
    """Claims every request; tells which it got."""

    async def work() -> None:
        async with open_ledger(url) as ledger:
            for each in request_ids:
                pipe.send(await ledger.claim(each, "d2", str(os.getpid()), draft(Kind.STARTED, each)))

    asyncio.run(work())


def fill(url: str, pipe: "Connection[object, object]", limit: int) -> None:
    """Writes until the disk takes no more; then tries again, and reads."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    # Closing the ledger makes room again.
    _until_refused(url, pipe, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limit)))


def only_read(url: str, pipe: "Connection[object, object]") -> None:
    """Tries to write to a file that may only be read."""

    async def read() -> None:
        async with open_ledger(url) as ledger:
            await ledger.head()

    # What is imported on the way must be so before the process gives up its rights to read it.
    asyncio.run(read())
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    _until_refused(url, pipe, lambda: None)


def _until_refused(url: str, pipe: "Connection[object, object]", then: Callable[[], None]) -> None:
    async def work() -> None:
        try:
            await _execute(url, pipe, "x")
        except LedgerError as error:
            pipe.send(str(error))
        then()
        try:
            async with open_ledger(url) as ledger:
                pipe.send(await ledger.claim("waiting", "d2", "runner-1", draft(Kind.STARTED, "waiting")))
        except LedgerError as error:
            pipe.send(str(error))

    asyncio.run(work())


async def _execute(url: str, pipe: "Connection[object, object]", name: str) -> None:
    async with open_ledger(url) as ledger:
        pipe.send("open")
        number = 0
        while True:
            number += 1
            await _one(ledger, f"{name}-{number}", pipe)


async def _one(ledger: Ledger, request_id: str, pipe: "Connection[object, object]") -> None:
    await approved(ledger, request_id)
    pipe.send((request_id, 3))
    if await ledger.claim(request_id, "d2", "runner-1", draft(Kind.STARTED, request_id)):
        pipe.send((request_id, 4))
        await ledger.save_request(request_id, expected_state="approved", state="executing")
        await ledger.settle(request_id, "succeeded", draft(Kind.FINISHED, request_id))
        pipe.send((request_id, 5))
