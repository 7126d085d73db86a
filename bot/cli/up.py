"""`locum up`, `locum bot`, `locum worker`: processes that run until they are told to stop."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from bot.cli.outcome import BadInput, settings
from bot.settings import Settings


def run(parts: tuple[str, ...]) -> None:
    """Runs the parts until SIGINT or SIGTERM; ends with a sentence when something that is needed is missing."""
    current = settings()
    if current.slack.bot_token is None and "bot" in parts:
        sys.stderr.write(
            "locum: no Slack tokens are set, so nothing will be said in Slack; "
            "try `locum demo`, or set them: docs/slack.md\n"
        )
    if "runner" in parts and len(parts) == 1 and current.approvals.policy is None:
        raise BadInput("nothing can be approved without a policy: set LOCUM_APPROVALS__POLICY (docs/approvals.md)")
    if len(parts) == 1 and not (current.redis.url and current.temporal.address):
        raise BadInput(
            f"`locum {parts[0]}` is one of several processes: set LOCUM_REDIS__URL and LOCUM_TEMPORAL__ADDRESS, "
            "or run everything with `locum up`"
        )
    asyncio.run(until_told(lambda stop: _serve(current, parts, stop)))
    leave(0)


async def _serve(current: Settings, parts: tuple[str, ...], stop: asyncio.Event) -> None:
    from bot.running import running

    async with running(current, parts) as found:
        where = f" on {found.url}" if found.url else ""
        sys.stderr.write(f"locum: {' and '.join(parts)} running{where}; Ctrl-C ends it\n")
        await found.until(stop)


async def until_told(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Runs `work` with an event that SIGINT and SIGTERM set.

    Raises:
        BadInput: when something that is needed is missing or refuses.
    """
    from agents.specialist import SpecialistError
    from approvals.policy_file import PolicyError
    from bot.embedded.child import ServerFailed
    from bot.embedded.folder import FolderTaken
    from bot.keyring import KeyringError
    from bot.running import PartEnded
    from bot.slack.calls import SlackError
    from bot.stores.ledger.errors import LedgerError
    from bot.wiring import ConnectorError
    from bot.workflows.service import WorkflowsAway
    from tools.snapshot.folder import SnapshotError

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await work(stop)
    except (
        ServerFailed,
        FolderTaken,
        SlackError,
        ConnectorError,
        WorkflowsAway,
        SnapshotError,
        SpecialistError,
        PartEnded,
        PolicyError,
        KeyringError,
        LedgerError,
    ) as error:
        raise BadInput(str(error)) from error


def leave(code: int) -> None:
    """Ends the process at once, after what was written went out.

    A process that ends right after a Temporal worker can die in its native threads (temporalio issue 300).
    """
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
