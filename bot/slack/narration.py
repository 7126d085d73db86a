"""One session's progress in one thread: a stream while Slack lets it live, then a message that is updated.

The whole plan is kept here and not in the stream, so whatever happens to the stream loses nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from agents.case import SessionId
from agents.progress import Event
from bot.incident import Place
from bot.slack.blocks import Block, Message
from bot.slack.calls import Refused, SlackError, Unavailable
from bot.slack.cards.plan import Page, Plan
from bot.slack.lanes import Priority
from bot.slack.once import Marks, Once
from bot.slack.sending import Sender

STREAM_S = 240
"""Slack ends a stream after about five minutes; we end it before and go on with updates."""
LEAVE_S = 3.0
STREAM_GAP_S = 1.0
UPDATE_GAP_S = 3.0
_STREAM = "stream:"

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Shown:
    """One page's message as it is now in Slack."""

    ts: str = ""
    is_stream: bool = False
    started_s: float = 0.0
    sent: dict[str, str] = field(default_factory=dict[str, str])
    """Of a stream: what was appended."""
    message: Message | None = None
    """Of a message: as it was last written."""


class Narration:
    """Tells one session's events; made anew for each try."""

    def __init__(self, sender: Sender, marks: Marks, place: Place, session_id: SessionId, recipient: str) -> None:
        self._sender = sender
        self._marks = marks
        self._once = Once(sender, marks)
        self._place = place
        self._session_id = session_id
        self._recipient = recipient
        self._plan = Plan()
        self._pages: dict[int, _Shown] = {}
        self._news = asyncio.Event()
        self._ended = asyncio.Event()

    async def tell(self, events: AsyncIterator[tuple[str, Event]]) -> None:
        """Show the events until there are no more.

        Raises:
            SlackError: when the finished plan could not be shown; telling everything again is safe.
        """
        reading = asyncio.create_task(self._read(events))
        try:
            await self._show_news()
            await reading
        except asyncio.CancelledError:
            await self._leave()
            raise
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _leave(self) -> None:
        """Leaves nothing spinning when the run is stopped; whoever tells it again goes on in the same messages."""
        if not self._pages:
            return
        self._plan.close()
        with contextlib.suppress(SlackError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._show()
                await self._stop()

    async def _read(self, events: AsyncIterator[tuple[str, Event]]) -> None:
        try:
            async for _, event in events:
                self._plan.take(event)
                self._news.set()
            self._plan.close()
        finally:
            self._ended.set()
            self._news.set()

    async def _show_news(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            is_over = self._ended.is_set()
            try:
                await self._show()
            except SlackError as error:
                # Progress is shown again with the next news, the finished plan is not: that one is the caller's.
                if is_over:
                    raise
                logger.warning("progress could not be shown", extra={"session": self._session_id, "why": str(error)})
                self._news.set()
            if is_over:
                await self._stop()
                return
            await self._pause()

    async def _pause(self) -> None:
        streams = any(one.is_stream for one in self._pages.values())
        if not streams:
            await asyncio.sleep(UPDATE_GAP_S)
            return
        try:
            async with asyncio.timeout(STREAM_GAP_S):
                await self._ended.wait()
        except TimeoutError:
            return

    async def _show(self) -> None:
        if self._plan.is_empty:
            return
        for page in self._plan.pages():
            shown = self._pages.get(page.number) or await self._begin(page)
            if shown.is_stream:
                await self._append(page, shown)
            if not shown.is_stream:
                await self._update(page, shown)

    async def _begin(self, page: Page) -> _Shown:
        shown = await self._resumed(page)
        if shown is None and page.number == 0 and self._recipient and self._sender.can_stream:
            shown = await self._start_stream(page)
        if shown is None:
            shown = await self._post(page)
        self._pages[page.number] = shown
        return shown

    async def _resumed(self, page: Page) -> _Shown | None:
        mark = await self._marks.get(self._key(page))
        if not mark or not mark.startswith(_STREAM):
            return None
        ts = mark.removeprefix(_STREAM)
        # An earlier try's stream cannot be added to without knowing what it got; as a message it can be rewritten.
        await self._sender.stop_stream(self._place, ts)
        return _Shown(ts=ts)

    async def _start_stream(self, page: Page) -> _Shown | None:
        news = list(page.chunks({}))
        recipient, self._recipient = self._recipient, ""
        try:
            ts = await self._sender.start_stream(self._place, [chunk for _, _, chunk in news], recipient)
        except SlackError as error:
            logger.warning("no stream", extra={"session": self._session_id, "why": str(error)})
            return None
        await self._marks.put(self._key(page), f"{_STREAM}{ts}")
        sent = {entry_id: mark for entry_id, mark, _ in news}
        return _Shown(ts=ts, is_stream=True, started_s=asyncio.get_running_loop().time(), sent=sent)

    async def _append(self, page: Page, shown: _Shown) -> None:
        news = list(page.chunks(shown.sent))
        if asyncio.get_running_loop().time() - shown.started_s >= STREAM_S:
            await self._sender.stop_stream(self._place, shown.ts)
            shown.is_stream = False
        elif news:
            shown.is_stream = await self._appended(shown, [chunk for _, _, chunk in news])
            shown.sent |= {entry_id: mark for entry_id, mark, _ in news}

    async def _appended(self, shown: _Shown, chunks: list[Block]) -> bool:
        try:
            return await self._sender.append_stream(self._place, shown.ts, chunks)
        except (Refused, Unavailable) as error:
            # Whether the chunks arrived is not known; rewritten as a message, it does not matter.
            logger.warning("the stream broke", extra={"session": self._session_id, "why": str(error)})
            await self._sender.stop_stream(self._place, shown.ts)
            return False

    async def _post(self, page: Page) -> _Shown:
        message = self._message(page)
        is_first_try = await self._marks.get(self._key(page)) is None
        ts = await self._once.post(self._key(page), self._place, message, Priority.PROGRESS)
        # An earlier try's message has an older plan in it, and is written again.
        return _Shown(ts=ts, message=message if is_first_try else None)

    async def _update(self, page: Page, shown: _Shown) -> None:
        message = self._message(page)
        if message == shown.message:
            return
        await self._sender.update(self._place, shown.ts, message, Priority.PROGRESS)
        shown.message = message

    async def _stop(self) -> None:
        for shown in self._pages.values():
            if shown.is_stream:
                shown.is_stream = False
                if not await self._sender.stop_stream(self._place, shown.ts):
                    await self._show()

    def _message(self, page: Page) -> Message:
        payload = {"session_id": self._session_id, "page": page.number}
        made = page.to_message()
        metadata = {"event_type": "locum_progress", "event_payload": payload}
        return Message(text=made.text, blocks=made.blocks, metadata=metadata)

    def _key(self, page: Page) -> str:
        return f"plan:{self._session_id}:{page.number}"
