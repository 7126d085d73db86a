"""All series of a scene read together: who changed, where what callers feel begins, which way is slow. Pure."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from agents.explaining import Topology
from agents.nearness import Near
from agents.scene import Scene, Series
from agents.signals.changes import Change, change_of
from agents.signals.flows import Amounts, Flows
from agents.signals.lanes import Ruler, likeness
from agents.signals.meters import UNKNOWN_ERRORS
from agents.signals.units import Family, gauge, reader
from tools.entity import Entity

MATTERS = 0.1
"""Share of a caller's added waiting that a callee must have added itself to have a part in it."""
CALM = 5
"""Points in a row that are usual before trouble that comes and goes is over: were half of them out, five would be as
they are by chance once in thirty-two times."""
_QUANTILE = re.compile(r"client_latency_p(\d\d)_seconds")


def _changes(scene: Scene) -> Iterator[tuple[tuple[Entity, str], Change]]:
    start = scene.window.start.timestamp()
    for entity, known in scene.series.items():
        for name, series in known.items():
            known_as = gauge(name)
            or_else = UNKNOWN_ERRORS if known_as.family is Family.ERRORS else None
            change = change_of(
                series.samples, start, known_as.floor, read=reader(name), or_else=or_else, full=known_as.full
            )
            if change:
                yield (entity, name), change


