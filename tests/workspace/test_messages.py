import asyncio
from typing import Any

import pytest

from bot.workspace.refusals import NotPossible
from bot.workspace.server import Workspace
from tests.slack import broken, client, connected, refusal


async def refused(call: Any) -> str:
    return str((await refusal(call))["error"])


async def test_a_mention_arrives_as_app_mention_and_as_its_message_twin(workspace: Workspace, app: Any) -> None:
    got: list[dict[str, Any]] = []

    @app.event("app_mention")
    async def mention(event: dict[str, Any]) -> None:
        got.append(event)

    @app.event("message")
    async def message(event: dict[str, Any]) -> None:
        got.append(event)

    async with connected(workspace, app):
        posted = workspace.post("ana", "alerts", "@locum why is #incidents quiet & slow?")
        await workspace.settled()
        await workspace.until(lambda: len(got) == 2)

    assert {one["type"] for one in got} == {"app_mention", "message"}
    assert {one["ts"] for one in got} == {posted["ts"]}
    bodies = [delivery.payload for delivery in workspace.deliveries()]
    assert bodies[0]["event_id"] != bodies[1]["event_id"]
    twin = next(one for one in got if one["type"] == "message")
    assert twin["channel_type"] == "channel"
    incidents = workspace.channel_id("incidents")
    assert twin["text"] == f"<@{workspace.bot_user_id}> why is <#{incidents}|incidents> quiet &amp; slow?"


async def test_a_mention_where_the_app_is_not_a_member_is_not_delivered(workspace: Workspace) -> None:
    workspace.post("ana", "general", "@locum are you here?")
    assert workspace.deliveries() == []


async def test_other_apps_messages_edits_and_deletions_are_delivered(workspace: Workspace, app: Any) -> None:
    @app.event("message")
    async def message() -> None: ...

    async with connected(workspace, app):
        fired = workspace.alert("Grafana", "alerts", "[FIRING] HighLatency", attachments=[{"text": "cart"}])
        workspace.edit("Grafana", "alerts", fired["ts"], "[RESOLVED] HighLatency")
        workspace.delete("Grafana", "alerts", fired["ts"])
        await workspace.settled()

    events = [delivery.payload["event"] for delivery in workspace.deliveries("message")]
    assert [one["subtype"] for one in events] == ["bot_message", "message_changed", "message_deleted"]
    assert events[0]["bot_id"] == fired["bot_id"]
    assert events[0]["attachments"] == [{"text": "cart"}]
    assert events[1]["previous_message"]["text"] == "[FIRING] HighLatency"


async def test_threads_have_their_numbers_and_metadata_comes_when_asked_for(workspace: Workspace) -> None:
    slack = client(workspace)
    root = workspace.post("ana", "alerts", "cart is slow")
    metadata = {"event_type": "incident", "event_payload": {"id": "in_1"}}
    await slack.chat_postMessage(channel=root["channel"], text="looking", thread_ts=root["ts"], metadata=metadata)

    plain = await slack.conversations_replies(channel=root["channel"], ts=root["ts"])
    whole = await slack.conversations_replies(channel=root["channel"], ts=root["ts"], include_all_metadata=True)
    history = await slack.conversations_history(channel=root["channel"])

    assert [one["text"] for one in plain["messages"]] == ["cart is slow", "looking"]
    assert "metadata" not in plain["messages"][1]
    assert whole["messages"][1]["metadata"] == metadata
    assert [one["reply_count"] for one in history["messages"]] == [1]


async def test_history_comes_in_pages_newest_first(workspace: Workspace) -> None:
    for number in range(5):
        workspace.post("ana", "alerts", f"message {number}")
    seen: list[str] = []
    async for page in await client(workspace).conversations_history(channel=workspace.channel_id("alerts"), limit=2):
        seen += [one["text"] for one in page["messages"]]
    assert seen == [f"message {number}" for number in (4, 3, 2, 1, 0)]


async def test_posting_needs_membership_and_an_open_channel(workspace: Workspace) -> None:
    slack = client(workspace)
    assert await refused(slack.chat_postMessage(channel=workspace.channel_id("general"), text="x")) == "not_in_channel"
    assert await refused(slack.chat_postMessage(channel="C0NOWHERE", text="x")) == "channel_not_found"
    workspace.create_channel("secret", is_private=True)
    assert (
        await refused(slack.chat_postMessage(channel=workspace.channel_id("secret"), text="x")) == "channel_not_found"
    )
    workspace.archive("incidents")
    assert await refused(slack.chat_postMessage(channel=workspace.channel_id("incidents"), text="x")) == "is_archived"


async def test_the_app_changes_and_deletes_its_own_messages_only(workspace: Workspace) -> None:
    slack = client(workspace)
    alerts = workspace.channel_id("alerts")
    own = await slack.chat_postMessage(channel=alerts, text="one", blocks=[{"type": "divider"}])
    await slack.chat_update(channel=alerts, ts=own["ts"], text="two")
    (shown,) = workspace.messages("alerts")
    assert (shown["text"], shown.get("blocks")) == ("two", None)
    assert await refused(slack.chat_update(channel=alerts, ts=own["ts"], text="x" * 4001)) == "msg_too_long"

    theirs = workspace.post("ana", "alerts", "mine")
    assert await refused(slack.chat_update(channel=alerts, ts=theirs["ts"], text="x")) == "cant_update_message"
    assert await refused(slack.chat_delete(channel=alerts, ts=theirs["ts"])) == "cant_delete_message"
    assert len(broken(workspace)) == 3


