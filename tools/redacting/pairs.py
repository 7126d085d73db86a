"""Values whose name stands beside them under a name of its own: variables of containers, settings in XML. Pure."""

import re
from collections.abc import Iterator

from tools.redacting.looks import is_identifier, is_placeholder, is_random
from tools.redacting.marks import Kind, Span
from tools.redacting.names import Strength, strength

_PAIR = re.compile(
    # `name: X`, `"name": "X",`, `key="X"`, `{Name:X,`; then the same of the value.
    # The lookbehind stands behind the first letter, so that the search can leap from one such letter to the next.
    r"[nNkK](?<![\w.$-][nNkK])(?:(?<=[nN])[aA][mM][eE]|(?<=[kK])[eE][yY])"
    r"(?:\\{0,3}[\"'])?\s{0,5}[:=]\s{0,5}\\{0,3}[\"']?(?P<name>[\w.-]{2,80}+)"
    r"(?:\\{0,3}[\"'])?,?\s{0,40}\\{0,3}[\"']?(?i:value)(?:\\{0,3}[\"'])?\s{0,5}[:=][ \t]{0,5}"
    r"(?:(?P<quote>\\{0,3}[\"'])(?P<quoted>[^\"'\x00]{4,4096}?)(?P=quote)|(?P<bare>[^\s\"'`,{}\x00<>]{4,2048}))"
)


def pairs(text: str) -> Iterator[Span]:
    """Where the values stand."""
    if "value" not in text and "Value" not in text:
        return
    for found in _PAIR.finditer(text):
        told = strength(found["name"])
        group = "quoted" if found["quote"] else "bare"
        if told is not Strength.NONE and _is_secret(found[group], told):
            yield Span(*found.span(group), Kind.ASSIGNMENT)


def _is_secret(value: str, told: Strength) -> bool:
    if is_placeholder(value):
        return False
    return not told.asks_more or (is_random(value) and not is_identifier(value))
