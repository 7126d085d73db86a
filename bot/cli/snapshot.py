"""`locum snapshot --out DIR`: records the live world, redacted."""

import asyncio
import sys
from pathlib import Path

from bot.cli.outcome import BadInput, settings


def run(out: Path) -> None:
    """Writes the folder and says what it holds and what could not be read."""
    notes = asyncio.run(_record(out))
    sys.stdout.write(f"recorded in {out}\n" + "".join(f"  not captured: {note}\n" for note in notes))


async def _record(out: Path) -> tuple[str, ...]:
    from bot.wiring import open_world
    from tools.snapshot.opening import SnapshotError
    from tools.snapshot.recorder import record

    async with open_world(settings()) as world:
        try:
            return await record(world, out)
        except SnapshotError as error:
            raise BadInput(str(error)) from error
