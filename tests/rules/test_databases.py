"""The rules about databases that are seen by metrics and their own words: why replicas lag, who holds connections."""

from typing import Any

import pytest

from agents.causes import Rule
from agents.effects import reach
from agents.finding import Finding
from agents.report import Edge
from agents.rules.databases import replicas, sessions, storage
from agents.scene import Scene
from tests.rules.builders import NOW, case
from tests.rules.looks import found, lines, moved, series, signals, steady
from tools.entity import Entity
from tools.evidence import Evidence

SOURCE = "database//orders"
REPLICA = "database//orders-replica-2"
WRITER = "top sql: load 9.0, waits: IO:WALWrite 7.5, CPU 1.5; UPDATE stock SET seen = TRUE WHERE batch = 'b-17'"
READER = "top sql: load 4.0, waits: CPU 3.9, IO:DataFileRead 0.1; SELECT sum(total) FROM sales WHERE region = 'north'"
FAILOVER = (
    f"{NOW.subtract(minutes=20)} Failover initiated. Reason: health check failed on host a",
    f"{NOW.subtract(minutes=19)} Failover completed, now on host b",
    f"{NOW.subtract(minutes=18)} DB instance is available",
)


def words(*said: str, whose: str = "orders") -> Evidence:
    """What the log of a database says."""
    return lines(*said, pod=whose, namespace="rds")


def scene(*looks: Evidence, about: str = REPLICA) -> Scene:
    return Scene.of(case(about), looks)


def lagging(*further: dict[str, Any]) -> Evidence:
    """A replica that fell behind since the onset."""
    return signals(moved(REPLICA, "replication_lag_seconds", 1.0, 900.0), *further)


def writes(before: float = 4e6, after: float = 2e8) -> dict[str, Any]:
    return moved(SOURCE, "transaction_log_bytes_per_second", before, after)


def causes(found_now: list[Finding]) -> list[tuple[str, bool]]:
    return [(str(each.entity), each.direct) for each in found_now]


def test_a_replica_that_falls_behind_a_burst_of_writes_is_told_of_its_source() -> None:
    of = replicas.db_writes_outrun_replica
    assert causes(found(of, scene(lagging(writes())))) == [(SOURCE, False)]
    assert found(of, scene(lagging(writes(after=4.1e6)))) == []
    assert found(of, scene(signals(writes(), steady(REPLICA, "replication_lag_seconds", 1.0)))) == []
    assert found(of, scene(lagging())) == []


def test_it_is_direct_only_where_the_server_says_what_it_waits_for_and_names_the_statement_without_values() -> None:
    [told] = found(replicas.db_writes_outrun_replica, scene(lagging(writes()), words(WRITER)))
    assert told.direct
    assert "UPDATE stock SET seen = TRUE WHERE batch = ?" in told.summary
    assert "b-17" not in told.summary


def test_what_is_high_for_another_reason_is_said_to_be_apart() -> None:
    cpu = moved(SOURCE, "cpu_utilization_ratio", 0.2, 0.75)
    [told] = found(replicas.db_writes_outrun_replica, scene(lagging(writes(), cpu), words(WRITER, READER)))
    assert "SELECT sum(total)" in told.summary
    assert "causally independent" in told.summary
    [alone] = found(replicas.db_writes_outrun_replica, scene(lagging(writes(), cpu), words(WRITER)))
    assert "independent" not in alone.summary


def test_without_a_past_a_rise_within_the_window_counts_and_noise_does_not() -> None:
    def told(*values: float) -> list[Finding]:
        lag = series(REPLICA, "replication_lag_seconds", *(100.0 * each for each in range(1, 11)))
        wal = series(SOURCE, "transaction_log_bytes_per_second", *values)
        return found(replicas.db_writes_outrun_replica, scene(signals(lag, wal)))

    assert len(told(4e6, 9e7, *[2e8] * 8)) == 1
    assert told(4e6, 5e6, 4.5e6, 6e6, 4e6, 5e6, 5.5e6, 4e6, 5e6, 5e6) == []


