"""Breakers, retries and the API server's own figures: firing, the healthy twin, the usual false alarm, no source."""

from typing import Any

import pytest

from agents.causes import Rule
from agents.rules import api_server, retries
from tests.rules.looks import found, moved, signals, steady, world

WEB, API = "service/shop/web", "service/default/kubernetes"


@pytest.mark.parametrize(
    ("of", "sick", "well", "alarm", "words"),
    [
        (
            retries.circuit_open,
            moved(WEB, "circuit_breakers_open", 0, 2),
            steady(WEB, "circuit_breakers_open", 0),
            moved(WEB, "circuit_breakers_open", 0, 2, back=4),
            "2 open circuit breakers",
        ),
        (
            retries.retry_storm,
            moved(WEB, "attempts_per_request", 1.0, 3.5),
            moved(WEB, "attempts_per_request", 1.0, 1.5),
            steady(WEB, "attempts_per_request", 3.5),
            "3.5 attempts a request",
        ),
        (
            api_server.api_server_errors,
            moved(API, "api_error_ratio", 0.0, 0.05),
            moved(API, "api_error_ratio", 0.0, 0.005),
            moved(API, "api_error_ratio", 0.0, 0.05, back=28),
            "fails 5.0%",
        ),
        (
            api_server.api_throttled,
            moved(API, "api_throttled_ratio", 0.0, 0.2),
            steady(API, "api_throttled_ratio", 0.0),
            steady(API, "api_throttled_ratio", 0.05),
            "puts off 20.0%",
        ),
    ],
    ids=["circuit-open", "retry-storm", "api-server-errors", "api-throttled"],
)
def test_it_fires_and_neither_its_twin_nor_its_false_alarm_does(
    of: Rule, sick: dict[str, Any], well: dict[str, Any], alarm: dict[str, Any], words: str
) -> None:
    (finding,) = found(of, world(signals(sick)))
    assert words in finding.summary
    assert finding.first_seen
    for calm in (well, alarm):
        assert found(of, world(signals(calm))) == []
    assert found(of, world()) == []
