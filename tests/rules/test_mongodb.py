"""MongoDB, from the records of its tools."""

from typing import Any

import pytest

from agents.causes import Rule
from agents.finding import Severity
from agents.rules import mongodb as rules
from tests.rules.looks import found, lines, mongodb, moved, series, signals, steady, world

MEMBERS = [
    {"name": "m0", "state": "PRIMARY", "healthy": True, "lag_s": 0.0, "uptime_s": 1e6},
    {"name": "m1", "state": "SECONDARY", "healthy": True, "lag_s": 1.0, "uptime_s": 1e6},
]
SET: dict[str, Any] = {
    "set": "rs0",
    "standalone": False,
    "has_primary": True,
    "members": MEMBERS,
    "max_lag_s": 1.0,
    "oplog": {"window_h": 100.0},
}
STATUS: dict[str, Any] = {
    "connections": {"current": 100, "max": 1000, "ratio": 0.1},
    "queue": {"total": 0},
    "wired_tiger": {
        "cache_used_ratio": 0.7,
        "cache_dirty_ratio": 0.02,
        "tickets": {"read": {"out": 3, "available": 125}, "write": {"out": 0, "available": 128}},
    },
}
SLOW: dict[str, Any] = {
    "op": "query",
    "namespace": "shop.orders",
    "shape": "{find: orders}",
    "collscan": False,
    "count": 10,
    "mean_ms": 50.0,
    "examined_per_returned": 1.0,
}


def engine(**more: Any) -> dict[str, Any]:
    return {"wired_tiger": {**STATUS["wired_tiger"], **more}}


@pytest.mark.parametrize(
    ("of", "tool", "well", "sick"),
    [
        (rules.mongo_no_primary, "replication", SET, {"has_primary": False}),
        (
            rules.mongo_member_down,
            "replication",
            SET,
            {"members": [*MEMBERS, {"name": "m2", "state": "(down)", "healthy": False}]},
        ),
        (rules.mongo_replication_lag, "replication", SET, {"members": [MEMBERS[0], {**MEMBERS[1], "lag_s": 90.0}]}),
        (rules.mongo_oplog_short, "replication", SET, {"oplog": {"window_h": 3.0}}),
        (rules.mongo_connections_high, "status", STATUS, {"connections": {"current": 900, "max": 1000, "ratio": 0.9}}),
        (rules.mongo_lock_queue, "status", STATUS, {"queue": {"total": 50}}),
        (rules.mongo_cache_pressure, "status", STATUS, engine(cache_dirty_ratio=0.4)),
        (rules.mongo_cache_pressure, "status", STATUS, engine(cache_used_ratio=0.97)),
        (rules.mongo_tickets_out, "status", STATUS, engine(tickets={"write": {"out": 128, "available": 0}})),
        (rules.mongo_slow_ops, "slow_operations", {"operations": [SLOW]}, {"operations": [{**SLOW, "mean_ms": 900.0}]}),
        (
            rules.mongo_missing_index,
            "slow_operations",
            {"operations": [{**SLOW, "collscan": True}]},
            {"operations": [{**SLOW, "collscan": True, "mean_ms": 900.0}]},
        ),
        (
            rules.mongo_missing_index,
            "slow_operations",
            {"operations": [SLOW]},
            {"operations": [{**SLOW, "examined_per_returned": 5000.0, "mean_ms": 900.0}]},
        ),
    ],
)
def test_it_fires_and_its_healthy_twin_does_not(
    of: Rule, tool: str, well: dict[str, Any], sick: dict[str, Any]
) -> None:
    (only,) = found(of, world(mongodb(tool, **{**well, **sick})))
    assert (only.cause, str(only.entity)) == (of.cause.id, "mongodb//main")
    assert found(of, world(mongodb(tool, **well))) == []
    assert found(of, world()) == []


def test_what_the_server_does_not_tell_is_not_judged() -> None:
    unknown = mongodb("status", connections={"ratio": None}, queue={"total": None}, wired_tiger=None)
    for of in (
        rules.mongo_connections_high,
        rules.mongo_lock_queue,
        rules.mongo_cache_pressure,
        rules.mongo_tickets_out,
    ):
        assert found(of, world(unknown)) == []


def test_a_deployment_that_did_not_answer_is_not_judged() -> None:
    silent = mongodb("replication", gap="no answer")
    assert found(rules.mongo_no_primary, world(silent)) == []


def test_a_standalone_server_needs_no_primary() -> None:
    assert found(rules.mongo_no_primary, world(mongodb("replication", standalone=True, has_primary=False))) == []


def test_a_young_set_cannot_reach_back_far() -> None:
    young = [{**each, "uptime_s": 600} for each in MEMBERS]
    assert (
        found(
            rules.mongo_oplog_short,
            world(mongodb("replication", **{**SET, "members": young, "oplog": {"window_h": 0.2}})),
        )
        == []
    )


def test_a_slow_operation_that_came_once_is_a_report() -> None:
    once = {**SLOW, "mean_ms": 9000.0, "count": 1}
    assert found(rules.mongo_slow_ops, world(mongodb("slow_operations", operations=[once]))) == []


def test_a_replica_lags_by_its_signal_or_by_its_own_words() -> None:
    replica = "database//orders-replica"
    assert found(rules.replication_lag, world(signals(moved(replica, "replication_lag_seconds", 1.0, 300.0))))
    assert found(rules.replication_lag, world(signals(series(replica, "replication_lag_seconds", *[900.0] * 10))))
    assert found(rules.replication_lag, world(lines("Replication lag has exceeded 900 seconds", pod="orders-replica")))
    assert found(rules.replication_lag, world(signals(steady(replica, "replication_lag_seconds", 2.0)))) == []
    (past,) = found(
        rules.replication_lag, world(signals(moved(replica, "replication_lag_seconds", 1.0, 300.0, back=5)))
    )
    assert past.severity is Severity.INFO
