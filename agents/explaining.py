"""Which finding explains which: the table of causes and effects, the topology, and the order in time. Pure.

All three must allow an explanation. A symptom may explain a symptom; a root is a cause that no other cause explains.
"""

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from whenever import Instant, TimeDelta

from agents.effects import Reach, reach, reaches
from agents.finding import Finding, FindingId, Role
from agents.report import Edge
from tools.entity import Entity

SLACK = TimeDelta(seconds=120)
"""Two sampling steps of a usual scrape: times that are closer cannot be told apart."""
HOPS = 6
"""Longest way through the topology, such as claim, pod, replica set, deployment, service, caller."""
_OF_DEPLOYMENT = re.compile(r"(?P<workload>.+)-[a-z0-9]{6,10}-[a-z0-9]{5}$")
"""How Kubernetes names the pods of a Deployment."""


class Explained:
    """The whole relation, without circles."""

    def __init__(
        self, findings: Mapping[FindingId, Finding], effects: Mapping[FindingId, Mapping[FindingId, int]]
    ) -> None:
        self.findings = findings
        self.effects = effects
        """By cause: each effect and its hops, direct ones only."""
        self._reached: dict[FindingId, Mapping[FindingId, int]] = {}

    def reached(self, start: FindingId) -> Mapping[FindingId, int]:
        """Everything that `start` explains, also through others, with the hops on the way."""
        if start not in self._reached:
            self._reached[start] = self._walk(start)
        return self._reached[start]

    def _walk(self, start: FindingId) -> dict[FindingId, int]:
        seen: dict[FindingId, int] = {}
        waiting = deque([(start, 0)])
        while waiting:
            current, hops = waiting.popleft()
            for effect, further in self.effects.get(current, {}).items():
                if effect not in seen:
                    seen[effect] = hops + further
                    waiting.append((effect, hops + further))
        return seen

    def roots(self) -> tuple[FindingId, ...]:
        """Causes that no other cause explains."""
        causes = [key for key, each in self.findings.items() if each.role is Role.CAUSE]
        below = {effect for cause in causes for effect in self.reached(cause)}
        return tuple(cause for cause in causes if cause not in below)

    def origins(self) -> tuple[FindingId, ...]:
        """Symptoms that nothing explains: seen, cause not known."""
        below = {effect for effects in self.effects.values() for effect in effects}
        return tuple(key for key, each in self.findings.items() if each.role is Role.SYMPTOM and key not in below)


