"""The one door to Slack's Web API: timeouts, Retry-After, and what can go wrong in two words.

SlackError
├── Refused      Slack said no; the same call again is useless. `code` is Slack's word
└── Unavailable  nobody answered, or Slack is too busy; the call may or may not have happened
"""

import asyncio
import json
import logging
from enum import StrEnum
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.setting_groups import Slack

REQUEST_S = 10
CALL_S = 150
"""For one call with every wait that Slack asks for."""
RATE_LIMIT_TRIES = 4

logger = logging.getLogger(__name__)


class Method(StrEnum):
    """Every method that Locum calls; the manifest asks for their scopes and for no others."""

    AUTH_TEST = "auth.test"
    POST = "chat.postMessage"
    UPDATE = "chat.update"
    START_STREAM = "chat.startStream"
    APPEND_STREAM = "chat.appendStream"
    STOP_STREAM = "chat.stopStream"
    CHANNELS = "conversations.list"
    CHANNEL = "conversations.info"
    HISTORY = "conversations.history"
    REPLIES = "conversations.replies"
    REACT = "reactions.add"
    EPHEMERAL = "chat.postEphemeral"
    OPEN_VIEW = "views.open"
    UPDATE_VIEW = "views.update"
    USER = "users.info"
    GROUP_MEMBERS = "usergroups.users.list"


_READS = frozenset({Method.CHANNELS, Method.CHANNEL, Method.HISTORY, Method.REPLIES, Method.USER, Method.GROUP_MEMBERS})
_BUSY = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)


class SlackError(Exception):
    """A call of Slack's API did not work."""


class Refused(SlackError):
    """Slack said no; the same call again is useless."""

    def __init__(self, method: str, code: str, detail: str = "") -> None:
        super().__init__(f"{method} was refused: {code!r}{f', {detail}' if detail else ''}")
        self.code = code


class Unavailable(SlackError):
    """Nobody answered, or Slack is too busy; what was asked may or may not have happened."""


class Calls:
    """Calls methods of the Web API as the bot."""

    def __init__(self, client: AsyncWebClient) -> None:
        self.client = client
        self.scopes: frozenset[str] = frozenset()
        """The token's, as Slack tells them with every answer; empty until then."""
        self._me: dict[str, Any] = {}

    async def __call__(self, method: Method, **arguments: Any) -> dict[str, Any]:
        """One call; waits as long as Slack asks for when it is too busy.

        Raises:
            Refused: when Slack says no.
            Unavailable: when nobody answers, or Slack stays too busy.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            async with asyncio.timeout(CALL_S):
                return await self._call(method, given)
        except SlackApiError as error:
            raise _said(method, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError, json.JSONDecodeError) as error:
            raise Unavailable(f"{method} got no answer: {type(error).__name__}") from error

    async def me(self) -> dict[str, Any]:
        """`auth.test`: who Locum is here (`user_id`, `bot_id`, `team_id`); asked once."""
        if not self._me:
            self._me = await self(Method.AUTH_TEST)
        return self._me

    async def close(self) -> None:
        """Let the connections go."""
        if self.client.session is not None:
            await self.client.session.close()

    async def _call(self, method: Method, given: dict[str, Any]) -> dict[str, Any]:
        if self.client.session is None:
            # Made here and not with the client: it belongs to the loop that runs now.
            self.client.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_S))
        answer: Any
        if method in _READS:
            answer = await self.client.api_call(method, http_verb="GET", params=given)  # pyright: ignore[reportUnknownMemberType]
        else:
            answer = await self.client.api_call(method, json=given)  # pyright: ignore[reportUnknownMemberType]
        if granted := str(answer.headers.get("x-oauth-scopes") or ""):
            self.scopes = frozenset(scope.strip() for scope in granted.split(","))
        return dict(answer.data)


def listed(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects that an answer lists under `name`."""
    return answer.get(name) or []


def following(answer: dict[str, Any]) -> str | None:
    """The cursor of the next page; `None` on the last."""
    about: dict[str, Any] = answer.get("response_metadata") or {}
    return about.get("next_cursor") or None


def connect(settings: Slack) -> Calls:
    """Calls with the bot's token.

    Raises:
        ValueError: when no bot token is set.
    """
    if settings.bot_token is None:
        raise ValueError("slack.bot_token is not set: expected an `xoxb-…` token")
    client = AsyncWebClient(
        token=settings.bot_token.get_secret_value(),
        base_url=settings.api_url,
        timeout=REQUEST_S,
        # Not the handlers for broken connections and for 5xx: after either a message may be posted, and would be twice.
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_TRIES)],
    )
    return Calls(client)


def _said(method: str, error: SlackApiError) -> SlackError:
    answer: Any = error.response
    # Of an answer that is no JSON the SDK hands out the connection's own object instead.
    if AsyncSlackResponse not in type(answer).__mro__:
        return Unavailable(f"{method} got an answer that is no JSON")
    code = str(answer.get("error") or "")
    if answer.status_code == 429 or answer.status_code >= 500 or code in _BUSY:
        return Unavailable(f"{method} is not available: {code!r}, HTTP {answer.status_code}")
    errors: list[Any] = answer.get("errors") or []
    problems = [str(one) for one in errors]
    return Refused(method, code, "; ".join(problems)[:500])
