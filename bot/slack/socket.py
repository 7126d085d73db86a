"""Socket Mode: Slack over a WebSocket that Locum opens, so no address of ours needs to be reachable."""

import asyncio

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from bot.setting_groups import Slack
from bot.slack.app import SlackApp

PING_S = 5
WATCH_S = 15
CONNECT_S = 60


class Socket:
    """One connection; the SDK reconnects it, and we help where it would not."""

    def __init__(self, slack: SlackApp, settings: Slack) -> None:
        if settings.app_token is None:
            raise ValueError("slack.app_token is not set: expected an `xapp-…` token with `connections:write`")
        self._slack = slack
        self._token = settings.app_token.get_secret_value()
        self._handler: AsyncSocketModeHandler | None = None
        self._watch: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Opens the connection and keeps it open.

        Raises:
            SlackError: when the bot token is refused.
            TimeoutError: when no connection could be made.
        """
        await self._slack.ready()
        # Made here, inside the running loop: the handler starts tasks of its own.
        self._handler = AsyncSocketModeHandler(self._slack.app, self._token, ping_interval=PING_S)
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._handler.connect_async()
        except TimeoutError:
            await self.close()
            raise
        self._watch = asyncio.create_task(self._keep(self._handler))

    async def is_connected(self) -> bool:
        """Whether Slack can reach us."""
        return self._handler is not None and await self._handler.client.is_connected()

    async def close(self) -> None:
        """Closes the connection; what was not acked is delivered again to the next one."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        if self._handler is not None:
            await self._handler.close_async()

    async def _keep(self, handler: AsyncSocketModeHandler) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if not await handler.client.is_connected():
                # The SDK tries the same address until it works, and Slack lets each address in only once.
                handler.client.wss_uri = None