async def test_an_ephemeral_is_seen_by_one_person_until_a_reload_and_cannot_be_updated(workspace: Workspace) -> None:
    slack = client(workspace)
    alerts = workspace.channel_id("alerts")
    sent = await slack.chat_postEphemeral(channel=alerts, user=workspace.user_id("ana"), text="only you")
    assert [one["text"] for one in workspace.messages("alerts", user="ana")] == ["only you"]
    assert workspace.messages("alerts", user="ben") == []
    assert (await slack.conversations_history(channel=alerts))["messages"] == []
    assert await refused(slack.chat_update(channel=alerts, ts=sent["message_ts"], text="x")) == "message_not_found"
    workspace.reload("ana")
    assert workspace.ephemerals("ana") == []
    gus = workspace.user_id("gus")
    assert await refused(slack.chat_postEphemeral(channel=alerts, user=gus, text="x")) == "user_not_in_channel"


async def test_blocks_beyond_the_limits_are_refused_with_the_reason(workspace: Workspace) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    alerts = workspace.channel_id("alerts")
    assert (
        await refused(client(workspace).chat_postMessage(channel=alerts, text="x", blocks=[section]))
        == "invalid_blocks"
    )
    assert broken(workspace) == ["chat.postMessage: invalid_blocks blocks[0].text: 3001 characters, at most 3000"]
    assert workspace.messages("alerts") == []


async def test_blocks_without_text_are_posted_but_count_as_a_broken_rule(workspace: Workspace) -> None:
    body = {"channel": workspace.channel_id("alerts"), "blocks": [{"type": "divider"}]}
    await client(workspace).api_call("chat.postMessage", json=body)
    assert len(workspace.messages("alerts")) == 1
    assert len(broken(workspace)) == 1


async def test_a_thread_hangs_on_its_parent_even_when_a_reply_is_named(workspace: Workspace) -> None:
    slack = client(workspace)
    root = workspace.post("ana", "alerts", "root")
    reply = await slack.chat_postMessage(channel=root["channel"], text="a", thread_ts=root["ts"])
    await slack.chat_postMessage(channel=root["channel"], text="b", thread_ts=reply["ts"])
    assert [one["text"] for one in workspace.thread("alerts", root["ts"])] == ["root", "a", "b"]
    assert "is a reply's" in broken(workspace)[0]


async def test_reactions_are_added_once(workspace: Workspace) -> None:
    slack = client(workspace)
    root = workspace.post("ana", "alerts", "root")
    where = {"channel": root["channel"], "timestamp": root["ts"], "name": "eyes"}
    await slack.reactions_add(**where)
    assert await refused(slack.reactions_add(**where)) == "already_reacted"
    assert workspace.messages("alerts")[0]["reactions"] == [
        {"name": "eyes", "users": [workspace.bot_user_id], "count": 1}
    ]
    await slack.reactions_remove(**where)
    assert await refused(slack.reactions_remove(**where)) == "no_reaction"


async def test_files_go_up_in_three_steps_and_appear_in_the_thread(workspace: Workspace) -> None:
    slack = client(workspace)
    root = workspace.post("ana", "alerts", "root")
    await slack.files_upload_v2(
        content="a,b\n1,2\n",
        filename="pods.csv",
        channel=root["channel"],
        thread_ts=root["ts"],
        initial_comment="all pods",
    )
    reply = workspace.thread("alerts", root["ts"])[1]
    assert reply["text"] == "all pods"
    assert reply["files"][0]["name"] == "pods.csv"
    assert [one["size"] for one in workspace.files()] == [8]


async def test_people_see_private_channels_only_as_members(workspace: Workspace) -> None:
    workspace.create_channel("secret", is_private=True, members=["ana", "locum"])
    workspace.post("ana", "secret", "for us")
    assert [one["text"] for one in workspace.messages("secret", user="ana")] == ["for us"]
    assert workspace.messages("secret", user="ben") == []
    with pytest.raises(NotPossible):
        workspace.post("ben", "secret", "hello")


async def test_a_channel_takes_a_burst_then_one_message_a_second(workspace: Workspace) -> None:
    slack = client(workspace)
    alerts = workspace.channel_id("alerts")
    for _ in range(5):
        await slack.chat_postMessage(channel=alerts, text="x")
    answer = await refusal(slack.chat_postMessage(channel=alerts, text="x"))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    await slack.chat_postMessage(channel=workspace.channel_id("incidents"), text="another channel")
    await workspace.advance(1)
    await slack.chat_postMessage(channel=alerts, text="x")


async def test_a_tier_two_method_is_refused_after_twenty_calls_a_minute(workspace: Workspace) -> None:
    slack = client(workspace)
    await asyncio.gather(*(slack.users_list() for _ in range(20)))
    assert await refused(slack.users_list()) == "ratelimited"
    await workspace.advance(61)
    await slack.users_list()
