"""When somebody last wrote an object's wish, out of `managedFields`: all that is kept of them. Pure.

The fields themselves are a third of an object's size and say what the object says anyway.
"""

from collections.abc import Mapping
from typing import Any

from tools.kubernetes.fields import Fields, items, text

_AUTOMATONS = ("kube-controller-manager", "kubelet", "kube-scheduler", "kube-proxy", "kube-apiserver")
"""They carry out wishes; that they write is no change that somebody made."""
_CHURNING = frozenset({"Pod", "Event", "ReplicaSet", "EndpointSlice", "Endpoints", "Lease", "Node"})
"""Kinds that nobody edits, and of which there are the most."""


def last_written(kind: str, metadata: Fields) -> str:
    """The newest time at which somebody wrote the object and not its status; empty where none is told."""
    if kind in _CHURNING:
        return ""
    return max(
        (
            text(each, "time")
            for each in items(metadata, "managedFields")
            if not text(each, "subresource") and not text(each, "manager").startswith(_AUTOMATONS)
        ),
        default="",
    )


def without_writers(kind: str, metadata: Fields) -> Mapping[str, Any]:
    """The metadata with no more of `managedFields` than that time."""
    if "managedFields" not in metadata:
        return metadata
    bare = {key: each for key, each in metadata.items() if key != "managedFields"}
    at = last_written(kind, metadata)
    return {**bare, "managedFields": [{"time": at}]} if at else bare