def test_a_replica_without_any_metric_is_told_by_its_own_words() -> None:
    said = words(
        f"{NOW.subtract(minutes=3)} replication lag has exceeded 900 seconds due to high write throughput",
        whose="orders-replica-2",
    )
    looks = signals(writes()), said
    assert causes(found(replicas.db_writes_outrun_replica, scene(*looks))) == [(SOURCE, True)]


def test_a_busy_replica_of_a_calm_source_has_its_own_reason() -> None:
    of = replicas.db_replica_busy
    full, calm = moved(REPLICA, "cpu_utilization_ratio", 0.4, 0.97), steady(SOURCE, "write_operations_per_second", 90.0)
    assert causes(found(of, scene(lagging(full, calm)))) == [(REPLICA, False)]
    assert found(of, scene(lagging(full, writes()))) == []
    assert found(of, scene(signals(full, calm, steady(REPLICA, "replication_lag_seconds", 1.0)))) == []


def test_a_replay_that_conflicts_with_a_query_or_waits_for_a_transaction_is_told() -> None:
    of = replicas.db_replay_held_back
    conflict = words("ERROR: canceling statement due to conflict with recovery", whose="orders-replica-2")
    assert causes(found(of, scene(lagging(), conflict))) == [(REPLICA, True)]
    open_long = moved(REPLICA, "oldest_transaction_seconds", 5.0, 4_000.0)
    assert causes(found(of, scene(lagging(open_long)))) == [(REPLICA, False)]
    assert found(of, scene(lagging(moved(REPLICA, "oldest_transaction_seconds", 5.0, 60.0)))) == []


def connections(used: float, most: float = 100.0) -> tuple[dict[str, Any], dict[str, Any]]:
    return moved(SOURCE, "connections_active", 30.0, used), steady(SOURCE, "connections_max", most)


def test_connections_near_their_limit_are_told_and_leaked_only_where_their_sessions_do_nothing() -> None:
    idle = words("top wait events: Client:ClientRead 6.1", "top wait events: IO:DataFileRead 0.4")
    busy = words("top wait events: Client:ClientRead 0.4", "top wait events: IO:DataFileRead 6.1")
    high = signals(*connections(96))
    assert len(found(sessions.db_connections_high, scene(high, busy, about=SOURCE))) == 1
    assert len(found(sessions.db_connection_leak, scene(high, idle, about=SOURCE))) == 1
    assert found(sessions.db_connection_leak, scene(high, busy, about=SOURCE)) == []
    assert found(sessions.db_connection_leak, scene(signals(*connections(60)), idle, about=SOURCE)) == []
    assert found(sessions.db_connection_leak, scene(high, about=SOURCE)) == []


def test_sessions_idle_in_a_transaction_are_a_leak_by_metrics_alone() -> None:
    def told(idle: float) -> list[Finding]:
        left = moved(SOURCE, "connections_idle_in_transaction", 1.0, idle)
        return found(sessions.db_connection_leak, scene(signals(*connections(96), left), about=SOURCE))

    assert len(told(60)) == 1
    assert told(2) == []


def test_a_limit_that_only_the_server_tells_counts_and_a_leak_explains_the_cpu_it_costs() -> None:
    said = words("has 970 connections, approaching the maximum of 1,000", "top wait events: Client:ClientRead 6.1")
    looks = signals(
        moved(SOURCE, "connections_active", 700.0, 980.0), moved(SOURCE, "cpu_utilization_ratio", 0.4, 0.93)
    )
    [leak] = found(sessions.db_connection_leak, scene(looks, said, about=SOURCE))
    assert "980 of 1000" in leak.summary
    assert "the leak is the root" in leak.summary
    assert reach("db-connection-leak", "cpu-saturated") is not None
    assert reach("db-connection-leak", "connections-exhausted") is not None


