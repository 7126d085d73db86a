"""Locum's own commands as processes that can be killed, against a workspace and a model of the test's."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

from bot.demo.show import INCIDENTS
from bot.workspace.server import Workspace
from tests.e2e.house import PATIENCE_S, RULES
from tests.servers import free_port

TOKEN = "the-token-of-the-webhook"
LOCUM = (sys.executable, "-c", "from bot.cli import main; main()")
POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that ran to its end."""

    code: int
    out: str
    err: str


async def ran(*words: str | Path, folder: Path, **environment: str) -> Ended:
    """`locum` with these words, in an environment that has nothing of this machine's."""
    process = await asyncio.create_subprocess_exec(
        *LOCUM, *map(str, words), cwd=folder, env=_bare(folder) | environment,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode is not None
    return Ended(code=process.returncode, out=out.decode(), err=err.decode())


class Locum:
    """`locum up`, or a part of it, that can be killed and started again on the same data."""

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._command = command
        self._folder = folder
        self._log = folder / f"{command}.log"
        self._port = free_port()
        self._environment = {**_bare(folder), **environment, "LOCUM_HTTP__PORT": str(self._port)}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Of the HTTP surface."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """From nothing to running."""
        assert self._process is None
        with self._log.open("wb") as out:
            self._process = await asyncio.create_subprocess_exec(
                *LOCUM, self._command, cwd=self._folder, env=self._environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S):
            while b"Ctrl-C ends it" not in self._log.read_bytes():
                assert self._process.returncode is None, self._log.read_text(errors="replace")[-2_000:]
                await asyncio.sleep(POLL_S)

    def children(self) -> dict[str, psutil.Process]:
        """Its embedded servers by name."""
        assert self._process is not None
        found: dict[str, psutil.Process] = {}
        for each in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                found |= {name: each for name in ("valkey", "temporal") if name in each.name()}
        return found

    async def kill(self) -> None:
        """What a kernel without memory does."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        """Ends it, in whichever state it is, as an operator would."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 15)
        except TimeoutError:
            await self.kill()


@contextlib.asynccontextmanager
async def started(command: str, folder: Path, environment: Mapping[str, str]) -> AsyncGenerator[Locum]:
    """One process of Locum, from ready to ended."""
    locum = Locum(command, folder, environment)
    try:
        await locum.start()
        yield locum
    finally:
        await locum.stop()


async def gone(processes: Sequence[psutil.Process], *, within_s: float = 5) -> None:
    """Waits until none of them runs."""
    async with asyncio.timeout(within_s):
        while any(map(_runs, processes)):  # noqa: ASYNC110 - other people's processes tell nobody of their end
            await asyncio.sleep(POLL_S)


def settings(workspace: Workspace, folder: Path, **more: str) -> dict[str, str]:
    """The environment of a Locum in this workspace, on the recorded worlds."""
    rules = [rule.model_dump() for rule in RULES]
    return {
        "LOCUM_DATA_DIR": str(folder / "data"),
        "LOCUM_SNAPSHOT": str(INCIDENTS),
        "LOCUM_TELEMETRY__LOG_LEVEL": "WARNING",
        "LOCUM_ALERTS__ALERTMANAGER__TOKENS": orjson.dumps([TOKEN]).decode(),
        "LOCUM_ALERTS__STORM_INCIDENTS": "1000",
        "LOCUM_SLACK__BOT_TOKEN": workspace.bot_token,
        "LOCUM_SLACK__APP_TOKEN": workspace.app_token,
        "LOCUM_SLACK__API_URL": workspace.api_url,
        "LOCUM_SLACK__CHANNELS": orjson.dumps(rules).decode(),
        **more,
    }


def _bare(folder: Path) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    # What is compiled once for each machine is not compiled once for each test.
    cache = os.environ["XDG_CACHE_HOME"]  # noqa: TID251
    return {
        "PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": root, "LANG": "C.UTF-8", "XDG_CACHE_HOME": cache,
    }  # fmt: skip


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
