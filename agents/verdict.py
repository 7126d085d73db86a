"""The answer to the question, decided by rules over what was seen. Pure.

Unknown is never healthy: good news needs a look that could have shown trouble. While work gets done nothing is failing.
"""

import re
from collections.abc import Mapping, Sequence

from whenever import TimeDelta

from agents.alert import Alert, AlertStatus
from agents.case import Case
from agents.effects import fits
from agents.explaining import same_thing
from agents.finding import Finding, Role, Severity
from agents.health import Verdict
from agents.nearness import Distance, Near
from tools.entity import Entity
from tools.evidence import Evidence, Outcome

BY_DESIGN = re.compile(r"(?i)^(watchdog|dead.?man'?s?.?(switch|snitch)|heartbeat|infoinhibitor|always.?firing)$")
"""Alerts that fire all the time on purpose: they test the pipeline, or carry information for other rules."""
SETTLING = TimeDelta(minutes=5)
"""How long after the last warning nothing can be said to be over."""
INTENDED = ("*-suspended", "alert-by-design", "scaled-to-zero", "rollout-paused")
"""Context that says somebody wanted it so."""
RECENT_CHANGE = "recent-change"
RUNNING = frozenset({"pod", "replicaset", "deployment", "statefulset", "daemonset"})
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "requests": ("metrics.signals", "traces.", "logs.lines", "kubernetes.logs", "network.probes"),
    "mongodb": ("mongodb.", "metrics.signals"),
    "postgres": ("postgres.", "metrics.signals"),
    "redis": ("redis.", "metrics.signals"),
    "host": ("metrics.signals", "host.usage", "kubernetes.objects"),
    "network": ("network.", "metrics.signals", "kubernetes.objects"),
    "other": ("kubernetes.objects", "metrics.signals", "mongodb.", "postgres.", "redis.", "logs.lines"),
}
"""Tools that could show trouble with a subject."""
_SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "mongodb": ("mongo",),
    "postgres": ("postgres",),
    "redis": ("redis", "valkey"),
    "network": ("tls", "certificate", "dns", "ssl"),
    "requests": ("latency", "error", "5xx", "slow", "traffic", "throughput", "slo", "burn", "timeout", "response"),
    "host": ("disk", "cpu", "memory", "filesystem", "inode", "load"),
}
_DECISIVE = ("kubernetes.objects", "metrics.signals", "mongodb.status", "postgres.status", "redis.status")


def is_by_design(alert: Alert) -> bool:
    """Whether the alert fires on purpose and means nothing is wrong."""
    return bool(BY_DESIGN.match(alert.name.strip()))


def decide(case: Case, findings: Sequence[Finding], near: Near, evidence: Sequence[Evidence]) -> Verdict:
    """The verdict on the case.

    Args:
        case: what is asked about.
        findings: everything that was seen, context included.
        near: how far each thing is from what the case is about.
        evidence: every look, gaps included; only how they ended counts here.
    """
    if case.alerts and all(is_by_design(each) for each in case.alerts):
        return Verdict.EXPECTED
    facts = _Facts(findings, near)
    troubles = facts.troubles()
    # A change is a candidate for what is wrong, and nothing wrong by itself: the one that cured it is a change as well.
    if (_is_over(case) or not case.alerts) and all(each.cause == RECENT_CHANGE for each in troubles):
        troubles = []
    if troubles:
        critical = [each for each in troubles if each.severity is Severity.CRITICAL]
        is_failing = critical and not all(facts.works(each.entity) for each in critical)
        return Verdict.FAILING if is_failing else Verdict.DEGRADED
    if any(each.role is Role.CONTEXT and _is_intended(each) for each in facts.joined):
        return Verdict.EXPECTED
    return _quiet(case, facts, evidence)


