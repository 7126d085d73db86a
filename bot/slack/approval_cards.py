"""Cards of requests for approval in Slack, redrawn from the stored request. Everything may be retried.

A card can stand in several places; all of them are noted and made to show the same. What Slack shows follows from
what is stored, never the other way round.
"""

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any
from weakref import WeakValueDictionary

from whenever import Instant, TimeDelta

from bot.gate import View
from bot.incident import Place
from bot.slack.blocks import Message
from bot.slack.calls import SlackError
from bot.slack.cards.approval import EVENT, approval_card
from bot.slack.cards.approval_outcome import outcome, verified
from bot.slack.cards.approval_standing import rank
from bot.slack.lanes import Priority
from bot.slack.once import SKEW_S, Marks, Once
from bot.slack.sending import Sender
from bot.workflows.ports import Cards

NEW = TimeDelta(minutes=1)
"""A request that is younger has no card yet, unless it is noted."""

logger = logging.getLogger(__name__)


class SlackCards:
    """Implements `bot.workflows.ports.Cards`. Requests of incidents without a channel are decided elsewhere.

    Every method raises `bot.slack.calls.Refused` when Slack says no (a person must act, such as invite Locum) and
    `bot.slack.calls.Unavailable` when it does not answer (the same call again is safe and right).
    """

    def __init__(self, sender: Sender, marks: Marks) -> None:
        self._sender = sender
        self._marks = marks
        self._once = Once(sender, marks)
        self._drawing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def draw(self, view: View) -> None:
        """Makes every copy of the card show how the request stands; posts the first one in the thread."""
        if not view.place.channel:
            return
        # Drawn one after the other: who comes later knows more.
        async with self._drawing.setdefault(view.request.id, asyncio.Lock()):
            if await self._is_outdated(view):
                return
            if copies := await self._copies(view) or await self._found(view):
                await self._redraw(view, copies)
            else:
                await self._post(view, view.place)
            await self._marks.put(_key("drawn", view), json.dumps(rank(view)))

    async def copy(self, view: View, place: Place) -> None:
        """One more card of the same request, such as in somebody's direct message."""
        async with self._drawing.setdefault(view.request.id, asyncio.Lock()):
            if place.channel not in {each["channel"] for each in await self._copies(view)}:
                await self._post(view, place)

    async def outcome(self, view: View) -> None:
        """Says in the thread how the execution ended; once."""
        await self._say("outcome", view, outcome(view))

    async def verified(self, view: View) -> None:
        """Says in the thread whether it helped; once."""
        await self._say("verified", view, verified(view))

    async def _post(self, view: View, place: Place) -> None:
        card = approval_card(view, Instant.now())
        ts = await self._once.post(f"{_key('card', view)}:{place.channel}", place, card, Priority.ANSWER)
        copies = [*await self._copies(view), {"channel": place.channel, "ts": ts}]
        await self._marks.put(_key("copies", view), json.dumps(copies))

    async def _found(self, view: View) -> list[dict[str, str]]:
        """The card of a request that is not new and of which nothing is noted: the notes may have been lost."""
        created_at = view.request.created_at
        if Instant.now() - created_at < NEW:
            return []
        oldest = str(created_at.timestamp() - SKEW_S)
        ts = await self._sender.find(view.place, EVENT, {"request_id": view.request.id}, oldest=oldest)
        copies = [{"channel": view.place.channel, "ts": ts}] if ts else []
        if copies:
            await self._marks.put(_key("copies", view), json.dumps(copies))
        return copies

    async def _redraw(self, view: View, copies: list[dict[str, str]]) -> None:
        card, failed = approval_card(view, Instant.now()), list[SlackError]()
        for each in copies:
            place = Place(channel=each["channel"], thread_ts=view.place.thread_ts)
            try:
                await self._sender.update(place, each["ts"], card, Priority.ANSWER)
            except SlackError as error:
                failed.append(error)
        if failed:
            # After all of them were tried: one place that cannot be reached must not leave buttons in another.
            raise failed[0]

    async def _say(self, what: str, view: View, message: Message | None) -> None:
        if view.place.channel and message:
            await self._once.post(_key(what, view), view.place, message, Priority.ANSWER)

    async def _copies(self, view: View) -> list[dict[str, str]]:
        noted: Any = json.loads(await self._marks.get(_key("copies", view)) or "[]")
        return noted

    async def _is_outdated(self, view: View) -> bool:
        """Whether a later picture of this request is shown already."""
        drawn: Any = json.loads(await self._marks.get(_key("drawn", view)) or "[]")
        return tuple(drawn) > rank(view)


async def repair(cards: Cards, views: Iterable[View]) -> int:
    """Makes Slack show what is stored, after an outage; how many requests could not be shown as they are."""
    failed = 0
    for view in views:
        try:
            await cards.draw(view)
            await cards.outcome(view)
            await cards.verified(view)
        except SlackError as error:
            failed += 1
            extra = {"request_id": view.request.id, "why": str(error)}
            logger.warning("a request for approval cannot be shown", extra=extra)
    return failed


def _key(what: str, view: View) -> str:
    return f"approval:{view.request.id}:{what}"
