"""One case for every Kubernetes cause: what shows it, a twin that is well, and what is often mistaken for it."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

DROP: object = object()
Change = Mapping[str, Any]
"""Paths such as `0/status/phase` (object, then keys or positions; `~1` is a slash in a key) to new values.

`DROP` takes a field away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How one cause shows."""

    cause: str
    objects: tuple[dict[str, Any], ...]
    entity: str
    """What a person would fix."""
    twin: Change
    """One field that makes it well."""
    alarm: Change | None = None
    """What is often mistaken for it; `None` where checks know of nothing."""

    @property
    def rests_on_events(self) -> bool:
        """Whether an event is among what shows it."""
        return any(each.get("kind") == "Event" for each in self.objects)


def changed(objects: tuple[dict[str, Any], ...], change: Change) -> list[dict[str, Any]]:
    """The objects with the change made."""
    found: list[Any] = deepcopy(list(objects))
    for path, value in change.items():
        *way, last = [int(step) if step.isdigit() else step.replace("~1", "/") for step in path.split("/")]
        place: Any = found
        for step in way:
            place = place[step]
        if value is DROP:
            del place[last]
        else:
            place[last] = value
    return [each for each in found if each]
