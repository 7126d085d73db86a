"""Redacts structured values: by key, by what an object is, and every text within. Pure."""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, TypeGuard

from tools.redacting.looks import is_identifier, is_placeholder, is_random
from tools.redacting.marks import MARK, Kind, mark
from tools.redacting.names import Strength, strength

_DATA = ("data", "stringData", "binaryData")
_REMEMBERED = 512
"""Characters of a text whose redaction is remembered: label values and images recur a thousand times in one answer."""


class Fields:
    """Redacts one value; what it has seen it remembers."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._remembered = cache(redact)

    def redacted(self, value: Any) -> Any:
        """A copy of `value`; what is no plain JSON value is left as it is, save bytes, which become redacted text."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes | bytearray):
            return self._text(value.decode(errors="replace"))
        if _is_mapping(value):
            return self._mapping(value)
        if _is_several(value):
            return [self.redacted(part) for part in value]
        return value

    def _mapping(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        is_secret = value.get("kind") == "Secret"
        clean = {
            self._key(key): self._hidden(part, Kind.MANIFEST)
            if is_secret and key in _DATA
            else self._entry(str(key), part)
            for key, part in value.items()
        }
        name = value.get("name", value.get("key"))
        if isinstance(name, str) and "value" in value:
            # An environment variable, a header: only its name says that the value is a secret.
            clean["value"] = self._entry(name, value["value"])
        return clean

    def _key(self, key: Any) -> Any:
        return self._text(key) if isinstance(key, str) else key

    def _entry(self, key: str, value: Any) -> Any:
        told = strength(key)
        if told is Strength.NONE or isinstance(value, Mapping):
            return self.redacted(value)
        if told.asks_more:
            is_secret = isinstance(value, str) and is_random(value)
            is_known = told is Strength.FAINT and is_secret and is_identifier(value)
            return self._hidden(value, Kind.VALUE) if is_secret and not is_known else self.redacted(value)
        if isinstance(value, int | float) and told is not Strength.PASSWORD:
            return value
        return self._hidden(value, Kind.VALUE)

    def _hidden(self, value: Any, kind: Kind) -> Any:
        if _is_mapping(value):
            return {self._key(key): self._hidden(part, kind) for key, part in value.items()}
        if _is_several(value):
            return [self._hidden(part, kind) for part in value]
        if value is None or isinstance(value, bool):
            return value
        text = value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
        return text if is_placeholder(text) or MARK.fullmatch(text) else mark(kind, text)

    def _text(self, text: str) -> str:
        return self._redact(text) if len(text) > _REMEMBERED else self._remembered(text)


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_several(value: Any) -> TypeGuard[Collection[Any]]:
    return isinstance(value, list | tuple | set | frozenset)
