"""The form in which readings rest in a cache: JSON, bounded, without secrets. Pure."""

import hashlib

import orjson

from tools.catalogue import Args, Reading
from tools.redaction import redact, redact_fields
from tools.window import Window

LIMIT_BYTES = 8_000_000
"""A larger answer is not kept: writing and reading it would cost more than to ask again."""


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
        "data": redact_fields(reading.data),
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
