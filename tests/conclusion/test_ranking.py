"""Who is first, and how sure anyone can be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.case import Case
from agents.diagnosis import Confidence
from agents.explaining import explain
from agents.finding import Finding, Role, Severity
from agents.ranking import MOST_CONFIRMED, Ranked, rank
from agents.report import Edge
from tests.conclusion.builders import case, context, edges, finding, symptom

CAUSES = (
    "oom-killed",
    "selector-mismatch",
    "cpu-throttled",
    "node-not-ready",
    "tls-expired",
    "quota-exceeded",
    "recent-change",
)
SYMPTOMS = ("crash-loop", "endpoints-empty", "error-ratio-high", "latency-high", "replicas-unavailable", "traffic-drop")
PLACES = ("pod/shop/cart-1", "deployment/shop/cart", "service/shop/web", "node//n1", "service/pay/api")
LINKS = edges(
    ("pod/shop/cart-1", "deployment/shop/cart", "owns"),
    ("service/shop/cart", "service/shop/web", "calls"),
    ("node//n1", "pod/shop/cart-1", "runs-on"),
)


def ranked(
    about: Case, *findings: Finding, links: frozenset[Edge] = LINKS, partial: frozenset[str] = frozenset()
) -> Ranked:
    return rank(about, findings, links, titles={}, remedies={}, partial=partial)


def causes(result: Ranked) -> list[str]:
    return [each.cause for each in result.hypotheses]


_findings = st.lists(
    st.one_of(
        st.builds(
            finding,
            st.sampled_from(CAUSES),
            st.sampled_from(PLACES),
            severity=st.sampled_from([Severity.CRITICAL, Severity.WARNING]),
            direct=st.booleans(),
            minutes=st.one_of(st.none(), st.floats(0, 90)),
        ),
        st.builds(symptom, st.sampled_from(SYMPTOMS), st.sampled_from(PLACES), minutes=st.floats(0, 90)),
    ),
    max_size=8,
    unique_by=lambda each: each.id,
)


@given(_findings)
@settings(max_examples=60, deadline=None)
def test_a_root_is_never_explained_by_another_root(findings: list[Finding]) -> None:
    explained = explain(findings, LINKS)
    roots = explained.roots()
    for root in roots:
        assert not set(roots) & set(explained.reached(root))
    assert bool(roots) == any(each.role is Role.CAUSE for each in findings)


@given(_findings)
@settings(max_examples=60, deadline=None)
def test_scores_fall_lie_in_range_and_at_most_three_are_confirmed(findings: list[Finding]) -> None:
    hypotheses = ranked(case("service/shop/web", namespaces=["shop"]), *findings).hypotheses
    scores = [each.score for each in hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= each <= 1 for each in scores)
    assert sum(each.confidence is Confidence.CONFIRMED for each in hypotheses) <= MOST_CONFIRMED


@given(_findings, st.sampled_from(PLACES))
@settings(max_examples=40, deadline=None)
def test_adding_an_unrelated_context_finding_never_changes_the_order(findings: list[Finding], place: str) -> None:
    about = case("service/shop/web")
    with_advice = ranked(about, *findings, context("image-drift", place))
    assert causes(with_advice) == causes(ranked(about, *findings))


@given(_findings)
@settings(max_examples=40, deadline=None)
def test_what_is_contradicted_is_never_confirmed(findings: list[Finding]) -> None:
    refuting = [context("probe-succeeds", place) for place in PLACES]
    for each in ranked(case(), *findings, *refuting).hypotheses:
        assert not (each.contradicted_by and each.confidence is Confidence.CONFIRMED)


def test_a_cause_that_explains_the_alerts_symptom_comes_before_one_that_explains_nothing() -> None:
    about = case("service/shop/web", namespaces=["shop"])
    result = ranked(
        about,
        finding("disk-full", "node//n2"),
        finding("oom-killed", "pod/shop/cart-1"),
        symptom("error-ratio-high", "service/shop/web"),
    )
    assert causes(result)[0] == "oom-killed"
    assert result.hypotheses[0].explains


def test_trouble_far_from_the_case_ranks_below_even_an_unexplained_symptom_of_it() -> None:
    far = finding("oom-killed", "pod/pay/api-1")
    own = symptom("latency-high", "service/shop/web")
    assert causes(ranked(case("service/shop/web", namespaces=["shop"]), far, own)) == ["latency-high", "oom-killed"]


def test_a_message_that_names_the_mechanism_comes_before_a_guess() -> None:
    about = case("deployment/shop/cart")
    guess = finding("memory-leak", "deployment/shop/cart", direct=False)
    sure = finding("secret-missing", "deployment/shop/cart")
    result = ranked(about, guess, sure)
    assert causes(result)[0] == "secret-missing"
    assert result.hypotheses[0].confidence is Confidence.CONFIRMED
    assert result.hypotheses[1].confidence is not Confidence.CONFIRMED


def test_a_symptom_alone_is_told_as_one_whose_cause_is_not_known() -> None:
    (only,) = ranked(case("service/shop/web"), symptom("latency-high", "service/shop/web")).hypotheses
    assert only.confidence is Confidence.INCONCLUSIVE
    assert "cause not known" in only.title


def test_what_is_absent_in_an_incomplete_capture_is_not_confirmed() -> None:
    missing = finding("configmap-missing", "deployment/shop/cart")
    whole, part = (
        ranked(case(), missing, partial=each).hypotheses[0] for each in (frozenset({"logs"}), frozenset({"kubernetes"}))
    )
    assert whole.confidence is Confidence.CONFIRMED
    assert part.confidence is Confidence.LIKELY


def test_a_probe_that_gets_through_contradicts_a_refused_callee() -> None:
    refused = finding("dependency-failing", "service/shop/cart")
    (only,) = ranked(case(), refused, context("probe-succeeds", "service/shop/cart")).hypotheses
    assert only.contradicted_by
    assert only.confidence is Confidence.INCONCLUSIVE


def test_an_older_probe_contradicts_nothing() -> None:
    refused = finding("dependency-failing", "service/shop/cart", minutes=10)
    (only,) = ranked(case(), refused, context("probe-succeeds", "service/shop/cart", last=50)).hypotheses
    assert not only.contradicted_by


def test_a_change_just_before_lifts_what_it_touched() -> None:
    about = case(namespaces=["shop"])
    changed = finding("secret-missing", "deployment/shop/cart", minutes=10)
    untouched = finding("secret-missing", "deployment/shop/web", minutes=10)
    change = finding("recent-change", "deployment/shop/cart", direct=False, severity=Severity.WARNING, minutes=12)
    result = ranked(about, untouched, changed, change)
    assert str(result.hypotheses[0].entity) == "deployment/shop/cart"


def test_what_is_over_is_no_hypothesis() -> None:
    past = finding("oom-killed", "pod/shop/cart-1", severity=Severity.INFO)
    assert ranked(case(), past).hypotheses == ()
