"""YAML that can be read in one way only, with the line of each place. Pure.

No alias, no key twice, no key but text, no tag; values are text, whole numbers, booleans, lists and mappings. Whoever
reads thresholds also takes decimals.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
Place = tuple[str | int, ...]

DEEPEST = 20
_TAG = "tag:yaml.org,2002:"
_TRUE = frozenset({"true", "yes", "on"})
_DIGITS = 15
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")


class NotPlain(ValueError):
    """The text is no YAML of this kind; the message has the line and what was expected."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says, and in which lines."""

    value: Plain
    root: Node | None

    def line(self, place: Place) -> int:
        """The line of a place, or of the innermost part of it that is there."""
        line, node = 1, self.root
        for part in place:
            inner = dict(_inside(node)).get(part)
            if inner is None:
                return line
            line, node = inner
        return line


def read_plain(content: bytes, *, decimals: bool = False) -> Document:
    """The one document that `content` says.

    Args:
        content: of the file.
        decimals: whether plain numbers may have a sign and a fraction, such as `0.85` or `-2`.

    Raises:
        NotPlain: when it is not YAML in UTF-8, or could be read in more than one way.
    """
    try:
        root = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise NotPlain(f"{line}not YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotPlain(f"not YAML in UTF-8: {type(error).__name__}") from error
    return Document(None if root is None else _value(root, 0, set(), decimals=decimals), root)


def _value(node: Node, depth: int, seen: set[int], *, decimals: bool) -> Plain:
    if id(node) in seen:
        raise _wrong(node, "an alias is used for this; write it out where it is meant")
    seen.add(id(node))
    if depth > DEEPEST:
        raise _wrong(node, f"nested deeper than {DEEPEST}")
    if isinstance(node, ScalarNode):
        return _scalar(node, decimals=decimals)
    if node.tag == f"{_TAG}seq":
        return [_value(each, depth + 1, seen, decimals=decimals) for each in cast("SequenceNode", node).value]
    if node.tag != f"{_TAG}map":
        raise _wrong(node, f"{node.tag.removeprefix(_TAG)!r} is not expected here")
    found: dict[str, Plain] = {}
    for key, value in cast("MappingNode", node).value:
        if key.tag != f"{_TAG}str":
            raise _wrong(key, "a key that is no text; expected it in quotes")
        if key.value in found:
            raise _wrong(key, f"{key.value!r} is there twice")
        found[key.value] = _value(value, depth + 1, seen, decimals=decimals)
    return found


def _scalar(node: ScalarNode, *, decimals: bool) -> Plain:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind in ("str", "timestamp"):
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    # YAML has more ways to write a number (base 8, base 60); a reader would not expect them.
    if kind == "int" and text.isascii() and text.isdecimal() and len(text) <= _DIGITS and text == str(int(text)):
        return int(text)
    if decimals and kind in ("int", "float") and _DECIMAL.fullmatch(text):
        return float(text)
    raise _wrong(node, f"{text[:40]!r} is a {kind}; expected text in quotes or a plain whole number")


def _inside(node: Node | None) -> Iterator[tuple[str | int, tuple[int, Node]]]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield key.value, (_line(key), value)
    elif isinstance(node, CollectionNode):
        for index, value in enumerate(cast("SequenceNode", node).value):
            yield index, (_line(value), value)


def _line(node: Node) -> int:
    return node.start_mark.line + 1


def _wrong(node: Node, what: str) -> NotPlain:
    return NotPlain(f"line {_line(node)}: {what}")
