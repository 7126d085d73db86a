"""Starts the processes of `writer.py`, each from a server that has everything imported."""

import asyncio
import contextlib
import multiprocessing
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.ledger.writer"])


class Writer:
    """One process, and what it said so far."""

    def __init__(self, target: Callable[..., None], url: str, *args: object) -> None:
        self._reader, theirs = _CONTEXT.Pipe(duplex=False)
        self.process = _CONTEXT.Process(target=target, args=(url, theirs, *args), daemon=True)
        self.process.start()
        theirs.close()
        self.said: list[Any] = []

    async def first(self) -> object:
        """Waits for its first word."""
        found = await asyncio.to_thread(self._reader.recv)
        self.said.append(found)
        return found

    async def end(self) -> list[Any]:
        """Everything that it said, once it has ended by itself or was killed."""
        await asyncio.to_thread(self._drain)
        await asyncio.to_thread(self.process.join, 30)
        return self.said

    def close(self) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process.close()
        self._reader.close()

    def _drain(self) -> None:
        # A word that was cut off by the kill cannot be read, and nothing comes after it.
        with contextlib.suppress(EOFError, OSError):
            while True:
                self.said.append(self._reader.recv())


@asynccontextmanager
async def writing(target: Callable[..., None], url: str, *args: object) -> AsyncGenerator[Writer]:
    writer = await asyncio.to_thread(Writer, target, url, *args)
    try:
        yield writer
    finally:
        await asyncio.to_thread(writer.close)
