"""Where added time and added errors begin: each caller's part minus what its callees account for. Pure.

By Little's law requests a second times seconds a request is how many requests are in flight. What a slow callee adds
there, it adds at each synchronous caller above it too; so what is left at a thing, once its callees' part is taken
away, began in it. Errors a second add up in the same way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from agents.explaining import Topology
from agents.scene import Series
from agents.signals.lanes import Lanes, Ruler, minus, times, total
from agents.signals.meters import Meter
from agents.signals.units import Family
from tools.entity import Entity


@dataclass(slots=True, kw_only=True)
class Node:
    """One workload, or whatever else calls and is called, with all that was measured at its parts."""

    entity: Entity
    series: dict[Entity, Mapping[str, Series]] = field(default_factory=dict[Entity, Mapping[str, Series]])
    callers: set[Entity] = field(default_factory=set[Entity])
    callees: set[Entity] = field(default_factory=set[Entity])
    rate: float = 1.0
    """Requests a second in the window; 1 where that is not known, so that amounts are per request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What came on top of usual, lane by lane, at one node."""

    whole: Lanes
    """Seconds (or errors) a second at the node, its callees' part included."""
    own: Lanes
    """What its callees, and the ways to them, do not account for."""
    calls: Lanes = ()
    """What its own calls take longer, as it sees them."""
    way: Lanes = ()
    """What it waits on the way to its callees: its calls take longer than they do."""


class Flows:
    """The call graph with rates, and where what was added begins."""

    def __init__(
        self,
        series: Mapping[Entity, Mapping[str, Series]],
        topology: Topology,
        ruler: Ruler,
    ) -> None:
        self._ruler = ruler
        self._meter = Meter(ruler)
        self.nodes: dict[Entity, Node] = {}
        for entity, known in series.items():
            place = topology.topmost(entity)
            self.nodes.setdefault(place, Node(entity=place)).series[entity] = known
        for place, node in self.nodes.items():
            node.callees = {each for each in map(topology.topmost, topology.callees(place)) if each in self.nodes}
            node.callees.discard(place)
        for place, node in self.nodes.items():
            for callee in node.callees:
                self.nodes[callee].callers.add(place)
            node.rate = self._rate(node)

    def below(self, places: Iterable[Entity]) -> frozenset[Entity]:
        """These and everything that they call, also through others."""
        found = {each for each in places if each in self.nodes}
        waiting = list(found)
        while waiting:
            for callee in self.nodes[waiting.pop()].callees - found:
                found.add(callee)
                waiting.append(callee)
        return frozenset(found)

    def share(self, caller: Entity, callee: Entity) -> float:
        """The share of a callee's requests that this caller makes, by how much each of its callers is asked itself."""
        rates = sum(self.nodes[each].rate for each in self.nodes[callee].callers)
        return self.nodes[caller].rate / rates if rates else 0.0

    def part(self, caller: Entity, callee: Entity) -> float:
        """The part of all that a caller asks which goes to this callee."""
        every = sum(self.nodes[each].rate * self.share(caller, each) for each in self.nodes[caller].callees)
        return self.nodes[callee].rate * self.share(caller, callee) / every if every else 0.0

    def felt(self, places: Iterable[Entity], family: Family) -> Lanes:
        """What was added at places of which somebody says that they suffer: there even a small move counts."""
        keen = Meter(self._ruler, relative=0.0)
        parts = [times(keen.added(self.nodes[each].series, family), self.nodes[each].rate) for each in places]
        return total(self._ruler.nothing(), *parts)

    @cached_property
    def delays(self) -> Mapping[Entity, Amounts]:
        """Added seconds a second, that is, added requests in flight."""
        whole = self._wholes(Family.LATENCY)
        found: dict[Entity, Amounts] = {}
        for place, node in self.nodes.items():
            below = self._below_of(place, whole)
            calls = times(self._meter.added(node.series, Family.CLIENT_LATENCY), self._calls_of(place))
            way = minus(calls, below)
            found[place] = Amounts(whole=whole[place], own=minus(minus(whole[place], below), way), calls=calls, way=way)
        return found

    @cached_property
    def errors(self) -> Mapping[Entity, Amounts]:
        """Added errors a second."""
        whole = self._wholes(Family.ERRORS)
        return {
            place: Amounts(whole=whole[place], own=minus(whole[place], self._below_of(place, whole)))
            for place in self.nodes
        }

    def _wholes(self, family: Family) -> dict[Entity, Lanes]:
        """At every node; nothing at newcomers: that something new is called, and fails, began in who calls it."""
        nothing = self._ruler.nothing()
        return {
            place: nothing if self._is_new(node) else times(self._meter.added(node.series, family), node.rate)
            for place, node in self.nodes.items()
        }

    def _is_new(self, node: Node) -> bool:
        return not self._has_past(node) and any(self._has_past(self.nodes[each]) for each in node.callers)

    def _has_past(self, node: Node) -> bool:
        return any(each.points[0][0] < self._ruler.start for known in node.series.values() for each in known.values())

    def _below_of(self, place: Entity, whole: Mapping[Entity, Lanes]) -> Lanes:
        parts = [times(whole[each], self.share(place, each)) for each in self.nodes[place].callees]
        return total(self._ruler.nothing(), *parts)

    def _calls_of(self, place: Entity) -> float:
        """Requests a second that it makes."""
        known = [self.nodes[each].rate * self.share(place, each) for each in self.nodes[place].callees]
        return sum(known) or self.nodes[place].rate

    def rates(self, node: Node, *, since: bool) -> list[float]:
        """Requests a second of each part that is counted, on average: since the window began, or before."""
        found: list[float] = []
        for known in node.series.values():
            if series := known.get("requests_per_second"):
                values = [value for at, value in series.points if (at >= self._ruler.start) is since]
                if values:
                    found.append(max(0.0, sum(values) / len(values)))
        return found

    def _rate(self, node: Node) -> float:
        known = self.rates(node, since=True) or self.rates(node, since=False)
        return sum(known) if known else 1.0
