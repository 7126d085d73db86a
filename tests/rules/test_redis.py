"""The rules about Redis: what makes each fire, the twin that is well, and what only looks ill."""

from typing import Any

import pytest

from agents.causes import Rule
from agents.effects import reach
from agents.finding import Finding, Role, Severity
from agents.rules.redis import copies, memory, serving
from agents.rules.standing import thing_found
from agents.scene import Scene
from tests.rules.builders import NOW, case
from tests.rules.looks import found, moved, signals
from tools.evidence import Evidence

GIB = 2**30
MEMORY = {
    "used_bytes": 0.9 * GIB, "max_bytes": 1.0 * GIB, "ratio": 0.9, "policy": "noeviction", "fragmentation": 1.1,
    "rss_bytes": 1.0 * GIB, "system_bytes": 16.0 * GIB,
}  # fmt: skip
CLIENTS = {"connected": 50, "max": 100, "ratio": 0.5, "blocked": 0, "rejected": 7, "rejected_per_s": 0.0}
KEYS = {
    "total": 5_000, "with_expiry": 4_000, "evicted": 900, "evicted_per_s": 30.0, "hit_ratio": 0.95,
    "hit_ratio_now": 0.94, "lookups_per_s": 800.0,
}  # fmt: skip
KEPT = {"rdb_ok": True, "aof_enabled": True, "aof_ok": True, "stops_writes": True, "fork_ms": 12.0}
LINK = {"link_up": True, "link_down_s": None, "syncing": False, "replicas": [{"address": "10.0.0.2:6379", "lag_s": 1}]}
STATUS: dict[str, Any] = {
    "refused": None, "loading": False, "cluster_ok": None, "memory": MEMORY, "clients": CLIENTS, "keys": KEYS,
    "persistence": KEPT, "replication": LINK, "errors": {"ERR": {"total": 12.0, "per_s": 0.0}},
}  # fmt: skip
HOLDER = {"name": "cart", "host": "10.0.0.9", "count": 60, "idle": 5}
SEEN = {
    "seen": 80, "holders": [HOLDER], "waiting": {"BLPOP": 40},
    "largest_output": {"name": "feed", "command": "SUBSCRIBE", "bytes": 9.0},
}  # fmt: skip
KEYS_COMMAND = {
    "command": "KEYS", "count": 5, "mean_ms": 40.0, "max_ms": 60.0,
    "last_at": str(NOW.subtract(minutes=5)),
}  # fmt: skip


def redis(tool: str, **record: Any) -> Evidence:
    """What a tool of Redis answers about the deployment `main`."""
    data = [{"deployment": "main", "entity": "redis//main", **record}]
    return Evidence.found(f"redis.{tool}", "INFO", "main", data=data)


def world(*looks: Evidence) -> Scene:
    return Scene.of(case("redis//main"), looks)


def status(**changed: dict[str, Any] | Any) -> dict[str, Any]:
    """The record of a server that is well, with these parts changed."""
    return {
        **STATUS,
        **{name: {**STATUS[name], **part} if isinstance(part, dict) else part for name, part in changed.items()},
    }


Case = tuple[Rule, str, dict[str, Any], dict[str, Any]]
FIRING: list[Case] = [
    (memory.redis_memory_full, "status", status(), status(memory={"ratio": 0.97})),
    (memory.redis_memory_full, "status", status(), status(errors={"OOM": {"total": 40.0, "per_s": 4.0}})),
    (memory.redis_evicting, "status", status(), status(keys={"hit_ratio_now": 0.4})),
    (memory.redis_hit_ratio_low, "status", status(), status(keys={"hit_ratio_now": 0.3})),
    (memory.redis_output_buffer, "clients", SEEN, {**SEEN, "largest_output": {"name": "feed", "bytes": 100.0 * 2**20}}),
    (memory.redis_fragmented, "status", status(), status(memory={"fragmentation": 0.6})),
    (memory.redis_no_limit, "status", status(memory={"max_bytes": None}),
     status(memory={"max_bytes": None, "rss_bytes": 15.0 * GIB})),
    (serving.redis_rejected, "status", status(), status(clients={"ratio": 0.95})),
    (serving.redis_rejected, "status", status(), status(clients={"rejected_per_s": 3.0})),
    (serving.redis_rejected, "status", status(), {"refused": "max number of clients reached"}),
    (serving.redis_blocked_clients, "clients", SEEN, {**SEEN, "waiting": {"BLPOP": 40, "WAIT": 11}}),
    (serving.redis_slow, "slow_commands", {"commands": [{**KEYS_COMMAND, "mean_ms": 4.0}]},
     {"commands": [KEYS_COMMAND]}),
    (serving.redis_fork_slow, "status", status(), status(persistence={"fork_ms": 900.0})),
    (serving.redis_fork_slow, "status", status(), status(persistence={"delayed_fsyncs_per_s": 2.0})),
    (serving.redis_loading, "status", status(), status(loading=True)),
    (serving.redis_cluster_down, "status", status(cluster_ok=True), status(cluster_ok=False)),
    (copies.redis_replica_down, "status", status(), status(replication={"link_up": False, "link_down_s": 45.0})),
    (copies.redis_replication_lag, "status", status(),
     status(replication={"replicas": [{"address": "10.0.0.2:6379", "lag_s": 25}]})),
    (copies.redis_persist_failed, "status", status(), status(persistence={"rdb_ok": False})),
    (copies.redis_persist_failed, "status", status(), status(persistence={"aof_ok": False})),
]  # fmt: skip
LOOKS_ILL: list[tuple[Rule, str, dict[str, Any]]] = [
    # A cache that may evict is full by design.
    (memory.redis_memory_full, "status", status(memory={"ratio": 0.999, "policy": "allkeys-lru"})),
    # Writes were refused once since the start of the server, and not now.
    (memory.redis_memory_full, "status", status(errors={"OOM": {"total": 4_000.0, "per_s": 0.0}})),
    # Nobody knows how fast: one sample makes no rate.
    (memory.redis_evicting, "status", status(keys={"evicted_per_s": None, "hit_ratio_now": None})),
    # Three lookups make no ratio.
    (memory.redis_hit_ratio_low, "status", status(keys={"hit_ratio_now": 0.0, "lookups_per_s": 3.0})),
    # A queue is asked for what is not there yet all day.
    (memory.redis_hit_ratio_low, "status", status(keys={"hit_ratio": 0.1, "hit_ratio_now": 0.02})),
    # Small data sets always look fragmented.
    (memory.redis_fragmented, "status", status(memory={"fragmentation": 6.0, "used_bytes": 2.0**20})),
    # Refusals of last month are only in the total.
    (serving.redis_rejected, "status", status(clients={"rejected": 90_000})),
    # Workers wait for their queue.
    (serving.redis_blocked_clients, "clients", {**SEEN, "waiting": {"XREADGROUP": 400}}),
    # Yesterday's slow command, and one that was slow once.
    (serving.redis_slow, "slow_commands",
     {"commands": [{**KEYS_COMMAND, "last_at": str(NOW.subtract(hours=30))}]}),
    (serving.redis_slow, "slow_commands", {"commands": [{**KEYS_COMMAND, "count": 1}]}),
    # It copies everything anew, which ends.
    (copies.redis_replica_down, "status",
     status(replication={"link_up": False, "link_down_s": 300.0, "syncing": True})),
    # A failover takes seconds.
    (copies.redis_replica_down, "status", status(replication={"link_up": False, "link_down_s": 8.0})),
    # There is no append-only file that could fail.
    (copies.redis_persist_failed, "status", status(persistence={"aof_ok": False, "aof_enabled": False})),
]  # fmt: skip


