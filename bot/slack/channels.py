"""Which channel a name means, and whether Locum is in it."""

import asyncio
from typing import Any

from bot.slack.calls import Calls, Method, Refused, following, listed

FRESH_S = 60
"""A name that was not found is looked up again after this long."""
PAGES = 50

_UNSEEN = frozenset({"channel_not_found", "not_in_channel", "missing_scope", "method_not_supported_for_channel_type"})


class Channels:
    """Names to ids, remembered."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._ids: dict[str, str] = {}
        self._read_s: float | None = None
        self._reading = asyncio.Lock()

    async def resolve(self, channel: str) -> str:
        """The id for `#name`; an id is its own.

        Raises:
            Refused: when there is no such channel, or it is private and Locum is not in it.
        """
        if not channel.startswith("#"):
            return channel
        name = channel.removeprefix("#")
        async with self._reading:
            if name not in self._ids and self._is_stale():
                await self._read()
        if name not in self._ids:
            raise Refused(Method.CHANNELS, "channel_not_found", f"no channel {channel!r} that Locum can see")
        return self._ids[name]

    async def has_me(self, channel: str) -> bool:
        """Whether Locum is in the channel; a direct message with it counts."""
        try:
            answer = await self._calls(Method.CHANNEL, channel=channel)
        except Refused as refusal:
            if refusal.code not in _UNSEEN:
                raise
            return False
        found: dict[str, Any] = answer.get("channel") or {}
        return bool(found.get("is_member") or found.get("is_im"))

    def _is_stale(self) -> bool:
        return self._read_s is None or asyncio.get_running_loop().time() - self._read_s > FRESH_S

    async def _read(self) -> None:
        cursor: str | None = None
        for _ in range(PAGES):
            answer = await self._calls(
                Method.CHANNELS,
                types="public_channel,private_channel",
                exclude_archived=True,
                limit=1_000,
                cursor=cursor,
            )
            self._ids |= {str(one["name"]): str(one["id"]) for one in listed(answer, "channels")}
            cursor = following(answer)
            if cursor is None:
                break
        self._read_s = asyncio.get_running_loop().time()
