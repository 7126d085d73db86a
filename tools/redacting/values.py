"""The secrets that this process holds at the moment, and where a text repeats them, in whatever way they are written.

A text is read in several ways (as it is, with escapes undone, as hexadecimal); each reading remembers where its
characters came from. So a value is found however many of its characters are escaped, and over line ends.
"""

import base64
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tools.redacting.marks import MARK, Kind, Span, mark, merged
from tools.redacting.views import BYTES, ESCAPES, HEX, PLUS, SPACE, Codec, View, bare, digits, numbers

SHORTEST = 8
"""Characters of the shortest value that can be told from ordinary text."""

_LINE = 16
"""Characters of a line that gives a value of several lines away by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How one value may stand in a text."""

    value: str
    plain: tuple[str, ...]
    """Literals to look for where white space is gone."""
    encoded: tuple[str, ...]
    """The same of Base64: the characters that the value alone decides; its neighbours share one more on each side."""
    hexadecimal: str
    decimal: str


class Live:
    """A counted set of values; threads may add and remove at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._written: tuple[Written, ...] = ()
        self.version = 0
        """Another after each change: what was redacted before one may not be so after it."""

    def hide(self, value: str) -> None:
        """Counts `value` in.

        Raises:
            ValueError: when it is too short to be told from ordinary text.
        """
        if len("".join(value.split())) < SHORTEST:
            raise ValueError(f"a value of fewer than {SHORTEST} characters cannot be hidden safely")
        with self._lock:
            self._counts[value] += 1
            if self._counts[value] == 1:
                self._written = (*self._written, written(value))
                self.version += 1

    def unhide(self, value: str) -> None:
        """Counts `value` out; it is forgotten when as many asked so as had asked to hide it."""
        with self._lock:
            self._counts[value] -= 1
            if self._counts[value] <= 0:
                del self._counts[value]
                self._written = tuple(each for each in self._written if each.value != value)
                self.version += 1

    @property
    def longest(self) -> int:
        """Characters of the longest value, 0 when there is none."""
        return max((len(each.value) for each in self._written), default=0)

    def hidden(self, text: str) -> str:
        """`text` with a mark in place of each occurrence of each value."""
        # Read once: another thread may replace the whole tuple meanwhile, never change it.
        known = self._written
        if not known or not text:
            return text
        marks = [found.span(1) for found in MARK.finditer(text)]
        spans = {
            Span(start, end, Kind.CREDENTIAL): value
            for value, start, end in _found(known, text)
            if not any(left <= start and end <= right for left, right in marks)
        }
        pieces: list[str] = []
        done = 0
        for whole in merged(spans):
            pieces += text[done : whole.start], mark(Kind.CREDENTIAL, _value(spans, whole))
            done = whole.end
        return "".join((*pieces, text[done:])) if pieces else text


def _value(spans: dict[Span, str], whole: Span) -> str:
    # The fingerprint is that of the value, not of how it was written, so that people can recognise it.
    return min(value for span, value in spans.items() if whole.start <= span.start and span.end <= whole.end)


def written(value: str) -> Written:
    """All that has to be looked for when `value` must not be seen."""
    raw = value.encode(errors="surrogatepass")
    lines = [line.strip() for line in value.splitlines()[1:-1] if len(line.strip()) >= _LINE]
    return Written(
        value=value,
        plain=tuple(dict.fromkeys("".join(part.split()) for part in (value, *lines))),
        encoded=tuple(dict.fromkeys(_encoded(raw))),
        hexadecimal=raw.hex(),
        decimal=" ".join(map(str, raw)),
    )


def _encoded(raw: bytes) -> list[str]:
    found: list[str] = []
    for before, first in _OFFSETS:
        # Of the bytes before and after nothing is known: the characters that depend on them are left out.
        whole = before + raw
        code = base64.b64encode(whole).decode()[first : 4 * len(whole) // 3]
        found += code, code.translate(_URL_SAFE)
    return found


_OFFSETS = ((b"", 0), (b"?", 2), (b"??", 3))
"""What may stand before a value in a group of three bytes, and the first character that it has no part in."""
_URL_SAFE = str.maketrans("+/", "-_")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")


def _found(known: tuple[Written, ...], text: str) -> Iterator[tuple[str, int, int]]:
    """Values with the places where they stand."""
    escapes = ESCAPES if all("".join(each.value.split()) == each.value for each in known) else (*ESCAPES, PLUS)
    for reading in _readings(View(text), escapes):
        # A quick look first: the exact one says where, and is rarely needed.
        quick = bare(reading.text), digits(reading.text), numbers(reading.text)
        for each in known:
            if any(literal in quick[0] for literal in each.plain + each.encoded):
                spaceless = reading.through(SPACE)
                for literal in each.plain:
                    yield from _places(each.value, spaceless, literal)
                for literal in each.encoded:
                    yield from _places(each.value, spaceless, literal, widen=True)
            if each.hexadecimal in quick[1]:
                yield from _places(each.value, reading.through(HEX), each.hexadecimal)
            if each.decimal in quick[2]:
                yield from _places(each.value, reading.through(BYTES), each.decimal)


def readings(text: str) -> Iterator[str]:
    """All readings of a text in which a value may stand: for whoever looks for something else than live values."""
    return (view.text for view in _readings(View(text), (*ESCAPES, PLUS)))


def _readings(whole: View, escapes: tuple[Codec, ...]) -> Iterator[View]:
    """The text as it is and with escapes undone, one kind within another up to three deep."""
    seen = {whole.text}
    layer = [whole]
    yield whole
    for _ in range(3):
        inner = [view.through(escape) for view in layer for escape in escapes if escape.occurs(view.text)]
        layer = list[View]()
        for view in inner:
            if view.text not in seen:
                seen.add(view.text)
                layer.append(view)
                yield view


def _places(value: str, view: View, literal: str, *, widen: bool = False) -> Iterator[tuple[str, int, int]]:
    text = view.text
    at = text.find(literal)
    while at >= 0:
        after = at + len(literal)
        start, end = view.origin(at, after)
        if widen and at and text[at - 1] in _BASE64:
            before = view.origin(at - 1, at)
            start = before[0] if before[1] == start else start
        if widen and after < len(text) and text[after] in _BASE64:
            behind = view.origin(after, after + 1)
            end = behind[1] if behind[0] == end else end
        yield value, start, end
        at = text.find(literal, at + 1)
