"""Commands for tests. The sandbox itself has no opinion on programs; the grammar of diagnostics has."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from approvals.sandbox.bubblewrap import Bubblewrap
from approvals.sandbox.port import Command, Limits


def shell(script: str, **fields: Any) -> Command:
    return Command(run_id="run-1", argv=("/usr/bin/sh", "-c", script), **fields)


def perl(script: str, *arguments: str, **fields: Any) -> Command:
    return Command(run_id="run-1", argv=("/usr/bin/perl", "-e", script, *arguments), **fields)


def within(seconds: float, **fields: Any) -> Limits:
    return Limits(wall_s=seconds, **fields)


def processes(mark: str) -> list[int]:
    """Processes of this machine that have a mark among their arguments."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def is_perl(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"/usr/bin/perl\0")
    return False


async def until_gone(mark: str) -> None:
    """Returns when none is left; the kernel ends them all at once, and takes a moment to."""
    async with asyncio.timeout(5):
        while processes(mark):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.01)


async def until_there(mark: str) -> None:
    """Returns when the command itself runs, beyond the programs that set it up and hold its arguments as well."""
    async with asyncio.timeout(10):
        while not any(is_perl(process) for process in processes(mark)):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.01)


def wrapper(folder: Path, script: str) -> Bubblewrap:
    program = folder / "bwrap"
    program.write_text(f"#!/usr/bin/perl\n{script}\n")
    program.chmod(0o755)
    return Bubblewrap(bwrap=program)
