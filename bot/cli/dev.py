"""`locum dev secrets`: the local server of secrets for development."""

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from bot.cli.outcome import BadInput
from bot.cli.up import until_told
from bot.dev_secrets.file import BadFile, read
from bot.dev_secrets.server import HOST, serving


def run(file: Path, *, port: int, in_production: bool) -> None:
    """Serves the references of `file` on this machine until SIGINT or SIGTERM."""
    if in_production:
        raise BadInput("the local server of secrets is for development: it does not run in production")
    try:
        values = read(file)
    except BadFile as error:
        raise BadInput(str(error)) from error
    asyncio.run(until_told(lambda stop: _serve(values, port, stop)))


async def _serve(values: Mapping[str, str], port: int, stop: asyncio.Event) -> None:
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise BadInput(f"port {port} of {HOST} cannot be used: {error.strerror}; choose another with --port") from error
    async with serving(values, listening) as url:
        sys.stderr.write(f"locum: {len(values)} secrets for development on {url}; Ctrl-C ends it\n")
        await stop.wait()
