"""The rules about workers of Temporal: what makes each fire, the twin that is well, and what only looks ill."""

import pytest

from agents.causes import Rule
from agents.rules import temporal
from agents.scene import Scene
from tests.rules.builders import case
from tests.rules.looks import found, lines, moved, signals

WORKER = "pod/shop/worker-1"
NONDETERMINISM = (
    "2026-01-01T11:59:30Z ERROR workflow task failed: nondeterminism error: history event is ActivityTaskScheduled"
)
LIMITED = "2026-01-01T11:5{}:30Z ERROR rpc failed: RESOURCE_EXHAUSTED: namespace rate limit exceeded"


def scene(signal: str, before: float, after: float, *, back: int = 0) -> Scene:
    return Scene.of(case(WORKER), [signals(moved(WORKER, signal, before, after, back=back))])


FIRING: list[tuple[Rule, str, float, float, float]] = [
    (temporal.temporal_schedule_to_start, "temporal_activity_schedule_to_start_p95_seconds", 0.1, 0.8, 4.0),
    (temporal.temporal_schedule_to_start, "temporal_workflow_task_schedule_to_start_p95_seconds", 0.05, 0.15, 0.6),
    (temporal.temporal_slots_out, "temporal_slots_available", 100.0, 3.0, 0.0),
    (temporal.temporal_no_pollers, "temporal_pollers", 5.0, 1.0, 0.0),
    (temporal.temporal_nondeterminism, "temporal_nondeterminism_per_second", 0.0, 0.0, 0.2),
    (temporal.temporal_server_limits, "temporal_resource_exhausted_per_second", 0.0, 0.0, 2.0),
]


@pytest.mark.parametrize(
    ("of", "signal", "before", "well", "ill"), FIRING, ids=[f"{each[0].cause.id} {each[1]}" for each in FIRING]
)
def test_what_is_ill_is_found_its_twin_is_not_and_what_is_over_is_not(
    of: Rule, signal: str, before: float, well: float, ill: float
) -> None:
    assert found(of, scene(signal, before, well)) == []
    [finding] = found(of, scene(signal, before, ill))
    assert str(finding.entity) == WORKER
    assert found(of, scene(signal, before, ill, back=5)) == []


def test_a_queue_that_never_had_a_poller_is_unused() -> None:
    assert found(temporal.temporal_no_pollers, scene("temporal_pollers", 0.0, 0.0)) == []


def test_a_small_cache_is_told_only_where_replays_became_slower() -> None:
    evicts = moved(WORKER, "temporal_sticky_evictions_per_second", 0.1, 8.0)
    slower = moved(WORKER, "temporal_replay_latency_p95_seconds", 0.05, 0.9)
    assert found(temporal.temporal_sticky_evictions, Scene.of(case(WORKER), [signals(evicts)])) == []
    assert len(found(temporal.temporal_sticky_evictions, Scene.of(case(WORKER), [signals(evicts, slower)]))) == 1


def test_a_worker_that_says_so_itself_is_believed_where_no_metric_is_read() -> None:
    said = Scene.of(case("deployment/shop/cart"), [lines(NONDETERMINISM)])
    assert len(found(temporal.temporal_nondeterminism, said)) == 1
    limited = Scene.of(case("deployment/shop/cart"), [lines(*(LIMITED.format(each) for each in range(4)))])
    assert len(found(temporal.temporal_server_limits, limited)) == 1


def test_what_was_logged_before_the_incident_and_what_speaks_of_the_library_is_not_told() -> None:
    old = NONDETERMINISM.replace("2026-01-01T11", "2025-12-30T11")
    harmless = "2026-01-01T11:59:30Z INFO nondeterminism checks are enabled"
    said = Scene.of(case("deployment/shop/cart"), [lines(old, harmless)])
    assert found(temporal.temporal_nondeterminism, said) == []


def test_without_metrics_and_logs_nothing_is_said() -> None:
    nothing = Scene.of(case(WORKER), [])
    for of, *_ in FIRING:
        assert found(of, nothing) == []
