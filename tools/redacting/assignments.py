"""Values whose name gives them away: settings, flags, fields, headers, in the ways in which programs write them. Pure.

One expression finds every name with what follows it; whether that is a secret is then asked of the name and the value.
"""

import re
import string
from collections.abc import Iterator

from tools.redacting.looks import is_identifier, is_made_up, is_placeholder, is_random, is_verdict, is_worded
from tools.redacting.marks import Kind, Span
from tools.redacting.names import Strength, header, strength

_LONGEST = 4096
"""Characters of a quoted value; what is longer is cut there, and the next round goes on behind."""

_LONGEST_BARE = 2048
_LONGEST_UNSURE = 512
_TRIES = 8
"""Quotes or brackets that a value may seem to end at and does not."""
_TELLING = [
    "pass",
    "pwd",
    "pw",
    "secret",
    "token",
    "key",
    "cred",
    "auth",
    "api",
    "jwt",
    "psk",
    "cookie",
    "sas",
    "bearer",
    "conn",
    "access",
    "client",
    "sig",
    "salt",
    "seed",
    "sid",
    "session",
    "otp",
    "pin",
    "cert",
    "hash",
    "nonce",
    "license",
    "uid",
    "webhook",
    "dockerc",
    "ntlm",
    "secure",
]
"""What a telling name holds; a text without any has none."""
_LONGEST_NAME = 80
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_LEADING = re.compile(r"[\w.$-]*")
_NAME = re.compile(
    r"(?<![\w.$-])(?P<name>[\w.$-]{2,80}+)"
    # `"name"`, `\"name\"`, `["name"]`; then what stands between a name and its value.
    r"(?P<shut>\\{0,3}+[\"'`]?+\]?+)"
    # A type may stand between them.
    r"(?:(?::|[ \t])[ \t]{0,3}(?:[sS]tring|str|bytes|&str)(?=[ \t]{0,3}=))?"
    r"(?P<sign>[ \t]{0,40}(?:=>|[:?+.]{0,3}=|::?|%3[dD]|\||,(?=[^\s,]))[ \t]{0,40}|>\s{0,40}|[ \t]{1,40})"
)
_OPEN = re.compile(r"(?:[\[({]?\s{0,3})(?P<prefix>[bBrRfFuU]{0,2})(?P<quote>\\{0,3}(?:\"\"\"|'''|[\"'`]))")
# A quote ends it, save within a word; `&` when the next parameter of a query follows.
_BARE = re.compile(r"(?:[^\s\"'`\x00&<>]++|(?<=[^\s\"'`\x00=:,;(\[{])[\"'`](?=\w)|&(?![\w.%-]{1,80}=))++")
_TAIL = re.compile(r"(?:[,;](?:\s|$|[\w.\[\]-]{1,80}[=:]|\\?[\"'])|\\+[nrt\"']|%26).*", re.DOTALL)
_SENTENCE = re.compile(r"^[A-Z][A-Z0-9_]*=[^\s=\"'`$#\x00][^\n\r=\"'`\x00#]{3,256}(?<=[^\s])(?=\s*$)", re.MULTILINE)
_CUTTING = frozenset(",;\\%")
_STOPS = ".,;:"
_BLANK = " \t"
_BEFORE = " \t-#\"'{"
"""What may stand before a name at the beginning of its line."""
_BEHIND = "\r\n,"
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_BLOCK = re.compile(
    r"[|>][+-]?[ \t]*(?:#[^\n]*)?\r?\n(?P<body>(?P<indent>[ \t]+)[^\n]{0,512}(?:\n(?P=indent)[^\n]{0,512}){0,40}+)"
)
_SHORTEST_BARE = 6
"""Characters of the shortest authorization without a scheme."""
_SEVERAL = ("digest", "aws4", "hawk", "mac", "oauth")
"""Schemes with several values, the rest of the line."""
_SCHEME = re.compile(
    r"(?:(?:bearer|basic|token|digest|negotiate|ntlm|hawk|mac|oauth|apikey|api-?key|api-?token|key|sso-key|genie-?key"
    r"|aws4-hmac-sha256|splunk|ssws|dpop|gssapi|snowflake)(?:[ \t+]|%20)+)?(?=[^\s])",
    re.IGNORECASE,
)
_MEASURE = re.compile(r"\s*(?:bytes|seconds|items)\b")
_MEMBER = re.compile(r"\s{0,8}:")
_LINE = re.compile(r"[^\n\r\"'`\x00\]}]{0,4096}")
_OPENED = re.compile(r"[\[({\s]{0,4}\\{0,3}[\"'`]?[\[\s]{0,2}\\{0,3}[\"'`]?")
_PAIR = re.compile(r"[^\n\r\"'`\x00\]}=]{1,256}=")
_WORD = re.compile(r"[^\s\"'`,;\x00\]})<>]{1,4096}")


