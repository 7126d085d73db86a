"""Whether Slack takes the settings: tokens, scopes, channels, and Locum's membership in them. Posts nothing."""

from slack_sdk.errors import SlackApiError

from bot.setting_groups import Slack
from bot.slack.calls import Calls, Refused, SlackError, connect
from bot.slack.channels import Channels
from tools.errors import ToolRefused, ToolUnavailable

SCOPES = frozenset(
    {
        "app_mentions:read", "assistant:write", "channels:history", "channels:read", "chat:write", "commands",
        "groups:history", "groups:read", "im:history", "im:read", "reactions:write", "usergroups:read", "users:read",
        "users:read.email",
    }
)  # fmt: skip
"""What docs/slack-manifest.yaml asks for."""


async def check(settings: Slack) -> str:
    """Who Locum is in Slack, in a sentence.

    Raises:
        ToolRefused: when a token or a scope is not enough, or a channel is missing or Locum is not in it; says how to
            mend it.
        ToolUnavailable: when Slack does not answer.
    """
    calls = connect(settings)
    try:
        me = await calls.me()
        if calls.scopes and (missing := sorted(SCOPES - calls.scopes)):
            raise ToolRefused(f"the bot token lacks {', '.join(missing)}: add them and install the app again")
        await _check_socket(calls, settings)
        channels = Channels(calls)
        for name in dict.fromkeys((settings.channel, *(rule.channel for rule in settings.channels))):
            if not await channels.has_me(await channels.resolve(name)):
                raise ToolRefused(f"Locum is not in {name}: /invite @{me.get('user', 'Locum')} there")
    except Refused as refusal:
        raise ToolRefused(f"{refusal}; see docs/slack.md") from refusal
    except SlackError as error:
        raise ToolUnavailable(str(error)) from error
    finally:
        await calls.close()
    return f"@{me.get('user')} in {me.get('team')}, channel {settings.channel}"


async def _check_socket(calls: Calls, settings: Slack) -> None:
    if settings.mode != "socket" or settings.app_token is None:
        return
    try:
        # Asks for an address and does not connect to it.
        await calls.client.apps_connections_open(  # pyright: ignore[reportUnknownMemberType]
            app_token=settings.app_token.get_secret_value()
        )
    except SlackApiError as error:
        raise ToolRefused("the app token is refused: make one with the scope connections:write") from error
