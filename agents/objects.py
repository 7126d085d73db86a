"""Kubernetes objects and events as rules hold them. A field that is missing, null or of another type is never an error.

Pure: no clock, no store, no client library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

from whenever import Instant

from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes import fields
from tools.kubernetes.fields import Fields, items, mapping, moment, text, value, words
from tools.kubernetes.selectors import matches

__all__ = [
    "NOTHING",
    "Event",
    "Fields",
    "Resource",
    "items",
    "labels_at",
    "mapping",
    "matches",
    "moment",
    "number",
    "quantity",
    "text",
    "words",
]

NOTHING: Fields = {}


def number(obj: Any, *path: str) -> int | None:
    """The whole number at the end of a path; `None`, unlike 0, says that there is none."""
    found = value(obj, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def labels_at(obj: Any, *path: str) -> Mapping[str, str]:
    """The mapping at `path`, without anything that is not text to text."""
    found: Mapping[Any, Any] = mapping(obj, *path)
    return {key: each for key, each in found.items() if isinstance(key, str) and isinstance(each, str)}


_UNITS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(written: Any) -> float | None:
    """A Kubernetes quantity (`250m`, `1Gi`, 2) as a number."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return float(written)
    if not isinstance(written, str):
        return None
    digits = written.rstrip("mkKMGTi")
    try:
        return float(digits) * _UNITS.get(written[len(digits) :], 1.0)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """One Kubernetes object and the look that showed it. Two are equal only when they are the same reading."""

    raw: Fields
    kind: str
    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    entity: Entity
    source: Evidence

    @classmethod
    def read(cls, raw: Any, source: Evidence) -> Self | None:
        """`None` for what is not an object with a kind and a name."""
        kind, name, namespace = text(raw, "kind"), text(raw, "metadata", "name"), text(raw, "metadata", "namespace")
        if not kind or not name or "/" in kind or "/" in namespace:
            return None
        return cls(
            raw=cast("Fields", raw),
            kind=kind,
            namespace=namespace,
            name=name,
            uid=text(raw, "metadata", "uid"),
            labels=labels_at(raw, "metadata", "labels"),
            entity=Entity.of(kind, namespace, name),
            source=source,
        )

    @property
    def spec(self) -> Fields:
        return mapping(self.raw, "spec")

    @property
    def status(self) -> Fields:
        return mapping(self.raw, "status")

    @property
    def annotations(self) -> Mapping[str, str]:
        return labels_at(self.raw, "metadata", "annotations")

    @property
    def created_at(self) -> Instant | None:
        return moment(self.raw, "metadata", "creationTimestamp")

    @property
    def where(self) -> str:
        """The arguments of kubectl that name it: `pod cart-1 -n shop`."""
        return f"{self.kind.lower()} {self.name}" + (f" -n {self.namespace}" if self.namespace else "")

    def condition(self, kind: str) -> Fields:
        """The status condition of that type; empty when there is none."""
        return fields.condition(self.raw, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One Kubernetes event, whatever API version wrote it."""

    reason: str
    message: str
    is_warning: bool
    count: int
    first_at: Instant | None
    last_at: Instant | None
    kind: str
    namespace: str
    name: str
    uid: str
    field_path: str
    source: Evidence = field(repr=False)

    @classmethod
    def read(cls, raw: Any, source: Evidence) -> Self | None:
        """`None` for what names no object or no reason."""
        about = mapping(raw, "involvedObject") or mapping(raw, "regarding")
        reason, kind, name = text(raw, "reason"), text(about, "kind"), text(about, "name")
        namespace = text(about, "namespace")
        if not reason or not kind or not name or "/" in kind or "/" in namespace:
            return None
        last_at = _latest(raw)
        return cls(
            reason=reason,
            message=text(raw, "message") or text(raw, "note"),
            is_warning=text(raw, "type") == "Warning",
            count=number(raw, "series", "count") or number(raw, "count") or number(raw, "deprecatedCount") or 1,
            first_at=moment(raw, "firstTimestamp") or moment(raw, "eventTime") or last_at,
            last_at=last_at,
            kind=kind,
            namespace=namespace,
            name=name,
            uid=text(about, "uid"),
            field_path=text(about, "fieldPath"),
            source=source,
        )

    @property
    def entity(self) -> Entity:
        """What it is about."""
        return Entity.of(self.kind, self.namespace, self.name)


def _latest(raw: Any) -> Instant | None:
    places: Sequence[tuple[str, ...]] = (
        ("series", "lastObservedTime"),
        ("lastTimestamp",),
        ("deprecatedLastTimestamp",),
        ("eventTime",),
        ("firstTimestamp",),
        ("metadata", "creationTimestamp"),
    )
    times = [at for place in places if (at := moment(raw, *place))]
    return max(times[:-1], default=None) or (times[-1] if times else None)
