"""The one place that sends: checked, paced, without unfurls, and never a message lost because a block was wrong."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.incident import Place
from bot.slack.blocks import Block, Message
from bot.slack.calls import Calls, Method, Refused, SlackError, following, listed
from bot.slack.lanes import Lane, Priority

REACTION_S = 5
PAGES = 10
"""Pages of history that are searched for a message of ours."""

_BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "block_mismatch"})
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
_OVER = frozenset({"message_not_in_streaming_state", "stopped_by_user", "message_not_found"})

logger = logging.getLogger(__name__)


class Sender:
    """Posts and updates messages as the bot."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._posts: dict[str, Lane] = {}
        # Slack counts these per method and workspace; a little below the tier, so that a 429 is the exception.
        self._updates = Lane(burst=5, gap_s=1.35)
        self._appends = Lane(burst=20, gap_s=0.75)
        self._starts = Lane(burst=5, gap_s=4)
        self._stops = Lane(burst=5, gap_s=4)

    async def post(self, place: Place, message: Message, priority: Priority) -> str:
        """Post in the place's thread, or in its channel where it has none; the new message's ts.

        Raises:
            Refused: when Locum may not post there.
            Unavailable: when nobody answered; the message may have been posted.
        """
        lane = self._posts.setdefault(place.channel, Lane(burst=5, gap_s=1.1))
        arguments: dict[str, Any] = {
            "channel": place.channel,
            "thread_ts": place.thread_ts or None,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        async with lane.turn(priority):
            try:
                answer = await self._with_fallback(Method.POST, message, arguments)
            except Refused as refusal:
                if refusal.code != "thread_not_found":
                    raise
                # Somebody deleted the thread's root. What there is to say is said in the channel.
                answer = await self._with_fallback(Method.POST, message, arguments | {"thread_ts": None})
        return str(answer["ts"])

    async def update(self, place: Place, ts: str, message: Message, priority: Priority) -> None:
        """Replace a message of ours; one that somebody deleted stays deleted."""
        # Slack's default would link names here; `none` is what it does when posting.
        arguments = {"channel": place.channel, "ts": ts, "parse": "none"}
        async with self._updates.turn(priority):
            try:
                await self._with_fallback(Method.UPDATE, message, arguments)
            except Refused as refusal:
                if refusal.code not in _GONE:
                    raise
                logger.warning("a message cannot be updated any more", extra=arguments | {"code": refusal.code})

    async def find(self, place: Place, event_type: str, payload: Mapping[str, Any], *, oldest: str) -> str:
        """The ts of our message with this metadata since `oldest`, or empty."""
        me = await self.calls.me()
        for message in await self._messages(place, oldest):
            metadata: dict[str, Any] = message.get("metadata") or {}
            carried: dict[str, Any] = metadata.get("event_payload") or {}
            is_ours = message.get("bot_id") == me.get("bot_id") or message.get("user") == me.get("user_id")
            if is_ours and metadata.get("event_type") == event_type and dict(payload).items() <= carried.items():
                return str(message["ts"])
        return ""

    async def react(self, place: Place, emoji: str) -> None:
        """Put an emoji under the message that asked; it is only a sign, so a failure is noted and no more."""
        try:
            async with asyncio.timeout(REACTION_S):
                await self.calls(Method.REACT, channel=place.channel, timestamp=place.message_ts, name=emoji)
        except (SlackError, TimeoutError) as error:
            if not (isinstance(error, Refused) and error.code == "already_reacted"):
                logger.warning("a reaction could not be added", extra={"channel": place.channel, "why": str(error)})

    @property
    def can_stream(self) -> bool:
        """Whether one more stream can start at once."""
        return self._starts.is_free

    async def start_stream(self, place: Place, chunks: Sequence[Block], recipient: str) -> str:
        """Start a stream that shows a plan to `recipient`; its ts."""
        me = await self.calls.me()
        async with self._starts.turn(Priority.PROGRESS):
            answer = await self.calls(
                Method.START_STREAM,
                channel=place.channel,
                thread_ts=place.thread_ts,
                recipient_user_id=recipient,
                recipient_team_id=me.get("team_id"),
                task_display_mode="plan",
                chunks=list(chunks),
            )
        return str(answer["ts"])

    async def append_stream(self, place: Place, ts: str, chunks: Sequence[Block]) -> bool:
        """Add to a stream; False when it is over, whoever ended it."""
        async with self._appends.turn(Priority.PROGRESS):
            return await self._stream(Method.APPEND_STREAM, place, ts, chunks=list(chunks))

    async def stop_stream(self, place: Place, ts: str) -> bool:
        """End a stream; False when it was over."""
        async with self._stops.turn(Priority.STATE):
            return await self._stream(Method.STOP_STREAM, place, ts)

    async def _stream(self, method: Method, place: Place, ts: str, **arguments: Any) -> bool:
        try:
            await self.calls(method, channel=place.channel, ts=ts, **arguments)
        except Refused as refusal:
            if refusal.code not in _OVER:
                raise
            return False
        return True

    async def _with_fallback(self, method: Method, message: Message, arguments: dict[str, Any]) -> dict[str, Any]:
        if problems := message.problems():
            logger.error("a message does not validate; its text goes out", extra={"problems": problems[:5]})
            message = replace(message, blocks=())
        try:
            return await self.calls(method, **arguments, **_content(message))
        except Refused as refusal:
            if refusal.code not in _BAD_BLOCKS or not message.blocks:
                raise
            logger.exception("Slack refused blocks; the text goes out", extra={"code": refusal.code})
            return await self.calls(method, **arguments, **_content(replace(message, blocks=())))

    async def _messages(self, place: Place, oldest: str) -> list[dict[str, Any]]:
        if not place.thread_ts:
            return await self._read(Method.HISTORY, channel=place.channel, oldest=oldest)
        try:
            return await self._read(Method.REPLIES, channel=place.channel, ts=place.thread_ts, oldest=oldest)
        except Refused as refusal:
            if refusal.code != "thread_not_found":
                raise
            return await self._read(Method.HISTORY, channel=place.channel, oldest=oldest)

    async def _read(self, method: Method, **arguments: Any) -> list[dict[str, Any]]:
        found, cursor = list[dict[str, Any]](), None
        for _ in range(PAGES):
            answer = await self.calls(method, **arguments, include_all_metadata=True, limit=200, cursor=cursor)
            found += listed(answer, "messages")
            cursor = following(answer)
            if cursor is None:
                return found
        logger.warning("the search for a message of ours gave up", extra={"channel": arguments["channel"]})
        return found


def _content(message: Message) -> dict[str, Any]:
    # An empty list drops the blocks that a message has; left out, an update would keep them.
    return {"text": message.text, "blocks": list(message.blocks), "metadata": dict(message.metadata) or None}
