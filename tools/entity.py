"""What a culprit, a label set and a series are about.

Pure: no clock, no store, no client library.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """One thing of the world, written `kind/namespace/name`; the namespace is empty for cluster-scoped things."""

    kind: str
    namespace: str
    name: str

    def __post_init__(self) -> None:
        if not self.kind or "/" in self.kind or "/" in self.namespace:
            raise ValueError(f"entity of kind {self.kind!r} in namespace {self.namespace!r}: neither may hold a slash")

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def of(cls, kind: str, namespace: str | None, name: str) -> Self:
        """Normalises the kind, so that `Pod` of an object and `pod` of a label are the same; names keep their case."""
        return cls(kind.lower(), namespace or "", name)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `kind/namespace/name`.

        Raises:
            ValueError: when there are not three parts or the kind or the name is empty.
        """
        parts = text.strip().split("/", 2)
        if len(parts) != 3 or not parts[0] or not parts[2]:
            raise ValueError(f"{text!r} is not an entity: expected kind/namespace/name, such as service/shop/cart")
        return cls.of(*parts)
