"""The strict local Slack in a process of its own: `python -m benchmarks.slack CHANNELS`."""

import asyncio
import json
import sys

from bot.slack.checking import SCOPES
from bot.workspace.manifest import Manifest
from bot.workspace.server import serve


def channel(number: int) -> str:
    """The name of a channel."""
    return f"load-{number:03}"


async def main(channels: int) -> None:
    async with serve(manifest=Manifest(scopes=SCOPES, shortcuts=())) as workspace:
        for number in range(channels):
            workspace.create_channel(channel(number))
            workspace.invite(channel(number), workspace.bot_user_id)
        place = {"url": workspace.url, "bot_token": workspace.bot_token, "app_token": workspace.app_token}
        sys.stdout.write(json.dumps(place) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
