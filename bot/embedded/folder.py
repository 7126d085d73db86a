"""The folder of the embedded servers' data, for one Locum at a time."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

_PATIENCE_S = 3.0
"""The servers of a Locum that was just killed need a moment to be gone; they hold the lock until then."""


class FolderTaken(Exception):
    """Another Locum runs on this data."""


@asynccontextmanager
async def locked(folder: Path) -> AsyncGenerator[int]:
    """Holds the folder's lock; yields its file descriptor, for servers to inherit.

    Raises:
        FolderTaken: when another process holds it.
    """
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - async code, and the local disk answers at once
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await _lock(descriptor, folder)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


async def _lock(descriptor: int, folder: Path) -> None:
    for _ in range(round(_PATIENCE_S / 0.1)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace")
            if _lives(holder):
                raise FolderTaken(f"another Locum (process {holder}) runs on {folder}; stop it first") from None
            await asyncio.sleep(0.1)
        else:
            return
    raise FolderTaken(f"servers of another Locum still run on {folder}; stop them first")


def _lives(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
