"""The bolt app: what it listens to, and how fast it acks.

Events are acked when the desk took the question, or after `ACK_S`: Slack delivers again what was not acked, so a crash
loses nothing. Commands are not delivered again and are acked first.
"""

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.desk import Desk
from bot.gate import Gate
from bot.incident import Place, Question
from bot.setting_groups import Slack
from bot.slack import text
from bot.slack.approving import Approving
from bot.slack.asking import QUESTION, Asking, Seen
from bot.slack.calls import REQUEST_S, Calls, SlackError, connect
from bot.slack.cards import lines
from bot.slack.channels import Channels
from bot.slack.sending import Sender

ACK_S = 2.0
"""Slack waits three seconds."""
RESPOND_S = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackApp:
    """The bolt app with what it holds open."""

    app: AsyncApp
    asking: Asking
    calls: Calls
    approving: Approving | None

    async def ready(self) -> None:
        """Asks Slack who Locum is, so that the first event need not wait for it.

        Raises:
            SlackError: when the token is refused or Slack does not answer.
        """
        await self.calls.me()

    async def close(self) -> None:
        """Waits for what is being taken, then lets the connections go."""
        await self.asking.close()
        if self.approving:
            await self.approving.close()
        await self.calls.close()


def create(settings: Slack, desk: Desk, seen: Seen, gate: Gate | None = None) -> SlackApp:
    """The app for these settings; connect it with `bot.slack.socket` or `bot.slack.http`.

    Args:
        settings: tokens and addresses.
        desk: takes questions.
        seen: remembers requests.
        gate: takes clicks on approval cards; without one nothing can be decided here.

    Raises:
        ValueError: when no bot token is set.
    """
    calls = connect(settings)
    sender = Sender(calls)
    asking = Asking(desk, seen, sender)
    token = calls.client.token

    async def authorize() -> AuthorizeResult:
        # Ours is asked once and before the first request; bolt's own would ask Slack between a command and its ack.
        me = await calls.me()
        return AuthorizeResult(
            enterprise_id=me.get("enterprise_id"),
            team_id=me.get("team_id"),
            bot_user_id=me.get("user_id"),
            bot_id=me.get("bot_id"),
            bot_token=token,
        )

    app = AsyncApp(
        name="locum",
        client=AsyncWebClient(base_url=settings.api_url, timeout=REQUEST_S),
        authorize=authorize,
        # The listener runs before the ack: an event whose question was not taken is not acked, and comes again.
        process_before_response=True,
        # Requests are verified in front (bot.slack.http): bolt takes a replay, and logs the body of a bad one.
        request_verification_enabled=False,
    )
    approving = Approving(gate, calls) if gate else None
    _listen(app, _Listeners(asking, Channels(calls), calls))
    if approving:
        # In front of bolt's listeners: those look into a payload before we know that it is one of ours.
        _middleware(app, _Interactions(approving))
    return SlackApp(app=app, asking=asking, calls=calls, approving=approving)


class _Interactions:
    """Clicks and modals, acked before anything is done about them."""

    def __init__(self, approving: Approving) -> None:
        self._approving = approving

    async def take(self, body: dict[str, Any], next_: Any) -> BoltResponse | None:
        """Everything that is pressed or submitted ends here."""
        if body.get("type") not in {"block_actions", "view_submission"}:
            await next_()
            return None
        return BoltResponse(status=200, body=self._approving.take(body) or "")


class _Listeners:
    """One method for each kind of request. The parameters' names are bolt's."""

    def __init__(self, asking: Asking, channels: Channels, calls: Calls) -> None:
        self._asking = asking
        self._channels = channels
        self._calls = calls

    async def message(self, event: dict[str, Any]) -> BoltResponse | None:
        """A message or a mention; the twins of one message have one key."""
        me = str((await self._calls.me())["user_id"])
        question = self._asking.question(event, me)
        if question is None or question.place is None:
            return None
        task = self._asking.take(question, question.place)
        done, _ = await asyncio.wait({task}, timeout=ACK_S)
        if not done:
            return BoltResponse(status=503)
        task.result()
        return None

    async def nothing(self) -> None:
        """An event that says nothing to Locum: acked, else Slack would deliver it three times more."""

    async def diagnose(self, ack: Any, command: dict[str, Any], respond: Any) -> None:
        """`/diagnose TEXT`."""
        said = text.readable(str(command.get("text") or ""))
        first = said.split(maxsplit=1)[0].lower() if said else "help"
        if first == "private":
            await ack(lines.NO_PRIVATE)
        elif said.lower() in {"", "help", "status", "stop"}:
            await ack(lines.USAGE)
        else:
            await ack(lines.TAKEN)
            self._asking.go(self._command(said, command, respond))

    async def failed(self, error: Exception, body: dict[str, Any]) -> None:
        """The last net: noted without the payload; Slack gets a bare 500 and delivers an event again."""
        event: dict[str, Any] = body.get("event") or {}
        kind = str(event.get("type") or body.get("command") or body.get("type"))
        logger.error("a request of Slack's failed", exc_info=error, extra={"kind": kind})

    async def _command(self, said: str, command: dict[str, Any], respond: Any) -> None:
        answer = ""
        try:
            answer = await self._taken(said, command)
        except Exception:
            # The outer edge of a command: nobody above could tell the person that it failed.
            logger.exception("a command failed", extra={"command": str(command.get("command"))})
            answer = lines.NOT_TAKEN
        if not answer:
            return
        try:
            async with asyncio.timeout(RESPOND_S):
                await respond(answer, response_type="ephemeral")
        except (SlackClientError, OSError, TimeoutError) as error:
            logger.warning("a command could not be answered", extra={"why": type(error).__name__})

    async def _taken(self, said: str, command: dict[str, Any]) -> str:
        """What the caller must be told; empty when all is well."""
        channel = str(command["channel_id"])
        try:
            if not await self._channels.has_me(channel):
                me = str((await self._calls.me())["user_id"])
                return lines.NOT_HERE.format(bot=text.mention(me))
        except SlackError as error:
            logger.warning("membership is not known", extra={"channel": channel, "why": str(error)})
        question = Question(
            key=f"command:{command['trigger_id']}",
            text=text.plain(said, QUESTION),
            asked_by=str(command["user_id"]),
            place=Place(channel=channel),
        )
        return "" if await self._asking.ask(question) else lines.NOT_TAKEN


def _middleware(app: Any, interactions: _Interactions) -> None:
    app.middleware(interactions.take)


def _listen(app: Any, listeners: _Listeners) -> None:
    app.event("app_mention")(listeners.message)
    app.event("message")(listeners.message)
    app.event(re.compile(""))(listeners.nothing)
    app.command("/diagnose")(listeners.diagnose)
    app.error(listeners.failed)
