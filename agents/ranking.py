"""Orders the roots of what was seen: who explains most of what the case is about, most directly, earliest. Pure.

Confidence comes from here alone: direct and complete evidence confirms, partial makes likely, the rest is inconclusive.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from whenever import Instant, TimeDelta

from agents.case import Case
from agents.diagnosis import Confidence, Hypothesis, Remediation
from agents.effects import fits
from agents.explaining import SLACK, Explained, Topology, explain, same_thing
from agents.finding import CauseId, Finding, FindingId, Role, Severity
from agents.nearness import Distance, Near
from agents.report import Edge
from tools.evidence import EvidenceId

MOST_CONFIRMED = 3
"""A reader cannot act on more roots at once; further ones stay listed as likely."""
MOST_HYPOTHESES = 10
CHANGE_NEAR = TimeDelta(minutes=60)
STALE_AFTER = TimeDelta(hours=24)
"""What was so a day before the incident began is usual here, and explains it less."""
RECENT_CHANGE = CauseId("recent-change")
REFUTED_BY: Mapping[str, tuple[str, ...]] = {
    # A look that succeeded at the very thing, by the context finding that reports it.
    "probe-succeeds": ("tcp-*", "dns-errors", "dependency-failing", "endpoints-*", "service-port-mismatch"),
}
TOPICS: Mapping[str, tuple[str, ...]] = {
    # Kinds of trouble by the words that people and alert rules use for them.
    "latency-high": ("latency", "slow", "response time", "duration"),
    "error-ratio-high": ("error", "5xx", "availability", "fail", "success rate"),
    "traffic-drop": ("traffic drop", "no traffic", "throughput", "request rate"),
    "cpu-saturated": ("cpu",),
    "memory-near-limit": ("memory",),
    "disk-full": ("disk", "filesystem", "storage"),
    "volume-full": ("volume", "disk", "storage"),
    "crash-loop": ("crash", "restart"),
    "pod-pending": ("pending", "unschedulable"),
}
SPEAKS_OF: Mapping[str, str] = {
    # Which of those kinds a suspicion is about, where it is about one.
    "self-time-high": "latency-high",
    "latency-path-high": "latency-high",
    "errors-begin-here": "error-ratio-high",
}
OFF_TOPIC = 0.6
"""Of the strength of a suspicion when the case speaks of the other kind of trouble alone."""
ABSENCES: Mapping[str, tuple[str, ...]] = {
    "kubernetes": ("*-missing", "*-unused", "selector-mismatch", "endpoints-empty"),
    "signals": ("scrape-target-down",),
}
"""Causes that rest on something not being there, by area: an incomplete capture of it cannot prove them."""


_BANDS: Mapping[tuple[Distance, bool], tuple[float, float]] = {
    # Lowest and highest score by distance and whether it is a cause. Bands do not overlap: nearness comes first.
    (Distance.JOINED, True): (0.5, 1.0),
    (Distance.JOINED, False): (0.36, 0.49),
    (Distance.NAMESPACE, True): (0.21, 0.35),
    (Distance.NAMESPACE, False): (0.13, 0.2),
    (Distance.ELSEWHERE, True): (0.06, 0.12),
    (Distance.ELSEWHERE, False): (0.0, 0.05),
}
_SUGGESTED: Mapping[Distance, tuple[float, float]] = {
    # What series alone suggest stands among what was inferred, by strength, and below what was seen directly.
    Distance.JOINED: (0.36, 0.7),
    Distance.NAMESPACE: (0.13, 0.35),
    Distance.ELSEWHERE: (0.0, 0.12),
}
BY_STRENGTH = 0.9
"""How much of the place of such a finding its strength decides; the rest is what counts for all others."""
SURE = 0.5
"""Strength below which a suspicion stays inconclusive."""
_WEIGHTS: Mapping[str, float] = {
    "coverage": 0.26,
    "direct": 0.20,
    "own": 0.14,
    "severity": 0.10,
    "topic": 0.08,
    "onset": 0.06,
    "depth": 0.06,
    "change": 0.05,
    "fresh": 0.05,
}
_SEVERITIES = {Severity.CRITICAL: 1.0, Severity.WARNING: 0.55, Severity.INFO: 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """The roots in order, and the relation they come from."""

    hypotheses: tuple[Hypothesis, ...]
    explained: Explained
    near: Near


def rank(
    case: Case,
    findings: Sequence[Finding],
    edges: Iterable[Edge],
    *,
    titles: Mapping[CauseId, str],
    remedies: Mapping[CauseId, str],
    partial: frozenset[str] = frozenset(),
) -> Ranked:
    """Hypotheses, best first.

    Args:
        case: what is asked about.
        findings: everything that was seen; context is left out of the order.
        edges: the topology.
        titles: of the catalogue of causes.
        remedies: the catalogue's general advice, for findings that have none of their own.
        partial: the areas (`kubernetes`, `logs`, …) that were captured incompletely.
    """
    known = tuple(edges)
    present = [each for each in findings if each.severity is not Severity.INFO]
    if not case.alerts and all(each.cause == RECENT_CHANGE or each.role is Role.CONTEXT for each in present):
        # A change needs a symptom on it: beside nothing else, and with no alert that saw one, it is a coincidence.
        present = []
    if not present and case.is_reported:
        # Somebody says that it is not well, and nothing shows clearly: then the faintest suspicion is worth a look.
        present = [each for each in findings if each.is_hint]
    explained = explain(present, known)
    near = Near.of(case, Topology(known, (each.entity for each in findings)))
    scorer = _Scorer(case, explained, near, findings, knows_calls=any(each.relation == "calls" for each in known))
    refuting = [each for each in findings if each.cause in REFUTED_BY]
    made: list[tuple[float, Finding, Hypothesis]] = []
    for key in (*explained.roots(), *explained.origins()):
        finding = explained.findings[key]
        score = scorer.score(finding)
        contradicted = _contradictions(finding, refuting)
        confidence = _confidence(finding, scorer, contradicted=bool(contradicted), partial=partial)
        made.append(
            (
                score * (0.5 if contradicted else 1.0),
                finding,
                Hypothesis(
                    cause=finding.cause,
                    entity=finding.entity,
                    title=_title(finding, titles),
                    confidence=confidence,
                    score=round(score * (0.5 if contradicted else 1.0), 4),
                    evidence=tuple(each.id for each in finding.evidence),
                    contradicted_by=contradicted,
                    explains=tuple(sorted(explained.reached(key), key=scorer.importance, reverse=True)),
                    remediations=_remediations(finding, remedies, confidence),
                ),
            )
        )
    made.sort(key=lambda each: (-each[0], each[1].first_seen or Instant.MAX, each[1].id))
    return Ranked(hypotheses=_capped([each for _, _, each in made]), explained=explained, near=near)


class _Scorer:
    def __init__(
        self, case: Case, explained: Explained, near: Near, findings: Sequence[Finding], *, knows_calls: bool
    ) -> None:
        self._case = case
        self._knows_calls = knows_calls
        self._explained = explained
        self._near = near
        self._distances = {key: near.distance(each.entity) for key, each in explained.findings.items()}
        self._symptoms = {key: self.importance(key) for key, each in explained.findings.items() if _is_symptom(each)}
        said = " ".join((case.question, *(f"{each.name} {each.summary}" for each in case.alerts))).lower()
        self._topics = {name for name, words in TOPICS.items() if any(each in said for each in words)}
        self._changes = [each for each in findings if each.cause == RECENT_CHANGE and each.first_seen]
        times = [each.first_seen for each in explained.findings.values() if each.first_seen]
        self._earliest = min((each for each in times if each >= case.scope.window.start), default=None)

    def importance(self, key: FindingId) -> float:
        """What explaining this is worth: the alert's own symptom first."""
        finding = self._explained.findings[key]
        own = same_thing(finding.entity) in self._near.entities
        distance = {Distance.JOINED: 1.0, Distance.NAMESPACE: 0.4, Distance.ELSEWHERE: 0.1}[self._distances[key]]
        return distance * (3.0 if own else 1.0)

    def distance(self, finding: Finding) -> Distance:
        nearest = min(self._distances[key] for key in (finding.id, *self._explained.reached(finding.id)))
        if nearest is Distance.NAMESPACE and finding.strength is not None and not self._knows_calls:
            # Where nobody recorded who calls whom, whatever is measured beside it may be what it calls.
            return Distance.JOINED
        return nearest

    def score(self, finding: Finding) -> float:
        strength = self._strength(finding)
        if strength is not None:
            low, high = _SUGGESTED[self.distance(finding)]
            return low + (high - low) * (BY_STRENGTH * strength + (1 - BY_STRENGTH) * self._merit(finding))
        low, high = _BANDS[self.distance(finding), finding.role is Role.CAUSE]
        return low + (high - low) * self._merit(finding)

    def _strength(self, finding: Finding) -> float | None:
        """Its own, or that of what it explains within the same workload: a mechanism is as strong as what it does."""
        if finding.strength is None:
            return None
        topics = self._topics & set(SPEAKS_OF.values())
        if topics and SPEAKS_OF.get(finding.cause, next(iter(topics))) not in topics:
            return OFF_TOPIC * finding.strength
        known, near = self._explained.findings, self._near.topology
        inside = (known[key] for key in self._explained.reached(finding.id))
        return max(
            finding.strength,
            *(each.strength or 0.0 for each in inside if near.are_one(each.entity, finding.entity)),
            0.0,
        )

    def _merit(self, finding: Finding) -> float:
        parts = {
            "coverage": self.coverage(finding),
            "direct": 1.0 if finding.direct else 0.0,
            "own": self._own(finding),
            "severity": _SEVERITIES[finding.severity],
            "topic": 1.0 if self._is_on_topic(finding) else 0.0,
            "onset": self._onset(finding),
            "depth": min(1.0, max(self._explained.reached(finding.id).values(), default=0) / 4),
            "change": 1.0 if self._is_changed(finding) else 0.0,
            "fresh": self._freshness(finding),
        }
        return sum(_WEIGHTS[name] * value for name, value in parts.items())

    def coverage(self, finding: Finding) -> float:
        """Share of the symptoms that this explains, itself included where it is one."""
        total = sum(self._symptoms.values())
        if not total:
            return 1.0 if self.distance(finding) is Distance.JOINED else 0.0
        reached = {finding.id, *self._explained.reached(finding.id)}
        return sum(weight for key, weight in self._symptoms.items() if key in reached) / total

    def _own(self, finding: Finding) -> float:
        """Scope fit: an alert about one thing is most often about that very thing, unless its callee fails."""
        if self._near.is_part(finding.entity):
            return 1.0
        return 0.5 if self.distance(finding) is Distance.JOINED else 0.0

    def _is_on_topic(self, finding: Finding) -> bool:
        """Whether it is, or explains, the kind of trouble that the case speaks of."""
        known = self._explained.findings
        causes = {finding.cause, *(known[key].cause for key in self._explained.reached(finding.id))}
        return not self._topics or not self._topics.isdisjoint(causes)

    def _onset(self, finding: Finding) -> float:
        if finding.first_seen is None or self._earliest is None:
            return 0.5
        later = (finding.first_seen - self._earliest).total("seconds")
        return 1.0 if later <= SLACK.total("seconds") else max(0.0, 1.0 - later / self._case.scope.window.seconds)

    def _freshness(self, finding: Finding) -> float:
        if finding.first_seen is None:
            return 0.5
        return 0.0 if finding.first_seen < self._case.scope.window.start - STALE_AFTER else 1.0

    def _is_changed(self, finding: Finding) -> bool:
        for change in self._changes:
            if change.id == finding.id or not change.first_seen:
                continue
            near = self._near.topology.joins(change.entity, finding.entity)
            began = finding.first_seen or self._case.scope.window.end
            if near and change.first_seen - SLACK <= began <= change.first_seen + CHANGE_NEAR:
                return True
        return False

    @property
    def has_symptoms(self) -> bool:
        return bool(self._symptoms)


