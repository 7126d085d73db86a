"""Messages that are posted once, whatever is retried, restarted or answered too late."""

from typing import Protocol

from whenever import Instant

from bot.incident import Place
from bot.slack.blocks import Message
from bot.slack.lanes import Priority
from bot.slack.sending import Sender

SKEW_S = 120
"""How far our clock may be ahead of Slack's."""
_TRYING = "trying:"


class Marks(Protocol):
    """Small durable notes: which message stands for what."""

    async def get(self, key: str) -> str | None:
        """The note, or `None`."""
        ...

    async def put(self, key: str, value: str) -> None:
        """Write it, over what was there."""
        ...


class Once:
    """Posts what was not posted before.

    The intent is noted first. Who finds an intent without a result (a crash, a lost answer) looks into the thread for
    the message's metadata before posting; who finds none need not look, which spares Slack's tight limit on reading.
    """

    def __init__(self, sender: Sender, marks: Marks) -> None:
        self._sender = sender
        self._marks = marks

    async def post(self, key: str, place: Place, message: Message, priority: Priority) -> str:
        """The ts of the message that stands for `key`, posted now or before.

        Raises:
            SlackError: when it is not known to be posted; calling again is safe.
        """
        mark = await self._marks.get(key)
        if mark and not mark.startswith(_TRYING):
            return mark
        if mark is None:
            await self._marks.put(key, f"{_TRYING}{Instant.now().timestamp()}")
        ts = await self._found(place, message, mark) if mark else ""
        ts = ts or await self._sender.post(place, message, priority)
        await self._marks.put(key, ts)
        return ts

    async def _found(self, place: Place, message: Message, mark: str) -> str:
        since_s = int(mark.removeprefix(_TRYING)) - SKEW_S
        metadata = message.metadata
        return await self._sender.find(place, metadata["event_type"], metadata["event_payload"], oldest=str(since_s))
