import dataclasses

import aiohttp
import pytest

from bot.workspace.manifest import Manifest
from bot.workspace.methods import load
from bot.workspace.people import ENTERPRISE_ID
from bot.workspace.server import Workspace, serve
from tests.slack import broken, client, refusal

METHODS = {
    "auth.test", "apps.connections.open", "bots.info",
    "chat.postMessage", "chat.update", "chat.delete", "chat.postEphemeral", "chat.getPermalink",
    "chat.startStream", "chat.appendStream", "chat.stopStream",
    "conversations.list", "conversations.info", "conversations.members",
    "conversations.history", "conversations.replies", "conversations.open",
    "users.info", "users.list", "users.lookupByEmail", "usergroups.users.list",
    "reactions.add", "reactions.remove", "views.open", "views.push", "views.update", "views.publish",
    "files.getUploadURLExternal", "files.completeUploadExternal",
    "assistant.threads.setStatus", "assistant.threads.setTitle", "assistant.threads.setSuggestedPrompts",
    "agents.sessions.setStatus", "agents.sessions.rename",
}  # fmt: skip


def test_every_method_that_locum_calls_is_there() -> None:
    assert set(load()) == METHODS


async def test_tokens_are_of_the_right_kind(workspace: Workspace) -> None:
    bot, app = client(workspace), client(workspace, workspace.app_token)
    who = await bot.auth_test()
    assert (who["user_id"], who["bot_id"]) == (workspace.bot_user_id, workspace.bot_id)
    assert (await refusal(client(workspace, "xoxb-wrong").auth_test()))["error"] == "invalid_auth"
    assert (await refusal(app.auth_test()))["error"] == "not_allowed_token_type"
    assert (await refusal(bot.apps_connections_open(app_token=workspace.bot_token)))[
        "error"
    ] == "not_allowed_token_type"
    async with aiohttp.ClientSession() as session, session.post(f"{workspace.api_url}auth.test") as answer:
        assert await answer.json() == {"ok": False, "error": "not_authed"}
    assert len(broken(workspace)) == 4


async def test_an_unknown_method_is_unknown(workspace: Workspace) -> None:
    assert (await refusal(client(workspace).api_call("chat.postNovel")))["error"] == "unknown_method"
    assert broken(workspace) == ["chat.postNovel: unknown_method"]


async def test_a_method_needs_its_scope() -> None:
    manifest = dataclasses.replace(Manifest(), scopes=frozenset({"chat:write", "channels:read"}))
    async with serve(manifest=manifest) as workspace:
        slack, alerts = client(workspace), workspace.channel_id("alerts")
        answer = await refusal(slack.reactions_add(channel=alerts, timestamp="1.0", name="eyes"))
        assert (answer["error"], answer["needed"]) == ("missing_scope", "reactions:write")
        assert (await refusal(slack.conversations_history(channel=alerts)))["error"] == "missing_scope"
        assert len(workspace.violations) == 2


async def test_events_that_the_manifest_does_not_name_are_not_sent() -> None:
    manifest = dataclasses.replace(Manifest(), events=frozenset({"app_mention"}))
    async with serve(manifest=manifest) as workspace:
        workspace.post("ana", "alerts", "@locum hello")
        assert [delivery.name for delivery in workspace.deliveries()] == ["app_mention"]


async def test_an_uninstalled_app_is_told_and_its_token_is_dead() -> None:
    manifest = dataclasses.replace(Manifest(), events=frozenset({"app_uninstalled", "tokens_revoked"}))
    async with serve(manifest=manifest) as workspace:
        workspace.uninstall()
        assert {delivery.name for delivery in workspace.deliveries()} == {"tokens_revoked", "app_uninstalled"}
        assert (await refusal(client(workspace).auth_test()))["error"] == "token_revoked"


async def test_people_are_found_by_id_and_by_email(workspace: Workspace) -> None:
    slack = client(workspace)
    ana = (await slack.users_lookupByEmail(email="ana@example.com"))["user"]
    assert ana["id"] == workspace.user_id("ana")
    assert (await slack.users_info(user=workspace.user_id("gus")))["user"]["is_restricted"]
    assert (await refusal(slack.users_lookupByEmail(email="nobody@example.com")))["error"] == "users_not_found"
    workspace.add_group("S0ONCALL", ["ana", "ben"])
    on_call = await slack.usergroups_users_list(usergroup="S0ONCALL")
    assert on_call["users"] == [workspace.user_id("ana"), workspace.user_id("ben")]


async def test_what_an_administrator_changes_about_somebody_is_in_the_next_answer(workspace: Workspace) -> None:
    slack, ben = client(workspace), workspace.user_id("ben")

    async def told() -> tuple[object, ...]:
        user = (await slack.users_info(user=ben))["user"]
        return user["deleted"], user["is_restricted"], user["is_email_confirmed"], user["profile"]["email"]

    assert await told() == (False, False, True, "ben@example.com")
    workspace.change_person("ben", email="ana@example.com", is_guest=True, is_email_confirmed=False)
    assert await told() == (False, True, False, "ana@example.com")
    workspace.change_person("ben", is_deactivated=True, is_guest=False)
    assert await told() == (True, False, False, "ana@example.com")

    workspace.add_group("S0ONCALL", ["ana", "ben"])
    workspace.add_group("S0ONCALL", ["ana"])
    answer = await slack.usergroups_users_list(usergroup="S0ONCALL")
    assert answer["users"] == [workspace.user_id("ana")]


async def test_on_grid_a_colleague_of_another_workspace_is_no_stranger(workspace: Workspace) -> None:
    slack = client(workspace)
    workspace.add_person("wim", is_grid=True, team_id="T0SISTER")
    wim = workspace.user_id("wim")
    assert (await slack.users_info(user=wim))["user"]["is_stranger"]
    assert "enterprise_id" not in (await slack.auth_test()).data
    workspace.change_person("wim", enterprise_id=ENTERPRISE_ID)
    workspace.team.enterprise_id = ENTERPRISE_ID
    user = (await slack.users_info(user=wim))["user"]
    assert (user["is_stranger"], user["enterprise_user"]["enterprise_id"]) == (False, ENTERPRISE_ID)
    assert (await slack.auth_test())["enterprise_id"] == ENTERPRISE_ID


async def test_channels_are_listed_by_type_with_membership(workspace: Workspace) -> None:
    slack = client(workspace)
    workspace.create_channel("secret", is_private=True)
    workspace.create_channel("war-room", is_private=True, members=["ana", "locum"])
    listed = (await slack.conversations_list(types="public_channel,private_channel"))["channels"]
    assert {one["name"]: one["is_member"] for one in listed} == {
        "alerts": True,
        "incidents": True,
        "general": False,
        "war-room": True,
    }
    members = (await slack.conversations_members(channel=workspace.channel_id("alerts")))["members"]
    assert workspace.bot_user_id in members
    opened = await slack.conversations_open(users=workspace.user_id("ana"))
    assert opened["channel"]["id"].startswith("D")


async def test_the_workspace_is_served_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        async with serve(host="0.0.0.0"):
            pass
