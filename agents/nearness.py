"""How far a thing is from what a case is about: joined to it, in its namespace, or elsewhere. Pure."""

from dataclasses import dataclass
from enum import IntEnum

from agents.case import Case
from agents.explaining import Topology, same_thing
from tools.entity import Entity


class Distance(IntEnum):
    """How far a finding is from what the case is about."""

    JOINED = 0
    NAMESPACE = 1
    ELSEWHERE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Tells how far things are from what the case is about."""

    entities: frozenset[Entity]
    namespaces: frozenset[str]
    topology: Topology

    @classmethod
    def of(cls, case: Case, topology: Topology) -> "Near":
        """The case's own things, in the one spelling that comparisons use."""
        return cls(
            entities=frozenset(same_thing(each) for each in case.scope.entities),
            namespaces=case.scope.namespaces,
            topology=topology,
        )

    def distance(self, entity: Entity) -> Distance:
        """Where trouble of `entity` can show: at what the case is about, in its namespace, or elsewhere only."""
        places = self.topology.shows_at(entity)
        if self.entities:
            if not self.entities.isdisjoint(places) or self.is_part(entity):
                return Distance.JOINED
        elif not self.namespaces or any(self._is_inside(each) for each in places):
            return Distance.JOINED
        if not self.namespaces or any(self._is_inside(each) for each in places):
            return Distance.NAMESPACE
        return Distance.ELSEWHERE

    def is_part(self, entity: Entity) -> bool:
        """Whether `entity` belongs to one of the case's own things, or one of them to it."""
        return any(self._is_part(entity, each) for each in self.entities)

    def _is_inside(self, entity: Entity) -> bool:
        return entity.namespace in self.namespaces or (entity.kind == "namespace" and entity.name in self.namespaces)

    def _is_part(self, entity: Entity, about: Entity) -> bool:
        if self.topology.are_one(entity, about):
            return True
        # Where no owner was listed, pods and claims still carry their workload's name.
        return entity.namespace == about.namespace and _is_named_after(entity, about)


def _is_named_after(entity: Entity, about: Entity) -> bool:
    if not entity.name.startswith(f"{about.name}-"):
        return False
    parts = {"pod", "replicaset", "job", "persistentvolumeclaim", "horizontalpodautoscaler"}
    # Members of a database are mostly named after it, too.
    return (about.kind == "service" and entity.kind in parts) or (about.kind == entity.kind == "database")
