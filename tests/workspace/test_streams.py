from typing import Any

import pytest

from bot.workspace.refusals import NotPossible
from bot.workspace.server import Workspace
from tests.slack import broken, client, connected, refusal


async def stream(workspace: Workspace, root: dict[str, Any]) -> Any:
    slack = client(workspace)
    return await slack.chat_stream(
        channel=root["channel"],
        thread_ts=root["ts"],
        recipient_user_id=root["user"],
        recipient_team_id="T0LOCUM01",
        task_display_mode="plan",
    )


def task(status: str) -> list[dict[str, Any]]:
    return [{"type": "task_update", "id": "1", "title": "kubernetes.objects", "status": status, "output": "3 pods"}]


async def error_of(call: Any) -> str:
    return str((await refusal(call))["error"])


async def test_a_stream_becomes_a_plan_with_text_and_closing_blocks(workspace: Workspace) -> None:
    root = workspace.post("ana", "alerts", "cart is slow")
    streamer = await stream(workspace, root)
    await streamer.append(chunks=[{"type": "plan_update", "title": "Looking"}, *task("in_progress")])
    (live,) = workspace.thread("alerts", root["ts"])[1:]
    assert live["is_streaming"]
    assert live["blocks"][0]["tasks"][0]["status"] == "in_progress"
    await streamer.append(markdown_text="It is **down**.")
    await streamer.stop(chunks=task("complete"), blocks=[{"type": "divider"}], session_status="active")

    (done,) = workspace.thread("alerts", root["ts"])[1:]
    assert [block["type"] for block in done["blocks"]] == ["plan", "markdown", "divider"]
    assert done["blocks"][0]["title"] == "Looking"
    assert done["text"] == "It is **down**."
    assert "is_streaming" not in done
    assert workspace.streams()[0]["state"] == "completed"
    assert workspace.sessions()[0]["status"] == "active"


async def test_a_stream_dies_after_300_seconds_and_its_message_can_then_be_updated(workspace: Workspace) -> None:
    root = workspace.post("ana", "alerts", "cart is slow")
    streamer = await stream(workspace, root)
    await streamer.append(chunks=task("in_progress"))
    slack, ts = client(workspace), str(streamer.ts)
    assert await error_of(slack.chat_update(channel=root["channel"], ts=ts, text="x")) == "streaming_state_conflict"
    await workspace.advance(299)
    await streamer.append(chunks=task("in_progress"))
    await workspace.advance(2)
    assert await error_of(streamer.append(chunks=task("complete"))) == "message_not_in_streaming_state"
    assert await error_of(streamer.stop()) == "message_not_in_streaming_state"
    await slack.chat_update(channel=root["channel"], ts=ts, text="went on here")
    assert workspace.thread("alerts", root["ts"])[1]["text"] == "went on here"
    assert [rule.split()[1] for rule in broken(workspace)] == ["streaming_state_conflict"]


async def test_stop_ends_the_stream_and_tells_the_app(workspace: Workspace, app: Any) -> None:
    got: list[dict[str, Any]] = []

    @app.event("agent_session_stopped")
    async def stopped(event: dict[str, Any]) -> None:
        got.append(event)

    @app.event("message")
    async def message() -> None: ...

    root = workspace.post("ana", "alerts", "cart is slow")
    with pytest.raises(NotPossible):
        workspace.stop("ana", "alerts", root["ts"])
    async with connected(workspace, app):
        streamer = await stream(workspace, root)
        await streamer.append(chunks=task("in_progress"))
        workspace.stop("ben", "alerts", root["ts"])
        await workspace.until(lambda: got)
        await workspace.settled()
    assert got[0]["user"] == workspace.user_id("ben")
    assert got[0]["streaming_message_ts"] == [streamer.ts]
    assert await error_of(streamer.append(chunks=task("complete"))) == "stopped_by_user"


async def test_a_stream_in_a_channel_needs_its_recipient(workspace: Workspace) -> None:
    root = workspace.post("ana", "alerts", "x")
    slack = client(workspace)
    call = slack.chat_startStream(channel=root["channel"], thread_ts=root["ts"], markdown_text="x")
    assert await error_of(call) == "missing_recipient_user_id"
    direct = workspace.post("ana", "dm", "x")
    await slack.chat_startStream(channel=direct["channel"], thread_ts=direct["ts"], markdown_text="x")
    assert len(broken(workspace)) == 1


async def test_too_much_text_and_unknown_chunks_are_refused_and_change_nothing(workspace: Workspace) -> None:
    root = workspace.post("ana", "alerts", "x")
    streamer = await stream(workspace, root)
    await streamer.append(chunks=[{"type": "markdown_text", "text": "x" * 12_000}])
    slack, where = client(workspace), {"channel": root["channel"], "ts": str(streamer.ts)}
    assert await error_of(slack.chat_appendStream(**where, markdown_text="y")) == "msg_too_long"
    assert await error_of(slack.chat_appendStream(**where, chunks=[{"type": "mood"}])) == "invalid_chunks"
    assert workspace.streams()[0]["text"] == "x" * 12_000
    assert len(broken(workspace)) == 2


async def test_the_thinking_line_goes_after_two_minutes_and_with_the_next_message(workspace: Workspace) -> None:
    slack, root = client(workspace), workspace.post("ana", "dm", "cart is slow")
    where = {"channel_id": root["channel"], "thread_ts": root["ts"]}
    await slack.assistant_threads_setStatus(**where, status="is looking…")
    assert workspace.sessions()[0]["thinking"] == "is looking…"
    await workspace.advance(121)
    assert workspace.sessions()[0]["thinking"] == ""
    await slack.assistant_threads_setStatus(**where, status="is looking…")
    await slack.chat_postMessage(channel=root["channel"], thread_ts=root["ts"], text="done")
    assert workspace.sessions()[0]["thinking"] == ""


async def test_sessions_have_a_status_and_a_title_and_prompts_are_for_the_tab(workspace: Workspace) -> None:
    slack, root = client(workspace), workspace.post("ana", "dm", "x")
    where = {"channel_id": root["channel"], "thread_ts": root["ts"]}
    await slack.agents_sessions_setStatus(**where, status="processing", title="Cart is slow")
    assert (workspace.sessions()[0]["status"], workspace.sessions()[0]["title"]) == ("processing", "Cart is slow")
    prompts = [{"title": "Check cart", "message": "is cart healthy?"}]
    await slack.assistant_threads_setSuggestedPrompts(channel_id=root["channel"], prompts=prompts)
    assert workspace.prompts("ana") == prompts
    await slack.assistant_threads_setSuggestedPrompts(**where, prompts=prompts)
    assert await error_of(slack.agents_sessions_setStatus(**where, status="busy")) == "invalid_arguments"
    assert len(broken(workspace)) == 2
