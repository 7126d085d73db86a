"""Whether the tokens and channels of the settings are good, said before anything happens."""

from typing import Any

import pytest
from pydantic import SecretStr

from bot.setting_groups import ChannelRule, Slack
from bot.slack.checking import SCOPES, check
from bot.workspace.server import Workspace
from tests.bot.fakes import lossy, settings
from tests.slack import broken
from tools.errors import ToolRefused, ToolUnavailable


def configured(workspace: Workspace, **changes: Any) -> Slack:
    return settings(workspace).model_copy(update=changes)


async def test_good_tokens_and_channels_say_who_locum_is(workspace: Workspace) -> None:
    rules = (ChannelRule(labels={"team": "shop"}, channel="#incidents"),)
    assert "channel #alerts" in await check(configured(workspace, channels=rules))
    assert workspace.calls("chat.postMessage") == []


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"bot_token": SecretStr("xoxb-wrong")}, "'invalid_auth'"),
        ({"app_token": SecretStr("xapp-wrong")}, "connections:write"),
        ({"channel": "#general"}, "Locum is not in #general: /invite @"),
        ({"channel": "#nowhere"}, "no channel '#nowhere'"),
    ],
)
async def test_what_is_wrong_is_named_with_what_to_do(
    workspace: Workspace, changes: dict[str, Any], advice: str
) -> None:
    with pytest.raises(ToolRefused, match=advice):
        await check(configured(workspace, **changes))
    broken(workspace)


async def test_a_scope_that_the_token_lacks_is_named(workspace: Workspace) -> None:
    async with lossy(workspace) as between:
        between.scopes = ",".join(SCOPES - {"chat:write", "im:read"})
        with pytest.raises(ToolRefused, match="lacks chat:write, im:read: add them"):
            await check(configured(workspace, api_url=between.url))
        between.scopes = ", ".join((*SCOPES, "users:read"))
        assert await check(configured(workspace, api_url=between.url))


async def test_a_slack_that_does_not_answer_is_unavailable_and_not_refused(workspace: Workspace) -> None:
    with pytest.raises(ToolUnavailable):
        await check(configured(workspace, api_url="http://127.0.0.1:9/api/"))
