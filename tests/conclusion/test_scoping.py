"""Labels and words become a place to look at."""

from dataclasses import replace

import pytest

from agents.scoping import scope_of
from tests.conclusion.builders import NOW, ago, alert
from tools.entity import Entity
from tools.window import Window


def of(question: str = "", **labels: str) -> tuple[list[str], set[str]]:
    labelled = replace(alert(), labels=labels)
    scope = scope_of(question, [labelled] if labels else [], now=NOW)
    return [str(each) for each in scope.entities], set(scope.namespaces)


def test_the_most_specific_thing_that_labels_name_comes_first() -> None:
    entities, namespaces = of(namespace="shop", service="cart", deployment="cart", pod="cart-7d4f-a")
    assert entities == ["pod/shop/cart-7d4f-a", "deployment/shop/cart", "service/shop/cart"]
    assert namespaces == {"shop"}


def test_exported_labels_name_the_thing_and_plain_ones_the_scraper() -> None:
    entities, namespaces = of(
        exported_namespace="shop", exported_pod="cart-1", namespace="monitoring", pod="kube-state-metrics-0"
    )
    assert entities == ["pod/shop/cart-1"]
    assert namespaces == {"shop"}


def test_service_and_instance_of_kube_state_metrics_are_not_about_the_service() -> None:
    entities, _ = of(
        job="kube-state-metrics",
        service="kube-state-metrics",
        instance="10.0.0.1:8080",
        namespace="shop",
        deployment="cart",
    )
    assert entities == ["deployment/shop/cart"]


def test_kube_prefixed_labels_count_as_their_kind() -> None:
    assert of(kube_namespace="shop", kube_deployment="cart") == (["deployment/shop/cart"], {"shop"})


def test_an_instance_is_a_host_without_its_port() -> None:
    assert of(instance="db-1:9100")[0] == ["host//db-1"]


def test_cluster_scoped_things_have_no_namespace() -> None:
    assert of(node="worker-1", namespace="shop")[0] == ["node//worker-1"]


@pytest.mark.parametrize(
    ("question", "entity", "namespace"),
    [
        ("why is pod cart-7d4f in namespace shop crashing?", "pod/shop/cart-7d4f", "shop"),
        ("deployment/shop/cart is slow", "deployment/shop/cart", "shop"),
        ("what is wrong with deployment cart in the shop namespace", "deployment/shop/cart", "shop"),
        ("is svc/cart down? -n shop", "service/shop/cart", "shop"),
    ],
)
def test_a_question_names_things_as_people_write_them(question: str, entity: str, namespace: str) -> None:
    entities, namespaces = of(question)
    assert entities[0] == entity
    assert namespaces == {namespace}


def test_states_and_filler_words_are_no_names() -> None:
    entities, _ = of("Pod Pending: pods are failing and the deployment is stuck, service down")
    assert not [each for each in entities if "Pending" in each or each.endswith(("/is", "/down"))]


def test_prose_of_an_alert_names_nothing_where_a_person_would() -> None:
    entities, _ = of("Deployment replicas mismatch: pod cart-7d4f is late", namespace="shop")
    assert entities == ["pod/shop/cart-7d4f"]


def test_words_leave_out_times_and_common_words() -> None:
    scope = scope_of("why is checkout slow since 2026-01-01T10:00:00Z?", [], now=NOW)
    assert scope.words == {"checkout"}


def test_the_window_begins_before_the_earliest_alert() -> None:
    scope = scope_of("", [alert(minutes=20), alert(minutes=40)], now=NOW)
    assert scope.window == Window(ago(55), NOW)


def test_without_a_known_start_the_window_is_the_last_hour() -> None:
    assert scope_of("slow", [], now=NOW).window == Window(ago(60), NOW)


def test_an_alert_that_fires_for_weeks_is_about_the_last_day() -> None:
    scope = scope_of("", [alert(minutes=60 * 24 * 21)], now=NOW)
    assert scope.window == Window(ago(60 * 24), NOW)


def test_a_window_that_is_known_is_taken_as_it_is() -> None:
    known = Window(ago(10), ago(5))
    assert scope_of("", [alert(minutes=20)], now=NOW, window=known).window == known


def test_the_default_namespace_serves_only_when_nothing_names_another() -> None:
    assert scope_of("slow", [], now=NOW, default_namespace="shop").namespaces == {"shop"}
    assert scope_of("slow in namespace pay", [], now=NOW, default_namespace="shop").namespaces == {"pay"}


def test_firing_alerts_are_read_before_resolved_ones() -> None:
    old, new = alert(pod="a", namespace="x", resolved=5), alert(pod="b", namespace="x")
    assert scope_of("", [old, new], now=NOW).entities[0] == Entity.of("pod", "x", "b")


def test_a_storm_is_bounded() -> None:
    storm = [alert(pod=f"p-{number}", namespace="x") for number in range(500)]
    assert len(scope_of("", storm, now=NOW).entities) <= 40