@pytest.mark.parametrize(
    ("of", "tool", "well", "ill"), FIRING, ids=[f"{each[0].cause.id} {place}" for place, each in enumerate(FIRING)]
)
def test_what_is_ill_is_found_and_its_twin_that_differs_in_one_part_is_not(
    of: Rule, tool: str, well: dict[str, Any], ill: dict[str, Any]
) -> None:
    assert found(of, world(redis(tool, **well))) == []
    [finding] = found(of, world(redis(tool, **ill)))
    assert str(finding.entity) == "redis//main"
    assert finding.evidence[0].excerpt in finding.summary


@pytest.mark.parametrize(
    ("of", "tool", "record"), LOOKS_ILL, ids=[f"{each[0].cause.id} {place}" for place, each in enumerate(LOOKS_ILL)]
)
def test_what_only_looks_ill_is_not_found(of: Rule, tool: str, record: dict[str, Any]) -> None:
    assert found(of, world(redis(tool, **record))) == []


def test_a_leak_needs_most_connections_unused_and_a_server_that_is_half_full() -> None:
    def leaks(idle: int, seen: int) -> list[Finding]:
        looks = (
            redis("status", **STATUS),
            redis("clients", **{**SEEN, "seen": seen, "holders": [{**HOLDER, "idle": idle}]}),
        )
        return found(serving.redis_connection_leak, world(*looks))

    assert [each.direct for each in leaks(50, 80)] == [False]
    assert leaks(5, 80) == []
    assert leaks(50, 40) == []


def test_metrics_of_an_exporter_tell_the_same_where_nobody_may_log_in() -> None:
    entity = "service/shop/cache"
    scene = Scene.of(
        case(entity),
        [
            signals(
                moved(entity, "oom_errors_per_second", 0.0, 3.0),
                moved(entity, "evictions_per_second", 0.0, 50.0),
                moved(entity, "cache_hit_ratio", 0.95, 0.3),
                moved(entity, "rejected_connections_per_second", 0.0, 2.0),
                moved(entity, "replication_link_up", 1.0, 0.0),
                moved(entity, "last_save_ok", 1.0, 0.0),
            )
        ],
    )
    of = (
        memory.redis_memory_full, memory.redis_evicting, memory.redis_hit_ratio_low, serving.redis_rejected,
        copies.redis_replica_down, copies.redis_persist_failed,
    )  # fmt: skip
    assert [len(found(each, scene)) for each in of] == [1] * len(of)


def test_what_was_over_before_now_is_not_told_from_metrics() -> None:
    entity = "service/shop/cache"
    scene = Scene.of(case(entity), [signals(moved(entity, "oom_errors_per_second", 0.0, 3.0, back=5))])
    assert found(memory.redis_memory_full, scene) == []


def test_a_source_that_did_not_answer_says_nothing() -> None:
    gap = redis("status", gap="no answer")
    for of in {each[0].cause.id: each[0] for each in FIRING}.values():
        assert found(of, world(gap)) == []
        assert found(of, world()) == []


def test_writes_that_are_refused_are_critical_and_what_was_seen_to_answer_is_found() -> None:
    refused = redis("status", **status(errors={"OOM": {"total": 40.0, "per_s": 4.0}}))
    assert [each.severity for each in found(memory.redis_memory_full, world(refused))] == [Severity.CRITICAL]
    assert [str(each.entity) for each in found(thing_found, world(refused))] == ["redis//main"]


def test_what_redis_suffers_from_explains_what_shows_of_it() -> None:
    assert reach("redis-memory-full", "redis-hit-ratio-low") is not None
    assert reach("redis-connection-leak", "redis-rejected") is not None
    assert serving.redis_blocked_clients.cause.role is Role.SYMPTOM
