"""Errors, latency, traffic, pools, each against its own past."""

from typing import Any

import pytest

from agents.causes import Rule
from agents.finding import Severity
from agents.rules import applications
from tests.rules.looks import calls, found, moved, series, signals, steady, world

WEB = "service/shop/web"


@pytest.mark.parametrize(
    ("of", "sick", "well"),
    [
        (applications.error_ratio_high, moved(WEB, "error_ratio", 0.001, 0.2), moved(WEB, "error_ratio", 0.001, 0.008)),
        (applications.error_ratio_high, moved(WEB, "success_ratio", 0.999, 0.8), steady(WEB, "success_ratio", 0.98)),
        (
            applications.error_ratio_high,
            moved(WEB, "availability_ratio", 1.0, 0.9),
            steady(WEB, "availability_ratio", 1.0),
        ),
        (
            applications.latency_high,
            moved(WEB, "latency_p95_seconds", 0.1, 0.5),
            moved(WEB, "latency_p95_seconds", 0.1, 0.12),
        ),
        (
            applications.callee_slow,
            moved(WEB, "client_latency_p95_seconds", 0.1, 0.5),
            steady(WEB, "client_latency_p95_seconds", 0.1),
        ),
        (
            applications.traffic_drop,
            moved(WEB, "requests_per_second", 100, 20),
            moved(WEB, "requests_per_second", 100, 80),
        ),
        (
            applications.traffic_surge,
            moved(WEB, "requests_per_second", 100, 300),
            moved(WEB, "requests_per_second", 100, 120),
        ),
        (applications.saturation, moved(WEB, "queue_depth", 5, 100), moved(WEB, "queue_depth", 5, 8)),
        (applications.saturation, moved(WEB, "connections_active", 50, 200), steady(WEB, "connections_active", 50)),
    ],
)
def test_it_fires_and_its_healthy_twin_does_not(of: Rule, sick: dict[str, Any], well: dict[str, Any]) -> None:
    assert [each.cause for each in found(of, world(signals(sick)))] == [of.cause.id]
    assert found(of, world(signals(well))) == []
    assert found(of, world()) == []


def test_errors_of_a_few_requests_are_luck() -> None:
    failing = moved(WEB, "error_ratio", 0.001, 0.5)
    assert found(applications.error_ratio_high, world(signals(failing, steady(WEB, "requests_per_second", 0.01)))) == []
    assert found(applications.error_ratio_high, world(signals(failing, steady(WEB, "requests_per_second", 1.0))))


def test_a_service_that_always_fails_some_requests_is_compared_with_itself() -> None:
    assert found(applications.error_ratio_high, world(signals(moved(WEB, "error_ratio", 0.03, 0.05)))) == []


def test_without_a_past_only_a_share_that_is_bad_for_anyone_is_told() -> None:
    assert found(applications.error_ratio_high, world(signals(series(WEB, "error_ratio", *[0.05] * 10)))) == []
    assert found(applications.error_ratio_high, world(signals(series(WEB, "error_ratio", *[0.3] * 10))))


def test_latency_without_a_past_says_nothing() -> None:
    assert found(applications.latency_high, world(signals(series(WEB, "latency_p95_seconds", *[9.0] * 10)))) == []


def test_one_slow_sample_is_a_cold_start() -> None:
    once = series(WEB, "latency_p95_seconds", *[0.1] * 70, 3.0, *[0.1] * 19)
    assert found(applications.latency_high, world(signals(once))) == []


def test_what_is_fast_again_is_told_as_past() -> None:
    (only,) = found(applications.latency_high, world(signals(moved(WEB, "latency_p95_seconds", 0.1, 0.5, back=4))))
    assert only.severity is Severity.INFO
    assert "over" in only.summary


def test_a_callee_that_added_next_to_nothing_has_no_part_in_its_callers_slowness() -> None:
    slow = moved(WEB, "latency_p95_seconds", 1.0, 5.0)
    little = moved("service/shop/db", "latency_p95_seconds", 0.01, 0.03)
    known = calls((WEB, "service/shop/db"))
    severities = {
        each.entity.name: each.severity
        for each in found(applications.latency_high, world(signals(slow, little), known))
    }
    assert severities == {"web": Severity.CRITICAL, "db": Severity.INFO}


def test_a_pool_near_its_maximum_is_direct_and_without_a_maximum_inferred() -> None:
    used, most = steady(WEB, "connections_active", 95), steady(WEB, "connections_max", 100)
    (only,) = found(applications.saturation, world(signals(used, most)))
    assert only.direct
    (guess,) = found(applications.saturation, world(signals(moved(WEB, "connections_active", 50, 200))))
    assert not guess.direct


def test_more_traffic_that_nothing_suffers_from_is_only_news() -> None:
    more = moved(WEB, "requests_per_second", 100, 300)
    (harmless,) = found(applications.traffic_surge, world(signals(more)))
    slow = moved(WEB, "latency_p95_seconds", 0.1, 0.5)
    (harmful,) = found(applications.traffic_surge, world(signals(more, slow)))
    assert (harmless.severity, harmful.severity) == (Severity.INFO, Severity.WARNING)
