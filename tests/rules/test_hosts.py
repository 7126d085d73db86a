"""What machines run out of: firing, the healthy twin, the usual false alarm, no source."""

from typing import Any

import pytest

from agents.causes import Rule
from agents.finding import Severity
from agents.rules import hosts
from tests.rules.looks import found, moved, signals, steady, world

NODE = "node//n1"
POOLS = [
    (hosts.conntrack_full, "conntrack_utilization_ratio"),
    (hosts.ports_exhausted, "local_ports_utilization_ratio"),
    (hosts.fds_exhausted, "fds_utilization_ratio"),
    (hosts.pids_exhausted, "pids_utilization_ratio"),
]


@pytest.mark.parametrize(("of", "signal"), POOLS, ids=[of.cause.id for of, _ in POOLS])
def test_a_pool_that_runs_out_is_named_and_one_that_is_always_that_full_is_not(of: Rule, signal: str) -> None:
    (finding,) = found(of, world(signals(moved(NODE, signal, 0.4, 0.98))))
    assert (str(finding.entity), finding.severity) == (NODE, Severity.CRITICAL)
    assert "98%" in finding.summary
    assert [each.severity for each in found(of, world(signals(moved(NODE, signal, 0.4, 0.93))))] == [Severity.WARNING]
    assert found(of, world(signals(moved(NODE, signal, 0.4, 0.85)))) == []
    assert found(of, world(signals(steady(NODE, signal, 0.93)))) == []
    assert found(of, world()) == []


@pytest.mark.parametrize(
    ("series", "is_slow"),
    [
        ([moved(NODE, "disk_await_seconds", 0.004, 0.2)], True),
        ([moved(NODE, "disk_await_seconds", 0.004, 0.2), moved(NODE, "disk_io_seconds_per_second", 0.1, 0.97)], True),
        # Long waits at a disk that has little to do are those of a few odd requests.
        ([moved(NODE, "disk_await_seconds", 0.004, 0.2), steady(NODE, "disk_io_seconds_per_second", 0.1)], False),
        ([moved(NODE, "disk_await_seconds", 0.004, 0.03)], False),
        ([steady(NODE, "disk_await_seconds", 0.2)], False),
        ([steady(NODE, "disk_io_seconds_per_second", 0.99)], False),
    ],
    ids=["waits", "waits and is busy", "waits and is idle", "a little", "always", "busy alone"],
)
def test_a_disk_is_slow_when_requests_wait_and_not_because_it_is_busy(
    series: list[dict[str, Any]], is_slow: bool
) -> None:
    assert bool(found(hosts.disk_slow, world(signals(*series)))) is is_slow
