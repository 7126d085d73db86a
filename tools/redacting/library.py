"""Tokens of known providers, by the rules of a library that others keep: Kingfisher, of it the offline scan alone.

Its rules cost half a second to load, and ordinary text never needs them: only a text that holds something which a
generator may have written makes them load.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from tools.redacting.looks import is_placeholder
from tools.redacting.marks import Kind, Span

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

_RUN = re.compile(r"[A-Za-z0-9]{15,}")
_REST = re.compile(r"(?<=\w)[\w-]+")
_HEX = re.compile(r"[0-9a-f]+$")
_OPAQUE = re.compile(r"(?<=[A-Za-z][_.=-])[0-9a-f]{16,}(?![A-Za-z0-9])")


def worth_a_scan(text: str) -> bool:
    """Whether the library could find anything: a long run of letters and digits that is no digest and no word."""
    return any(_is_opaque(run) for run in _RUN.findall(text)) or _OPAQUE.search(text) is not None


def _is_opaque(run: str) -> bool:
    if _HEX.match(run):
        return False
    if run.isalpha():
        # Words in camel case change case between words; generators, anywhere.
        return sum(map(str.isupper, run)) * 4 > len(run) and not run.isupper()
    return True


def tokens(text: str) -> Iterator[Span]:
    """Where the library finds a token."""
    if not worth_a_scan(text):
        return
    raw = text.encode(errors="surrogatepass")
    for finding in scanner().scan(raw):
        place = finding.location
        start, end = place["start_offset"], place["end_offset"]
        if len(raw) > len(text):
            # The library counts bytes.
            start, end = (len(raw[:offset].decode(errors="surrogatepass")) for offset in (start, end))
        if behind := _REST.match(text, end):
            # Rules say how long a token is at least or was once.
            end = behind.end()
        if "\x00" not in text[start:end] and not is_placeholder(text[start:end]):
            yield Span(start, end, Kind.TOKEN)


@cache
def scanner() -> "Scanner":
    """The library's rules, loaded once. They are kept compiled in the user's cache folder, where there is one."""
    from kingfisher_sdk import Rules, Scanner

    # No threshold of entropy of its own: what a rule names by its prefix is a token, however it came out.
    return Scanner(Rules(confidence="low"), base64=False, min_entropy=0.0)
