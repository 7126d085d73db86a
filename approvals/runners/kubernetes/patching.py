"""The difference of two objects: as operations for an API server, and as text for people. Pure."""

import difflib
import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any, cast

from tools.kubernetes.fields import mapping, value
from tools.kubernetes.render import dump
from tools.redaction import Redacted, redact
from tools.world import Object

REQUEST = "locum.dev/request"
"""Annotation that names the request whose change an object last had; by it an answer that was lost is found out."""
MAX_DIFF_LINES = 200

_BOOKKEEPING = frozenset((
    "managedFields", "resourceVersion", "generation", "selfLink", "uid", "creationTimestamp", "deletionTimestamp",
))  # fmt: skip
_UNSHOWN_ANNOTATIONS = frozenset((
    REQUEST, "kubectl.kubernetes.io/last-applied-configuration", "deprecated.daemonset.template.generation",
))  # fmt: skip
_TELLING = re.compile(
    r"(?i)password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|connection[_-]?string|dsn"
)
_ODD = re.compile(r"[^\x20-\x7e\n]")
_KEY = secrets.token_bytes(16)
"""So that nobody can find a masked value by trying values out."""


def operations(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """JSON-patch operations that make `after` of `before`; lists of one length item by item, others as a whole."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _keys(cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after), path)
    if isinstance(before, list) and isinstance(after, list):
        pairs = list(zip(cast("list[Any]", before), cast("list[Any]", after), strict=False))
        if len(pairs) == len(cast("list[Any]", before)) == len(cast("list[Any]", after)):
            return [
                step for place, (was, will) in enumerate(pairs) for step in operations(was, will, f"{path}/{place}")
            ]
    # In JSON 1 and true are not the same.
    is_same = before == after and isinstance(before, bool) is isinstance(after, bool)
    return [] if is_same else [_step("replace", path, after)]


def _keys(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for key in sorted(before.keys() | after.keys()):
        place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in after:
            found.append({"op": "remove", "path": place})
        elif key not in before:
            found.append(_step("add", place, after[key]))
        else:
            found += operations(before[key], after[key], place)
    return found


def _step(operation: str, path: str, new: Any) -> dict[str, Any]:
    return {"op": operation, "path": path, "value": new}


def annotated(obj: Object, key: str) -> Object:
    """The object with the name of the request that changes it."""
    metadata = mapping(obj, "metadata")
    return {**obj, "metadata": {**metadata, "annotations": {**mapping(metadata, "annotations"), REQUEST: key}}}


def unified(before: Object, after: Object) -> Redacted:
    """What is different, as a unified diff of YAML; without what the server itself keeps, and without secrets."""
    old, new = (_shown(each).splitlines() for each in (before, after))
    lines = list(difflib.unified_diff(old, new, "before", "after", n=3, lineterm=""))
    if len(lines) > MAX_DIFF_LINES:
        lines = [*lines[:MAX_DIFF_LINES], f"… {len(lines) - MAX_DIFF_LINES} more lines"]
    return redact("\n".join(lines))


def _shown(obj: Object) -> str:
    shown = {key: each for key, each in obj.items() if key != "status"}
    metadata: dict[str, Any] = {key: each for key, each in mapping(obj, "metadata").items() if key not in _BOOKKEEPING}
    written: Mapping[str, Any] = mapping(metadata, "annotations")
    annotations = {key: each for key, each in written.items() if key not in _UNSHOWN_ANNOTATIONS}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    # Redacted before the lines are made: a secret may go over several.
    text = dump(_masked({**shown, "metadata": metadata}))
    return _ODD.sub(lambda odd: f"<U+{ord(odd[0]):04X}>", text)


def _masked(part: Any) -> Any:
    """Values of variables with telling names as a hash, so that a change of one shows and the value does not."""
    if isinstance(part, list):
        return [_masked(each) for each in cast("list[Any]", part)]
    if not isinstance(part, Mapping):
        return redact(part) if isinstance(part, str) and "\n" in part else part
    known = {str(key): _masked(each) for key, each in cast("Mapping[str, Any]", part).items()}
    named, held = value(part, "name"), value(part, "value")
    if isinstance(named, str) and isinstance(held, str) and _TELLING.search(named):
        known["value"] = f"[redacted:value:{hashlib.blake2b(held.encode(), key=_KEY, digest_size=4).hexdigest()}]"
    return known