def assignments(text: str) -> Iterator[Span]:
    """Where the values stand."""
    done = 0
    for start in _starts(text, text.lower()):
        # What is within a value goes with it.
        found = _NAME.match(text, start) if start >= done else None
        told = strength(found["name"]) if found else Strength.NONE
        if found and told is not Strength.NONE and (span := _value(text, found, told)):
            done = span.end
            yield span


def _starts(text: str, lower: str) -> list[int]:
    """Where words begin that may be telling names, in their order."""
    if len(lower) != len(text):
        # A few letters are two in lower case; then places in both would not agree.
        lower = text.translate(_ASCII_LOWER)
    starts: set[int] = set()
    for stem in _TELLING:
        at = lower.find(stem)
        while at >= 0:
            before = _LEADING.match(text[max(0, at - _LONGEST_NAME) : at][::-1])
            starts.add(at - (before.end() if before else 0))
            at = lower.find(stem, at + len(stem))
    return sorted(starts)


def _value(text: str, found: re.Match[str], told: Strength) -> Span | None:
    name, sign, at = found["name"], found["sign"].strip(), found.end()
    held = header(name)
    if held and sign and sign != ",":
        return _header(text, at, held, name)
    if sign == ">" and text[found.start() - 1 : found.start()] not in {"<", ":"}:
        return None
    if not sign and not found["sign"]:
        return None
    is_flag = name.startswith("-") or text[found.start() - 1 : found.start()] == "-"
    quoted = _OPEN.match(text, at)
    if quoted:
        return _quoted(text, quoted, told, sign, is_flag=is_flag)
    if sign in {":", "="} and (block := _BLOCK.match(text, at)):
        span = Span(block.start("body") + len(block["indent"]), block.end("body"), Kind.ASSIGNMENT)
        return span if _is_secret(text[span.start : span.end].strip(), told, loose=False) else None
    return _bare(text, found, told, sign, is_flag=is_flag)


def _quoted(text: str, quoted: re.Match[str], told: Strength, sign: str, *, is_flag: bool) -> Span | None:
    quote, start = quoted["quote"], quoted.end()
    end = _closed(text, quote, start)
    value = text[start:end]
    if "{" in text[quoted.start() : start] and _MEMBER.match(text, end + len(quote)):
        # The name is that of an object, and this is the name of its first member.
        return None
    is_listed = sign in {",", "|"} or (not sign and told is not Strength.PASSWORD)
    if is_listed and not is_flag and not is_random(value):
        # `secret "cart-db" not found` names it, and in a list what follows belongs to nothing.
        return None
    return Span(start, end, Kind.ASSIGNMENT) if _is_secret(value, told, loose=False) else None


def _closed(text: str, quote: str, start: int) -> int:
    end = text.find(quote, start, start + _LONGEST)
    for _ in range(_TRIES):
        if end < 0 or "\\" in quote or not (_escaped(text, start, end) or text[end + 1 : end + 2].isalnum()):
            break
        end = text.find(quote, end + 1, start + _LONGEST)
    if end >= 0:
        return end
    # The closing quote was cut away, or there never was one.
    bare = _BARE.match(text, start, start + _LONGEST_BARE)
    return bare.end() if bare else start


def _escaped(text: str, start: int, quote: int) -> bool:
    bare = text[start:quote]
    return (len(bare) - len(bare.rstrip("\\"))) % 2 == 1


def _bare(text: str, found: re.Match[str], told: Strength, sign: str, *, is_flag: bool) -> Span | None:
    # Under a name that may mean anything a long value is none: there is no need to read on.
    bare = _BARE.match(text, found.end(), found.end() + (_LONGEST_UNSURE + 1 if told.asks_more else _LONGEST_BARE))
    value = _trimmed(bare[0]) if bare else ""
    if not bare or (is_flag and value.startswith("-")):
        return None
    start, end = bare.start(), bare.start() + len(value)
    if told is Strength.PASSWORD and sign == "=" and (line := _SENTENCE.match(text, found.start())):
        # A file of settings for the environment: there the value is the rest of the line.
        end = line.end()
        value = text[start:end]
    loose = not is_flag and (sign in {"", ",", "|"} or (sign == ":" and not _alone(text, found, end)))
    if _says(text, found, value, told, sign) or (not is_flag and _follows(value, told, sign)):
        return None
    return Span(start, end, Kind.ASSIGNMENT) if _is_secret(value, told, loose=loose) else None


