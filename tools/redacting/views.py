"""Ways to read a text with its escapes undone, and where in the text each character of a reading came from. Pure."""

import base64
import re
from bisect import bisect_right
from collections.abc import Callable


class Codec:
    """One way of writing, undone: what a unit of it looks like and what it stands for."""

    def __init__(self, unit: str, plain: Callable[[re.Match[str]], str], sign: str) -> None:
        self._unit = re.compile(unit)
        self._plain = plain
        self._signs = tuple(sign.split())

    def occurs(self, text: str) -> bool:
        """Whether it can be in the text at all."""
        if not self._signs:
            return self._unit.search(text) is not None
        return any(sign in text for sign in self._signs)

    def undone(self, text: str) -> str:
        """The text with each unit replaced by what it stands for."""
        return self._unit.sub(self._plain, text)

    def units(self, text: str) -> list[tuple[int, int, int]]:
        """Start and end of each unit, and the length of what it stands for."""
        return [(*found.span(), len(self._plain(found))) for found in self._unit.finditer(text)]


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
    return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace")


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
    if unit.startswith("\\u") and len(unit) > 2:
        words = bytes.fromhex(unit.replace("\\u", ""))
        return words.decode("utf-16-be", "replace")
    if unit.startswith("\\U") and len(unit) > 2:
        code = int(unit[2:], 16)
        return chr(code) if code < 0x110000 else "\ufffd"
    if unit.startswith("\\x") and len(unit) > 2:
        return bytes.fromhex(unit.replace("\\x", "")).decode("utf-8", "replace")
    if unit[1].isdigit() and len(unit) > 2:
        return bytes(int(part, 8) for part in unit[1:].split("\\")).decode("utf-8", "replace")
    return _LETTERS.get(unit[1:], unit[1:])


def _entity(found: re.Match[str]) -> str:
    import html

    return html.unescape(found[0])


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
        return base64.b64decode(code + "=" * (-len(code) % 4)).decode()
    except UnicodeDecodeError:
        # Most of what looks like it is something else: a digest, a name.
        return written


SPACE = Codec(r"\s+", lambda _: "", " ")
"""White space gone: a value may be wrapped over lines."""
PERCENT = Codec(r"%[0-7][0-9A-Fa-f]|(?:%[89A-Fa-f][0-9A-Fa-f])+", _percent, "%")
PLUS = Codec(r"\+", lambda _: " ", "+")
"""A space, in forms."""
BACKSLASH = Codec(
    r"(?:\\u[0-9A-Fa-f]{4})+|\\U[0-9A-Fa-f]{8}|\\x[0-7][0-9A-Fa-f]|(?:\\x[89A-Fa-f][0-9A-Fa-f])+"
    r"|\\[01][0-7]{2}|(?:\\[23][0-7]{2})+|\\\r?\n|\\[\s\S]",
    _backslash,
    "\\",
)
"""Escapes of JSON, C and Python."""
QUOTE = Codec(r"'\\''|'\"'\"'|''", lambda _: "'", "'' '\\'' '\"'")
"""A quote within quotes of a shell or of SQL."""
ENTITY = Codec(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});", _entity, "&")
BASE64 = Codec(r"[A-Za-z0-9+/_-]{12,}={0,2}", _decoded, "")
"""What is encoded as a whole, and itself holds escapes."""
ESCAPES = (PERCENT, BACKSLASH, QUOTE, ENTITY, BASE64)

HEX = Codec(r"0[xX]|[\s:,.;_-]+|[A-F]", lambda found: found[0].lower() if found[0] in "ABCDEF" else "", " ")
"""Hexadecimal digits without what may stand between them."""
BYTES = Codec(r"[\s,]+", lambda _: " ", " ")
"""Numbers with one space between them, however they were listed."""

_HEX_TABLE = str.maketrans("ABCDEF", "abcdef", " \t\r\n:,.;_-")


def digits(text: str) -> str:
    """Nearly what `HEX` reads, much faster: what is not in here is not in there."""
    return text.translate(_HEX_TABLE).replace("0x", "").replace("0X", "")


def numbers(text: str) -> str:
    """The same of `BYTES`."""
    return " ".join(text.replace(",", " ").split())


def bare(text: str) -> str:
    """The same of `SPACE`."""
    return "".join(text.split())
