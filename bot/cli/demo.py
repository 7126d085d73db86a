"""`locum demo`: Locum at work on this machine, with nothing but Python installed."""

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from bot.cli.outcome import BadInput, settings
from bot.cli.up import leave, until_told
from bot.settings import Settings

WAIT_S = 60
BETWEEN_S = 4


def run(*, once: bool, port: int, incident: str) -> None:
    """Shows the demo until Ctrl-C, or fires one incident and prints its thread."""
    from bot.demo.show import incidents

    if incident not in incidents():
        raise BadInput(f"there is no recorded incident {incident!r}; there are: {', '.join(incidents())}")
    current = settings()
    quiet = current.model_copy(update={"telemetry": current.telemetry.model_copy(update={"log_level": "ERROR"})})
    if once:
        with tempfile.TemporaryDirectory(prefix="locum-") as folder:
            fresh = quiet.model_copy(update={"data_dir": Path(folder)})
            code = asyncio.run(_once(fresh, incident))
        leave(code)
    asyncio.run(until_told(lambda stop: _show(quiet, port, stop)))
    leave(0)


async def _once(current: Settings, incident: str) -> int:
    from bot.demo.show import showing
    from bot.demo.transcript import transcript

    found = ""

    async def work(stop: asyncio.Event) -> None:
        nonlocal found
        async with showing(current, port=0) as demo:
            await demo.fire(incident)
            waiting = asyncio.create_task(demo.locum.until(stop))
            for _ in range(WAIT_S * 10):
                for root in demo.threads():
                    found = transcript(demo.conclusion(root["ts"]))
                if found or waiting.done():
                    break
                await asyncio.sleep(0.1)
            if waiting.done():
                await waiting
            waiting.cancel()

    await until_told(work)
    if not found:
        sys.stderr.write(f"locum: no verdict on {incident} within {WAIT_S} s\n")
        return 1
    sys.stdout.write(found)
    return 0


async def _show(current: Settings, port: int, stop: asyncio.Event) -> None:
    from bot.demo.show import CHANNEL, incidents, showing

    sys.stderr.write("starting an embedded Valkey and Temporal, a local Slack workspace, and Locum ...\n")
    try:
        async with showing(current, port=port) as demo:
            sys.stdout.write(
                f"\n  {demo.workspace.url}/?as=ana&channel={CHANNEL}\n\n"
                f"Recorded incidents fire into #{CHANNEL} now. Open a thread: what was looked at, the verdict,\n"
                "the evidence.\n"
                "Then try, in the box below the messages:\n"
                "  /diagnose why is catalog restarting\n"
                "  @Locum what changed before this?          (in a thread)\n"
                "Ctrl-C ends everything.\n\n"
            )
            sys.stdout.flush()
            for name in incidents():
                await demo.fire(name)
                sys.stderr.write(f"fired {name}\n")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(demo.locum.until(stop), BETWEEN_S)
                    return
            await demo.locum.until(stop)
    except OSError as error:
        raise BadInput(f"the page cannot be served on port {port}: {error.strerror}; try --port 0") from error