class Reading:
    """What the series of one scene say together."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._start = scene.window.start.timestamp()
        self.topology = Topology(scene.edges(), scene.series)
        self.near = Near.of(scene.case, self.topology)
        known = [each for kinds in scene.series.values() for each in kinds.values()]
        self.ruler = Ruler.of(scene.window, known)
        self.changes = dict(_changes(scene))
        """By entity and signal, without those that are as usual. Shares of good are read as shares of bad."""
        self.flows = Flows(scene.series, self.topology, self.ruler)

    @cached_property
    def entries(self) -> frozenset[Entity]:
        """The nodes whose trouble was reported; where none is named, those that nobody calls and that call others."""
        nodes = self.flows.nodes.items()
        return self._named or frozenset(place for place, node in nodes if node.callees and not node.callers)

    @cached_property
    def _named(self) -> frozenset[Entity]:
        return frozenset(map(self.topology.topmost, self.near.entities)) & frozenset(self.flows.nodes)

    @property
    def is_named(self) -> bool:
        """Whether the case says where the trouble is felt, and that place is measured."""
        return bool(self._named)

    @cached_property
    def in_scope(self) -> frozenset[Entity]:
        """Everything below the entries; everything where no calls are known."""
        below = self.flows.below(self.entries) if self.knows_calls else frozenset[Entity]()
        return below or frozenset(self.flows.nodes)

    @cached_property
    def knows_calls(self) -> bool:
        """Whether it was recorded who calls whom."""
        return any(each.callees for each in self.flows.nodes.values())

    def shares(self, amounts: Mapping[Entity, Amounts], family: Family) -> Mapping[Entity, float]:
        """0..1 for each node in scope: how much of what was added at the entries, and when, began in it."""
        if not self.knows_calls:
            return self._by_distance(family)
        felt = self.flows.felt(self.entries, family)
        found = {each: likeness(amounts[each].own, felt) for each in self.in_scope}
        if self.is_named:
            return found
        # Nobody said where it is felt: the top counts as far as it surely suffers, and what a thing adds does anyhow.
        shows = max((self._surest(each, family) for each in self.entries), default=0.0)
        everything = sum(sum(amounts[each].own) + sum(amounts[each].way) for each in self.in_scope)
        return {each: max(shows * share, sum(amounts[each].own) / (everything or 1.0)) for each, share in found.items()}

    def _by_distance(self, family: Family) -> Mapping[Entity, float]:
        """Without a call graph all above a fault seem to add time; who is furthest from its own past is nearest."""
        found: dict[Entity, float] = {}
        for (entity, name), change in self.changes.items():
            if gauge(name).family is family and change.away > 0:
                place = self.topology.topmost(entity)
                found[place] = max(found.get(place, 0.0), change.strength)
        return found

    @cached_property
    def is_felt(self) -> bool:
        """Whether somebody reports trouble, or where it would be felt it really shows."""
        if self._scene.case.is_reported or not self.is_named:
            return True
        return any(
            self._surest(each, family) >= 1 for each in self.entries for family in (Family.LATENCY, Family.ERRORS)
        )

    @cached_property
    def is_past(self) -> bool:
        """Whether it showed where it is felt, and has been well there for longer than it was ill, in enough points."""
        rises = [each for place in self.entries for each in self._rises(place)] if self.is_named else []
        return bool(rises) and all(self._is_calm(series, change) for series, change in rises)

    def _is_calm(self, series: Series, change: Change) -> bool:
        since = [at for at, _ in series.points if at > change.last_at]
        return len(since) >= CALM and since[-1] - change.last_at > change.last_at - change.began_at

    @cached_property
    def delay_shares(self) -> Mapping[Entity, float]:
        """Of the added time."""
        return self.shares(self.flows.delays, Family.LATENCY)

    @cached_property
    def error_shares(self) -> Mapping[Entity, float]:
        """Of the added errors."""
        return self.shares(self.flows.errors, Family.ERRORS)

    def moved(self, place: Entity) -> float:
        """0..1: how strongly any series of the node itself changed."""
        parts = self.flows.nodes[place].series
        found = (self.changes.get((entity, name)) for entity, known in parts.items() for name in known)
        return max((each.strength for each in found if each), default=0.0)

    def sight(self, place: Entity, family: Family) -> float:
        """0.5..1: how many of its callees are measured; what begins in an unmeasured one seems to begin above it."""
        if not self.knows_calls:
            return 0.5
        callees = self.flows.nodes[place].callees
        seen = sum(
            any(gauge(name).family is family for known in self.flows.nodes[each].series.values() for name in known)
            for each in callees
        )
        return (1 + seen / len(callees)) / 2 if callees else 1.0

    def load(self, entity: Entity) -> float:
        """How many times its usual requests it gets in the window; 1 where that is not known."""
        node = self.flows.nodes[self.topology.topmost(entity)]
        now = sum(self.flows.rates(node, since=True))
        usual = sum(self.flows.rates(node, since=False))
        return now / usual if now and usual else 1.0

    @cached_property
    def ways(self) -> Mapping[Entity, float]:
        """0..1 for each node in scope: how well a slow way to it explains whose calls take longer, and whose do not.

        Of what a caller asks, the share that goes to one callee tells which of its quantiles that callee can move:
        with 7 % of the calls p95 and p99, but not p90. What was seen is compared with that (Jaccard's index).
        """
        seen = self._waiting()
        most = max(seen.values(), default=0.0)
        if not most:
            return {}
        seen = {key: each / most for key, each in seen.items()}
        called = (place for place in self.in_scope if self.flows.nodes[place].callers)
        return {place: most * self._explains(place, seen) for place in called}

    def _waiting(self) -> Mapping[tuple[Entity, str], float]:
        """0..1 for each caller and quantile of its calls: how much longer they take than their callees account for."""
        found: dict[tuple[Entity, str], float] = {}
        for place in self.in_scope:
            node, waits = self.flows.nodes[place], self.flows.delays[place]
            if not node.callees:
                continue
            longer = sum(waits.calls)
            unexplained = sum(waits.way) / longer * (1 - self._slow_callee(place)) if longer else 0.0
            for entity, known in node.series.items():
                seen = {name: self.changes.get((entity, name)) for name in known if _QUANTILE.match(name)}
                slower = {name: each for name, each in seen.items() if each and each.away > 0}
                most = max((each.added for each in slower.values()), default=0.0)
                sure = max((each.certainty for each in slower.values()), default=0.0)
                for name in seen:
                    share = slower[name].added / most if name in slower else 0.0
                    found[place, name] = max(found.get((place, name), 0.0), share * sure * unexplained)
        return found

    def _slow_callee(self, place: Entity) -> float:
        """0..1: how surely one of the callees is slow itself, with a part in what `place` waits."""
        delays, found = self.flows.delays, 0.0
        for callee in self.flows.nodes[place].callees:
            added = sum(delays[callee].whole) * self.flows.share(place, callee)
            if added >= MATTERS * sum(delays[place].calls):
                found = max(found, self._surest(callee, Family.LATENCY))
        return found

    def _surest(self, place: Entity, family: Family) -> float:
        """The certainty of the surest rise in that family at any part of the node."""
        return max((change.certainty for _, change in self._rises(place, family)), default=0.0)

    def _rises(self, place: Entity, *families: Family) -> Iterator[tuple[Series, Change]]:
        """What rose at any part of the node; of latency and errors unless families are given."""
        wanted = families or (Family.LATENCY, Family.ERRORS)
        for entity, known in self.flows.nodes[place].series.items():
            for name, series in known.items():
                change = self.changes.get((entity, name))
                if change and change.away > 0 and gauge(name).family in wanted:
                    yield series, change

    def _explains(self, place: Entity, seen: Mapping[tuple[Entity, str], float]) -> float:
        both = either = 0.0
        for (caller, name), waits in seen.items():
            if caller == place:
                # What is slow on its way out may be so for its own calls too, or for its answers alone.
                expected = waits / 2
            else:
                part = self.flows.part(caller, place) if place in self.flows.nodes[caller].callees else 0.0
                expected = _moves(part, name)
            both += min(waits, expected)
            either += max(waits, expected)
        return both / either if either else 0.0


def _moves(part: float, name: str) -> float:
    """0..1: whether calls that are such a part of all move that quantile; half when they are as many as lie beyond."""
    match = _QUANTILE.match(name)
    beyond = 1 - int(match[1]) / 100 if match else 0.0
    if not part:
        return 0.0
    return part**2 / (part**2 + beyond**2)