def _is_symptom(finding: Finding) -> bool:
    return finding.role is Role.SYMPTOM


def _confidence(finding: Finding, scorer: _Scorer, *, contradicted: bool, partial: frozenset[str]) -> Confidence:
    if finding.role is not Role.CAUSE:
        return Confidence.INCONCLUSIVE
    unproven = any(fits(finding.cause, each) for area in partial for each in ABSENCES.get(area, ()))
    joined = scorer.distance(finding) is Distance.JOINED
    if finding.direct and joined and not unproven and not contradicted:
        return Confidence.CONFIRMED
    bears = scorer.has_symptoms and scorer.coverage(finding) > 0
    is_weak = finding.strength is not None and finding.strength < SURE
    if contradicted or is_weak or not (finding.direct or bears):
        return Confidence.INCONCLUSIVE
    return Confidence.LIKELY


def _contradictions(finding: Finding, refuting: Sequence[Finding]) -> tuple[EvidenceId, ...]:
    """Evidence that the thing works after all, taken no earlier than the trouble was last seen."""
    against: dict[EvidenceId, None] = {}
    for other in refuting:
        patterns = REFUTED_BY[other.cause]
        if (
            same_thing(other.entity) == same_thing(finding.entity)
            and any(fits(finding.cause, each) for each in patterns)
            and _is_later(other, finding)
        ):
            against.update((each.id, None) for each in other.evidence)
    return tuple(against)