SIMPLE: list[tuple[Rule, tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]] = [
    (sessions.db_deadlocks, (moved(SOURCE, "deadlocks_per_second", 0.0, 0.01),),
     (moved(SOURCE, "deadlocks_per_second", 0.0, 0.5),)),
    (sessions.db_sessions_above_cpus,
     (moved(SOURCE, "database_load_active_sessions", 1.0, 7.0), steady(SOURCE, "vcpus", 8.0)),
     (moved(SOURCE, "database_load_active_sessions", 1.0, 9.0), steady(SOURCE, "vcpus", 8.0))),
    (storage.db_cpu_credits_out, (steady(SOURCE, "cpu_credit_balance", 2.0),),
     (moved(SOURCE, "cpu_credit_balance", 140.0, 1.0),)),
    (storage.db_disk_saturated,
     (moved(SOURCE, "queue_depth", 1.0, 40.0), steady(SOURCE, "write_latency_seconds", 0.002)),
     (moved(SOURCE, "queue_depth", 1.0, 40.0), moved(SOURCE, "write_latency_seconds", 0.002, 0.05))),
    (storage.db_commit_slow, (moved(SOURCE, "commit_latency_seconds", 0.002, 0.004),),
     (moved(SOURCE, "commit_latency_seconds", 0.002, 0.05),)),
]  # fmt: skip


@pytest.mark.parametrize(("of", "well", "ill"), SIMPLE, ids=[each[0].cause.id for each in SIMPLE])
def test_what_is_ill_by_one_measure_is_found_and_its_twin_is_not(
    of: Rule, well: tuple[dict[str, Any], ...], ill: tuple[dict[str, Any], ...]
) -> None:
    assert found(of, scene(signals(*well), about=SOURCE)) == []
    assert len(found(of, scene(signals(*ill), about=SOURCE))) == 1
    assert found(of, scene(about=SOURCE)) == []


def test_a_failover_is_over_when_it_says_so_and_connections_are_back() -> None:
    def told(*values: float) -> str:
        used = series(SOURCE, "connections_active", *values)
        [over] = found(sessions.db_failover_over, scene(signals(used), words(*FAILOVER), about=SOURCE))
        return over.summary

    assert "the workload resumed normally" in told(*[300.0] * 10, 0.0, 0.0, *[310.0] * 8)
    assert "resumed" not in told(*[300.0] * 10, 0.0, 0.0, *[20.0] * 8)
    begun = scene(signals(steady(SOURCE, "connections_active", 3.0)), words(FAILOVER[0]), about=SOURCE)
    assert found(sessions.db_failover_over, begun) == []


def test_a_database_that_is_well_is_said_to_be_and_one_sign_that_is_not_silences_it() -> None:
    signs = (
        steady(SOURCE, "cpu_utilization_ratio", 0.2),
        steady(SOURCE, "connections_active", 40.0),
        steady(SOURCE, "database_load_active_sessions", 1.0),
    )
    of = sessions.db_within_bounds
    assert "within normal bounds" in found(of, scene(signals(*signs), about=SOURCE))[0].summary
    full = moved(SOURCE, "cpu_utilization_ratio", 0.2, 0.95)
    assert found(of, scene(signals(full, *signs[1:]), about=SOURCE)) == []
    assert found(of, scene(signals(*signs[:2]), about=SOURCE)) == []


def test_a_replica_is_known_by_the_name_of_its_source_and_strangers_are_not_joined() -> None:
    seen = scene(signals(steady(SOURCE, "queue_depth", 1.0), steady(REPLICA, "queue_depth", 1.0)))
    strangers = scene(signals(steady(SOURCE, "queue_depth", 1.0), steady("database//ordersx", "queue_depth", 1.0)))
    copies = Edge(Entity.parse(SOURCE), Entity.parse(REPLICA), "copies")
    assert copies in seen.edges()
    assert not [each for each in strangers.edges() if each.relation == "copies"]
