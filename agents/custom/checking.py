"""Custom checks at work: as rules like all others, over the same scene. Pure.

Nothing of a look stands in a sentence of theirs; what was seen is cited, and citing redacts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agents.baseline import above
from agents.causes import Cause, Rule
from agents.custom.checks import Checks, Query
from agents.custom.expression import ExpressionFailed
from agents.custom.pattern import Pattern
from agents.custom.schema import CustomCheck, OverLog, OverMetric, OverObjects
from agents.finding import CauseId, Finding
from agents.logs.envelopes import opened
from agents.logs.lines import about, read
from agents.objects import Fields, Resource, items, labels_at
from agents.scene import Log, Scene, Series
from tools.entity import Entity
from tools.evidence import Evidence

AREA = "custom"
LOOK_BACK_MINUTES = 120
"""What PromQL is asked about; longer `for_minutes` ask for more."""
_KINDS = (
    ("pod", "pod"), ("deployment", "deployment"), ("statefulset", "statefulset"), ("daemonset", "daemonset"),
    ("job_name", "job"), ("persistentvolumeclaim", "persistentvolumeclaim"), ("service", "service"), ("node", "node"),
    ("instance", "host"), ("job", "service"), ("namespace", "namespace"),
)  # fmt: skip
"""Labels of a series that say what it is about, the most specific first, with the kind of that thing."""


def checks(found: Sequence[CustomCheck]) -> Checks:
    """Checks as rules, with the looks that they need."""
    return Checks(
        rules=tuple(_rule(each) for each in found),
        kinds=tuple(dict.fromkeys(each.objects.kind for each in found if each.objects)),
        queries=tuple(_query(each.promql) for each in found if each.promql and each.promql.query),
    )


def _query(over: OverMetric) -> Query:
    minutes = max(LOOK_BACK_MINUTES, round(over.for_minutes * 2))
    return Query(promql=over.query or "", minutes=minutes, has_signal=over.signal is not None)


def _rule(check: CustomCheck) -> Rule:
    needs = "kubernetes" if check.objects else "logs" if check.log else "metrics"
    cause = Cause(
        id=CauseId(check.id),
        area=AREA,
        role=check.role,
        title=check.title,
        meaning=check.meaning,
        remediation=check.remediation,
        # A series may come from either of two tools: the check itself sees which answered.
        needs=frozenset({needs} - {"metrics"}),
    )

    def fire(scene: Scene) -> Iterator[Finding]:
        if check.objects:
            yield from _objects(scene, made, check, check.objects)
        elif check.promql:
            yield from _metric(scene, made, check, check.promql)
        elif check.log:
            yield from _log(scene, made, check, check.log)

    made = Rule(cause, fire)
    return made


def _said(of: Rule, check: CustomCheck, entity: Entity, words: str, evidence: Sequence[Evidence]) -> Finding:
    summary = f"{entity}: {check.title.rstrip('.')}{words}."
    remedy = check.remediation
    found = of.finding(entity, summary, evidence, severity=check.severity, direct=check.direct, remedy=remedy)
    return replace(found, title=check.title)


def _objects(scene: Scene, of: Rule, check: CustomCheck, over: OverObjects) -> Iterator[Finding]:
    failed: tuple[Resource, ExpressionFailed] | None = None
    for each in scene.cluster.all(over.kind):
        if not _is_meant(check, each):
            continue
        try:
            fires = over.expression.holds(each.raw)
        except ExpressionFailed as error:
            failed = failed or (each, error)
            continue
        if fires:
            yield _said(of, check, each.entity, "", [scene.cite(each, *over.show)])
    if failed:
        # What was found counts; that the rest is unknown must be said all the same.
        raise ExpressionFailed(f"{check.id!r} on {failed[0].entity}: {failed[1]}")


def _is_meant(check: CustomCheck, resource: Resource) -> bool:
    labels = labels_at(resource.raw, "metadata", "labels")
    wanted = check.applies_to.labels
    return check.applies_to.takes(resource.entity) and all(labels.get(key) == value for key, value in wanted.items())


def _metric(scene: Scene, of: Rule, check: CustomCheck, over: OverMetric) -> Iterator[Finding]:
    for series in _series(scene, over):
        # Below is above, upside down: the same run of points, the same time.
        is_below = over.below is not None
        seen = _mirrored(series) if is_below else series
        bound = -over.below if over.below is not None else over.above or 0.0
        found = above(seen, scene.window, bound, minutes=over.for_minutes)
        if found and not found.is_over and check.applies_to.takes(series.entity):
            level = -found.level if is_below else found.level
            words = f" ({level:.4g}, {'below' if is_below else 'above'} {abs(bound) if is_below else bound:g})"
            cited = [scene.cite_series(series)]
            yield replace(_said(of, check, series.entity, words, cited), first_seen=found.began_at)


def _mirrored(series: Series) -> Series:
    points = [(at, -value) for at, value in series.points]
    return Series(entity=series.entity, signal=series.signal, points=points, source=series.source)


def _series(scene: Scene, over: OverMetric) -> Iterator[Series]:
    asked = [each for each in scene.looks("prometheus.range") if over.query and each.query == over.query]
    for look in asked:
        for place, record in enumerate(items({"list": look.data}, "list")):
            if found := _answered(record, look, place):
                yield found
    if not asked and over.signal:
        for signals in scene.series.values():
            if over.signal in signals:
                yield signals[over.signal]


def _answered(record: Fields, look: Evidence, place: int) -> Series | None:
    labels = labels_at(record, "labels")
    # The tool gives pairs of numbers; a value that is none (`NaN`) is left out.
    pairs: list[tuple[float, float | None]] = record.get("points") or []
    points = [(at, value) for at, value in pairs if value is not None]
    namespace = labels.get("namespace", "")
    kind, name = next(((kind, labels[label]) for label, kind in _KINDS if labels.get(label)), ("series", str(place)))
    entity = Entity.of(kind, "" if kind in ("node", "host", "namespace") else namespace, name)
    return Series(entity=entity, signal="value", points=points, source=look) if points else None


def _log(scene: Scene, of: Rule, check: CustomCheck, over: OverLog) -> Iterator[Finding]:
    hits: dict[Entity, list[tuple[Log, int]]] = {}
    for log, place, line in read(scene):
        if _is_hit(scene, over.compiled, line) and check.applies_to.takes(entity := about(scene, log)):
            hits.setdefault(entity, []).append((log, place))
    for entity, places in hits.items():
        if len(places) >= over.at_least:
            cited = [scene.cite_log(*each) for each in (places[0], places[-1])]
            yield _said(of, check, entity, f" ({len(places)} lines)", cited)


def _is_hit(scene: Scene, pattern: Pattern, line: str) -> bool:
    if not pattern.fits(line):
        return False
    at = opened(line, now=scene.now).at
    return at is None or at >= scene.window.start
