"""Slack's two text formats as HTML: mrkdwn with its tokens, and standard markdown. Nothing in them can become a tag."""

import functools
import html
import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

from bot.workspace.page.emoji import replaced
from bot.workspace.page.markup import Html, tag
from bot.workspace.team import Team

FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
TOKEN = re.compile(r"<([^<>\n]+)>")
# Formatting must touch no word from outside, so that snake_case and 2*3*4 stay as they are.
BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")
ITALIC = re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])")
STRIKE = re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])")
HELD = re.compile("\ue000(\\d+)\ue001")
DATE = re.compile(r"\{(\w+)\}")
SCHEMES = ("http", "https", "mailto")


def mrkdwn(team: Team, text: str) -> Html:
    """Slack's mrkdwn."""
    held: list[Html] = []

    def hold(piece: Html) -> str:
        held.append(piece)
        return f"\ue000{len(held) - 1}\ue001"

    text = text.replace("\ue000", "").replace("\ue001", "")
    text = FENCE.sub(lambda match: hold(tag("pre", tag("code", html.unescape(match[1])))), text)
    text = CODE.sub(lambda match: hold(tag("code", html.unescape(match[1]))), text)
    text = TOKEN.sub(lambda match: hold(token(team, match[1])), text)
    text = html.escape(html.unescape(text), quote=False)
    for pattern, name in ((BOLD, "b"), (ITALIC, "i"), (STRIKE, "s")):
        text = pattern.sub(lambda match, name=name: f"<{name}>{match[1]}</{name}>", text)
    shown = _quoted(replaced(text)).replace("\n", "<br>")
    while HELD.search(shown):
        shown = HELD.sub(lambda match: held[int(match[1])], shown)
    return Html(shown.replace("</pre><br>", "</pre>").replace("<br><pre>", "<pre>"))


def plain(text: str) -> Html:
    """Plain text with emoji."""
    return Html(html.escape(replaced(text), quote=False).replace("\n", "<br>"))


def markdown(text: str) -> Html:
    """Standard markdown, as in `markdown` blocks and streams."""
    return Html(_markdown().render(replaced(text)))


def token(team: Team, inner: str) -> Html:
    """What stands between `<` and `>`: a mention, a channel, a date or a link."""
    target, _, label = inner.partition("|")
    if target.startswith("@"):
        person = team.people.by_id.get(target[1:])
        return tag("span", f"@{person.real_name if person else label or target[1:]}", class_="mention")
    if target.startswith("#"):
        channel = team.conversations.by_id.get(target[1:])
        name = channel.name if channel else label or target[1:]
        return tag("a", f"#{name}", class_="mention", href=f"/?channel={name}")
    if target.startswith("!date^"):
        return _date(target, label)
    if target.startswith("!"):
        return tag("span", label or f"@{target[1:].split('^')[0]}", class_="mention")
    return link(target, label or target)


def link(url: str, label: str) -> Html:
    """A link that opens elsewhere; what is no web address is shown as text."""
    url = html.unescape(url)
    if urlsplit(url).scheme not in SCHEMES:
        return tag("span", html.unescape(label))
    return tag("a", html.unescape(label), href=url, target="_blank", rel="noopener noreferrer")


def clock_time(ts: str, pattern: str = "%H:%M") -> str:
    """A message's time on this machine's clock, which is also the reader's."""
    return datetime.fromtimestamp(float(ts), tz=UTC).astimezone().strftime(pattern)


def _date(target: str, fallback: str) -> Html:
    pieces = target.split("^")
    if len(pieces) < 3 or not pieces[1].isdecimal():
        return tag("span", fallback)
    formats = {"time": "%H:%M", "time_secs": "%H:%M:%S", "date_num": "%Y-%m-%d"}
    shown = DATE.sub(lambda match: clock_time(pieces[1], formats.get(match[1], "%d %b %Y")), pieces[2])
    return tag("time", shown, title=clock_time(pieces[1], "%Y-%m-%d %H:%M:%S"))


def _quoted(text: str) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("&gt;"):
            quote = line.removeprefix("&gt;").strip()
            lines.append(f"<blockquote>{quote}</blockquote>")
        else:
            lines.append(line)
    return "\n".join(lines).replace("</blockquote>\n", "</blockquote>").replace("</blockquote><blockquote>", "<br>")


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")
