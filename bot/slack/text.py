"""Outside text made safe for Slack, and text of Slack made plain. Pure: no Slack, no clock.

Outside text is whatever Locum did not write itself: alerts, logs, names, questions, the model's words. It reaches a
message through `escape` (mrkdwn) or `plain` (plain_text and rich_text) and in no other way.
"""

import re
import unicodedata
from urllib.parse import quote, urlsplit

from whenever import Instant

from tools.redaction import redact

READ_LIMIT = 8_000
"""Characters of an outside text that are looked at; far above what any message shows."""
LINK_LIMIT = 3_000

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BROADCAST = re.compile(r"@(?=(?:here|channel|everyone|group)\b)", re.IGNORECASE)
_SLACK_LINK = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")


def plain(text: str, most: int) -> str:
    """`text` without secrets and invisible characters, at most `most` long; a cut says how much is missing.

    For places that Slack shows as they are: plain_text objects and rich_text.
    """
    return _cut(_clean(text), most, _unread(text))


def line(text: str, most: int) -> str:
    """As `plain`, on one line."""
    return _cut(" ".join(_clean(text).split()), most, _unread(text))


def escape(text: str, most: int) -> str:
    """As `plain`, for mrkdwn: nothing in it is a mention, a link, a command of Slack's or the end of a code block."""
    return _escaped(_clean(text), most, _unread(text))


def escape_line(text: str, most: int) -> str:
    """As `escape`, on one line."""
    return _escaped(" ".join(_clean(text).split()), most, _unread(text))


def exact(text: str) -> str:
    """All of `text` with nothing hidden in it, for what people approve; for rich_text, which shows it as it is.

    Whatever is no printable ASCII is named by its code points (`⟨U+202E⟩`), after the character where it has a shape:
    a letter that only looks like another, or a mark that turns the text around, is seen. Secrets are taken out.
    """
    if not _ODD.search(text):
        return redact(text)
    named = redact(_ODD.sub(_named, text))
    cleaned = redact(text)
    if cleaned.count(_CUT_OUT) <= named.count(_CUT_OUT):
        return named
    # A secret was split by what is invisible, so that the names would let it through.
    points = "+".join(f"{ord(each):04X}" for each in sorted({*"".join(_ODD.findall(text))}))
    return f"{_ODD.sub(_named, cleaned)} ⟨hidden in it: U+{points}⟩"


def exact_plain(text: str, most: int) -> str:
    """As `exact`, on one line and at most `most` long; line breaks are named too. For rich_text."""
    return _cut(_on_one_line(text), most, _unread(text))


def exact_line(text: str, most: int) -> str:
    """As `exact_plain`, for mrkdwn."""
    return _escaped(_on_one_line(text), most, _unread(text))


def exact_code(text: str, most: int) -> str:
    """As `exact_line`, as inline code."""
    return f"`{_escaped(_on_one_line(text).replace('`', '⟨U+0060⟩'), most, _unread(text)) or ' '}`"


def code(text: str, most: int) -> str:
    """Outside text on one line as inline code of mrkdwn."""
    return f"`{escape_line(text.replace('`', chr(39)), most) or ' '}`"


def link(url: str, label: str, most: int = 150) -> str:
    """A link of mrkdwn for an address that is http or https, else the label alone."""
    shown = escape_line(label.replace("|", "/"), most)
    safe = safe_url(url)
    return f"<{safe}|{shown}>" if safe and shown else shown


def safe_url(url: str) -> str:
    """`url` if it is http or https, with a host and not too long; else empty."""
    cleaned = redact(url[: LINK_LIMIT + 1]).strip()
    try:
        parts = urlsplit(cleaned)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.netloc or "[redacted" in cleaned:
        return ""
    # Percent-encoded, so that no character of it can end the link or begin something else.
    encoded = quote(cleaned, safe=":/?#[]@!$&'()*+,;=%~-._").replace("&", "&amp;")
    return encoded if len(encoded) <= LINK_LIMIT else ""


def moment(at: Instant) -> str:
    """A time of mrkdwn in the reader's own zone."""
    fallback = f"{str(at.round('second'))[:16].replace('T', ' ')} UTC"
    return f"<!date^{at.timestamp()}^{{date_short_pretty}} {{time}}|{fallback}>"


def mention(user: str) -> str:
    """A mention of a Slack user; anything that is not a user id is shown as text."""
    return f"<@{user}>" if re.fullmatch(r"[UW][A-Z0-9]{2,30}", user) else escape_line(user, 80)


def readable(text: str) -> str:
    """What a person typed, from the form that Slack sends it in."""

    def shown(found: re.Match[str]) -> str:
        kind, target, label = found[1], found[2], found[3]
        if kind in {"@", "#"}:
            return kind + (label or target)
        return "" if kind == "!" and not label else label or target

    return _unescaped(_SLACK_LINK.sub(shown, text)).strip()


_ODD = re.compile(r"[^\x20-\x7e\n\t]+")
_BREAK = re.compile(r"[\n\t]")
_CUT_OUT = "[redacted"
_NOTE = len("… (99999999 more characters)")
_NARROW = 80


def _escaped(text: str, most: int, unread: int) -> str:
    quiet = _BROADCAST.sub("@\u200b", text.replace("```", "'''"))
    escaped = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], quiet)
    if len(escaped) <= most and not unread:
        return escaped
    # An escape that was cut in half would show its first characters.
    kept = re.sub(r"&[a-z]{0,3}$", "", escaped[: _room(most)])
    return kept + _note(len(quiet) - len(_unescaped(kept)) + unread, most)


def _cut(text: str, most: int, unread: int) -> str:
    if len(text) <= most and not unread:
        return text
    kept = text[: _room(most)]
    return kept + _note(len(text) - len(kept) + unread, most)


def _note(missing: int, most: int) -> str:
    return "…" if most < _NARROW else f"… ({missing} more characters)"


def _room(most: int) -> int:
    return most - (1 if most < _NARROW else _NOTE)


def _named(odd: re.Match[str]) -> str:
    shapes = "".join(each for each in odd[0] if each.isprintable() and not unicodedata.category(each).startswith("M"))
    # No blank between them: a secret ends at a blank, for whoever looks for secrets.
    return f"{shapes}⟨U+{'+'.join(f'{ord(each):04X}' for each in odd[0])}⟩"


def _on_one_line(text: str) -> str:
    return _BREAK.sub(_named, exact(text[:READ_LIMIT]).strip())


def _clean(text: str) -> str:
    # Lone surrogates are legal in JSON and in no encoding that Slack takes.
    return redact(text[:READ_LIMIT].encode("utf-8", "replace").decode()).strip()


def _unread(text: str) -> int:
    return max(0, len(text) - READ_LIMIT)


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
