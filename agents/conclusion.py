"""Puts the specialists' reports together into one answer: verdict, ranked causes, story, what nobody saw. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from whenever import Instant

from agents.case import Case
from agents.causes import catalogue
from agents.diagnosis import Diagnosis, Hypothesis, Mode
from agents.finding import Finding, FindingId, Role, Severity
from agents.health import Verdict
from agents.lifting import lifted
from agents.model.weighing import weighed
from agents.nearness import Distance, Near
from agents.placing import placed
from agents.ranking import RECENT_CHANGE, Ranked, rank
from agents.report import Claim, Quality, Report, Stance, Usage
from agents.routing import Routing
from agents.summary import doubted, summarised
from agents.timeline import story
from agents.verdict import decide
from tools.evidence import Evidence, EvidenceId, Outcome

MOST_GAPS = 12
"""Gaps kept with an answer; their reasons repeat."""
MOST_CONTEXT = 10
PARTIAL = "partial"
"""How the gap is called that says an area was captured incompletely: `partial <area>`."""

K = TypeVar("K")
V = TypeVar("V")


def conclude(case: Case, routing: Routing, reports: Sequence[Report], *, now: Instant) -> Diagnosis:
    """The answer by rules alone.

    Args:
        case: what was asked.
        routing: who led and why.
        reports: of every specialist, failed ones included.
        now: the moment that the answer speaks about.
    """
    known = catalogue()
    edges = frozenset(edge for report in reports for edge in report.edges)
    findings = lifted(_merged(each for report in reports for each in report.findings), edges)
    looks = _unique((each for report in reports for each in report.evidence), lambda each: each.id)
    ends = (end for edge in edges for end in (edge.upstream, edge.downstream))
    case = placed(case, (*ends, *(each.entity for each in findings)))
    ranked = rank(
        case,
        findings,
        edges,
        titles={key: each.title for key, each in known.items()},
        remedies={key: each.remediation for key, each in known.items()},
        partial=frozenset(each.tool for each in looks if each.query.startswith(PARTIAL)),
    )
    verdict = decide(case, findings, ranked.near, looks)
    if verdict is Verdict.HEALTHY and any(each.failure or each.failed_checks for each in reports):
        # Whoever could not finish might have seen what is wrong.
        verdict = Verdict.UNKNOWN
    told = _told(findings, ranked)
    evidence = {each.id: each for each in looks} | {each.id: each for found in findings for each in found.evidence}
    moments = [each for report in reports for each in report.moments]
    timeline = story(case, moments, told, ranked.near, evidence)
    cited = _cited(ranked.hypotheses, told, (each.evidence for each in timeline), evidence)
    gaps = _worth_telling(looks)
    notes = (*_failures(reports), *_said(reports), *_elsewhere(findings, ranked.near))
    return Diagnosis(
        session_id=case.session_id,
        question=case.question,
        verdict=verdict,
        mode=Mode.RULES,
        routing=routing,
        hypotheses=ranked.hypotheses,
        findings=told,
        evidence=(*cited, *_telling(gaps)),
        timeline=timeline,
        summary=summarised(case, verdict, ranked, findings, gaps, now=now),
        notes=notes,
        usage=_usage(reports),
    )


def explained(diagnosis: Diagnosis, claims: Sequence[Claim], words: Sequence[Claim], usage: Usage) -> Diagnosis:
    """The same answer with the model's words. Its claims were checked by code; the verdict of the rules stands.

    Args:
        diagnosis: of the rules.
        claims: all that the model said and that holds.
        words: those of them that are said after the rules' summary.
        usage: what asking for them cost.
    """
    known = {each.id for each in diagnosis.evidence}
    borne_out = tuple(
        each for each in claims if each.citations and all(one.evidence in known for one in each.citations)
    )
    result = weighed(diagnosis, borne_out)
    # The rules' words stay whole, whatever the model finds worth repeating of them.
    said = (each.text for each in words if each in borne_out and each.stance is not Stance.AGAINST)
    summary = " ".join((diagnosis.summary, *said))
    counted = Usage(quality=Quality(refutations=result.refutations, tie_breaks=result.tie_breaks))
    return replace(
        diagnosis,
        mode=Mode.MODEL,
        hypotheses=result.hypotheses,
        summary=doubted(summary, diagnosis.hypotheses, result.hypotheses),
        claims=borne_out,
        usage=diagnosis.usage + usage + counted,
    )


def _merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding an id: all evidence of all who saw it, the worst severity, the longest stretch of time."""
    found: dict[FindingId, Finding] = {}
    for each in findings:
        known = found.get(each.id)
        found[each.id] = _both(known, each) if known else each
    return tuple(found.values())


