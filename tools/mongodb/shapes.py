"""What a command does, without what it says: users' data stay in the database. Pure."""

from collections.abc import Mapping
from typing import Any, cast

_KEPT = frozenset(
    {
        "find", "aggregate", "count", "distinct", "update", "delete", "insert", "findAndModify", "findandmodify",
        "getMore", "collection", "createIndexes", "dropIndexes", "collMod", "mapReduce", "$db",
    }
)  # fmt: skip
_SHOWN = frozenset(
    {
        "filter", "query", "q", "u", "pipeline", "sort", "projection", "updates", "deletes", "key", "hint", "limit",
        "skip", "originatingCommand", "indexes",
    }
)  # fmt: skip
_DEPTH = 6


def shape(command: Mapping[str, Any]) -> str:
    """The command with its collection, its fields and operators, and `?` for each value; at most 300 characters."""
    parts: list[str] = []
    for name, value in command.items():
        if name in _KEPT and isinstance(value, str):
            parts.append(f"{name}: {value}")
        elif name in _KEPT | _SHOWN:
            parts.append(f"{name}: {_bare(value, _DEPTH)}")
    text = "{" + ", ".join(parts) + "}"
    return text if len(text) <= 300 else f"{text[:299]}…"


def _bare(value: Any, depth: int) -> str:
    if isinstance(value, Mapping) and depth:
        fields = cast("Mapping[str, Any]", value)
        return "{" + ", ".join(f"{key}: {_bare(part, depth - 1)}" for key, part in fields.items()) + "}"
    if isinstance(value, list) and depth:
        # A long list of values is one shape, whatever its length.
        return "[" + ", ".join(dict.fromkeys(_bare(part, depth - 1) for part in cast("list[Any]", value))) + "]"
    return "?"
