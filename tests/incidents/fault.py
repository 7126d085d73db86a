"""What a fault is: a change to the healthy cluster, what somebody asks then, and the truth. Each has its twin."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tests.incidents import faults
from tests.incidents.cluster import Cluster
from tests.incidents.controllers import settle
from tests.incidents.shop import shop


class Change(Protocol):
    """Makes the cluster sick, or changes the very same thing legally."""

    __name__: str

    def __call__(self, cluster: Cluster, /, *, sick: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of the table."""

    name: str
    area: str
    question: str
    entities: tuple[str, ...]
    """Any of them is a hit."""
    causes: tuple[str, ...]
    """Ids of the catalogue; any of them names the cause."""
    without: tuple[str, ...]
    """What was not captured."""
    change: Change

    def world(self, *, sick: bool) -> Cluster:
        """The recorded cluster, or that of its healthy twin."""
        cluster = shop()
        self.change(cluster, sick=sick)
        settle(cluster)
        return cluster


def fault(
    question: str, entities: str | tuple[str, ...], causes: str | tuple[str, ...], without: tuple[str, ...] = ()
) -> Callable[[Change], Fault]:
    """Makes a fault of a change; short entities such as `deployment/checkout` lie in namespace shop."""

    def made(change: Change) -> Fault:
        named = (entities,) if isinstance(entities, str) else entities
        return Fault(
            name=change.__name__,
            area=change.__module__.rpartition(".")[2],
            question=question,
            entities=tuple(_full(each) for each in named),
            causes=(causes,) if isinstance(causes, str) else causes,
            without=without,
            change=change,
        )

    return made


def _full(entity: str) -> str:
    kind, _, rest = entity.partition("/")
    return entity if "/" in rest else f"{kind}/shop/{rest}"


def every_fault() -> Iterator[Fault]:
    """All faults of the package, by name of module and place in it."""
    for module in pkgutil.iter_modules(faults.__path__):
        found = vars(importlib.import_module(f"{faults.__name__}.{module.name}"))
        yield from (each for each in found.values() if isinstance(each, Fault))
