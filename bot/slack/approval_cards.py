"""Cards of requests for approval in Slack, redrawn from the stored request. Everything may be retried.

A card can stand in several places; all of them are noted and made to show the same. What Slack shows follows from
what is stored, never the other way round.
"""

import asyncio
import hashlib
import json
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

NEW = TimeDelta(minutes=1)
"""A request that is younger has no card yet, unless it is noted."""


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
            card = approval_card(view, Instant.now())
            drawn: Any = json.loads(await self._marks.get(_key("drawn", view)) or "{}")
            picture = hashlib.sha256(repr((card.text, card.blocks)).encode()).hexdigest()
            # A later picture stays, and the same one need not be sent again: reconciling costs nothing then.
            if tuple(drawn.get("rank", ())) > rank(view) or drawn.get("picture") == picture:
                return
            if copies := await self._copies(view) or await self._found(view):
                await self._redraw(view, card, copies)
            else:
                await self._post(view, card, view.place)
            await self._marks.put(_key("drawn", view), json.dumps({"rank": rank(view), "picture": picture}))

    async def copy(self, view: View, place: Place) -> None:
        """One more card of the same request, such as in somebody's direct message."""
        async with self._drawing.setdefault(view.request.id, asyncio.Lock()):
            if place.channel not in {each["channel"] for each in await self._copies(view)}:
                await self._post(view, approval_card(view, Instant.now()), place)

    async def outcome(self, view: View) -> None:
        """Says in the thread how the execution ended; once."""
        await self._say("outcome", view, outcome(view))

    async def verified(self, view: View) -> None:
        """Says in the thread whether it helped; once."""
        await self._say("verified", view, verified(view))

    async def _post(self, view: View, card: Message, place: Place) -> None:
        key = f"{_key('card', view)}:{place.channel}"
        is_begun = await self._marks.get(key) is not None
        mine = {"channel": place.channel, "ts": await self._once.post(key, place, card, Priority.ANSWER)}
        await self._marks.put(_key("copies", view), json.dumps([*await self._copies(view), mine]))
        if is_begun:
            # Posted by somebody who was stopped before they could note it, and maybe as it was then.
            await self._redraw(view, card, [mine])

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

    async def _redraw(self, view: View, card: Message, copies: list[dict[str, str]]) -> None:
        failed = list[SlackError]()
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


def _key(what: str, view: View) -> str:
    return f"approval:{view.request.id}:{what}"