def _is_later(other: Finding, finding: Finding) -> bool:
    seen = finding.last_seen or finding.first_seen
    return other.last_seen is None or seen is None or other.last_seen + SLACK >= seen


def _title(finding: Finding, titles: Mapping[CauseId, str]) -> str:
    title = finding.title or titles.get(finding.cause) or finding.cause.replace("-", " ").capitalize()
    if finding.role is Role.CAUSE:
        return title
    return f"{title}: symptom confirmed, cause not known"


def _remediations(finding: Finding, remedies: Mapping[CauseId, str], confidence: Confidence) -> tuple[Remediation, ...]:
    """The advice, with the action that addresses the cause; what is only a guess gets advice alone."""
    advice = finding.remedy or remedies.get(finding.cause, "")
    actions = finding.actions if confidence is not Confidence.INCONCLUSIVE else ()
    first = actions[0] if actions else None
    found = (Remediation(summary=advice, action=first),) if advice else ()
    return (*found, *(Remediation(summary=each.sentence, action=each) for each in actions[len(found) :]))


def _capped(hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """At most `MOST_CONFIRMED` roots stay confirmed: beyond that nobody can say which of them is the one."""
    confirmed = 0
    kept: list[Hypothesis] = []
    for each in hypotheses[:MOST_HYPOTHESES]:
        confirmed += each.confidence is Confidence.CONFIRMED
        too_many = each.confidence is Confidence.CONFIRMED and confirmed > MOST_CONFIRMED
        kept.append(replace(each, confidence=Confidence.LIKELY) if too_many else each)
    return tuple(kept)
