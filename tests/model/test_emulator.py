"""The emulator refuses what the service refuses: else the tests above would prove nothing."""

from typing import Any

import pytest

from tests.anthropic_emulator.strictness import InvalidRequest, check

NEWEST = "2026-10-21"
MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
TOOL: dict[str, Any] = {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}
USE: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen"}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(said: str = "hello", **more: dict[str, str]) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def body(*messages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 100, "stream": True, "tools": [TOOL]}
    return asked | {"messages": list(messages) or [user(text())]} | changes


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def test_a_whole_talk_with_an_answered_tool_is_accepted() -> None:
    check(body(user(text()), assistant(text(), USE), user(RESULT, text())), version=NEWEST)


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (body(temperature=0.2), "temperature"),
        (body(max_tokens=0), "max_tokens"),
        (body(assistant(text())), "alternate"),
        (body(user(text()), user(text())), "alternate"),
        (body(user(text("  "))), "non-whitespace"),
        (body(user(text()), assistant(USE)), "without `tool_result`"),
        (body(user(text()), assistant(USE), user(text())), "exactly one `tool_result`"),
        (body(user(text()), assistant(USE), user(RESULT, RESULT)), "exactly one `tool_result`"),
        (body(user(text()), assistant(USE), user(text(), RESULT)), "must come first"),
        (body(user(RESULT)), "exactly one `tool_result`"),
        (body(user(text()), assistant(USE), user(RESULT), assistant(USE), user(RESULT)), "must be unique"),
        (body(user(text()), assistant({**USE, "input": "{}"}), user(RESULT)), "valid dictionary"),
        (body(user(*[text(**MARK)] * 5)), "maximum of 4"),
        (body(tools=[{**TOOL, "name": "kubernetes.objects"}]), "match pattern"),
        (body(tools=[TOOL, TOOL]), "unique"),
        (body(tools=[{**TOOL, "input_schema": {"type": "object", "properties": 3}}]), "JSON schema is invalid"),
        (body(tool_choice={"type": "tool", "name": "other"}), "not found"),
    ],
    ids=[
        *("sampling", "no-output", "assistant-first", "twice-user", "blank-text", "open-tool", "unanswered-tool"),
        *("answered-twice", "answer-last", "answer-to-nothing", "id-again", "input-no-object", "five-marks"),
        *("dotted-name", "name-again", "broken-schema", "forced-unknown"),
    ],
)
def test_what_the_service_refuses_is_refused(refused: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        check(refused, version=NEWEST)


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="anthropic-version"):
        check(body(), version="")
