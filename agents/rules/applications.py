"""The services themselves: errors, latency, traffic, pools. Each against its own past."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from agents.baseline import Stretch, above, latest, past, shift
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.rules.standing import near_of
from agents.scene import Scene, Series
from agents.signals.changes import PROVEN
from agents.signals.reading import Reading
from tools.entity import Entity

ERRORS_OBJECTIVE = 0.01
ERRORS_FACTOR = 3.0
ERRORS_BAD = 0.1
MIN_REQUESTS = 100.0
"""Fewer requests in the window make any share of errors a matter of luck."""
LATENCY_FACTOR = 1.5
LATENCY_BAD = 3.0
LATENCY_FLOOR_S = 0.005
MATTERS = 0.1
"""Share of a caller's added seconds that a callee must have added itself to have a part in it."""
TRAFFIC_CHANGE = 0.5
TRAFFIC_FLOOR = 0.1
POOL_FULL = 0.9
QUEUE_FACTOR = 3.0
_LATENCIES = tuple(f"latency_{part}_seconds" for part in ("p99", "p95", "p90", "mean", "p50"))
_CLIENT_LATENCIES = tuple(f"client_latency_{part}_seconds" for part in ("p99", "p95", "p90"))
_GOOD = ("success_ratio", "availability_ratio")


def _told(scene: Scene, of: Rule, found: Stretch, summary: str, severity: Severity, *also: Series) -> Finding:
    """A finding of a stretch; one that is over is told as past."""
    return of.finding(
        found.series.entity,
        f"{summary}{' It is over.' if found.is_over else ''}",
        [scene.cite_series(each) for each in (found.series, *also)],
        severity=Severity.INFO if found.is_over else severity,
        first_seen=found.began_at,
        last_seen=found.last_at,
    )


