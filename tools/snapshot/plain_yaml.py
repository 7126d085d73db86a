"""Reads YAML into plain JSON values: strings stay strings, also those that look like dates.

Built on the parser's events with a stack of our own, because PyYAML's composer follows nesting on the C stack: a file
of a hundred thousand brackets would end the process. Pure.
"""

import re
from collections.abc import Iterator
from typing import Any, cast

import yaml

MAX_DEPTH = 200
"""Levels of nesting; real objects have about twenty."""
MAX_NODES = 3_000_000
"""Values of one file, aliases counted as often as they are used: a small file must not unfold into gigabytes."""

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,30})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

_ABSENT: Any = object()


class UnreadableYaml(ValueError):
    """Not YAML, or nested or unfolded beyond what a snapshot may hold; the message names the line."""


def documents(text: str) -> Iterator[Any]:
    """The documents of a stream, one by one, so that those before a broken one are kept.

    Raises:
        UnreadableYaml: at the first place that cannot be read.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if (document := builder.take(event)) is not _ABSENT:
                yield document
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise UnreadableYaml(f"line {line}: {e.problem or e.context or 'not YAML'}") from e
    except yaml.YAMLError as e:
        raise UnreadableYaml(str(e).splitlines()[0]) from e


class _Builder:
    """Turns events into values, one document at a time."""

    def __init__(self) -> None:
        self._open: list[tuple[Any, str | None, int]] = []
        """Containers that are being filled, with their anchor and the count of values before them."""
        self._keys: list[Any] = []
        """For each open container the key that waits for its value."""
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def take(self, event: Any) -> Any:
        """Adds one event; gives the document when it was the last of one."""
        match event:
            case yaml.ScalarEvent():
                return self._add(_scalar(event), event, event.anchor, size=1)
            case yaml.AliasEvent():
                value, size = self._anchors.get(str(event.anchor), (_ABSENT, 0))
                if value is _ABSENT:
                    raise UnreadableYaml(f"{_where(event)}: alias {event.anchor!r} names nothing before it")
                return self._add(value, event, None, size=size)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if len(self._open) >= MAX_DEPTH:
                    raise UnreadableYaml(f"{_where(event)}: nested deeper than {MAX_DEPTH} levels")
                container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append((container, event.anchor, self._nodes))
                self._keys.append(_ABSENT)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                container, anchor, before = self._open.pop()
                self._keys.pop()
                self._nodes += 1
                if anchor:
                    self._anchors[anchor] = container, self._nodes - before
                return self._add(container, event, None, size=0)
            case yaml.DocumentStartEvent():
                self._anchors.clear()
            case _:
                pass
        return _ABSENT

    def _add(self, value: Any, event: Any, anchor: str | None, *, size: int) -> Any:
        self._nodes += size
        if self._nodes > MAX_NODES:
            raise UnreadableYaml(f"{_where(event)}: more than {MAX_NODES} values")
        if anchor:
            self._anchors[anchor] = value, size
        if not self._open:
            return value
        container = self._open[-1][0]
        if isinstance(container, list):
            container.append(value)  # pyright: ignore[reportUnknownMemberType]
        elif self._keys[-1] is _ABSENT:
            self._keys[-1] = value if isinstance(value, str) else _key(value)
        else:
            key, self._keys[-1] = self._keys[-1], _ABSENT
            _put(container, key, value)
        return _ABSENT


def _put(mapping: dict[str, Any], key: str, value: Any) -> None:
    if key != "<<":
        mapping[key] = value
        return
    sources = cast("list[Any]", value) if isinstance(value, list) else [value]
    for source in sources:
        if isinstance(source, dict):
            for name, inherited in cast("dict[str, Any]", source).items():
                mapping.setdefault(name, inherited)


def _key(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0] or event.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if not text[0].isdigit() and text[0] not in "+-.":
        return text
    if _INTEGER.fullmatch(text):
        whole = int(text)
        # JSON writers refuse larger ones.
        return whole if -(2**63) <= whole < 2**64 else float(whole)
    return float(text) if _FLOAT.fullmatch(text) else text


def _where(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"
