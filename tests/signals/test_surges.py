"""What a thing itself uses, against its own past and its load."""

from typing import Any

import pytest

from agents.causes import Rule
from agents.finding import Severity
from agents.rules import surges
from tests.rules.looks import BASELINE, WINDOW, found, moved, series, signals, steady, world

POD = "pod/shop/cart-7d4f-a"


@pytest.mark.parametrize(
    ("of", "sick", "well"),
    [
        (surges.cpu_surge, moved(POD, "cpu_cores", 0.1, 0.9), moved(POD, "cpu_cores", 0.1, 0.11)),
        (
            surges.cpu_surge,
            moved(POD, "cpu_utilization_ratio", 0.1, 0.9),
            moved(POD, "cpu_utilization_ratio", 0.9, 0.1),
        ),
        (surges.memory_surge, moved(POD, "memory_bytes", 1e8, 4e8), moved(POD, "memory_bytes", 1e8, 1.1e8)),
        (surges.memory_fell, moved(POD, "memory_bytes", 1e8, 2e7), moved(POD, "memory_bytes", 1e8, 7e7)),
        (
            surges.disk_surge,
            moved(POD, "disk_write_bytes_per_second", 1e6, 9e7),
            moved(POD, "disk_write_bytes_per_second", 10.0, 900.0),
        ),
        (surges.network_shift, moved(POD, "packet_drop_ratio", 0.0, 0.2), steady(POD, "packet_drop_ratio", 0.2)),
        (surges.unusual_series, moved(POD, "open_sockets", 20, 900), steady(POD, "open_sockets", 900)),
    ],
)
def test_it_fires_and_its_healthy_twin_does_not(of: Rule, sick: dict[str, Any], well: dict[str, Any]) -> None:
    (only,) = found(of, world(signals(sick)))
    assert (only.cause, only.direct) == (of.cause.id, False)
    assert only.severity is Severity.WARNING
    assert only.first_seen
    assert found(of, world(signals(well))) == []
    assert found(of, world()) == []


def test_what_the_requests_explain_is_no_surge() -> None:
    busy = moved(POD, "cpu_cores", 0.1, 0.4)
    assert found(surges.cpu_surge, world(signals(busy, moved(POD, "requests_per_second", 10, 40)))) == []
    assert found(surges.cpu_surge, world(signals(busy, steady(POD, "requests_per_second", 10))))


def test_full_is_full_however_restless_the_past() -> None:
    restless = series(POD, "cpu_utilization_ratio", *[0.2, 0.7] * (BASELINE // 2), *[0.98] * WINDOW)
    (only,) = found(surges.cpu_surge, world(signals(restless)))
    assert (only.strength or 0) > 0.7


def test_what_the_machine_does_accuses_none_of_those_on_it() -> None:
    assert found(surges.unusual_series, world(signals(moved(POD, "node_cpu_utilization_ratio", 0.1, 0.9)))) == []


def test_what_falls_silent_while_others_go_on_is_a_hint() -> None:
    silent = series(POD, "cpu_cores", *[0.1] * BASELINE)
    silent["points"] = [[at - (WINDOW + 1) * 120, value] for at, value in silent["points"]]
    others = [steady(f"pod/shop/web-7d4f-{place}", "cpu_cores", 0.1) for place in range(3)]
    (only,) = found(surges.went_silent, world(signals(silent, *others)))
    assert (str(only.entity), only.severity) == (POD, Severity.INFO)
    assert found(surges.went_silent, world(signals(silent))) == []
