"""Reports become one answer, verdict first, each claim with its evidence."""

from collections.abc import Sequence

from agents.alert import Alert
from agents.conclusion import conclude, explained
from agents.diagnosis import Confidence, Diagnosis, Mode
from agents.finding import CauseId, Severity
from agents.health import Verdict
from agents.report import Citation, Claim, Moment, Report, Usage
from tests.conclusion.builders import (
    NOBODY,
    NOW,
    ago,
    alert,
    case,
    context,
    edges,
    finding,
    found,
    gap,
    report,
    symptom,
)
from tools.entity import Entity
from tools.evidence import Outcome

CART = "deployment/shop/cart"
LINKS = edges(("service/shop/cart", "service/shop/web", "calls"))


def concluded(*reports: Report, entity: str = CART, alerts: Sequence[Alert] = ()) -> Diagnosis:
    return conclude(case(entity, namespaces=["shop"], alerts=alerts), NOBODY, reports, now=NOW)


def test_the_summary_says_what_since_when_why_and_what_changed() -> None:
    change = finding("recent-change", CART, direct=False, severity=Severity.WARNING, minutes=31)
    answer = concluded(
        report(finding("oom-killed", CART), symptom("error-ratio-high", "service/shop/web"), change, links=LINKS),
        entity="service/shop/web",
    )
    assert answer.verdict is Verdict.FAILING
    assert answer.summary.startswith("Failing: oom-killed at deployment/shop/cart.")
    assert "Since 2026-01-01 11:29 UTC (31 min ago)" in answer.summary or "11:30 UTC (30 min ago)" in answer.summary
    assert "Cause (confirmed)" in answer.summary
    assert "error-ratio-high at service/shop/web" in answer.summary
    assert "What changed: recent-change at" in answer.summary


def test_the_same_finding_of_two_specialists_is_one_with_the_evidence_of_both() -> None:
    mild = finding("oom-killed", CART, severity=Severity.WARNING, minutes=40)
    worse = finding("oom-killed", CART, minutes=10)
    object.__setattr__(worse, "evidence", (found("another look"),))
    answer = concluded(report(mild), report(worse))
    (merged,) = answer.findings
    assert merged.severity is Severity.CRITICAL
    assert merged.first_seen == ago(40)
    assert len(merged.evidence) == 2


def test_everything_cited_is_there_once_and_listings_are_left_out() -> None:
    listing = found("kubectl get pods -A")
    answer = concluded(report(finding("oom-killed", CART), evidence=[listing, gap("metrics.signals", Outcome.ERROR)]))
    ids = [each.id for each in answer.evidence]
    cited = {each for one in answer.hypotheses for each in one.evidence} | {each.evidence for each in answer.timeline}
    assert cited <= set(ids)
    assert len(ids) == len(set(ids))
    assert listing.id not in ids
    assert [each.tool for each in answer.gaps] == ["metrics.signals"]


def test_a_source_that_did_not_answer_and_a_failed_specialist_are_said() -> None:
    silent = gap("metrics.signals", Outcome.ERROR)
    answer = concluded(report(evidence=[silent, found("pods")]), report(failure="it ran out of time"))
    assert "metrics.signals did not answer" in answer.summary
    assert any("could not finish: it ran out of time" in note for note in answer.notes)
    assert [each.why for each in answer.gaps] == ["nobody answers for metrics.signals"]


def test_a_check_that_could_not_finish_leaves_nothing_healthy() -> None:
    fine = report(context("thing-found", CART), evidence=[found("pods")])
    broken = Report(specialist="network", failed_checks=("the check 'tls-expired' itself failed",))
    assert concluded(fine).verdict is Verdict.HEALTHY
    answer = concluded(fine, broken)
    assert answer.verdict is Verdict.UNKNOWN
    assert "the check 'tls-expired' itself failed" in answer.notes


