"""A Slack thread as plain text. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast


def transcript(thread: Sequence[Mapping[str, Any]]) -> str:
    """Every message of a thread with all the text in its blocks; empty for no thread."""
    return "\n".join(_message(each) for each in thread)


def _message(message: Mapping[str, Any]) -> str:
    lines = list(_texts(message.get("blocks") or [])) or [str(message.get("text", ""))]
    return f"--- {message['ts']}\n" + "\n".join(line for line in lines if line.strip()) + "\n"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        found = cast("Mapping[str, object]", value)
        yield from (each for each in (found.get("title"), found.get("text")) if isinstance(each, str))
        for each in found.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each)
