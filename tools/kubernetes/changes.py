"""What happened to the objects of one kind, put together from lists and from what a watch tells. Pure."""

from collections.abc import Sequence
from typing import Any

from tools.kubernetes.fields import Fields, name, namespace, text
from tools.world import Object

MAX_CHANGES = 500
"""Changes of one watch; it ends early when there are as many."""

Key = tuple[str, str, str]


def key(obj: Fields) -> Key:
    """Whose change it is: an object that was created again under its old name is another one."""
    return namespace(obj), name(obj), text(obj, "metadata", "uid")


class Changes:
    """The changes since a first list, each with the object as it was known until then."""

    def __init__(self, listed: Sequence[Object]) -> None:
        self._known = {key(each): each for each in listed}
        self.told: list[dict[str, Any]] = []
        """`{"type": "ADDED" | "MODIFIED" | "DELETED", "object": …, "before": … or None}`, oldest first."""

    @property
    def is_full(self) -> bool:
        """Whether no more is wanted."""
        return len(self.told) >= MAX_CHANGES

    def add(self, change: str, obj: Object) -> None:
        """One change, as a watch tells it."""
        if self.is_full:
            return
        before = self._known.pop(key(obj), None)
        if change != "DELETED":
            self._known[key(obj)] = obj
        self.told.append({"type": change, "object": obj, "before": before})

    def catch_up(self, listed: Sequence[Object]) -> None:
        """What happened while nobody watched: the difference between what was known and a new list."""
        now = {key(each): each for each in listed}
        for gone in [each for known, each in self._known.items() if known not in now]:
            self.add("DELETED", gone)
        for place, each in now.items():
            before = self._known.get(place)
            if before is None:
                self.add("ADDED", each)
            elif _version(before) != _version(each):
                self.add("MODIFIED", each)


def _version(obj: Fields) -> str:
    return text(obj, "metadata", "resourceVersion")