def test_a_kind_that_was_not_captured_is_no_gap_while_others_were() -> None:
    answer = concluded(report(context("thing-found", CART), evidence=[found("pods"), gap("kubernetes.objects")]))
    assert not answer.gaps


def test_trouble_elsewhere_is_a_note_and_not_the_answer() -> None:
    other = finding("disk-full", "node//n9")
    answer = concluded(report(context("thing-found", CART), other, evidence=[found("pods")]), alerts=[alert()])
    assert answer.verdict is Verdict.HEALTHY
    assert any("Elsewhere" in note and "disk-full at node//n9" in note for note in answer.notes)


def test_a_resolved_alert_says_when() -> None:
    answer = concluded(report(context("thing-found", CART), evidence=[found("pods")]), alerts=[alert(resolved=12)])
    assert answer.verdict is Verdict.RECOVERED
    assert "resolved at 2026-01-01 11:48 UTC (12 min ago)" in answer.summary


def test_no_report_at_all_is_unknown() -> None:
    answer = concluded()
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.summary.startswith("Unknown")


def test_the_timeline_is_in_order_without_repeats_and_only_of_what_is_cited() -> None:
    look = found("events")
    cart = Entity.parse(CART)
    told = [
        Moment(at=ago(5), entity=cart, what="BackOff: 5 times", evidence=look.id),
        Moment(at=ago(20), entity=cart, what="BackOff: 2 times", evidence=look.id),
        Moment(at=ago(15), entity=cart, what="nobody knows why", evidence=found("lost").id),
    ]
    brought = Report(specialist="x", findings=(finding("oom-killed", CART),), evidence=(look,), moments=tuple(told))
    timeline = concluded(brought).timeline
    assert [each.at for each in timeline] == sorted(each.at for each in timeline)
    assert [each.what for each in timeline] == ["oom-killed at deployment/shop/cart.", "BackOff: 2 times"]


def test_specialists_run_side_by_side_so_seconds_do_not_add_up() -> None:
    usage = Usage(seconds=2.0, tool_calls=3, usd=0.5)
    both = concluded(Report(specialist="a", usage=usage), Report(specialist="b", usage=usage)).usage
    assert (both.seconds, both.tool_calls, both.usd) == (2.0, 6, 1.0)


def claim(cause: str | None, entity: str, *ids: str) -> Claim:
    citations = tuple(Citation(evidence=each, quote="x") for each in ids)  # pyright: ignore[reportArgumentType]
    return Claim(
        text="The model says so.",
        citations=citations,
        cause=CauseId(cause) if cause else None,
        entity=Entity.parse(entity),
    )


def test_the_model_adds_words_and_at_most_an_inconclusive_guess_at_the_end() -> None:
    answer = concluded(report(finding("oom-killed", CART)))
    guess = claim("disk-full", CART, answer.evidence[0].id)
    after = explained(answer, [guess], [guess], Usage(model_calls=1))
    assert after.mode is Mode.MODEL
    assert after.summary == f"{answer.summary} {guess.text}"
    assert after.verdict is answer.verdict
    assert after.hypotheses[: len(answer.hypotheses)] == answer.hypotheses
    assert after.hypotheses[-1].confidence is Confidence.INCONCLUSIVE
    assert after.hypotheses[-1].score <= answer.hypotheses[-1].score
    assert after.usage.model_calls == 1


def test_a_claim_without_known_evidence_is_dropped() -> None:
    answer = concluded(report(finding("oom-killed", CART)))
    invented = claim("disk-full", CART, "ev_invented")
    after = explained(answer, [invented, claim("disk-full", CART)], [invented], Usage())
    assert after.claims == ()
    assert after.hypotheses == answer.hypotheses
    assert after.summary == answer.summary


def test_a_claim_about_a_known_root_does_not_double_it() -> None:
    answer = concluded(report(finding("oom-killed", CART)))
    after = explained(answer, [claim("oom-killed", CART, answer.evidence[0].id)], (), Usage())
    assert after.hypotheses == answer.hypotheses
    assert len(after.claims) == 1