class Topology:
    """What can show its trouble where."""

    def __init__(self, edges: Iterable[Edge], things: Iterable[Entity] = ()) -> None:
        """Reads the edges; for pods among `things` that no edge gives an owner, the name tells the workload."""
        self._up: defaultdict[Entity, set[Entity]] = defaultdict(set)
        self._owned: defaultdict[Entity, set[Entity]] = defaultdict(set)
        self._callees: defaultdict[Entity, set[Entity]] = defaultdict(set)
        self._owners: dict[Entity, Entity] = {}
        self._known: dict[Entity, dict[Entity, int]] = {}
        for edge in edges:
            self._add(edge)
        for thing in things:
            named = (
                _OF_DEPLOYMENT.match(thing.name)
                if thing.kind == "pod" and same_thing(thing) not in self._owners
                else None
            )
            if named:
                self._add(Edge(thing, Entity.of("service", thing.namespace, named["workload"]), "owns"))

    def _add(self, edge: Edge) -> None:
        upstream, downstream = same_thing(edge.upstream), same_thing(edge.downstream)
        if upstream == downstream:
            return
        self._up[upstream].add(downstream)
        if edge.relation == "owns":
            self._owned[downstream].add(upstream)
            self._owners[upstream] = downstream
        if edge.relation == "calls":
            self._callees[downstream].add(upstream)

    def callees(self, entity: Entity) -> frozenset[Entity]:
        """What `entity` itself calls, in the one spelling."""
        return frozenset(self._callees.get(same_thing(entity), ()))

    def calls_from(self, entity: Entity) -> Mapping[Entity, int]:
        """Everything that `entity`, or the workload that it is part of, calls, also through others."""
        found = {same_thing(entity): 0, self.topmost(entity): 0}
        waiting = deque(found.items())
        while waiting:
            current, hops = waiting.popleft()
            for further in (*self._callees.get(current, ()), *self._owned.get(current, ())) if hops < HOPS else ():
                if further not in found:
                    found[further] = hops + 1
                    waiting.append((further, hops + 1))
        return found

    def shows_at(self, entity: Entity) -> Mapping[Entity, int]:
        """Every place where trouble of `entity` can show, with the number of steps; itself at 0.

        A fault in a workload's description shows in its pods first: the way may begin from owner to owned. Later it
        turns that way at callers alone, or the crash of one pod would explain that of its sibling.
        """
        entity = same_thing(entity)
        if entity not in self._known:
            self._known[entity] = self._walk(entity)
        return self._known[entity]

    def joins(self, upstream: Entity, downstream: Entity) -> bool:
        """Whether trouble of the one can show at the other."""
        return same_thing(downstream) in self.shows_at(upstream)

    def are_one(self, left: Entity, right: Entity) -> bool:
        """Whether both are parts of one workload, or one of them is the workload."""
        return self.topmost(left) == self.topmost(right)

    def topmost(self, entity: Entity) -> Entity:
        """The workload that owns it, in the one spelling; itself when nobody does."""
        entity = same_thing(entity)
        for _ in range(HOPS):
            entity = self._owners.get(entity, entity)
        return entity

    def _walk(self, entity: Entity) -> dict[Entity, int]:
        found = {entity: 0}
        self._down(entity, found)
        waiting = deque(sorted(found.items(), key=lambda each: each[1]))
        while waiting:
            current, hops = waiting.popleft()
            for further in self._up.get(current, ()) if hops < HOPS else ():
                if further not in found:
                    found[further] = hops + 1
                    waiting.append((further, hops + 1))
                    if current in self._callees.get(further, ()):
                        # Whoever calls suffers in each of its pods.
                        waiting.extend(self._down(further, found))
        return found

    def _down(self, owner: Entity, found: dict[Entity, int]) -> list[tuple[Entity, int]]:
        """Adds what `owner` consists of, and gives what was added."""
        added: list[tuple[Entity, int]] = []
        waiting = deque([(owner, found[owner])])
        while waiting:
            current, hops = waiting.popleft()
            for owned in self._owned.get(current, ()):
                if owned not in found:
                    found[owned] = hops + 1
                    added.append((owned, hops + 1))
                    waiting.append((owned, hops + 1))
        return added


@lru_cache(maxsize=16_384)
def same_thing(entity: Entity) -> Entity:
    """One spelling for what people take as one.

    A workload and the Service in front of it share namespace and name; alerts write names in any case.
    """
    kind = "service" if entity.kind in ("deployment", "statefulset", "daemonset") else entity.kind
    return Entity(kind, entity.namespace, entity.name.lower())


def explain(findings: Sequence[Finding], edges: Iterable[Edge]) -> Explained:
    """Draws every explanation that table, topology and time allow. Context explains nothing and needs none."""
    known = {each.id: each for each in findings if each.role is not Role.CONTEXT}
    topology = Topology(edges, (each.entity for each in known.values()))
    at: defaultdict[Entity, list[FindingId]] = defaultdict(list)
    for key, each in known.items():
        at[same_thing(each.entity)].append(key)
    effects: dict[FindingId, dict[FindingId, int]] = {}
    for key, cause in known.items():
        for other, hops in _candidates(key, known, at, topology):
            if other != key and _in_time(cause, known[other], topology):
                effects.setdefault(key, {}).setdefault(other, hops)
    return Explained(known, _without_circles(known, effects))


