"""Table, topology and time must all allow an explanation."""

import pytest

from agents.explaining import Topology, explain
from agents.finding import Finding, Role
from agents.report import Edge
from tests.conclusion.builders import edges, finding, symptom
from tools.entity import Entity

SHOP = edges(
    ("pod/shop/cart-1-a", "replicaset/shop/cart-1", "owns"),
    ("pod/shop/cart-1-b", "replicaset/shop/cart-1", "owns"),
    ("replicaset/shop/cart-1", "deployment/shop/cart", "owns"),
    ("pod/shop/cart-1-a", "service/shop/cart", "selects"),
    ("service/shop/cart", "service/shop/web", "calls"),
    ("service/shop/web", "ingress/shop/web", "routes-to"),
    ("node//n1", "pod/shop/cart-1-a", "runs-on"),
    ("persistentvolumeclaim/shop/data", "pod/shop/cart-1-a", "mounts"),
)


def explains(cause: Finding, effect: Finding, links: frozenset[Edge] = SHOP) -> bool:
    return effect.id in explain([cause, effect], links).reached(cause.id)


@pytest.mark.parametrize(
    ("cause", "effect"),
    [
        (("selector-mismatch", "service/shop/cart"), ("endpoints-empty", "service/shop/cart")),
        (("service-port-mismatch", "service/shop/cart"), ("error-ratio-high", "service/shop/web")),
        (("quota-exceeded", "resourcequota/shop/q"), ("replica-create-failed", "deployment/shop/cart")),
        (("insufficient-cpu", "deployment/shop/cart"), ("replicas-unavailable", "deployment/shop/cart")),
        (("storage-class-missing", "persistentvolumeclaim/shop/data"), ("pod-pending", "pod/shop/cart-1-a")),
        (("image-not-found", "deployment/shop/cart"), ("progress-deadline-exceeded", "deployment/shop/cart")),
        (("secret-missing", "deployment/shop/cart"), ("container-config-error", "pod/shop/cart-1-a")),
        (("oom-killed", "pod/shop/cart-1-a"), ("crash-loop", "deployment/shop/cart")),
        (("liveness-killing", "pod/shop/cart-1-a"), ("endpoints-not-ready", "service/shop/cart")),
        (("memory-leak", "pod/shop/cart-1-a"), ("oom-killed", "pod/shop/cart-1-a")),
        (("cpu-throttled", "pod/shop/cart-1-a"), ("latency-high", "service/shop/web")),
        (("node-not-ready", "node//n1"), ("readiness-failing", "pod/shop/cart-1-a")),
        (("coredns-down", "deployment/kube-system/coredns"), ("dns-errors", "deployment/pay/api")),
        (("webhook-failing", "validatingwebhookconfiguration//x"), ("replica-create-failed", "deployment/pay/api")),
        (("mongo-no-primary", "service/shop/cart"), ("error-ratio-high", "service/shop/web")),
        (("tls-expired", "service/shop/cart"), ("error-ratio-high", "service/shop/web")),
        (("recent-change", "deployment/shop/cart"), ("error-ratio-high", "service/shop/web")),
    ],
)
def test_the_table_of_causes_holds(cause: tuple[str, str], effect: tuple[str, str]) -> None:
    assert explains(finding(*cause), symptom(*effect))


@pytest.mark.parametrize(
    ("cause", "effect"),
    [
        (("oom-killed", "pod/shop/cart-1-a"), ("crash-loop", "pod/shop/cart-1-b")),
        (("node-not-ready", "node//n1"), ("readiness-failing", "pod/shop/cart-1-b")),
        (("error-ratio-high", "service/shop/web"), ("error-ratio-high", "service/shop/cart")),
        (("oom-killed", "pod/shop/cart-1-a"), ("error-ratio-high", "service/pay/api")),
        (("quota-exceeded", "resourcequota/shop/q"), ("replica-create-failed", "deployment/pay/api")),
        (("image-not-found", "deployment/shop/cart"), ("memory-near-limit", "deployment/shop/cart")),
    ],
)
def test_what_is_not_joined_or_not_in_the_table_is_not_explained(
    cause: tuple[str, str], effect: tuple[str, str]
) -> None:
    assert not explains(finding(*cause), symptom(*effect))


def test_who_fails_calls_less() -> None:
    assert explains(symptom("error-ratio-high", "service/shop/web"), symptom("traffic-drop", "service/shop/cart"))


def test_a_change_explains_no_symptom_that_was_there_before_it() -> None:
    change = finding("recent-change", "deployment/shop/cart", direct=False, minutes=20)
    assert explains(change, symptom("error-ratio-high", "service/shop/cart", minutes=15))
    assert not explains(change, symptom("error-ratio-high", "service/shop/cart", minutes=40))


def test_an_exit_seen_late_still_explains_the_crash_loop_of_its_own_workload() -> None:
    exit_ = finding("oom-killed", "pod/shop/cart-1-a", minutes=1)
    assert explains(exit_, symptom("crash-loop", "deployment/shop/cart", minutes=50))
    assert not explains(exit_, symptom("error-ratio-high", "service/shop/web", minutes=50))


def test_two_services_that_slow_each_other_down_have_one_origin_the_earlier() -> None:
    circle = edges(("service/shop/a", "service/shop/b", "calls"), ("service/shop/b", "service/shop/a", "calls"))
    first = symptom("latency-high", "service/shop/a", minutes=31)
    second = symptom("latency-high", "service/shop/b", minutes=30)
    assert explain([second, first], circle).origins() == (first.id,)


def test_the_deepest_failing_callee_is_the_origin() -> None:
    chain = edges(("service/s/db", "service/s/api", "calls"), ("service/s/api", "service/s/web", "calls"))
    slow = [symptom("latency-high", f"service/s/{name}") for name in ("web", "api", "db")]
    assert explain(slow, chain).origins() == (slow[2].id,)


def test_a_pod_without_a_listed_owner_belongs_to_the_workload_in_its_name() -> None:
    calls = edges(("service/s/db", "service/s/web", "calls"))
    pods = [symptom("latency-high", f"pod/s/{name}-579b9bff58-t2dbm") for name in ("web", "db")]
    assert explain(pods, calls).origins() == (pods[1].id,)


def test_context_explains_nothing() -> None:
    advice = finding("selector-mismatch", "service/shop/cart", Role.CONTEXT)
    assert not explain([advice, symptom("endpoints-empty", "service/shop/cart")], SHOP).effects


def test_names_that_differ_in_case_are_one_thing() -> None:
    assert Topology([]).joins(Entity.of("service", "", "PetShop"), Entity.of("deployment", "", "petshop"))
