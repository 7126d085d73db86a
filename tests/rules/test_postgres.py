"""The rules about PostgreSQL: what makes each fire, the twin that is well, and what only looks ill."""

from typing import Any

import pytest

from agents.causes import Rule, rules
from agents.effects import reach
from agents.finding import Finding, Role, Severity
from agents.rules.postgres import replicas, sessions, upkeep
from agents.rules.standing import thing_found
from agents.scene import Scene
from tests.rules.builders import case
from tests.rules.looks import found, postgres
from tools.evidence import Evidence
from tools.postgres.queries import QUERIES, shown

GIB = 2**30
HOLDER = {"role": "shop", "application": "cart", "count": 45, "stale": 5}
CONNECTIONS = {"refused": None, "used": 50, "max": 103, "ratio": 0.5, "holders": [HOLDER]}
IDLE = {"pid": 7, "role": "shop", "application": "cart", "state": "idle in transaction", "state_s": 20.0, "query": "?"}
AT_WORK = {
    "pid": 8,
    "role": "shop",
    "application": "cart",
    "state": "active",
    "transaction_s": 20.0,
    "query_s": 20.0,
    "xids_held_back": 5,
    "query": "SELECT * FROM stock WHERE sku = ?",
}
CHAIN = {
    "head": AT_WORK,
    "blocked": 2,
    "longest_wait_s": 12.0,
    "waiters": [{"pid": 9, "relation": "stock", "wait_s": 12.0}],
}
STATEMENT = {"calls": 5000, "mean_ms": 20.0, "share": 0.8, "busy": 0.9, "query": "SELECT ?"}
REPLICA = {"application": "standby", "sync_state": "async", "replay_lag_s": 0.2, "behind_bytes": 900}
STANDBY = {"replay_paused": False, "pending_bytes": 0, "replayed_s_ago": 5.0, "streams": True, "receiver": "streaming"}
SLOT = {"slot": "warehouse", "active": True, "wal_status": "reserved", "retained_bytes": 1000}
REPLICATION = {"in_recovery": False, "replicas": [REPLICA], "standby": None, "slots": [SLOT], "synchronous": None}
TABLE = {"schema": "public", "table": "stock", "dead_rows": 500_000, "dead_ratio": 0.4, "vacuumed_s_ago": 600.0}
VACUUM = {
    "databases": [{"database": "shop", "xid_age": 150_000_000, "multixact_age": 10}],
    "autovacuum": True,
    "tables": [TABLE],
    "running": [],
    "holders": [],
}
STATUS = {"uptime_s": 90_000, "databases": [{"database": "shop", "deadlocks": 50, "deadlocks_per_h": 0.1}]}


def world(*looks: Evidence) -> Scene:
    return Scene.of(case("postgres//main"), looks)


def many(count: int, **session: Any) -> dict[str, Any]:
    """So many sessions of the server that are alike."""
    return {"active": count, "sessions": [{**AT_WORK, "pid": 100 + each, **session} for each in range(count)]}


