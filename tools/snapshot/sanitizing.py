"""Takes secrets out of objects before they are written to disk. Pure."""

import re
from collections.abc import Mapping
from typing import Any, cast

from tools.kubernetes.writers import without_writers
from tools.redaction import redact, redact_recurring
from tools.snapshot.objects import without_values

_SECRET_NAME = re.compile(
    r"(?i)(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|connection[_-]?string|dsn)"
)
_DROPPED = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations that repeat a whole object, the values of a Secret included."""
_NAMES = frozenset(("apiVersion", "kind", "name", "namespace", "uid", "image", "imageID", "resourceVersion"))
"""Fields that name things: `shop/token:v1.2` is an image and no assignment."""
_SHORT = 200
"""Strings below this length repeat all over a cluster, so their redaction is remembered."""
MARK = "[redacted:value]"


def sanitized(obj: Mapping[str, Any]) -> dict[str, Any]:
    """An object that may be written to disk: no values of Secrets, of variables with telling names, no known tokens."""
    if obj.get("kind") == "Secret":
        return cast("dict[str, Any]", plain(without_values(obj)))
    clean = cast("dict[str, Any]", plain(obj))
    metadata = clean.get("metadata")
    if isinstance(metadata, dict):
        known = dict(without_writers(str(clean.get("kind")), cast("dict[str, Any]", metadata)))
        clean["metadata"] = known
        if isinstance(known.get("annotations"), dict):
            for name in _DROPPED:
                known["annotations"].pop(name, None)
    if clean.get("kind") == "ConfigMap":
        data = clean.get("data")
        if isinstance(data, dict):
            clean["data"] = {
                key: MARK if _SECRET_NAME.search(key) else value for key, value in cast("dict[str, Any]", data).items()
            }
        if isinstance(clean.get("binaryData"), dict):
            clean["binaryData"] = dict.fromkeys(clean["binaryData"], MARK)
    return clean


def plain(value: Any) -> Any:
    """A copy of a JSON value with every string redacted, and the values of variables whose names tell of a secret."""
    if isinstance(value, str):
        return redact_recurring(value) if len(value) < _SHORT else redact(value)
    if isinstance(value, Mapping):
        known = cast("Mapping[str, Any]", value)
        clean = {str(key): inner if key in _NAMES else plain(inner) for key, inner in known.items()}
        name = known.get("name")
        if isinstance(name, str) and isinstance(known.get("value"), str) and _SECRET_NAME.search(name):
            clean["value"] = MARK
        return clean
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in cast("list[Any]", value)]
    return value