def _trimmed(value: str) -> str:
    """`value` without what ends the sentence or the brackets that it stands in."""
    if not _CUTTING.isdisjoint(value):
        value = _TAIL.sub("", value)
    value = value.rstrip(_STOPS)
    for _ in range(_TRIES):
        if value[-1:] not in _CLOSERS or value.count(value[-1]) <= value.count(_CLOSERS[value[-1]]):
            break
        value = value[:-1].rstrip(_STOPS)
    return value


def _says(text: str, found: re.Match[str], value: str, told: Strength, sign: str) -> bool:
    """Whether something is said of the secret: its length, the object that holds it, what is the matter with it."""
    end = found.end() + len(value)
    if told is not Strength.PASSWORD and _MEASURE.match(text, end, end + 12):
        return True
    return _is_reference(found["name"], value) or (sign == ":" and is_verdict(value, sure=told is Strength.PASSWORD))


def _follows(value: str, told: Strength, sign: str) -> bool:
    """Whether it only stands behind the name, as the next word of a sentence, a setting of its own, or in a list."""
    if sign not in {"", ",", "|"}:
        return False
    if told.asks_more and sign != "|":
        return True
    if not sign and "=" in value[:-2]:
        return True
    return not (is_made_up if sign == "," else is_random)(value)


def _alone(text: str, found: re.Match[str], end: int) -> bool:
    """Whether name and value are a line of their own, as in YAML, or a query, as in `a:b`."""
    before = text[max(0, found.start() - 40) : found.start()].rpartition("\n")[2]
    behind = text[end : end + 2]
    return not before.strip(_BEFORE) and (not behind.strip(_BLANK) or behind[0] in _BEHIND)


_NAMED = re.compile(r"(?:[a-z0-9][a-z0-9.-]*/)?[a-z0-9]+(?:-[a-z0-9]+)*$")


def _is_reference(name: str, value: str) -> bool:
    """Whether a bare `secret=` names an object: Kubernetes logs its Secrets so."""
    return (
        name.lower().rpartition(".")[2] in {"secret", "secrets"} and bool(_NAMED.match(value)) and not is_random(value)
    )


def _is_secret(value: str, told: Strength, *, loose: bool) -> bool:
    if is_placeholder(value) or len(value) < 4:
        return False
    if told.asks_more:
        known = told is Strength.FAINT and is_identifier(value)
        return len(value) <= _LONGEST_UNSURE and " " not in value and is_random(value) and not known
    if told is Strength.STRONG and value.replace(".", "").replace(",", "").isdigit():
        return len(value) >= 12
    if told is not Strength.PASSWORD and " " in value and not is_random(value):
        return False
    return not (loose and (is_worded(value) or (told is Strength.STRONG and len(value) < 8)))


def _header(text: str, at: int, held: Kind, name: str) -> Span | None:
    start = _past(_OPENED, text, at)
    if held is Kind.COOKIE:
        return _cookie(text, start, name)
    scheme = text[start : _past(_SCHEME, text, start)].lower()
    start += len(scheme)
    value = text[start : _past(_LINE if scheme.startswith(_SEVERAL) else _WORD, text, start)].rstrip()
    if is_placeholder(value) or (not scheme and (is_worded(value.replace("=", "")) or len(value) < _SHORTEST_BARE)):
        return None
    return Span(start, start + len(value), Kind.AUTHORIZATION)


def _cookie(text: str, start: int, name: str) -> Span | None:
    if not _PAIR.match(text, start):
        return None
    value = text[start : _past(_LINE, text, start)]
    if name.lower().startswith("set"):
        # What follows says where and how long it holds.
        value = value.partition(";")[0]
    return Span(start, start + len(value.rstrip()), Kind.COOKIE)


def _past(form: re.Pattern[str], text: str, at: int) -> int:
    """Where what has this form and begins there ends; there, when nothing has."""
    found = form.match(text, at)
    return found.end() if found else at
