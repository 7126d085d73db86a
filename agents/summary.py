"""The answer in a few sentences, verdict first, written by rules. Pure."""

from collections.abc import Sequence

from whenever import Instant

from agents.alert import AlertStatus
from agents.case import Case
from agents.diagnosis import Confidence, Hypothesis
from agents.finding import Finding, Role
from agents.health import Verdict
from agents.nearness import Distance, Near
from agents.ranking import RECENT_CHANGE, Ranked
from tools.evidence import Evidence, Outcome

MAIN_SOURCES = {"kubernetes.objects": "Kubernetes", "metrics.signals": "metrics", "logs.lines": "logs"}
"""Sources whose absence every reader should know of; the others are extras."""
_OPENINGS = {
    Verdict.FAILING: "Failing",
    Verdict.DEGRADED: "Degraded",
    Verdict.RECOVERED: "Recovered",
    Verdict.STALE: "Stale",
    Verdict.EXPECTED: "Expected",
    Verdict.HEALTHY: "Healthy",
    Verdict.UNKNOWN: "Unknown",
}


def summarised(
    case: Case, verdict: Verdict, ranked: Ranked, findings: Sequence[Finding], gaps: Sequence[Evidence], *, now: Instant
) -> str:
    """What is so, since when, why, what changed, and what could not be checked."""
    if verdict in (Verdict.FAILING, Verdict.DEGRADED):
        sentences = _trouble(verdict, ranked, findings, now)
    else:
        sentences = [_quiet(case, verdict, findings, ranked.near)]
    if changed := _change(findings, ranked.near):
        sentences.append(changed)
    if gaps:
        sentences.append(_unchecked(gaps))
    return " ".join(each for each in sentences if each)


def _trouble(verdict: Verdict, ranked: Ranked, findings: Sequence[Finding], now: Instant) -> list[str]:
    if not ranked.hypotheses:
        return [f"{_OPENINGS[verdict]}."]
    top = ranked.hypotheses[0]
    finding = next(each for each in findings if (each.cause, each.entity) == (top.cause, top.entity))
    opening = f"{_OPENINGS[verdict]}: {_sentence(finding.summary)}"
    return [opening, _since(finding, ranked, now), _why(top, ranked), _others(ranked)]


def _since(finding: Finding, ranked: Ranked, now: Instant) -> str:
    known = ranked.explained
    effects = (known.findings[key].first_seen for key in known.reached(finding.id))
    began = min((each for each in (finding.first_seen, *effects) if each), default=None)
    return f"Since {_clock(began, now)}." if began else ""


def _why(top: Hypothesis, ranked: Ranked) -> str:
    if top.title.endswith("cause not known"):
        return "The symptom is confirmed, its cause is not known."
    effects = [ranked.explained.findings[each] for each in top.explains]
    shown = list(dict.fromkeys(f"{each.cause} at {each.entity}" for each in effects))[:3]
    explains = f"; it explains {', '.join(shown)}" if shown else ""
    more = len(effects) - len(shown)
    rest = f" and {more} more" if shown and more > 0 else ""
    return f"{_blamed(top)}{explains}{rest}."


def _blamed(hypothesis: Hypothesis) -> str:
    return f"Cause ({hypothesis.confidence}): {hypothesis.title}, {hypothesis.entity}"


def doubted(summary: str, before: Sequence[Hypothesis], after: Sequence[Hypothesis]) -> str:
    """The summary, saying what the model refutes, and why: a confidence that fell is not left standing in it."""
    were = {(each.cause, each.entity): each for each in before}
    for each in after:
        if each.doubts:
            summary = summary.replace(_blamed(were[each.cause, each.entity]), _blamed(each))
            said = " ".join(map(_sentence, each.doubts))
            summary += (
                f" The model speaks against it, and so it is {each.confidence}: {each.title}, {each.entity}. {said}"
            )
    return summary


def _others(ranked: Ranked) -> str:
    others = [each for each in ranked.hypotheses[1:] if each.confidence is Confidence.CONFIRMED]
    if not others:
        return ""
    return "Independent of it, also confirmed: " + "; ".join(f"{each.title}, {each.entity}" for each in others) + "."


def _quiet(case: Case, verdict: Verdict, findings: Sequence[Finding], near: Near) -> str:
    about = str(case.scope.entities[0]) if case.scope.entities else ", ".join(sorted(case.scope.namespaces))
    about = about or "what was looked at"
    match verdict:
        case Verdict.RECOVERED:
            return _recovered(case, findings, near, about)
        case Verdict.STALE:
            return f"Stale: {about} is not there any more, or never was under that name."
        case Verdict.EXPECTED:
            wanted = next((each.summary for each in findings if each.cause == "alert-by-design"), "")
            return f"Expected: {_sentence(wanted or f'{about} is as somebody wanted it')}"
        case Verdict.HEALTHY:
            return f"Healthy: {about} was looked at and nothing is wrong with it."
        case _:
            return f"Unknown: nothing wrong was seen at {about}, but what could have shown it was not seen either."


def _recovered(case: Case, findings: Sequence[Finding], near: Near, about: str) -> str:
    ended = [each.ends_at for each in case.alerts if each.ends_at]
    is_resolved = case.alerts and all(each.status is AlertStatus.RESOLVED for each in case.alerts)
    joined = [each for each in findings if _is_trouble(each) and near.distance(each.entity) is Distance.JOINED]
    if is_resolved and ended:
        when = f"the alert resolved at {_clock(max(ended), case.asked_at)}"
    elif joined:
        last = max(joined, key=lambda each: each.last_seen or Instant.MIN)
        when = f"last trouble at {_clock(last.last_seen or case.asked_at, case.asked_at)} ({last.summary.rstrip('.')})"
    else:
        when = "the symptom is gone"
    seen = [
        each for each in findings if each.role is not Role.CONTEXT and near.distance(each.entity) is Distance.JOINED
    ]
    calm = "" if seen else "Everything that was read of it is normal and shows no failure. "
    return f"Recovered: {about} is well now; {when}. {calm}What had caused it is not known."


def _is_trouble(finding: Finding) -> bool:
    return finding.role is not Role.CONTEXT and finding.last_seen is not None


def _change(findings: Sequence[Finding], near: Near) -> str:
    changes = [each for each in findings if each.cause == RECENT_CHANGE]
    changes = [each for each in changes if near.distance(each.entity) is not Distance.ELSEWHERE]
    if not changes:
        return ""
    newest = max(changes, key=lambda each: each.first_seen or Instant.MIN)
    return f"What changed: {_sentence(newest.summary)}"


def _unchecked(gaps: Sequence[Evidence]) -> str:
    """Names the sources; the notes have the reasons."""
    failed = sorted({each.tool for each in gaps if each.outcome is Outcome.ERROR})
    absent = [
        name for tool, name in MAIN_SOURCES.items() if any(each.tool == tool for each in gaps) and tool not in failed
    ]
    parts = [
        f"{', '.join(failed)} did not answer" if failed else "",
        f"no {' and no '.join(absent)} here" if absent else "",
    ]
    said = "; ".join(each for each in parts if each)
    return f"Could not be checked: {said}." if said else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _clock(at: Instant, now: Instant) -> str:
    """The time, and how long ago it was."""
    minutes = round((now - at).total("minutes"))
    ago = f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
    return f"{at.format_iso()[:16].replace('T', ' ')} UTC ({ago} ago)"