def _candidates(
    key: FindingId,
    known: Mapping[FindingId, Finding],
    at: Mapping[Entity, Sequence[FindingId]],
    topology: Topology,
) -> Iterator[tuple[FindingId, int]]:
    """What the table and the topology let a finding explain, the nearest way first."""
    cause = known[key]
    ways = ((topology.shows_at(cause.entity), False), (topology.calls_from(cause.entity), True))
    for places, is_downwards in ways:
        for place in places.keys() & at.keys():
            for other in at[place]:
                allowed = reach(cause.cause, known[other].cause)
                if not allowed or (allowed is Reach.CALLEES) is not is_downwards:
                    continue
                if allowed is not Reach.WITHIN or _is_within(cause, known[other], topology):
                    yield other, places[place]
    if reaches(cause.cause, Reach.NAMESPACE) or reaches(cause.cause, Reach.CLUSTER):
        yield from ((other, HOPS) for other, effect in known.items() if _is_in_reach(cause, effect))


def _is_within(cause: Finding, effect: Finding, topology: Topology) -> bool:
    return cause.entity.kind == "node" or topology.are_one(cause.entity, effect.entity)


def _is_in_reach(cause: Finding, effect: Finding) -> bool:
    allowed = reach(cause.cause, effect.cause)
    is_near = allowed is Reach.NAMESPACE and effect.entity.namespace == cause.entity.namespace
    return is_near or allowed is Reach.CLUSTER


def _in_time(cause: Finding, effect: Finding, topology: Topology) -> bool:
    if cause.first_seen is None or effect.first_seen is None:
        return True
    if cause.direct and topology.are_one(cause.entity, effect.entity):
        # A restarted container keeps its last exit alone: within one workload a moment says when it was last so.
        return True
    return cause.first_seen <= effect.first_seen + SLACK


def _without_circles(
    findings: Mapping[FindingId, Finding], effects: Mapping[FindingId, Mapping[FindingId, int]]
) -> dict[FindingId, dict[FindingId, int]]:
    """In a circle a cause explains before a symptom, then whoever began first, then the direct one."""
    order = {key: _precedence(each) for key, each in findings.items()}
    circle = _circles(findings, effects)
    return {
        cause: kept
        for cause, reached in effects.items()
        if (
            kept := {
                effect: hops
                for effect, hops in reached.items()
                if circle[cause] != circle[effect] or order[cause] < order[effect]
            }
        )
    }


def _precedence(finding: Finding) -> tuple[bool, Instant, bool, FindingId]:
    cause = finding.role is not Role.CAUSE
    return cause, finding.first_seen or Instant.MAX, not finding.direct, finding.id


def _circles(
    findings: Mapping[FindingId, Finding], effects: Mapping[FindingId, Mapping[FindingId, int]]
) -> dict[FindingId, FindingId]:
    """Names each strongly connected part by one member: Kosaraju's two walks, without recursion."""
    back: defaultdict[FindingId, list[FindingId]] = defaultdict(list)
    for cause, reached in effects.items():
        for effect in reached:
            back[effect].append(cause)
    ended: list[FindingId] = []
    seen: set[FindingId] = set()
    for start in findings:
        _post_order(start, effects, seen, ended)
    named: dict[FindingId, FindingId] = {}
    for start in reversed(ended):
        waiting = [start]
        while waiting:
            current = waiting.pop()
            if current not in named:
                named[current] = start
                waiting.extend(back[current])
    return named


def _post_order(
    start: FindingId,
    effects: Mapping[FindingId, Mapping[FindingId, int]],
    seen: set[FindingId],
    ended: list[FindingId],
) -> None:
    if start in seen:
        return
    seen.add(start)
    stack = [(start, iter(effects.get(start, {})))]
    while stack:
        current, remaining = stack[-1]
        following = next((each for each in remaining if each not in seen), None)
        if following is None:
            stack.pop()
            ended.append(current)
        else:
            seen.add(following)
            stack.append((following, iter(effects.get(following, {}))))
