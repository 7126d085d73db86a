"""One row a refusal: what an app sends, and Slack's word for no."""

from typing import Any

import aiohttp
import pytest

from bot.workspace.refusals import WORLD
from bot.workspace.server import Workspace
from tests.slack import broken, client, refusal

CHUNK = {"type": "task_update", "id": "1", "title": "x", "status": "done"}
LONG = "x" * 201

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("bots.info", {"bot": "B0NOBODY"}, "bot_not_found"),
    ("chat.postMessage", {"text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "ALERTS"}, "no_text"),
    ("chat.postMessage", {"channel": "ALERTS", "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
    ("chat.postMessage", {"channel": "ALERTS", "text": "x", "blocks": "no JSON"}, "invalid_blocks_format"),
    ("chat.postMessage", {"channel": "ALERTS", "text": "x", "metadata": {"a": 1}}, "invalid_metadata_format"),
    (
        "chat.postMessage",
        {"channel": "ALERTS", "text": "x", "metadata": {"event_type": "e", "event_payload": {"x": "y" * 8_000}}},
        "metadata_too_large",
    ),
    (
        "chat.postMessage",
        {"channel": "ALERTS", "text": "x", "attachments": [{"blocks": [{"type": "poem"}]}]},
        "invalid_attachments",
    ),
    (
        "chat.postMessage",
        {
            "channel": "ALERTS",
            "text": "x",
            "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_600}}] * 4,
        },
        "msg_blocks_too_long",
    ),
    ("chat.update", {"channel": "ALERTS", "ts": "1.0", "text": "x"}, "message_not_found"),
    ("chat.startStream", {"channel": "ALERTS"}, "invalid_arguments"),
    (
        "chat.startStream",
        {"channel": "ALERTS", "thread_ts": "ROOT", "recipient_user_id": "ANA"},
        "missing_recipient_team_id",
    ),
    ("chat.appendStream", {"channel": "ALERTS", "ts": "ROOT", "markdown_text": "x"}, "message_not_in_streaming_state"),
    ("chat.startStream", {"channel": "DM", "thread_ts": "DMROOT", "task_display_mode": "list"}, "invalid_arguments"),
    ("chat.startStream", {"channel": "DM", "thread_ts": "DMROOT", "chunks": [CHUNK]}, "invalid_chunks"),
    ("chat.startStream", {"channel": "DM", "thread_ts": "DMROOT", "markdown_text": "x" * 12_001}, "msg_too_long"),
    ("conversations.open", {}, "users_list_not_supplied"),
    ("conversations.replies", {"channel": "ALERTS", "ts": "1.0"}, "thread_not_found"),
    ("conversations.history", {"channel": "GENERAL"}, "not_in_channel"),
    ("conversations.history", {"channel": "ALERTS", "limit": 0.5}, "invalid_limit"),
    ("conversations.history", {"channel": "ALERTS", "limit": 5_000}, "invalid_limit"),
    ("conversations.history", {"channel": "ALERTS", "limit": "many"}, "invalid_arguments"),
    ("conversations.history", {"channel": "ALERTS", "cursor": "?"}, "invalid_cursor"),
    ("reactions.add", {"channel": "ALERTS", "timestamp": "ROOT", "name": ":eyes:"}, "invalid_name"),
    ("usergroups.users.list", {"usergroup": "S0NONE"}, "no_such_subteam"),
    ("users.info", {"user": "U0NOBODY"}, "user_not_found"),
    ("views.update", {"view_id": "V0NONE", "view": {}}, "not_found"),
    ("views.publish", {"user_id": "ANA", "view": {"type": "modal"}}, "invalid_arguments"),
    ("files.getUploadURLExternal", {"filename": "x"}, "invalid_arguments"),
    ("files.completeUploadExternal", {}, "invalid_arguments"),
    ("files.completeUploadExternal", {"files": [{"id": "F0NONE"}]}, "file_not_found"),
    ("assistant.threads.setStatus", {"channel_id": "DM", "status": "x"}, "thread_ts_required"),
    (
        "assistant.threads.setStatus",
        {"channel_id": "DM", "thread_ts": "DMROOT", "loading_messages": ["x"] * 11},
        "invalid_arguments",
    ),
    ("assistant.threads.setTitle", {"channel_id": "DM", "thread_ts": "DMROOT", "title": LONG}, "invalid_arguments"),
    (
        "assistant.threads.setSuggestedPrompts",
        {"channel_id": "DM", "prompts": [{"title": "x", "message": "y"}] * 5},
        "invalid_arguments",
    ),
    ("agents.sessions.rename", {"channel_id": "DM", "thread_ts": "1.0", "title": "x"}, "thread_not_found"),
]


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [pytest.param(*case, id=f"{case[0]}-{case[2]}-{n}") for n, case in enumerate(CASES)],
)
async def test_a_call_is_refused_in_slacks_words(
    workspace: Workspace, method: str, arguments: dict[str, Any], code: str
) -> None:
    root, direct = workspace.post("ana", "alerts", "root"), workspace.post("ana", "dm", "root")
    names = {
        "ALERTS": root["channel"],
        "ROOT": root["ts"],
        "DM": direct["channel"],
        "DMROOT": direct["ts"],
        "GENERAL": workspace.channel_id("general"),
        "ANA": root["user"],
    }
    sent = {key: names.get(value, value) if isinstance(value, str) else value for key, value in arguments.items()}
    answer = await refusal(client(workspace).api_call(method, json=sent))
    assert answer["error"] == code
    # What the world may answer to a correct app is no broken rule; everything else is.
    assert bool(broken(workspace)) == (code not in WORLD)
    assert len(workspace.thread("alerts", root["ts"])) == 1


async def test_a_refused_stream_leaves_no_message(workspace: Workspace) -> None:
    root = workspace.post("ana", "dm", "x")
    slack = client(workspace)
    await refusal(slack.chat_startStream(channel=root["channel"], thread_ts=root["ts"], chunks=[CHUNK]))
    assert len(workspace.thread(root["channel"], root["ts"])) == 1
    assert workspace.streams() == []
    assert "'done' is none of" in broken(workspace)[0]


async def test_an_upload_of_another_length_is_refused(workspace: Workspace) -> None:
    issued = await client(workspace).files_getUploadURLExternal(filename="a.txt", length=5)
    async with aiohttp.ClientSession() as session:
        async with session.post(issued["upload_url"], data=b"four") as answer:
            assert answer.status == 400
        async with session.post(issued["upload_url"], data=b"five5") as answer:
            assert await answer.text() == "OK - 5"
        async with session.post(issued["upload_url"], data=b"again") as answer:
            assert answer.status == 404
    assert workspace.files() == []
    assert broken(workspace) == ["upload: a.txt: 4 bytes, announced were 5"]
