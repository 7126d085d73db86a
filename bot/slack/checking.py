"""Whether Slack takes the settings: the token, the channels, and Locum's membership in them."""

from bot.settings import Slack
from bot.slack.calls import SlackError, connect
from bot.slack.channels import Channels
from tools.errors import ToolRefused


async def check(settings: Slack) -> str:
    """Who Locum is in Slack, in a sentence.

    Raises:
        ToolRefused: when the token is refused, or a channel is missing or Locum is not in it; says how to mend it.
    """
    calls = connect(settings)
    try:
        me = await calls.me()
        channels = Channels(calls)
        for name in dict.fromkeys((settings.channel, *(rule.channel for rule in settings.channels))):
            if not await channels.has_me(await channels.resolve(name)):
                raise ToolRefused(f"Locum is not in {name}: /invite @{me.get('user', 'Locum')} there")
    except SlackError as error:
        raise ToolRefused(f"{error}; see docs/slack.md") from error
    finally:
        await calls.close()
    return f"@{me.get('user')} in {me.get('team')}, channel {settings.channel}"
