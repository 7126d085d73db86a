"""Reads fields of objects whose shape nobody vouches for: what is absent or of another type is empty. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from whenever import Instant

Fields = Mapping[str, Any]

_NONE: Fields = {}


def value(obj: Any, *path: str) -> Any:
    """What lies at the end of a path of keys, or `None`."""
    for key in path:
        # Nearly always a plain one; asking whether it is of an abstract kind costs ten times as much.
        if type(obj) is not dict and not isinstance(obj, Mapping):
            return None
        obj = cast("Fields", obj).get(key)
    return obj


def mapping(obj: Any, *path: str) -> Fields:
    """The object at the end of a path."""
    found = value(obj, *path)
    return cast("Fields", found) if type(found) is dict or isinstance(found, Mapping) else _NONE


def items(obj: Any, *path: str) -> Sequence[Fields]:
    """The objects of the list at the end of a path."""
    found = value(obj, *path)
    if not isinstance(found, list):
        return ()
    several = cast("list[Any]", found)
    return [cast("Fields", item) for item in several if type(item) is dict or isinstance(item, Mapping)]


def words(obj: Any, *path: str) -> Sequence[str]:
    """The strings of the list at the end of a path."""
    found = value(obj, *path)
    return [item for item in cast("list[Any]", found) if isinstance(item, str)] if isinstance(found, list) else ()


def text(obj: Any, *path: str) -> str:
    """The string at the end of a path; numbers are written out."""
    found = value(obj, *path)
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int | float) and not isinstance(found, bool) else ""


def number(obj: Any, *path: str) -> int:
    """The whole number at the end of a path, or 0."""
    found = value(obj, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def moment(obj: Any, *path: str) -> Instant | None:
    """The RFC 3339 time at the end of a path."""
    found = value(obj, *path)
    if not isinstance(found, str):
        return None
    try:
        return Instant.parse_iso(found)
    except ValueError:
        return None


def name(obj: Any) -> str:
    """`metadata.name`."""
    return text(obj, "metadata", "name")


def namespace(obj: Any) -> str:
    """`metadata.namespace`, empty for cluster-scoped objects."""
    return text(obj, "metadata", "namespace")


def condition(obj: Any, kind: str) -> Fields:
    """The status condition of a type."""
    return next((each for each in items(obj, "status", "conditions") if each.get("type") == kind), _NONE)


def age(now: Instant, then: Instant | None) -> str:
    """How long ago, as `kubectl` writes it."""
    if then is None:
        return "?"
    seconds = int((now - then).total("seconds"))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if abs(seconds) >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
