"""What a person types, as Slack's client sends it: escaped, with mentions resolved."""

import html
import re

from bot.workspace.payloads import Json
from bot.workspace.team import Team

TOKEN = re.compile(r"(<[@#!][^>\n]+>)")
NAME = re.compile(r"(?<![\w/])([@#])([A-Za-z0-9][\w.-]*)")
USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


def as_mrkdwn(team: Team, text: str) -> str:
    """`text` escaped, `@name` and `#channel` as mentions where they name somebody; mentions written out stay."""
    pieces = TOKEN.split(text)
    return "".join(piece if TOKEN.fullmatch(piece) else _mentions(team, piece) for piece in pieces)


def as_blocks(text: str) -> list[Json]:
    """The rich_text block that Slack's client sends beside the text."""
    elements: list[Json] = []
    position = 0
    for match in USER.finditer(text):
        if before := text[position : match.start()]:
            elements.append({"type": "text", "text": html.unescape(before)})
        elements.append({"type": "user", "user_id": match[1]})
        position = match.end()
    if rest := text[position:]:
        elements.append({"type": "text", "text": html.unescape(rest)})
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": "typed", "elements": [section]}]


def _mentions(team: Team, text: str) -> str:
    escaped = html.escape(text, quote=False)

    def mention(match: re.Match[str]) -> str:
        if match[1] == "@":
            person = team.people.find(match[2].lower())
            return f"<@{person.id}>" if person else match[0]
        channel = team.conversations.find(match[2].lower())
        return f"<#{channel.id}|{channel.name}>" if channel else match[0]

    return NAME.sub(mention, escaped)
