"""Blocks and messages as plain dicts. Pure. Callers bring text that went through `bot.slack.text`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from bot.slack.limits import MAX_MESSAGE_CHARACTERS, MAX_UPDATE_TEXT, validate_message

Block = dict[str, Any]

ROOM = MAX_MESSAGE_CHARACTERS - 500
"""Characters that we put into one message; the rest is for what a wrapper adds."""
BLOCKS = 40
"""Blocks that we put into one message; the rest is for what a wrapper adds."""
SECTION = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is said, before it is known where."""

    text: str
    """Makes sense alone: notifications, screen readers and the fallback show nothing else."""
    blocks: tuple[Block, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`event_type` and `event_payload`; empty for none. Ids only: everybody in the workspace can read it."""

    def problems(self) -> list[str]:
        """What Slack would refuse in it."""
        problems = validate_message({"text": self.text, "blocks": list(self.blocks)}, is_update=True)
        return problems if self.text.strip() else [*problems, "text: missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a long answer that stays together."""

    name: str
    blocks: tuple[Block, ...]


def section(mrkdwn: str) -> Block:
    return {"type": "section", "text": _mrkdwn(mrkdwn or " ")}


def fields(*mrkdwn: str) -> Block:
    return {"type": "section", "fields": [_mrkdwn(one) for one in mrkdwn]}


def context(mrkdwn: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(mrkdwn)]}


def header(words: str) -> Block:
    return {"type": "header", "text": plain_text(words)}


def rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def words(*parts: Block) -> Block:
    """One paragraph of a rich_text."""
    return {"type": "rich_text_section", "elements": list(parts)}


def quoted(text: str) -> Block:
    return {"type": "rich_text_quote", "elements": [said(text)]}


def preformatted(text: str) -> Block:
    """A code block that shows its characters as they are."""
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text or " "}]}


def button(words: str, action_id: str, value: str, *, style: str = "", confirm: Block | None = None) -> Block:
    made: Block = {"type": "button", "action_id": action_id, "value": value, "text": plain_text(words)}
    return made | ({"style": style} if style else {}) | ({"confirm": confirm} if confirm else {})


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def plain_text(words: str) -> Block:
    return {"type": "plain_text", "text": words or " ", "emoji": False}


def said(text: str, *, is_bold: bool = False, is_code: bool = False) -> Block:
    """Characters that Slack shows as they are."""
    element: Block = {"type": "text", "text": text or " "}
    style = {name: True for name, is_set in (("bold", is_bold), ("code", is_code)) if is_set}
    return element | {"style": style} if style else element


def size(value: object) -> int:
    """How many characters of text are in blocks; never less than what Slack counts."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return sum(size(inner) for name, inner in items if name not in {"type", "block_id", "task_id", "status"})
    if isinstance(value, list | tuple):
        return sum(size(inner) for inner in cast("Sequence[object]", value))
    return len(value) if isinstance(value, str) else 0


def pack(pieces: Iterable[Piece], *, first_room: int = ROOM) -> list[list[Piece]]:
    """Pieces in order, in as few messages as hold them; each piece alone fits a message."""
    pages: list[list[Piece]] = [[]]
    room, blocks = first_room, BLOCKS
    for piece in pieces:
        if pages[-1] and (size(piece.blocks) > room or len(piece.blocks) > blocks):
            pages.append([])
            room, blocks = ROOM, BLOCKS
        pages[-1].append(piece)
        room, blocks = room - size(piece.blocks), blocks - len(piece.blocks)
    return pages


def short(text: str) -> str:
    """A message's `text`, cut to what Slack takes beside blocks."""
    return text if len(text) <= MAX_UPDATE_TEXT else text[: MAX_UPDATE_TEXT - 1] + "…"


def _mrkdwn(text: str) -> Block:
    # Verbatim: Slack makes no links, channels or mentions of words that only look like one.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
