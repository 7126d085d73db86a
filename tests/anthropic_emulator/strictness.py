"""What the Messages API refuses, as far as Locum's requests can touch it. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonschema

VERSIONS = ("2023-06-01", "2026-10-21")
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
"""Known to the older version only."""
KEYS = SAMPLING | {
    *("model", "max_tokens", "messages", "system", "tools", "tool_choice"),
    *("stream", "stop_sequences", "metadata", "service_tier", "thinking"),
}
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
BREAKPOINTS = 4

Json = Mapping[str, Any]


class InvalidRequest(Exception):
    """A 400, with the message that the caller sees."""


def check(body: Json, *, version: str) -> None:
    """Refuses what the service would refuse to a caller that speaks `version` of its API.

    Raises:
        InvalidRequest: naming the place.
    """
    _demand(version in VERSIONS, f"anthropic-version: expected one of {VERSIONS}")
    known = KEYS if version == VERSIONS[0] else KEYS - SAMPLING
    for key in body:
        _demand(key in known, f"{key}: Extra inputs are not permitted")
    _demand(isinstance(body.get("model"), str), "model: Field required")
    limit = body.get("max_tokens")
    _demand(isinstance(limit, int) and 0 < limit <= 64_000, "max_tokens: expected 1 to 64000")
    _demand(body.get("stream") is True, "stream: this emulator serves streams only")
    names = _tools(body)
    _choice(body, names)
    _messages(body)
    marked = sum(1 for block in blocks(body) if "cache_control" in block)
    _demand(marked <= BREAKPOINTS, f"A maximum of 4 blocks with cache_control may be provided. Found {marked}.")
    for block in blocks(body):
        _block(block)


def blocks(body: Json) -> Iterator[Json]:
    """Everything that can carry `cache_control`, in the order in which the service caches."""
    yield from body.get("tools", ())
    system = body.get("system", ())
    yield from () if isinstance(system, str) else system
    for message in body["messages"]:
        yield from () if isinstance(message["content"], str) else message["content"]


def _tools(body: Json) -> set[str]:
    names: set[str] = set()
    for number, tool in enumerate(body.get("tools", ())):
        place = f"tools.{number}.custom"
        name = tool.get("name", "")
        _demand(bool(NAME.match(name)), f"{place}.name: String should match pattern '{NAME.pattern}'")
        _demand(name not in names, "tools: Tool names must be unique.")
        names.add(name)
        unknown = set(tool) - {"name", "description", "input_schema", "cache_control", "type"}
        _demand(not unknown, f"{place}.{unknown}: Extra inputs are not permitted")
        schema = tool.get("input_schema")
        kind = cast("Json", schema).get("type") if isinstance(schema, dict) else None
        _demand(kind == "object", f"{place}.input_schema: expected an object")
        try:
            jsonschema.Draft202012Validator.check_schema(cast("Any", schema))
        except jsonschema.SchemaError as error:
            raise InvalidRequest(f"{place}.input_schema: JSON schema is invalid: {error.message}") from error
    return names


def _choice(body: Json, names: set[str]) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    _demand(bool(names), "tool_choice: may only be specified while providing tools")
    _demand(choice.get("type") in {"auto", "any", "tool", "none"}, "tool_choice.type: unknown")
    if choice["type"] == "tool":
        _demand(choice.get("name") in names, f"Tool '{choice.get('name')}' not found in provided tools")


def _messages(body: Json) -> None:
    messages = body.get("messages")
    _demand(isinstance(messages, list) and messages != [], "messages: at least one message is required")
    open_ids: list[str] = []
    all_ids: set[str] = set()
    for number, message in enumerate(cast("list[Json]", messages)):
        wanted = ("user", "assistant")[number % 2]
        _demand(message.get("role") == wanted, f"messages.{number}.role: roles must alternate, expected {wanted}")
        content = message.get("content")
        _demand(bool(content), f"messages.{number}: all messages must have non-empty content")
        parts = [] if isinstance(content, str) else cast("list[Json]", content)
        _answers(number, parts, open_ids)
        open_ids = [part["id"] for part in parts if part.get("type") == "tool_use"]
        _demand(len(set(open_ids)) == len(open_ids), "messages: `tool_use` ids must be unique")
        _demand(not all_ids & set(open_ids), "messages: `tool_use` ids must be unique")
        _demand(not open_ids or wanted == "assistant", f"messages.{number}: `tool_use` in a user message")
        all_ids |= set(open_ids)
    _demand(not open_ids, f"messages: `tool_use` ids were found without `tool_result` blocks: {open_ids}")
    _demand(not all_ids or bool(body.get("tools")), "tools: required when messages hold tool_use blocks")


def _answers(number: int, parts: list[Json], open_ids: list[str]) -> None:
    results = [part["tool_use_id"] for part in parts if part.get("type") == "tool_result"]
    _demand(
        sorted(results) == sorted(open_ids),
        f"messages.{number}: `tool_use` blocks need exactly one `tool_result` each in the next message: "
        f"asked {open_ids}, answered {results}",
    )
    leading = [part.get("type") == "tool_result" for part in parts[: len(results)]]
    _demand(all(leading), f"messages.{number}: `tool_result` blocks must come first")


def _block(block: Json) -> None:
    mark = block.get("cache_control")
    _demand(mark is None or mark.get("type") == "ephemeral", "cache_control.type: expected 'ephemeral'")
    match block.get("type"):
        case "text":
            _demand(bool(str(block.get("text", "")).strip()), "text content blocks must contain non-whitespace text")
        case "tool_use":
            _demand(isinstance(block.get("input"), dict), "tool_use.input: Input should be a valid dictionary")
            _demand(bool(NAME.match(str(block.get("name")))), "tool_use.name: String should match pattern")
        case _:
            pass


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise InvalidRequest(message)
