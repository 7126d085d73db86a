"""Values of Kubernetes Secrets in the ways in which such objects are printed: YAML, JSON, Go. Pure.

When a text holds a Secret, the data of every object in it goes: better too much than to pair them wrongly.
"""

import re
import sys
from collections.abc import Iterator

from tools.redacting.looks import is_placeholder
from tools.redacting.marks import Kind, Span

_SECRET = re.compile(r"(?i)\bkind\\{0,3}[\"']?\s{0,5}:\s{0,5}\\{0,3}[\"']?secret(?:list)?\b|\bSecret\{")
_YAML = re.compile(r"^(?P<indent>[ \t]*(?:- {1,3})?)(?:string)?data:[ \t]*(?:#.*)?$", re.IGNORECASE | re.MULTILINE)
_LINE = re.compile(r"^(?P<indent>[^\S\n]*+)(?P<bare>\S(?:.*\S)?)", re.MULTILINE)
_NOWHERE = sys.maxsize
_ENTRY = re.compile(r"[\"']?[\w.-]{1,253}[\"']?:[ \t]*+[\"']*+(?P<value>.*)")
_QUOTES = "\"'"
_BLOCK = re.compile(r"[|>][+-]?\d?[ \t]*(?:#.*)?$")
_JSON = re.compile(r"(?i)(?P<quote>\\{0,3}\")(?:string)?data(?P=quote)\s{0,20}:\s{0,20}\{(?P<body>[^{}]*)")
_JSON_VALUE = re.compile(
    r":\s{0,20}(?P<quote>\\{0,3}\")(?P<value>.*?)(?P=quote)(?=\s{0,200}[,}]|\s{0,200}\Z)", re.DOTALL
)
_GO = re.compile(
    r"(?:String)?Data:map\[string\](?:\[\]byte|\[\]uint8|string)\{(?P<body>[^}]*)|(?:String)?Data:map\[(?!string\])(?P<plain>[^\n}]*)"
)
_GO_VALUE = re.compile(r"[\w.-]+: ?(?P<value>\[[\d ]*\]|\[\]byte\{[^}]*|[^\s\]]+)")


def manifests(text: str) -> Iterator[Span]:
    """Where the values of Secrets stand."""
    lower = text.lower()
    if not ("secret{" in lower or ("kind" in lower and "secret" in lower)) or not _SECRET.search(text):
        return
    for found in _YAML.finditer(text):
        yield from _entries(text, found)
    for found in _JSON.finditer(text):
        yield from _values(text, found.span("body"), _JSON_VALUE)
    for found in _GO.finditer(text):
        group = "body" if found["body"] is not None else "plain"
        yield from _values(text, found.span(group), _GO_VALUE)


def _values(text: str, within: tuple[int, int], form: re.Pattern[str]) -> Iterator[Span]:
    for found in form.finditer(text, *within):
        if not is_placeholder(found["value"]) or found["value"].startswith("["):
            yield Span(*found.span("value"), Kind.MANIFEST)


def _entries(text: str, header: re.Match[str]) -> Iterator[Span]:
    """The values of a YAML mapping, line by line, up to the first line that is indented no deeper than its key."""
    depth = _depth(header["indent"])
    within = _NOWHERE
    for line in _LINE.finditer(text, header.end()):
        indent = _depth(line["indent"])
        if indent <= depth:
            return
        if indent > within:
            # A block, or a value that goes on.
            yield Span(*line.span("bare"), Kind.MANIFEST)
        elif entry := _ENTRY.match(text, *line.span("bare")):
            within = indent
            value = entry["value"].rstrip(_QUOTES)
            if not _BLOCK.match(value) and not is_placeholder(value):
                yield Span(entry.start("value"), entry.start("value") + len(value), Kind.MANIFEST)


def _depth(indent: str) -> int:
    return len(indent.expandtabs(8))
