"""What series alone suggest, among everything else: below what was seen directly, by strength, never certain."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.causes import rules, run
from agents.diagnosis import Confidence, Hypothesis
from agents.finding import Finding, Severity
from agents.health import Verdict
from agents.ranking import rank
from agents.report import Edge
from agents.rules import origins
from agents.scene import Scene
from agents.verdict import decide
from tests.conclusion.builders import alert, case, context, edges, finding, found, near, symptom
from tests.rules.looks import calls, moved, series, signals, world

WEB, CART, PAY = (f"service/shop/{name}" for name in ("web", "cart", "pay"))
LINKS = edges((CART, WEB, "calls"), (PAY, WEB, "calls"))
SLOW = case(WEB, alerts=[alert("LatencyHigh", service="web")], question="latency of web")


def suspicion(cause: str, entity: str, strength: float) -> Finding:
    how = Severity.WARNING if strength >= 0.2 else Severity.INFO
    return replace(finding(cause, entity, severity=how, direct=False), strength=strength)


def ranked(*findings: Finding, links: frozenset[Edge] = LINKS) -> tuple[Hypothesis, ...]:
    return rank(SLOW, findings, links, titles={}, remedies={}).hypotheses


def test_what_was_seen_directly_stands_above_what_series_suggest() -> None:
    found = ranked(suspicion("self-time-high", CART, 1.0), finding("oom-killed", PAY), symptom("latency-high", WEB))
    assert [each.cause for each in found[:2]] == ["oom-killed", "self-time-high"]
    assert [each.confidence for each in found[:2]] == [Confidence.CONFIRMED, Confidence.LIKELY]


def test_the_stronger_suspicion_stands_first_and_a_weak_one_is_inconclusive() -> None:
    found = ranked(suspicion("cpu-surge", PAY, 0.3), suspicion("cpu-surge", CART, 0.8), symptom("latency-high", WEB))
    assert [str(each.entity) for each in found[:2]] == [CART, PAY]
    assert [each.confidence for each in found[:2]] == [Confidence.LIKELY, Confidence.INCONCLUSIVE]


def test_a_callee_with_a_surge_does_not_explain_what_begins_in_its_caller() -> None:
    found = ranked(suspicion("self-time-high", WEB, 0.9), suspicion("cpu-surge", CART, 0.4))
    assert str(found[0].entity) == WEB


def test_within_one_workload_the_mechanism_is_as_strong_as_what_it_does() -> None:
    found = ranked(suspicion("self-time-high", CART, 0.9), suspicion("cpu-surge", CART, 0.4))
    assert [(each.cause, str(each.entity)) for each in found] == [("cpu-surge", CART)]
    assert found[0].score > ranked(suspicion("cpu-surge", CART, 0.4))[0].score


def test_errors_are_off_topic_where_an_alert_speaks_of_latency_alone() -> None:
    found = ranked(suspicion("errors-begin-here", CART, 0.8), suspicion("self-time-high", PAY, 0.6))
    assert [each.cause for each in found] == ["self-time-high", "errors-begin-here"]


def test_hints_are_shown_where_trouble_is_reported_and_nothing_else_is_known() -> None:
    hint = suspicion("cpu-surge", CART, 0.15)
    assert [each.cause for each in ranked(hint)] == ["cpu-surge"]
    assert [each.cause for each in ranked(hint, symptom("latency-high", WEB))] == ["latency-high"]
    calm = case(WEB, question="how is web?")
    assert rank(calm, [hint], LINKS, titles={}, remedies={}).hypotheses == ()


def test_a_report_that_the_series_neither_show_nor_exclude_is_unknown() -> None:
    look = found("all signals", "metrics.signals")
    seen, hint = context("thing-found", WEB), suspicion("cpu-surge", CART, 0.15)
    usual = context("answers-as-usual", WEB)
    about = near(SLOW, LINKS)
    assert decide(SLOW, [seen], about, [look]) is Verdict.UNKNOWN
    assert decide(SLOW, [seen, usual, hint], about, [look]) is Verdict.UNKNOWN
    assert decide(SLOW, [seen, usual], about, [look]) is Verdict.HEALTHY
    calm = case(WEB, question="how is web?")
    assert decide(calm, [seen, hint], near(calm, LINKS), [look]) is Verdict.HEALTHY


_SIGNALS = st.sampled_from([
    "latency_mean_seconds", "latency_p95_seconds", "client_latency_p95_seconds", "client_latency_p99_seconds",
    "error_ratio", "availability_ratio", "requests_per_second", "cpu_cores", "cpu_utilization_ratio", "memory_bytes",
    "open_sockets",
])  # fmt: skip
_POINTS = st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0, 1e30]), max_size=70)
_SERIES = st.lists(st.tuples(st.sampled_from([WEB, CART, PAY, "pod/shop/cart-7d4f-a"]), _SIGNALS, _POINTS), max_size=12)
_PAIRS = st.lists(st.tuples(*[st.sampled_from([WEB, CART, PAY])] * 2), max_size=6)


@settings(max_examples=40)
@given(_SERIES, _PAIRS, st.booleans())
def test_whatever_is_measured_no_rule_raises_and_none_is_sure(
    measured: list[tuple[str, str, list[float]]], pairs: list[tuple[str, str]], names_web: bool
) -> None:
    seen = [series(entity, signal, *values) for entity, signal, values in measured]
    scene = world(signals(*seen), calls(*pairs), about=[WEB] if names_web else [])
    checked = run(rules(frozenset({"applications", "resources", "network", "standing"})), scene)
    assert checked.failures == ()
    for each in checked.findings:
        if each.strength is not None:
            assert 0 < each.strength <= 1
            assert not each.direct
            assert each.first_seen is None or scene.window.start <= each.first_seen
    hypotheses = rank(scene.case, checked.findings, scene.edges(), titles={}, remedies={}).hypotheses
    inferred = {(each.cause, each.entity) for each in checked.findings if not each.direct}
    assert not any(
        each.confidence is Confidence.CONFIRMED and (each.cause, each.entity) in inferred for each in hypotheses
    )


def test_reported_trouble_is_over_when_it_was_well_for_longer_than_it_was_ill_where_it_is_felt() -> None:
    for back, severity in ((20, Severity.INFO), (10, Severity.WARNING)):
        look = signals(moved(WEB, "latency_p95_seconds", 0.1, 0.9, back=back))
        reported = replace(world(look, about=[WEB]).case, alerts=SLOW.alerts)
        (told,) = run([origins.self_time_high], Scene.of(reported, [look])).findings
        assert told.severity is severity
        assert told.summary.endswith("It is over.") is (severity is Severity.INFO)
