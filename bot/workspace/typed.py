"""What a person types, as Slack's client sends it: escaped, with mentions resolved."""

import html
import re

from bot.workspace.payloads import Json
from bot.workspace.team import Team

TOKEN = re.compile(r"(<[@#!][^>\n]+>)")
NAME = re.compile(r"(?<![\w/])([@#])([A-Za-z0-9][\w.-]*)")
USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
CHANNEL = re.compile(r"<#([CDG][A-Z0-9]+)(?:\|[^>]*)?>")
BROADCAST = re.compile(r"<!(here|channel|everyone)(?:\|[^>]*)?>")


def as_mrkdwn(team: Team, text: str) -> str:
    """`text` escaped, `@name` and `#channel` as mentions where they name somebody; mentions written out stay."""
    pieces = TOKEN.split(text)
    return "".join(piece if TOKEN.fullmatch(piece) else _mentions(team, piece) for piece in pieces)


def as_blocks(text: str) -> list[Json]:
    """The rich_text block that Slack's client sends beside the text."""
    elements = [_element(piece) for piece in TOKEN.split(text) if piece]
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": "typed", "elements": [section]}]


def _element(piece: str) -> Json:
    if match := USER.fullmatch(piece):
        return {"type": "user", "user_id": match[1]}
    if match := CHANNEL.fullmatch(piece):
        return {"type": "channel", "channel_id": match[1]}
    if match := BROADCAST.fullmatch(piece):
        return {"type": "broadcast", "range": match[1]}
    return {"type": "text", "text": html.unescape(piece)}


def _mentions(team: Team, text: str) -> str:
    escaped = html.escape(text, quote=False)

    def mention(match: re.Match[str]) -> str:
        if match[1] == "@":
            person = team.people.find(match[2].lower())
            return f"<@{person.id}>" if person else match[0]
        channel = team.conversations.find(match[2].lower())
        return f"<#{channel.id}|{channel.name}>" if channel else match[0]

    return NAME.sub(mention, escaped)
