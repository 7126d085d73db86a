"""What the model sends, put together from its stream of events. Pure: no network, no client library."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

REPLY_LIMIT = 400_000
"""Characters of one reply. No honest reply comes near: it is bounded by tokens."""


class ReplyError(ValueError):
    """The events do not make a reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What one request cost, by kind; the kinds have different prices."""

    input: int = 0
    cache_write: int = 0
    cache_read: int = 0
    output: int = 0

    @property
    def all_input(self) -> int:
        """Everything that was read."""
        return self.input + self.cache_write + self.cache_read


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The model wants something done."""

    id: str
    name: str
    args: Mapping[str, Any] | None
    """`None` when what it wrote is not a JSON object that can be written again."""
    size: int
    """Characters of the arguments as they were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One whole answer of the model."""

    model: str
    text: str
    calls: tuple[ToolCall, ...]
    stop: str
    """The service's own word: `end_turn`, `tool_use`, `max_tokens`, …"""
    tokens: Tokens


@dataclass(slots=True)
class _Block:
    kind: str
    id: str = ""
    name: str = ""
    parts: list[str] = field(default_factory=list[str])
    is_whole: bool = False


@dataclass(slots=True)
class Assembly:
    """Takes events one by one; `reply` is the whole."""

    model: str = ""
    stop: str = ""
    usage: dict[str, int] = field(default_factory=dict[str, int])
    _blocks: dict[int, _Block] = field(default_factory=dict[int, _Block])
    _size: int = 0

    def take(self, event: Mapping[str, Any]) -> None:
        """One event of the stream; unknown kinds are passed over, as the service asks of its clients.

        Raises:
            ReplyError: when the event does not fit what came before, or the reply grows beyond all measure.
        """
        try:
            self._take(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise ReplyError(f"an event of kind {str(event.get('type'))[:40]!r} is incomplete") from error

    def _take(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "message_start":
                self.model = str(event["message"]["model"])
                self._count(event["message"].get("usage"))
            case "content_block_start":
                block = event["content_block"]
                self._blocks[event["index"]] = _Block(
                    kind=block["type"], id=str(block.get("id", "")), name=str(block.get("name", ""))
                )
            case "content_block_delta":
                self._add(self._blocks[event["index"]], event["delta"])
            case "content_block_stop":
                self._blocks[event["index"]].is_whole = True
            case "message_delta":
                self.stop = event["delta"].get("stop_reason") or self.stop
                self._count(event.get("usage"))
            case _:
                pass

    def _add(self, block: _Block, delta: Mapping[str, Any]) -> None:
        part = str(delta.get("text") or delta.get("partial_json") or "")
        self._size += len(part)
        if self._size > REPLY_LIMIT:
            raise ReplyError(f"the reply is longer than {REPLY_LIMIT:,} characters")
        block.parts.append(part)

    def _count(self, usage: Mapping[str, Any] | None) -> None:
        self.usage.update({key: value for key, value in (usage or {}).items() if isinstance(value, int)})

    @property
    def tokens(self) -> Tokens:
        """What is known to be spent; a reply that broke off has spent at least what can be read of it."""
        return Tokens(
            input=self.usage.get("input_tokens", 0),
            cache_write=self.usage.get("cache_creation_input_tokens", 0),
            cache_read=self.usage.get("cache_read_input_tokens", 0),
            output=max(self.usage.get("output_tokens", 0), 0 if self.stop else self._size // 4),
        )

    @property
    def reply(self) -> Reply:
        """The whole, once the stream has ended with a reason to stop."""
        blocks = [block for _, block in sorted(self._blocks.items())]
        return Reply(
            model=self.model,
            text="".join(_joined(block.parts) for block in blocks if block.kind == "text"),
            calls=tuple(_call(block) for block in blocks if block.kind == "tool_use"),
            stop=self.stop,
            tokens=self.tokens,
        )


def _call(block: _Block) -> ToolCall:
    written = _joined(block.parts)
    try:
        args = orjson.loads(written or "{}")
        # Deeper than this can be written is as good as no JSON, and so are halves of characters.
        orjson.dumps(args)
    except (ValueError, TypeError):
        args = None
    known = cast("Mapping[str, Any]", args) if isinstance(args, dict) and block.is_whole else None
    return ToolCall(id=_joined([block.id]), name=_joined([block.name]), args=known, size=len(written))


def _joined(parts: Iterable[str]) -> str:
    """Characters that came in halves are put together; half a character alone, which no encoding has, is replaced."""
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
