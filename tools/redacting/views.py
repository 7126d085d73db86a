"""Ways to read a text with its escapes undone, and where in the text each character of a reading came from. Pure."""

import base64
import re
import sys
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One way of writing, undone."""

    unit: re.Pattern[str]
    plain: Callable[[re.Match[str]], str]
    """What a unit stands for."""
    signs: tuple[str, ...] = ()
    """A text with a unit holds one of them; none = nothing tells so quickly."""

    def occurs(self, text: str) -> bool:
        """Whether it can be in the text at all."""
        if not self.signs:
            return self.unit.search(text) is not None
        return any(sign in text for sign in self.signs)

    def undone(self, text: str) -> str:
        """The text with each unit replaced by what it stands for."""
        return self.unit.sub(self.plain, text)

    def units(self, text: str) -> list[tuple[int, int, int]]:
        """Start and end of each unit, and the length of what it stands for."""
        return [(*found.span(), len(self.plain(found))) for found in self.unit.finditer(text)]


class View:
    """A reading of a text."""

    def __init__(self, text: str, *, of: "View | None" = None, codec: Codec | None = None) -> None:
        self.text = text
        self._of = of
        self._codec = codec
        self._map: tuple[list[int], list[tuple[int, int, int]]] | None = None

    def through(self, codec: Codec) -> "View":
        """This reading, read once more."""
        return View(codec.undone(self.text), of=self, codec=codec)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where in the first text the characters from `start` to `end` (excluded) of this reading came from."""
        if self._of is None or self._codec is None:
            return start, end
        if self._map is None:
            self._map = _mapped(self._codec.units(self._of.text))
        return self._of.origin(_before(start, self._map)[0], _before(end - 1, self._map)[1])


def _mapped(units: list[tuple[int, int, int]]) -> tuple[list[int], list[tuple[int, int, int]]]:
    """Where units that stand for something, and the runs between units, start in the reading and lie in the text.

    The third number of a place is 1 for a run, in which each character stands for itself.
    """
    starts: list[int] = [0]
    places: list[tuple[int, int, int]] = [(0, 0, 1)]
    at, done = 0, 0
    for start, end, length in units:
        at += start - done
        if length:
            starts.append(at)
            places.append((start, end, 0))
            at += length
        starts.append(at)
        places.append((end, end, 1))
        done = end
    return starts, places


def _before(index: int, known: tuple[list[int], list[tuple[int, int, int]]]) -> tuple[int, int]:
    starts, places = known
    which = bisect_right(starts, index) - 1
    start, end, is_run = places[which]
    if not is_run:
        return start, end
    there = start + index - starts[which]
    return there, there + 1


def _percent(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode(errors="replace")


_UTF_16 = "utf-16-be"
_LETTERS = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "a": "\a",
    "0": "\0",
    "\n": "",
    "\r\n": "",
}


def _backslash(found: re.Match[str]) -> str:
    unit = found[0]
    if words := found["words"]:
        return bytes.fromhex(words.replace("\\u", "")).decode(_UTF_16, errors="replace")
    if code := found["code"]:
        return chr(int(code, 16)) if int(code, 16) <= sys.maxunicode else unit
    if hexadecimal := found["hexadecimal"]:
        return bytes.fromhex(hexadecimal.replace("\\x", "")).decode(errors="replace")
    if octal := found["octal"]:
        return bytes(int(part, 8) for part in octal.split("\\")).decode(errors="replace")
    return _LETTERS.get(unit[1:], unit[1:])


def _entity(found: re.Match[str]) -> str:
    import html

    return html.unescape(found[0])


_PADDING = "=="
"""As much as can be needed: too much does no harm."""
_STANDARD = str.maketrans("-_", "+/", "=")


def _decoded(found: re.Match[str]) -> str:
    written = found[0]
    if written.islower() or written.isdigit():
        # A name, a path, a digest: text of any length leaves capitals, and these are most of a log.
        return written
    code = written.translate(_STANDARD)
    if len(code) % 4 == 1:
        code = code[:-1]
    try:
        return base64.b64decode(code + _PADDING).decode()
    except UnicodeDecodeError:
        # Most of what looks like it is something else: a digest, a name.
        return written


SPACE = Codec(unit=re.compile(r"\s+"), plain=lambda _: "")
"""White space gone: a value may be wrapped over lines."""
PERCENT = Codec(unit=re.compile(r"%[0-7][0-9A-Fa-f]|(?:%[89A-Fa-f][0-9A-Fa-f])+"), plain=_percent, signs=("%",))
PLUS = Codec(unit=re.compile(r"\+"), plain=lambda _: " ", signs=("+",))
"""A space, in forms."""
BACKSLASH = Codec(
    unit=re.compile(
        r"(?P<words>(?:\\u[0-9A-Fa-f]{4})+)|\\U(?P<code>[0-9A-Fa-f]{8})"
        r"|(?P<hexadecimal>\\x[0-7][0-9A-Fa-f]|(?:\\x[89A-Fa-f][0-9A-Fa-f])+)"
        r"|\\(?P<octal>[01][0-7]{2}|[23][0-7]{2}(?:\\[23][0-7]{2})*)|\\\r?\n|\\[\s\S]"
    ),
    plain=_backslash,
    signs=("\\",),
)
"""Escapes of JSON, C and Python."""
QUOTE = Codec(unit=re.compile(r"'\\''|'\"'\"'|''"), plain=lambda _: "'", signs=("''", "'\\''", "'\"'"))
"""A quote within quotes of a shell or of SQL."""
ENTITY = Codec(
    unit=re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"), plain=_entity, signs=("&",)
)
BASE64 = Codec(unit=re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}"), plain=_decoded)
"""What is encoded as a whole, and itself holds escapes."""
ESCAPES = (PERCENT, BACKSLASH, QUOTE, ENTITY, BASE64)

HEX = Codec(
    unit=re.compile(r"0[xX]|[\s:,.;_-]+|[A-F]"), plain=lambda found: found[0].lower() if found[0] in "ABCDEF" else ""
)
"""Hexadecimal digits without what may stand between them."""
BYTES = Codec(unit=re.compile(r"[\s,]+"), plain=lambda _: " ")
"""Numbers with one space between them, however they were listed."""

_HEX_TABLE = str.maketrans("ABCDEFX", "abcdefx", " \t\r\n:,.;_-")


def digits(text: str) -> str:
    """Nearly what `HEX` reads, much faster: what is not in here is not in there."""
    return text.translate(_HEX_TABLE).replace("0x", "")


def numbers(text: str) -> str:
    """The same of `BYTES`."""
    return " ".join(text.replace(",", " ").split())


def bare(text: str) -> str:
    """The same of `SPACE`."""
    return "".join(text.split())
