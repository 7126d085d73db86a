"""The form in which readings rest in a cache: JSON, bounded, without secrets. Pure."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

from tools.catalogue import Args, Reading
from tools.redaction import redact
from tools.window import Window

LIMIT_BYTES = 8_000_000
"""A larger answer is not kept: writing and reading it would cost more than to ask again."""

_KEYED = re.compile(r"(?i)(?:password|passwd|pwd|secret|token|key)$")


def cache_key(world: str, tool: str, args: Args) -> str:
    """The same for the same question whatever the order of its arguments, and without what stands in them."""
    canonical = orjson.dumps([world, tool, args.model_dump(mode="json")], option=orjson.OPT_SORT_KEYS)
    return f"look:{tool}:{hashlib.sha256(canonical).hexdigest()}"


def to_rest(reading: Reading) -> bytes | None:
    """The reading without secrets, or `None` when it is too large to be kept."""
    document = {
        "query": redact(reading.query),
        "text": redact(reading.text),
        "window": str(reading.window) if reading.window else None,
        "data": _Cleaner().clean(reading.data),
    }
    value = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
    return value if len(value) <= LIMIT_BYTES else None


def from_rest(value: bytes) -> Reading | None:
    """The reading again, or `None` when another version wrote it or it is damaged."""
    try:
        document = orjson.loads(value)
        window = document["window"]
        return Reading(
            query=document["query"],
            text=document["text"],
            window=Window.parse(window) if window else None,
            data=document["data"],
        )
    except (ValueError, KeyError, TypeError):
        return None


class _Cleaner:
    """Redacts every string of a JSON value, with its key where the key gives the secret away."""

    def __init__(self) -> None:
        # Label values, images and names recur a thousand times in one answer.
        self._seen: dict[str, str] = {}

    def clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[Any, Any]", value))
        if isinstance(value, (list, tuple)):
            return [self.clean(part) for part in cast("list[Any]", value)]
        return value

    def _mapping(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        cleaned = {key: self._entry(str(key), part) for key, part in value.items()}
        name, plain = value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(plain, str):
            # An environment variable: only its name says that the value is a secret.
            cleaned["value"] = self._entry(name, plain)
        return cleaned

    def _entry(self, key: str, value: Any) -> Any:
        if isinstance(value, str) and _KEYED.search(key):
            whole = f"{key}={value}"
            return value if redact(whole) == whole else "[redacted:assignment]"
        return self.clean(value)

    def _text(self, text: str) -> str:
        found = self._seen.get(text)
        if found is None:
            found = self._seen[text] = redact(text)
        return found
