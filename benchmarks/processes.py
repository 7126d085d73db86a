"""Child processes of the measurements: what is measured never runs in the process that measures it."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from bot.embedded import tether

ROOT = Path(__file__).parents[1]
LOCUM = str(Path(sys.executable).parent / "locum")
STOP_S = 10


def environment(**more: str) -> dict[str, str]:
    """The environment without the settings of whoever measures, which must not change the figures."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUM_", "ANTHROPIC_"))}  # noqa: TID251
    return clean | more


def run(argv: list[str], **more: str) -> str:
    """What a process wrote, once it has ended well."""
    done = subprocess.run(argv, cwd=ROOT, env=environment(**more), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def python(*args: str) -> str:
    """What a Python process wrote, once it has ended well."""
    return run([sys.executable, *args])


class Helper:
    """A process of this package that speaks JSON lines: one when it is ready, one for each line that it gets."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def heard(self) -> dict[str, Any]:
        """The next line."""
        assert self._process.stdout
        line = await self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a helper ended with {await self._process.wait()}; it wrote why above")
        return json.loads(line)

    async def asked(self) -> dict[str, Any]:
        """The answer to a line."""
        assert self._process.stdin
        self._process.stdin.write(b"\n")
        return await self.heard()


@contextlib.asynccontextmanager
async def helper(module: str, *args: str) -> AsyncGenerator[Helper]:
    """`python -m MODULE ARGS` for as long as the context lasts."""
    async with child(sys.executable, "-m", module, *args) as process:
        yield Helper(process)


@contextlib.asynccontextmanager
async def child(*argv: str, stderr: Any = None, **more: str) -> AsyncGenerator[Process]:
    """A process that ends with the context, and with the process that measures."""
    tied = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()))
    process = await asyncio.create_subprocess_exec(
        *tied, *argv, cwd=ROOT, env=environment(**more), stdin=PIPE, stdout=PIPE, stderr=stderr, limit=2**24
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
