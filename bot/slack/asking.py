"""What people say to Locum, from Slack's payloads to the desk. Slack is acked by others; here the work begins.

A request is taken when the desk took it; only then is it noted as seen. A crash before that lets Slack deliver again,
and the desk knows a request by its key.
"""

import asyncio
import logging
import re
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from bot.desk import Desk, DeskClosed
from bot.incident import Place, Question
from bot.slack import text
from bot.slack.calls import SlackError
from bot.slack.cards import lines
from bot.slack.lanes import Priority
from bot.slack.sending import Sender

ASK_S = 30
SEEN_S = 24 * 3600
QUESTION = 4_000
"""Characters of a question that are kept."""
EYES = "eyes"

_KINDS = frozenset({None, "file_share", "thread_broadcast"})
"""Subtypes of messages that somebody wrote; the rest are edits, joins and bots."""

logger = logging.getLogger(__name__)


class Seen(Protocol):
    """Remembers requests, durably and for all processes."""

    async def first(self, key: str, ttl_s: int) -> bool:
        """Whether `key` was not noted in the last `ttl_s` seconds; notes it."""
        ...


class Asking:
    """Brings questions to the desk and tells people when that does not work."""

    def __init__(self, desk: Desk, seen: Seen, sender: Sender) -> None:
        self._desk = desk
        self._seen = seen
        self._sender = sender
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def question(self, event: Mapping[str, Any], me: str) -> Question | None:
        """What the event asks of Locum; `None` when it asks nothing."""
        if not _is_from_a_person(event, me):
            return None
        said, is_direct = str(event.get("text") or ""), event.get("channel_type") == "im"
        mentioned = re.compile(rf" ?<@{re.escape(me)}(?:\|[^>]*)?>")
        if not is_direct and not mentioned.search(said):
            return None
        channel, ts = str(event["channel"]), str(event["ts"])
        return Question(
            key=f"{channel}:{ts}",
            text=text.plain(text.readable(mentioned.sub("", said)), QUESTION),
            asked_by=str(event["user"]),
            place=Place(channel=channel, thread_ts=str(event.get("thread_ts") or ts), message_ts=ts),
        )

    def take(self, question: Question, place: Place) -> asyncio.Task[None]:
        """Starts taking a question; its twin in the same process joins the one that runs."""
        if running := self._asked.get(question.key):
            return running
        task = self.go(self._take(question, place))
        self._asked[question.key] = task
        task.add_done_callback(lambda _: self._asked.pop(question.key, None))
        return task

    async def ask(self, question: Question) -> bool:
        """Whether the desk took it."""
        try:
            async with asyncio.timeout(ASK_S):
                ticket = await self._desk.ask(question)
        except (DeskClosed, TimeoutError) as error:
            logger.warning("a question was not taken", extra={"key": question.key, "why": str(error)})
            return False
        extra = {"key": question.key, "incident_id": ticket.incident_id, "session_id": ticket.session_id}
        logger.info("a question was taken", extra=extra | {"is_new": ticket.is_new})
        await self._seen.first(_key(question), SEEN_S)
        return True

    def go(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs `work` without making Slack wait; `close` waits for it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def close(self) -> None:
        """Waits for what is being taken."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _take(self, question: Question, place: Place) -> None:
        sign = self.go(self._sender.react(place, EYES))
        said = "" if question.text else lines.NO_WORDS
        if question.text and not await self._is_taken(question):
            said = lines.NOT_TAKEN
        await sign
        if said:
            await self._say(question, place, said)

    async def _is_taken(self, question: Question) -> bool:
        try:
            return await self.ask(question)
        except Exception:
            # The outer edge of this request: whatever broke, the person who waits is told, without its innards.
            logger.exception("taking a question failed", extra={"key": question.key})
            return False

    async def _say(self, question: Question, place: Place, said: str) -> None:
        if not await self._seen.first(_key(question), SEEN_S):
            return
        try:
            await self._sender.post(place, lines.line(said), Priority.ANSWER)
        except SlackError as error:
            logger.warning("nobody could be told", extra={"key": question.key, "why": str(error)})


def _key(question: Question) -> str:
    return f"slack:asked:{question.key}"


def _is_from_a_person(event: Mapping[str, Any], me: str) -> bool:
    user = event.get("user")
    is_ours = not user or user == me
    return not (is_ours or event.get("bot_id") or event.get("edited") or event.get("subtype") not in _KINDS)