def one(key: str, row: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A record with one row, changed."""
    return {key: [{**row, **changed}]}


Case = tuple[Rule, str, dict[str, Any], dict[str, Any]]
FIRING: list[Case] = [
    (sessions.pg_connections_high, "connections", CONNECTIONS, {"ratio": 0.9}),
    (sessions.pg_connections_high, "connections", CONNECTIONS, {"refused": "too many clients already"}),
    (
        sessions.pg_connection_leak,
        "connections",
        {**CONNECTIONS, "ratio": 0.7},
        one("holders", HOLDER, stale=40),
    ),
    (sessions.pg_blocked, "locks", {"chains": [CHAIN]}, one("chains", CHAIN, longest_wait_s=45.0)),
    (
        sessions.pg_idle_in_transaction,
        "activity",
        {"sessions": [IDLE]},
        one("sessions", IDLE, state_s=900.0),
    ),
    (
        sessions.pg_idle_in_transaction,
        "locks",
        {"chains": [{**CHAIN, "longest_wait_s": 45.0}]},
        {"chains": [{**CHAIN, "longest_wait_s": 45.0, "head": IDLE}]},
    ),
    (sessions.pg_long_transaction, "activity", {"sessions": [AT_WORK]}, one("sessions", AT_WORK, transaction_s=7200.0)),
    (
        sessions.pg_prepared_forgotten,
        "activity",
        {"sessions": [], "prepared": [{"gid": "a", "role": "shop", "age_s": 3.0}]},
        {"prepared": [{"gid": "a", "role": "shop", "age_s": 7200.0}]},
    ),
    (sessions.pg_slow_query, "slow_queries", {"statements": [STATEMENT]}, one("statements", STATEMENT, mean_ms=900.0)),
    (sessions.pg_slow_query, "activity", many(3), many(6)),
    (replicas.pg_replication_lag, "replication", REPLICATION, one("replicas", REPLICA, replay_lag_s=45.0)),
    (
        replicas.pg_replication_lag,
        "replication",
        {**REPLICATION, "standby": STANDBY},
        {"standby": {**STANDBY, "pending_bytes": GIB, "replayed_s_ago": 45.0}},
    ),
    (
        replicas.pg_replay_paused,
        "replication",
        {**REPLICATION, "standby": {**STANDBY, "pending_bytes": GIB}},
        {"standby": {**STANDBY, "pending_bytes": GIB, "replay_paused": True}},
    ),
    (
        replicas.pg_replica_disconnected,
        "replication",
        {**REPLICATION, "standby": STANDBY},
        {"standby": {**STANDBY, "receiver": None}},
    ),
    (
        replicas.pg_slot_retains_wal,
        "replication",
        REPLICATION,
        one("slots", SLOT, active=False, retained_bytes=20 * GIB),
    ),
    (replicas.pg_slot_lost, "replication", REPLICATION, one("slots", SLOT, wal_status="lost")),
    (replicas.pg_sync_standby_missing, "replication", REPLICATION, {"synchronous": "elsewhere"}),
    (
        upkeep.pg_wraparound,
        "vacuum",
        VACUUM,
        {"databases": [{"database": "shop", "xid_age": 1_200_000_000, "multixact_age": 10}]},
    ),
    (
        upkeep.pg_wraparound,
        "vacuum",
        VACUUM,
        {"databases": [{"database": "shop", "xid_age": 10, "multixact_age": 1_200_000_000}]},
    ),
    (upkeep.pg_bloat, "vacuum", VACUUM, one("tables", TABLE, vacuumed_s_ago=200_000.0)),
    (upkeep.pg_bloat, "vacuum", VACUUM, one("tables", TABLE, vacuumed_s_ago=None)),
    (
        upkeep.pg_deadlocks,
        "status",
        STATUS,
        {"databases": [{"database": "shop", "deadlocks": 50, "deadlocks_per_h": 4.0}]},
    ),
    (upkeep.pg_autovacuum_off, "vacuum", VACUUM, {"autovacuum": False}),
]


@pytest.mark.parametrize(
    ("of", "tool", "well", "sick"), FIRING, ids=[f"{each[0].cause.id}-{place}" for place, each in enumerate(FIRING)]
)
def test_it_fires_and_its_healthy_twin_does_not(
    of: Rule, tool: str, well: dict[str, Any], sick: dict[str, Any]
) -> None:
    (only,) = found(of, world(postgres(tool, **{**well, **sick})))
    assert (only.cause, str(only.entity)) == (of.cause.id, "postgres//main")
    # Cited is the one statement that shows it, of the several that the tool sends.
    assert all(each.query.endswith(" -- main") and "; " not in each.query for each in only.evidence)
    assert all(each.query.removesuffix(" -- main") in map(shown, QUERIES) for each in only.evidence)
    assert found(of, world(postgres(tool, **well))) == []
    assert found(of, world()) == []


def test_every_rule_has_a_case_that_fires_it() -> None:
    assert {each[0].cause.id for each in FIRING} == {each.cause.id for each in rules(frozenset({"postgres"}))}


FALSE_ALARMS: list[Case] = [
    # A pool that rests at night holds few of the server's connections.
    (
        sessions.pg_connection_leak,
        "connections",
        {**CONNECTIONS, "ratio": 0.4},
        one("holders", HOLDER, stale=45),
    ),
    (sessions.pg_long_transaction, "activity", {}, one("sessions", AT_WORK, transaction_s=9e4, application="pg_dump")),
    (sessions.pg_blocked, "locks", {"waiting": 3}, one("chains", CHAIN, blocked=40, longest_wait_s=2.0)),
    # A report that comes once a night, and a server that nobody uses.
    (sessions.pg_slow_query, "slow_queries", {}, one("statements", STATEMENT, mean_ms=9e5, calls=3)),
    (sessions.pg_slow_query, "slow_queries", {}, one("statements", STATEMENT, mean_ms=900.0, busy=0.01)),
    (sessions.pg_slow_query, "slow_queries", {}, one("statements", STATEMENT, mean_ms=900.0, busy=None)),
    (sessions.pg_slow_query, "activity", {}, many(6, wait_event_type="Lock")),
    (sessions.pg_slow_query, "activity", {}, {**many(6), "active": 40}),
    # An idle primary: everything that came is replayed, however old the last commit is.
    (replicas.pg_replication_lag, "replication", {}, {"standby": {**STANDBY, "replayed_s_ago": 90_000.0}}),
    (replicas.pg_replication_lag, "replication", {}, one("replicas", REPLICA, replay_lag_s=900.0, behind_bytes=0)),
    (replicas.pg_replication_lag, "replication", {}, one("replicas", REPLICA, replay_lag_s=None)),
    (
        replicas.pg_replication_lag,
        "replication",
        {},
        {"standby": {**STANDBY, "pending_bytes": GIB, "replayed_s_ago": 3605.0, "delay_s": 3600.0}},
    ),
    (replicas.pg_replay_paused, "replication", {}, {"standby": {**STANDBY, "replay_paused": True}}),
    # Log shipping needs no connection.
    (replicas.pg_replica_disconnected, "replication", {}, {"standby": {**STANDBY, "receiver": None, "streams": False}}),
    (replicas.pg_slot_retains_wal, "replication", {}, one("slots", SLOT, active=False, retained_bytes=GIB)),
    (
        replicas.pg_sync_standby_missing,
        "replication",
        {},
        {"synchronous": "a", "in_recovery": False, **one("replicas", REPLICA, sync_state="quorum")},
    ),
    (replicas.pg_sync_standby_missing, "replication", {}, {"synchronous": "a", "in_recovery": True, "replicas": []}),
    (
        upkeep.pg_bloat,
        "vacuum",
        {"running": [{"relation": "stock"}]},
        one("tables", TABLE, vacuumed_s_ago=None),
    ),
    (upkeep.pg_bloat, "vacuum", {}, one("tables", TABLE, vacuumed_s_ago=None, dead_rows=900)),
    (upkeep.pg_deadlocks, "status", {}, {"databases": [{"deadlocks": 2, "deadlocks_per_h": 60.0}]}),
]


@pytest.mark.parametrize(
    ("of", "tool", "base", "odd"),
    FALSE_ALARMS,
    ids=[f"{each[0].cause.id}-{place}" for place, each in enumerate(FALSE_ALARMS)],
)
def test_what_only_looks_ill_is_not_told(of: Rule, tool: str, base: dict[str, Any], odd: dict[str, Any]) -> None:
    assert found(of, world(postgres(tool, **base | odd))) == []


def only(of: Rule, *looks: Evidence) -> Finding:
    (finding,) = found(of, world(*looks))
    return finding


def test_what_is_inferred_is_never_direct() -> None:
    """Only what the server itself shows may confirm a cause."""
    inferred = [
        only(sessions.pg_connection_leak, postgres("connections", **CONNECTIONS | {"ratio": 0.9, "used": 46} | one(
            "holders", HOLDER, stale=45
        ))),
        only(sessions.pg_slow_query, postgres("slow_queries", **one("statements", STATEMENT, mean_ms=900.0))),
        only(sessions.pg_long_transaction, postgres("activity", **one("sessions", AT_WORK, transaction_s=7200.0))),
        only(replicas.pg_slot_retains_wal, postgres("replication", **one("slots", SLOT, retained_bytes=20 * GIB))),
        only(upkeep.pg_bloat, postgres("vacuum", **one("tables", TABLE, vacuumed_s_ago=None))),
        only(upkeep.pg_deadlocks, postgres("status", databases=[{"deadlocks": 90, "deadlocks_per_h": 9.0}])),
    ]  # fmt: skip
    assert {each.direct for each in inferred} == {False}


def test_a_transaction_that_keeps_vacuum_back_is_direct_and_one_that_is_old_is_not_bad() -> None:
    old = one("sessions", AT_WORK, transaction_s=7200.0)
    harmful = one("sessions", AT_WORK, transaction_s=7200.0, xids_held_back=5_000_000)
    assert only(sessions.pg_long_transaction, postgres("activity", **old)).severity is Severity.INFO
    told = only(sessions.pg_long_transaction, postgres("activity", **harmful))
    assert (told.severity, told.direct) == (Severity.WARNING, True)


def test_the_head_of_a_chain_is_named_with_what_is_waited_for() -> None:
    told = only(sessions.pg_blocked, postgres("locks", chains=[{**CHAIN, "longest_wait_s": 900.0}]))
    assert "2 sessions wait for stock behind pid 8 (shop, app cart), the longest 900 s" in told.summary
    assert told.severity is Severity.CRITICAL
    ownerless = {**CHAIN, "longest_wait_s": 45.0, "head": {"pid": 0}}
    assert "behind a prepared transaction" in only(sessions.pg_blocked, postgres("locks", chains=[ownerless])).summary


def test_a_forgotten_transaction_that_blocks_is_worse_than_one_that_only_idles() -> None:
    chain = postgres("locks", chains=[{**CHAIN, "longest_wait_s": 45.0, "head": {**IDLE, "state_s": 400.0}}])
    idle = postgres("activity", **one("sessions", IDLE, state_s=400.0))
    assert only(sessions.pg_idle_in_transaction, idle).severity is Severity.WARNING
    assert only(sessions.pg_idle_in_transaction, idle, chain).severity is Severity.CRITICAL


def test_a_replica_that_has_just_started_may_still_be_on_its_way() -> None:
    alone = postgres("replication", standby={**STANDBY, "receiver": None})
    young, grown = postgres("status", uptime_s=30.0), postgres("status", uptime_s=3000.0)
    assert found(replicas.pg_replica_disconnected, world(alone, young)) == []
    assert only(replicas.pg_replica_disconnected, alone, grown).severity is Severity.CRITICAL


def test_wraparound_names_what_holds_vacuum_back_and_is_calmer_while_a_vacuum_runs() -> None:
    old = {"databases": [{"database": "shop", "xid_age": 1_200_000_000}]}
    held = {**old, "holders": [{"what": "slot warehouse", "xids": 1_100_000_000}, {"what": "session 7", "xids": 5}]}
    assert "slot warehouse first, by approval" in only(upkeep.pg_wraparound, postgres("vacuum", **held)).remedy
    worked_on = {**old, "running": [{"database": "shop", "relation": "stock"}]}
    assert only(upkeep.pg_wraparound, postgres("vacuum", **old)).severity is Severity.WARNING
    assert only(upkeep.pg_wraparound, postgres("vacuum", **worked_on)).severity is Severity.INFO
    last = {**worked_on, "databases": [{"database": "shop", "xid_age": 1_900_000_000}]}
    assert only(upkeep.pg_wraparound, postgres("vacuum", **last)).severity is Severity.CRITICAL


def test_a_deployment_that_did_not_answer_is_not_judged() -> None:
    for each in rules(frozenset({"postgres"})):
        for tool in ("status", "connections", "activity", "locks", "slow_queries", "replication", "vacuum"):
            assert found(each, world(postgres(tool, gap="no answer"))) == []


def test_a_server_that_answers_is_the_thing_that_the_case_names() -> None:
    assert found(thing_found, world(postgres("status", uptime_s=5.0)))
    assert found(thing_found, world(postgres("status", gap="no answer"))) == []
    assert found(thing_found, Scene.of(case("postgres//other"), [postgres("status", uptime_s=5.0)])) == []


def test_who_left_a_transaction_open_explains_who_waits_and_never_the_other_way() -> None:
    assert reach("pg-idle-in-transaction", "pg-blocked")
    assert reach("pg-blocked", "pg-connections-high")
    assert reach("pg-replay-paused", "pg-replication-lag")
    causes = [each.cause.id for each in rules(frozenset({"postgres"})) if each.cause.role is Role.CAUSE]
    mutual = [
        (left, right)
        for left in causes
        for right in causes
        if left < right and reach(left, right) and reach(right, left)
    ]
    assert mutual == []
    for cause in causes:
        assert reach(cause, "latency-high"), cause
