"""One server as a child process: started, watched, started again on the same data when it dies, stopped."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.embedded import tether

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0
_LOG_TAIL = 1_500

_log = structlog.get_logger("locum.embedded")


class ServerFailed(Exception):
    """An embedded server did not start; the message has the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What to run and how to see that it answers."""

    name: str
    argv: Sequence[str]
    log: Path
    answers: Callable[[], Awaitable[bool]]


class Child:
    """A running server. Use as `async with`; who started it must run in the main thread, whose end ends the server."""

    def __init__(self, server: Server, *, inherit: int) -> None:
        """`inherit`: the data folder's lock, which then stays held until the server itself is gone."""
        self._server = server
        self._inherit = inherit
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the server that runs now."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> "Child":
        try:
            await self._start()
            await self._until_ready()
        except BaseException:
            await self._stop()
            raise
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self._server.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        await self._stop()

    async def _start(self) -> None:
        with self._server.log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self._server.argv,
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=(self._inherit,),
                # Ctrl-C in the terminal is for Locum, which stops its servers last.
                start_new_session=True,
            )  # fmt: skip

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await self._server.answers():
                    if self._process is None or self._process.returncode is not None:
                        raise ServerFailed(f"{self._server.name} ended at its start: {self._tail()}")
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise ServerFailed(f"{self._server.name} does not answer: {self._tail()}") from error

    async def _watch(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            assert self._process is not None  # noqa: S101
            code = await self._process.wait()
            _log.warning("embedded server died, starting it again", server=self._server.name, code=code, pause_s=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
            await self._start()
            try:
                await self._until_ready()
            except ServerFailed as error:
                _log.error("embedded server does not come back", server=self._server.name, reason=str(error))
                await self._kill()
                continue
            pause = _FIRST_PAUSE_S
            _log.info("embedded server is back", server=self._server.name)

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            await self._kill()

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _tail(self) -> str:
        text = self._server.log.read_text(errors="replace") if self._server.log.exists() else ""
        return text[-_LOG_TAIL:].strip() or "it wrote nothing"
