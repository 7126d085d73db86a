"""Where the trouble that callers feel begins: added time, added errors, slow ways. Inferred from series and call graph.

Series alone prove no mechanism: what is told here is likely at best.
"""

from collections.abc import Iterator, Mapping

from agents.baseline import past
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.rules.suspicions import suspected
from agents.scene import Scene, Series
from agents.signals.changes import Change
from agents.signals.flows import Node
from agents.signals.reading import Reading
from agents.signals.units import Family, gauge
from tools.entity import Entity

SEEN_FROM_AFAR = frozenset({"remote", "client"})
"""Kinds that only their callers measured, such as bare addresses: a view of something, seldom the thing itself."""
AFAR = 0.7
MOVED = 0.1
"""How much what else moved at a thing adds to the suspicion against the way to it: enough to part equals."""


@rule(
    id="self-time-high",
    area="applications",
    role=Role.CAUSE,
    title="The added time begins here",
    meaning="It takes longer than usual, and what it calls does not account for it: its own work, a lock, its limits.",
    remediation="Look inside it: CPU and pools first, then what was released, then its slowest requests.",
    needs=("signals",),
)
def self_time_high(scene: Scene) -> Iterator[Finding]:
    read = scene.once(Reading)
    yield from _begun(scene, self_time_high, Family.LATENCY, read.delay_shares)


@rule(
    id="errors-begin-here",
    area="applications",
    role=Role.CAUSE,
    title="The added errors begin here",
    meaning="It fails more requests than usual, and what it calls does not fail as many: its own code or settings.",
    remediation="Read its log since the onset; compare the release and the settings with those before.",
    needs=("signals",),
)
def errors_begin_here(scene: Scene) -> Iterator[Finding]:
    read = scene.once(Reading)
    yield from _begun(scene, errors_begin_here, Family.ERRORS, read.error_shares)


@rule(
    id="answers-as-usual",
    area="standing",
    role=Role.CONTEXT,
    title="What callers feel of it is as usual",
    meaning="Its latency or its errors were measured, before and in the window, and did not rise.",
    remediation="If somebody says otherwise, ask where they measure it.",
    needs=("signals",),
)
def answers_as_usual(scene: Scene) -> Iterator[Finding]:
    read = scene.once(Reading)
    for place in read.entries if read.is_named else ():
        known = [each for kinds in read.flows.nodes[place].series.values() for each in kinds.values()]
        felt = [each for each in known if gauge(each.signal).family in (Family.LATENCY, Family.ERRORS)]
        compared = [each for each in felt if past(each, scene.window) is not None]
        added = [*read.flows.felt([place], Family.LATENCY), *read.flows.felt([place], Family.ERRORS)]
        if compared and not any(added):
            cited = [scene.cite_series(each) for each in compared[:2]]
            yield answers_as_usual.finding(
                place, f"{place} answers as usual.", cited, severity=Severity.INFO, last_seen=scene.window.end
            )


def _begun(scene: Scene, of: Rule, family: Family, shares: Mapping[Entity, float]) -> Iterator[Finding]:
    read = scene.once(Reading)
    what = "time" if family is Family.LATENCY else "errors"
    for place, share in shares.items() if read.is_felt else ():
        shown = _loudest(read, read.flows.nodes[place], family) if share else None
        if shown is None:
            continue
        series, change = shown
        strength = share * change.certainty * read.sight(place, family)
        strength *= AFAR if place.kind in SEEN_FROM_AFAR else 1.0
        summary = f"{min(share, 1.0):.0%} of the added {what} begins in {series.entity}: {_went(series, change)}."
        yield from suspected(scene, of, shown, strength, summary)


@rule(
    id="latency-path-high",
    area="network",
    role=Role.CAUSE,
    title="The way to it is slow",
    meaning="Whoever calls it waits longer than it takes to answer, and callers that do not ask it do not wait.",
    remediation="Measure the round trip to its node and back; look for loss, a saturated link, a policy that shapes.",
    needs=("signals",),
)
def latency_path_high(scene: Scene) -> Iterator[Finding]:
    read = scene.once(Reading)
    for place, match in read.ways.items():
        callers = [read.flows.nodes[each] for each in read.flows.nodes[place].callers]
        loudest = [found for each in callers if (found := _loudest(read, each, Family.CLIENT_LATENCY))]
        if not loudest:
            continue
        series, change = max(loudest, key=lambda each: each[1].evidence)
        own = _quietest(read.flows.nodes[place])
        if own is None:
            continue
        summary = f"Calls to {own.entity} wait on the way: {series.entity} waits, {_went(series, change)}."
        # Of ways that explain it as well as each other, the one to a thing that moved itself is the likelier.
        strength = match * (1 - MOVED + MOVED * read.moved(place))
        yield from suspected(scene, latency_path_high, (own, change), strength, summary, scene.cite_series(series))


def _loudest(read: Reading, node: Node, family: Family) -> tuple[Series, Change] | None:
    """The series of that family that rose most surely, at whichever part of the node."""
    found = [
        (known[name], change)
        for entity, known in node.series.items()
        for name in known
        if gauge(name).family is family and (change := read.changes.get((entity, name))) and change.away > 0
    ]
    return max(found, key=lambda each: (each[1].strength, each[0].signal), default=None)


def _quietest(node: Node) -> Series | None:
    """What shows that the node itself answers as usual; any of its series where its latency is not known."""
    every = [series for known in node.series.values() for series in known.values()]
    latencies = [each for each in every if gauge(each.signal).family is Family.LATENCY]
    return next(iter(latencies or every), None)


def _went(series: Series, change: Change) -> str:
    usual, level = change.usual.median, change.level
    if gauge(series.signal).is_good:
        usual, level = 1 - usual, 1 - level
    return f"{series.signal} {level:.3g}, usually {usual:.3g}"
