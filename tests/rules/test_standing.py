"""Found, gone, at work, troubled before; and what alerts say of themselves."""

from agents.rules import alerts as rules
from agents.rules import standing
from tests.rules.builders import deployment, ended, event, pod, replica_set, scene, status
from tests.rules.looks import alerts, found, moved, series, signals, steady, world

CART = "deployment/shop/cart"
OBJECTS = (deployment(), replica_set(), pod(ready=True))


def test_what_the_case_names_is_found_in_any_source() -> None:
    assert found(standing.thing_found, scene(*OBJECTS, about=[CART]))
    assert found(standing.thing_found, scene(*OBJECTS, about=["deployment/shop/other"])) == []
    measured = signals(steady("service/shop/cart", "requests_per_second", 5))
    assert found(standing.thing_found, world(measured, about=[CART]))


def test_a_case_without_a_thing_finds_none() -> None:
    assert found(standing.thing_found, scene(*OBJECTS)) == []


def test_what_was_listed_without_it_is_gone_and_what_was_not_listed_is_not() -> None:
    (only,) = found(standing.thing_gone, scene(*OBJECTS, about=["pod/shop/cart-old"]))
    assert "cart-7d4f-a" in only.evidence[0].excerpt
    assert found(standing.thing_gone, scene(*OBJECTS, about=["pod/shop/cart-old"], unseen=frozenset({"Pod"}))) == []
    partial = scene(*OBJECTS, about=["pod/shop/cart-old"], partial=frozenset({"kubernetes"}))
    assert found(standing.thing_gone, partial) == []


def test_ready_replicas_are_work_and_none_are_not() -> None:
    assert found(standing.work_gets_done, scene(*OBJECTS, about=[CART]))
    assert found(standing.work_gets_done, scene(deployment(ready=0), about=[CART])) == []


def test_requests_that_flow_and_succeed_are_work() -> None:
    flow, good = (
        steady("service/shop/cart", "requests_per_second", 50),
        steady("service/shop/cart", "error_ratio", 0.02),
    )
    assert found(standing.work_gets_done, world(signals(flow, good), about=[CART]))


def test_requests_that_fail_or_fell_or_of_unknown_success_are_no_work() -> None:
    flow, bad = steady("service/shop/cart", "requests_per_second", 50), steady("service/shop/cart", "error_ratio", 0.9)
    fell = moved("service/shop/cart", "requests_per_second", 50, 5)
    good = steady("service/shop/cart", "success_ratio", 0.99)
    for looks in (signals(flow, bad), signals(fell, good), signals(flow)):
        assert found(standing.work_gets_done, world(looks, about=[CART])) == []


def test_warnings_and_ends_of_the_window_are_trouble_before() -> None:
    well = pod(ready=True)
    warned = scene(
        deployment(), replica_set(), well, event("Unhealthy", "probe failed", well, minutes=20), about=[CART]
    )
    (only,) = found(standing.trouble_before, warned)
    assert only.last_seen is not None
    restarted = pod("cart-7d4f-a", status(ready=True, restarts=1, last=ended(1, minutes=20)), ready=True)
    assert found(standing.trouble_before, scene(deployment(), replica_set(), restarted, about=[CART]))
    assert found(standing.trouble_before, scene(*OBJECTS, about=[CART])) == []


def test_a_watchdog_fires_on_purpose_and_nothing_else_does() -> None:
    assert found(rules.alert_by_design, world(alerts({"alertname": "Watchdog"})))
    assert found(rules.alert_by_design, world(alerts({"alertname": "WatchdogRestarted"}))) == []
    assert found(rules.alert_by_design, world()) == []


def test_a_target_that_is_not_scraped_is_told_and_never_as_certain() -> None:
    down = alerts({"alertname": "TargetDown", "job": "cart", "namespace": "shop"})
    (only,) = found(rules.scrape_target_down, world(down))
    assert (str(only.entity), only.direct) == ("service/shop/cart", False)
    assert found(rules.scrape_target_down, world(signals(series("service/shop/cart", "up", *[0.0] * 10))))
    assert found(rules.scrape_target_down, world(signals(series("service/shop/cart", "up", *[1.0] * 10)))) == []
    assert found(rules.scrape_target_down, world(alerts({"alertname": "HighLatency"}))) == []