@rule(
    id="error-ratio-high",
    area="applications",
    role=Role.SYMPTOM,
    title="Many requests fail",
    meaning="More than 1 % and three times the usual share, of at least a hundred requests: few requests prove little.",
    remediation="Split the errors by version, route and callee; look at what began at the same moment.",
    needs=("signals",),
)
def error_ratio_high(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        found = _errors(scene, series)
        if found and _has_traffic(scene, series):
            usual = "" if found.usual is None else f", usually {found.usual:.2%}"
            how = Severity.CRITICAL if found.level >= ERRORS_BAD else Severity.WARNING
            summary = f"{found.level:.1%} of the requests of {entity} fail{usual}."
            yield _told(scene, error_ratio_high, found, summary, how)


def _errors(scene: Scene, series: Mapping[str, Series]) -> Stretch | None:
    """The stretch of too many errors, by whichever signal tells of them; its levels are shares of errors."""
    if known := series.get("error_ratio"):
        return _much_more(scene, known, known)
    for name in _GOOD:
        if known := series.get(name):
            bad = replace(known, points=[(at, 1 - share) for at, share in known.points])
            if found := _much_more(scene, bad, known):
                return found
    return None


def _much_more(scene: Scene, errors: Series, shown: Series) -> Stretch | None:
    usual = past(errors, scene.window)
    # Without a past only a share that is bad for anyone may speak.
    bound = ERRORS_BAD if usual is None else max(ERRORS_OBJECTIVE, ERRORS_FACTOR * usual)
    found = above(errors, scene.window, bound)
    return replace(found, series=shown, usual=usual) if found else None


def _has_traffic(scene: Scene, series: Mapping[str, Series]) -> bool:
    """Whether enough requests were made; unknown counts as enough."""
    flow = series.get("requests_per_second")
    if flow is None:
        return True
    points = [value for at, value in flow.points if at >= scene.window.start.timestamp()]
    return not points or sum(points) / len(points) * scene.window.seconds >= MIN_REQUESTS


@rule(
    id="latency-high",
    area="applications",
    role=Role.SYMPTOM,
    title="Requests are slow",
    meaning="Well above what is usual for this very entity, for more than a sample. A cold start is slow once.",
    remediation="Follow the calls down: the deepest callee that became slow is the suspect; then its CPU and pools.",
    needs=("signals",),
)
def latency_high(scene: Scene) -> Iterator[Finding]:
    slow: dict[Entity, Stretch] = {}
    for entity, series in scene.series.items():
        stretches = [each for name in _LATENCIES if name in series if (each := _slower(scene, series[name]))]
        if stretches and _has_traffic(scene, series):
            # A present stretch tells more than one that is over; the mean of requests is moved by many, p99 by few.
            slow[entity] = max(stretches, key=lambda each: (not each.is_over, each.deviations))
    for entity, found in slow.items():
        matters = _is_felt(scene, entity, found, slow)
        usual = found.usual or 0.0
        summary = f"{found.series.signal} of {entity} is {found.level:.3g} s, usually {usual:.3g} s."
        how = Severity.CRITICAL if found.factor >= LATENCY_BAD else Severity.WARNING
        yield _told(scene, latency_high, found, summary, how if matters else Severity.INFO)


def _is_felt(scene: Scene, entity: Entity, found: Stretch, slow: Mapping[Entity, Stretch]) -> bool:
    """Whether callers wait for it: not where all of them answer as usual, or added far more themselves."""
    topology = scene.once(near_of).topology
    callers = [each for caller, each in slow.items() if caller != entity and topology.joins(entity, caller)]
    if callers:
        return any(_added(found) >= MATTERS * _added(each) for each in callers)
    direct = [each for each in scene.series if topology.topmost(entity) in topology.callees(topology.topmost(each))]
    return not any(_has_past(scene, scene.series[each], _LATENCIES) for each in direct)


def _has_past(scene: Scene, series: Mapping[str, Series], names: Sequence[str]) -> bool:
    return any(name in series and past(series[name], scene.window) is not None for name in names)


def _added(found: Stretch) -> float:
    """Seconds that came on top of what is usual."""
    return found.level - (found.usual or 0.0)


def _slower(scene: Scene, series: Series) -> Stretch | None:
    found = shift(series, scene.window, floor=LATENCY_FLOOR_S)
    return found if found and found.factor >= LATENCY_FACTOR and _is_proven(scene, series) else None


def _is_proven(scene: Scene, series: Series) -> bool:
    """Whether so many points out are more than the past makes likely."""
    change = scene.once(Reading).changes.get((series.entity, series.signal))
    return change is not None and change.evidence >= PROVEN


@rule(
    id="callee-slow",
    area="applications",
    role=Role.SYMPTOM,
    title="What it calls is slow",
    meaning="Seen from the caller, its calls take well longer than usual: the callee, or the way to it.",
    remediation="Ask the callee's own latency: if it is as usual there, the way between them is slow.",
    needs=("signals",),
)
def callee_slow(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        found = [each for name in _CLIENT_LATENCIES if name in series if (each := _slower(scene, series[name]))]
        if found:
            worst = max(found, key=lambda each: (not each.is_over, each.deviations))
            summary = f"Calls made by {entity} take {worst.level:.3g} s, usually {worst.usual or 0:.3g} s."
            how = Severity.CRITICAL if worst.factor >= LATENCY_BAD else Severity.WARNING
            slower = any(_slower(scene, series[name]) for name in _LATENCIES if name in series)
            matters = slower or not _has_past(scene, series, _LATENCIES)
            yield _told(scene, callee_slow, worst, summary, how if matters else Severity.INFO)


@rule(
    id="traffic-drop",
    area="applications",
    role=Role.SYMPTOM,
    title="Traffic fell",
    meaning="Half of the usual requests or fewer: callers cannot reach it, or do not call. Holidays are quiet too.",
    remediation="Look at the callers and at the way to them: ingress, DNS, a release of theirs.",
    needs=("signals",),
)
def traffic_drop(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        flow = series.get("requests_per_second")
        found = shift(flow, scene.window, floor=TRAFFIC_FLOOR, upward=False) if flow else None
        if flow and found and found.usual and found.factor <= 1 - TRAFFIC_CHANGE and _is_proven(scene, flow):
            summary = f"{entity} gets {found.level:.3g} requests a second, usually {found.usual:.3g}."
            how = Severity.CRITICAL if found.factor < 0.1 else Severity.WARNING
            yield _told(scene, traffic_drop, found, summary, how)


@rule(
    id="traffic-surge",
    area="applications",
    role=Role.CAUSE,
    title="Traffic rose",
    meaning="Half as many requests again, or more: a campaign, retries, a loop. Harmless while capacity lasts.",
    remediation="Find which caller sends more; then scale, or limit that caller.",
    needs=("signals",),
)
def traffic_surge(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        flow = series.get("requests_per_second")
        found = shift(flow, scene.window, floor=TRAFFIC_FLOOR) if flow else None
        if flow and found and found.factor >= 1 + TRAFFIC_CHANGE and _is_proven(scene, flow):
            suffers = _errors(scene, series) or any(
                _slower(scene, series[name]) for name in _LATENCIES if name in series
            )
            summary = f"{entity} gets {found.level:.3g} requests a second, usually {found.usual or 0:.3g}."
            how = Severity.WARNING if suffers else Severity.INFO
            finding = _told(scene, traffic_surge, found, summary, how)
            yield _inferred(finding)


def _inferred(finding: Finding) -> Finding:
    return replace(finding, direct=False)


@rule(
    id="saturation",
    area="applications",
    role=Role.CAUSE,
    title="A pool or queue is full",
    meaning="Connections near their maximum, or a queue that grows: a slow dependency, or too small a pool.",
    remediation="Look at the dependency first; a larger pool in front of a slow one makes it slower.",
    needs=("signals",),
)
def saturation(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        yield from _pool(scene, entity, series)
        queue = series.get("queue_depth")
        found = shift(queue, scene.window, floor=1.0) if queue else None
        if found and found.factor >= QUEUE_FACTOR:
            summary = f"The queue of {entity} holds {found.level:.3g}, usually {found.usual or 0:.3g}."
            yield _inferred(_told(scene, saturation, found, summary, Severity.WARNING))


def _pool(scene: Scene, entity: Entity, series: Mapping[str, Series]) -> Iterator[Finding]:
    used, most = series.get("connections_active"), series.get("connections_max")
    if used is None:
        return
    bound = latest(most) if most else None
    if bound and most:
        found = above(used, scene.window, POOL_FULL * bound)
        if found:
            summary = f"{entity} uses {found.level:.0f} of {bound:.0f} connections."
            yield _told(scene, saturation, found, summary, Severity.CRITICAL, most)
        return
    found = shift(used, scene.window, floor=5.0)
    if found and found.factor >= 1 + TRAFFIC_CHANGE:
        summary = (
            f"{entity} has {found.level:.0f} connections, usually {found.usual or 0:.0f}; the maximum is not known."
        )
        yield _inferred(_told(scene, saturation, found, summary, Severity.WARNING))