def _both(left: Finding, right: Finding) -> Finding:
    better = min(left, right, key=lambda each: (_WORST[each.severity], not each.direct))
    return replace(
        better,
        evidence=_unique((*better.evidence, *left.evidence, *right.evidence), lambda each: each.id),
        direct=left.direct or right.direct,
        first_seen=min((each for each in (left.first_seen, right.first_seen) if each), default=None),
        last_seen=max((each for each in (left.last_seen, right.last_seen) if each), default=None),
        remedy=better.remedy or left.remedy or right.remedy,
        actions=better.actions or left.actions or right.actions,
    )


_WORST: Mapping[Severity, int] = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def _unique(values: Iterable[V], key: Callable[[V], K]) -> tuple[V, ...]:
    first: dict[K, V] = {}
    for each in values:
        first.setdefault(key(each), each)
    return tuple(first.values())


def _told(findings: Sequence[Finding], ranked: Ranked) -> tuple[Finding, ...]:
    """What the answer shows: everything that the causes explain, then the rest by severity; little advice."""
    named = {(each.cause, each.entity): place for place, each in enumerate(ranked.hypotheses)}
    ordered = sorted(
        findings,
        key=lambda each: (
            named.get((each.cause, each.entity), len(named)),
            each.role is Role.CONTEXT,
            ranked.near.distance(each.entity),
            _WORST[each.severity],
            each.id,
        ),
    )
    wrong = [each for each in ordered if each.role is not Role.CONTEXT]
    advice = [each for each in ordered if each.role is Role.CONTEXT]
    near = [each for each in advice if ranked.near.distance(each.entity) is Distance.JOINED]
    if wrong:
        # That a thing is there matters only to an answer that says it is well.
        near = [each for each in near if each.cause != "thing-found"]
    return (*wrong, *near[:MOST_CONTEXT])


def _cited(
    hypotheses: Iterable[Hypothesis],
    findings: Iterable[Finding],
    timeline: Iterable[EvidenceId],
    evidence: Mapping[EvidenceId, Evidence],
) -> tuple[Evidence, ...]:
    named = [
        *(each for hypothesis in hypotheses for each in (*hypothesis.evidence, *hypothesis.contradicted_by)),
        *(each.id for finding in findings for each in finding.evidence),
        *timeline,
    ]
    return tuple(evidence[each] for each in dict.fromkeys(named) if not evidence[each].is_gap)


def _worth_telling(looks: Sequence[Evidence]) -> list[Evidence]:
    """Gaps that hide something: whoever did not answer, and sources of which nothing at all was seen."""
    answered = {each.tool for each in looks if not each.is_gap}
    return [
        each
        for each in looks
        if each.outcome is Outcome.ERROR or (each.is_gap and (each.tool not in answered or " get all " in each.query))
    ]


def _telling(gaps: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """One gap for each reason: twenty logs that the same refusal hides are one thing to know."""
    return _unique(gaps, lambda each: (each.tool, each.why))[:MOST_GAPS]


def _failures(reports: Sequence[Report]) -> list[str]:
    failed = [f"The {each.specialist} specialist could not finish: {each.failure}" for each in reports if each.failure]
    failed += dict.fromkeys(why for each in reports for why in each.failed_checks)
    silent = [each.model_failure for each in reports if each.model_failure]
    return failed + [f"No model's word: {why}" for why in dict.fromkeys(silent)]


def _said(reports: Sequence[Report]) -> list[str]:
    return list(dict.fromkeys(note for each in reports for note in each.notes))


def _elsewhere(findings: Sequence[Finding], near: Near) -> list[str]:
    """Trouble that the case is not about is said, briefly, and never mixed in."""
    other = [
        each
        for each in findings
        if each.role is Role.CAUSE
        and each.cause != RECENT_CHANGE
        and each.severity is Severity.CRITICAL
        and near.distance(each.entity) is not Distance.JOINED
    ]
    if not other:
        return []
    more = f" and {len(other) - 3} more" if len(other) > 3 else ""
    return ["Elsewhere, and not joined to this: " + " ".join(each.summary for each in other[:3]) + more]


def _usage(reports: Sequence[Report]) -> Usage:
    """Specialists run side by side: the longest is how long it took, the rest adds up."""
    total = sum((each.usage for each in reports), Usage())
    return replace(total, seconds=max((each.usage.seconds for each in reports), default=0.0))