def _quiet(case: Case, facts: "_Facts", evidence: Sequence[Evidence]) -> Verdict:
    """Nothing is wrong as far as anyone saw; but who looked?"""
    if facts.has("thing-gone") and not facts.has("thing-found"):
        return Verdict.STALE
    if _is_over(case):
        return Verdict.RECOVERED if any(not each.is_gap for each in evidence) else Verdict.UNKNOWN
    if not covers(case, evidence) or (case.scope.entities and not facts.has("thing-found")):
        return Verdict.UNKNOWN
    if any(each.last_seen and case.asked_at - each.last_seen < SETTLING for each in facts.named("trouble-before")):
        # It still came in a moment ago: too early to call it over, and nobody can say what it is.
        return Verdict.UNKNOWN
    if case.is_reported and (any(each.is_hint for each in facts.joined) or not _is_excluded(case, facts)):
        # It is said to be ill, and what was measured neither shows nor excludes that.
        return Verdict.UNKNOWN
    is_over = any(_was_trouble(each) for each in facts.joined)
    return Verdict.RECOVERED if is_over or (case.alerts and facts.has("trouble-before")) else Verdict.HEALTHY


def _is_excluded(case: Case, facts: "_Facts") -> bool:
    """Whether it was seen that what an alert says of requests is not so: where it fires, its own source saw it."""
    if not case.alerts or _subject(case) != "requests":
        return True
    return facts.has("answers-as-usual") or facts.has("work-gets-done")


def _is_over(case: Case) -> bool:
    return bool(case.alerts) and all(each.status is AlertStatus.RESOLVED for each in case.alerts)


def covers(case: Case, evidence: Sequence[Evidence]) -> bool:
    """Whether a source that could show the trouble that the case speaks of was really read."""
    looks = [each for each in evidence if each.tool.startswith(_SOURCES[_subject(case)])]
    # A source that exists and did not answer might have said the opposite.
    silent = any(each.outcome is Outcome.ERROR and each.tool in _DECISIVE for each in looks)
    return not silent and any(each.outcome is Outcome.FOUND for each in looks)


def _subject(case: Case) -> str:
    """What the case speaks of, by its words."""
    texts = (case.question, *(f"{each.name} {each.summary}" for each in case.alerts))
    said = " ".join(texts).lower()
    return next((name for name, words in _SUBJECTS.items() if any(each in said for each in words)), "other")


class _Facts:
    """What was seen, by nearness to the case."""

    def __init__(self, findings: Sequence[Finding], near: Near) -> None:
        self._near = near
        self._findings = findings
        self.joined = [each for each in findings if near.distance(each.entity) is Distance.JOINED]

    def named(self, cause: str) -> list[Finding]:
        return [each for each in self.joined if each.cause == cause]

    def has(self, cause: str) -> bool:
        return bool(self.named(cause))

    def troubles(self) -> list[Finding]:
        """What is wrong now and matters to the case."""
        joined = [each for each in self.joined if _is_trouble(each)]
        if joined or self.has("thing-found"):
            return joined
        # What the case names was not found: then the worst of its namespace is the best answer there is.
        near = [each for each in self._findings if self._near.distance(each.entity) is Distance.NAMESPACE]
        return [each for each in near if _is_trouble(each) and each.severity is Severity.CRITICAL]

    def works(self, entity: Entity) -> bool:
        """Whether forward progress is known of the thing, or of where its trouble shows."""
        places = set(self._near.topology.shows_at(entity)) | {self._near.topology.topmost(entity)}
        working = [each.entity for each in self._findings if each.cause == "work-gets-done"]
        if entity.kind not in RUNNING:
            # Replicas that are ready are of no use to a Service, or whatever else in front, that does not reach them.
            working = [each for each in working if each.kind not in RUNNING]
        return any(same_thing(each) in places for each in working)


def _is_trouble(finding: Finding) -> bool:
    return finding.role is not Role.CONTEXT and finding.severity is not Severity.INFO


def _was_trouble(finding: Finding) -> bool:
    return finding.role is not Role.CONTEXT and finding.severity is Severity.INFO and not finding.is_hint


def _is_intended(finding: Finding) -> bool:
    return any(fits(finding.cause, each) for each in INTENDED)
