"""Each of the seven answers, and what must never be called healthy."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.case import Case
from agents.finding import Finding, Severity
from agents.health import HealthState, Verdict
from agents.report import Edge
from agents.verdict import decide
from tests.conclusion.builders import alert, case, context, edges, finding, found, gap, near, symptom
from tools.evidence import Evidence, Outcome

CART = "deployment/shop/cart"
SEEN = context("thing-found", CART)
LOOK = found("pods")


def verdict(
    about: Case, *findings: Finding, evidence: Sequence[Evidence] = (LOOK,), links: frozenset[Edge] = frozenset()
) -> Verdict:
    return decide(about, findings, near(about, links), evidence)


def test_something_critical_where_no_work_is_known_to_get_done_is_failing() -> None:
    assert verdict(case(CART), SEEN, finding("oom-killed", CART)) is Verdict.FAILING


def test_while_work_gets_done_nothing_is_failing() -> None:
    working = context("work-gets-done", CART)
    assert verdict(case(CART), SEEN, working, finding("oom-killed", CART)) is Verdict.DEGRADED


def test_ready_replicas_are_no_help_to_a_service_that_does_not_reach_them() -> None:
    about = case("service/shop/cart")
    ready, broken = context("work-gets-done", CART), finding("selector-mismatch", "service/shop/cart")
    assert verdict(about, ready, broken) is Verdict.FAILING
    assert verdict(about, context("work-gets-done", "service/shop/cart"), broken) is Verdict.DEGRADED


def test_work_that_gets_done_elsewhere_does_not_help() -> None:
    working = context("work-gets-done", "deployment/shop/web")
    assert verdict(case(CART), SEEN, working, finding("oom-killed", CART)) is Verdict.FAILING


def test_a_warning_is_degraded() -> None:
    assert verdict(case(CART), SEEN, symptom("latency-high", CART)) is Verdict.DEGRADED


def test_a_resolved_alert_with_nothing_wrong_is_recovered() -> None:
    about = case(CART, alerts=[alert(resolved=10)])
    assert verdict(about, SEEN) is Verdict.RECOVERED


def test_a_resolved_alert_of_what_still_fails_is_failing() -> None:
    about = case(CART, alerts=[alert(resolved=10)])
    assert verdict(about, SEEN, finding("oom-killed", CART)) is Verdict.FAILING


def test_trouble_that_ended_is_recovered() -> None:
    over = symptom("latency-high", CART, severity=Severity.INFO)
    assert verdict(case(CART, alerts=[alert()]), SEEN, over) is Verdict.RECOVERED
    assert verdict(case(CART, alerts=[alert()]), SEEN, context("trouble-before", CART, last=30)) is Verdict.RECOVERED


def test_a_warning_of_a_moment_ago_is_not_over_yet() -> None:
    about = case(CART, alerts=[alert()])
    assert verdict(about, SEEN, context("trouble-before", CART, last=1)) is Verdict.UNKNOWN


def test_what_is_gone_is_stale() -> None:
    assert verdict(case("pod/shop/cart-1"), context("thing-gone", "pod/shop/cart-1")) is Verdict.STALE


def test_a_watchdog_is_expected_whatever_else_is_wrong() -> None:
    about = case(alerts=[alert("Watchdog")])
    assert verdict(about, finding("oom-killed", CART)) is Verdict.EXPECTED


def test_what_somebody_suspended_is_expected() -> None:
    about = case("cronjob/shop/report", alerts=[alert()])
    assert verdict(about, context("cronjob-suspended", "cronjob/shop/report")) is Verdict.EXPECTED


def test_what_was_seen_and_is_well_is_healthy() -> None:
    assert verdict(case(CART, alerts=[alert()]), SEEN) is Verdict.HEALTHY


def test_what_nobody_saw_is_unknown() -> None:
    assert verdict(case(CART), SEEN, evidence=[gap()]) is Verdict.UNKNOWN
    assert verdict(case(CART), evidence=[LOOK]) is Verdict.UNKNOWN


def test_a_source_that_does_not_answer_is_unknown_not_healthy() -> None:
    silent = gap("metrics.signals", Outcome.ERROR)
    assert verdict(case(CART), SEEN, evidence=[LOOK, silent]) is Verdict.UNKNOWN


def test_pods_that_are_well_say_nothing_about_latency() -> None:
    about = case(CART, question="why is the latency of cart so high?")
    assert verdict(about, SEEN, evidence=[LOOK]) is Verdict.UNKNOWN
    assert verdict(about, SEEN, evidence=[LOOK, found("latency", "metrics.signals")]) is Verdict.HEALTHY


def test_trouble_of_a_neighbour_does_not_make_a_healthy_thing_fail() -> None:
    about = case(CART, namespaces=["shop"], alerts=[alert()])
    assert verdict(about, SEEN, finding("oom-killed", "deployment/shop/other")) is Verdict.HEALTHY


def test_where_the_thing_was_not_found_the_worst_of_its_namespace_counts() -> None:
    about = case("service/shop/made-up", namespaces=["shop"])
    assert verdict(about, finding("oom-killed", "deployment/shop/other")) is Verdict.FAILING


def test_trouble_of_a_callee_is_trouble_of_its_caller() -> None:
    calls = edges(("service/shop/db", "service/shop/cart", "calls"))
    assert verdict(case(CART), SEEN, finding("oom-killed", "service/shop/db"), links=calls) is Verdict.FAILING


@given(
    st.lists(st.sampled_from([gap(), gap("metrics.signals"), gap("logs.lines", Outcome.ERROR)]), max_size=4),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_gaps_alone_are_never_good_news(gaps: list[Evidence], is_resolved: bool) -> None:
    about = case(CART, alerts=[alert(resolved=5 if is_resolved else None)])
    assert verdict(about, evidence=gaps).state is HealthState.UNKNOWN
