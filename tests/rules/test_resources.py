"""CPU, memory and disks: firing, the healthy twin, the usual false alarm, no source."""

from typing import Any

import pytest

from agents.causes import Rule
from agents.finding import Severity
from agents.rules import resources
from tests.rules.builders import event, obj, scene
from tests.rules.looks import calls, found, host, moved, series, signals, steady, world

POD = "pod/shop/cart-1"
NODE = "node//n1"
DB = "database//orders"


@pytest.mark.parametrize(
    ("of", "sick", "well"),
    [
        (
            resources.cpu_saturated,
            moved(NODE, "cpu_utilization_ratio", 0.3, 0.97),
            steady(NODE, "cpu_utilization_ratio", 0.7),
        ),
        (
            resources.cpu_saturated,
            moved(NODE, "cpu_utilization_ratio", 0.2, 0.7),
            moved(NODE, "cpu_utilization_ratio", 0.2, 0.4),
        ),
        (resources.cpu_throttled, steady(POD, "cpu_throttled_ratio", 0.6), steady(POD, "cpu_throttled_ratio", 0.3)),
        (
            resources.memory_near_limit,
            moved(POD, "memory_utilization_ratio", 0.5, 0.93),
            moved(POD, "memory_utilization_ratio", 0.5, 0.8),
        ),
        (
            resources.disk_full,
            steady(NODE, "disk_utilization_ratio", 0.95),
            steady(NODE, "disk_utilization_ratio", 0.8),
        ),
        (
            resources.db_disk_filling,
            steady(DB, "disk_utilization_ratio", 0.9),
            steady(DB, "disk_utilization_ratio", 0.8),
        ),
        (
            resources.inodes_full,
            steady(NODE, "inode_utilization_ratio", 0.95),
            steady(NODE, "inode_utilization_ratio", 0.5),
        ),
    ],
)
def test_it_fires_and_its_healthy_twin_does_not(of: Rule, sick: dict[str, Any], well: dict[str, Any]) -> None:
    assert [each.cause for each in found(of, world(signals(sick)))] == [of.cause.id]
    assert found(of, world(signals(well))) == []
    assert found(of, world()) == []


def test_memory_that_was_always_that_full_is_how_it_lives() -> None:
    assert found(resources.memory_near_limit, world(signals(steady(POD, "memory_utilization_ratio", 0.92)))) == []


def test_memory_about_to_burst_is_critical() -> None:
    (only,) = found(resources.memory_near_limit, world(signals(moved(POD, "memory_utilization_ratio", 0.5, 0.98))))
    assert only.severity is Severity.CRITICAL


def test_a_cpu_that_is_calm_again_is_told_as_past() -> None:
    (only,) = found(resources.cpu_saturated, world(signals(moved(NODE, "cpu_utilization_ratio", 0.3, 0.97, back=5))))
    assert only.severity is Severity.INFO


def test_one_sample_of_full_cpu_is_nothing() -> None:
    spike = series(NODE, "cpu_utilization_ratio", *[0.3] * 80, 0.99, *[0.3] * 9)
    assert found(resources.cpu_saturated, world(signals(spike))) == []


def test_without_a_past_only_the_absolute_bound_speaks() -> None:
    short = series(NODE, "cpu_utilization_ratio", *[0.7] * 20)
    assert found(resources.cpu_saturated, world(signals(short))) == []


def test_mild_throttling_matters_only_when_something_gets_slower() -> None:
    throttled = steady("service/shop/cart", "cpu_throttled_ratio", 0.3)
    slow = moved("service/shop/web", "latency_p95_seconds", 0.1, 0.5)
    known = calls(("service/shop/web", "service/shop/cart"))
    (only,) = found(resources.cpu_throttled, world(signals(throttled, slow), known))
    assert only.direct
    assert "service/shop/web" in only.summary
    assert found(resources.cpu_throttled, world(signals(throttled, slow))) == []


def test_steady_growth_for_hours_is_a_leak_and_a_plateau_is_not() -> None:
    growing = series(POD, "memory_bytes", *[1e8 * (1 + place / 60) for place in range(95)])
    (only,) = found(resources.memory_leak, world(signals(growing)))
    assert not only.direct
    warm = series(POD, "memory_bytes", *[1e8 * (1 + min(place, 20) / 20) for place in range(95)])
    assert found(resources.memory_leak, world(signals(warm))) == []


def test_a_disk_that_will_be_full_within_hours_is_told_before_it_is() -> None:
    filling = series(NODE, "disk_utilization_ratio", *[0.6 + 0.002 * place for place in range(90)])
    (only,) = found(resources.disk_full, world(signals(filling)))
    assert "will be full in" in only.summary


def test_free_storage_of_a_database_that_runs_out_is_told() -> None:
    free = series(DB, "free_storage_bytes", *[5e10 - 4e8 * place for place in range(90)])
    assert found(resources.db_disk_filling, world(signals(free)))
    stays = series(DB, "free_storage_bytes", *[5e10] * 90)
    assert found(resources.db_disk_filling, world(signals(stays))) == []


def test_this_machine_is_judged_by_its_own_view() -> None:
    full = host(
        cpu={"ratio": 0.99, "load_per_core": 3.0},
        memory={"ratio": 0.95},
        filesystems=[{"mountpoint": "/data", "ratio": 0.97, "inode_ratio": 0.99}],
        pressure={"io": {"some_avg300": 0.4}, "cpu": {"some_avg300": 0.01}},
    )
    rules = (
        resources.cpu_saturated,
        resources.memory_near_limit,
        resources.disk_full,
        resources.inodes_full,
        resources.pressure_stall,
    )
    for of in rules:
        (only,) = found(of, world(full))
        assert str(only.entity) == "host//box"


def test_half_a_second_of_cpu_without_load_and_a_kernel_without_pressure_say_nothing() -> None:
    calm = host(cpu={"ratio": 0.99, "load_per_core": 0.2}, memory={"ratio": 0.3}, filesystems=[], pressure=None)
    for of in (resources.cpu_saturated, resources.memory_near_limit, resources.disk_full, resources.pressure_stall):
        assert found(of, world(calm)) == []


def test_a_node_out_of_memory_is_told_from_its_event_and_an_old_one_is_not() -> None:
    node = obj("Node", "worker-1", "")
    new = event("SystemOOM", "System OOM encountered, victim process: java", node)
    old = event("SystemOOM", "System OOM encountered, victim process: java", node, minutes=600)
    (only,) = found(resources.node_oom, scene(node, new))
    assert only.severity is Severity.CRITICAL
    assert found(resources.node_oom, scene(node, old)) == []


def test_a_volume_that_was_emptied_is_well_at_once() -> None:
    full = moved(NODE, "disk_utilization_ratio", 0.2, 0.97)
    assert found(resources.disk_full, world(signals(full)))
    *before, (at, _) = full["points"]
    assert found(resources.disk_full, world(signals({**full, "points": [*before, (at, 0.2)]}))) == []
