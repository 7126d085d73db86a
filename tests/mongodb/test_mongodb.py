"""The MongoDB tools, against a wire-protocol emulator."""

import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import bson
import pytest
from whenever import Instant

from tests.mongodb.emulator import Emulator, Script, batch, emulated, refusal
from tests.servers import free_port
from tools.caching import MemoryCache
from tools.errors import ToolRetry
from tools.evidence import Evidence, Outcome
from tools.looking import Looker
from tools.mongodb.live import LiveMongoDB
from tools.world import World

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
MEMBERS = [
    {"name": "a:27017", "stateStr": "PRIMARY", "health": 1.0, "uptime": 900, "optimeDate": NOON},
    {
        "name": "b:27017",
        "stateStr": "SECONDARY",
        "health": 1.0,
        "uptime": 800,
        "optimeDate": NOON - dt.timedelta(seconds=45),
        "syncSourceHost": "a:27017",
    },
    {
        "name": "c:27017",
        "stateStr": "(not reachable/healthy)",
        "health": 0.0,
        "uptime": 0,
        "optimeDate": dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        "lastHeartbeatMessage": "connection refused",
    },
]
STATUS: Mapping[str, Any] = {
    "host": "a:27017",
    "version": "7.0.5",
    "process": "mongod",
    "uptime": 900.0,
    "connections": {"current": 850, "available": 150, "active": 40, "totalCreated": bson.Int64(90_000), "rejected": 3},
    "globalLock": {
        "currentQueue": {"total": 25, "readers": 5, "writers": 20},
        "activeClients": {"readers": 2, "writers": 9},
    },
    "wiredTiger": {
        "cache": {
            "maximum bytes configured": bson.Int64(1_000),
            "bytes currently in the cache": bson.Int64(960),
            "tracked dirty bytes in the cache": bson.Int64(250),
        },
        "concurrentTransactions": {
            "read": {"out": 3, "available": 125, "totalTickets": 128},
            "write": {"out": 128, "available": 0, "totalTickets": 128},
        },
    },
    "opcounters": {"insert": 5, "query": 7},
    "asserts": {"user": 11},
}
OPERATIONS: list[Mapping[str, Any]] = [
    {
        "op": "query",
        "opid": 17,
        "ns": "shop.orders",
        "secs_running": 90,
        "microsecs_running": bson.Int64(90_000_000),
        "waitingForLock": False,
        "planSummary": "COLLSCAN",
        "appName": "cart",
        "client": "10.0.0.9:4411",
        "command": {"find": "orders", "filter": {"email": "ann@example.org", "total": {"$gt": 4711}}, "$db": "shop"},
    },
    {
        "op": "update",
        "opid": 18,
        "ns": "shop.stock",
        "secs_running": 0,
        "waitingForLock": True,
        "appName": "stock",
        "client": "10.0.0.8:4412",
        "command": {"update": "stock", "updates": [{"q": {"sku": "X-99"}, "u": {"$inc": {"count": -1}}}]},
    },
    {"op": "query", "opid": 19, "ns": "shop.orders", "secs_running": 0, "command": {"find": "orders"}},
    {"op": "command", "opid": 20, "ns": "admin.$cmd", "secs_running": 500, "command": {"hello": 1}},
    {"op": "getmore", "opid": 21, "ns": "local.oplog.rs", "secs_running": 700, "command": {"getMore": bson.Int64(1)}},
    {"op": "none", "opid": 22, "ns": "", "secs_running": 800, "command": {}},
    {"op": "command", "opid": 23, "ns": "admin", "secs_running": 9, "command": {"aggregate": 1}, "appName": "locum"},
]


def slow_line(millis: int, value: str, returned: int = 1) -> str:
    attr = {
        "type": "command",
        "ns": "shop.orders",
        "command": {"find": "orders", "filter": {"email": value}},
        "planSummary": "COLLSCAN",
        "docsExamined": 5000,
        "keysExamined": 0,
        "nreturned": returned,
        "durationMillis": millis,
    }
    return json.dumps(
        {"t": {"$date": "2026-01-01T12:00:00.000+00:00"}, "c": "COMMAND", "msg": "Slow query", "attr": attr}
    )


def oplog(command: Mapping[str, Any]) -> Mapping[str, Any]:
    at = NOON - dt.timedelta(hours=6) if command["sort"] == {"$natural": 1} else NOON
    return batch({"ts": bson.Timestamp(int(at.timestamp()), 1)}, namespace="local.oplog.rs")


def running(*operations: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Answers `$currentOp` over all users, on `admin`, and no other pipeline."""

    def answer(command: Mapping[str, Any]) -> Mapping[str, Any]:
        is_current = command["pipeline"][0] == {"$currentOp": {"allUsers": True}}
        if command["aggregate"] != 1 or command["$db"] != "admin" or not is_current:
            return refusal(40324, "unrecognized pipeline")
        return batch(*operations)

    return answer


WHOLE: Script = {
    "serverStatus": STATUS,
    "replSetGetStatus": {"set": "rs0", "members": MEMBERS},
    "aggregate": running(*OPERATIONS),
    "find": oplog,
    "getLog": {
        "log": [
            slow_line(300, "ann@example.org"),
            slow_line(900, "bob@example.org"),
            slow_line(50, "x"),
            "{cut: Slow query",
        ]
    },
    "listDatabases": {"databases": [{"name": "admin"}, {"name": "shop"}]},
    "profile": {"was": 0, "slowms": 100},
    "connPoolStats": {"totalInUse": 2, "totalAvailable": 7, "totalCreated": bson.Int64(30)},
}

Open = Callable[..., Awaitable[Emulator]]


@pytest.fixture
async def deploy() -> AsyncIterator[tuple[Open, list[LiveMongoDB]]]:
    """Starts emulators, and keeps a live deployment for each."""
    sources: list[LiveMongoDB] = []
    async with AsyncExitStack() as stack:

        async def opened(script: Script, name: str = "orders", *, timeout_s: float = 3.0) -> Emulator:
            emulator = await stack.enter_async_context(emulated(script))
            sources.append(LiveMongoDB(name, emulator.uri, timeout_s=timeout_s))
            stack.push_async_callback(sources[-1].aclose)
            return emulator

        yield opened, sources


Deploy = tuple[Open, list[LiveMongoDB]]


async def look(deploy: Deploy, tool: str, **args: Any) -> Evidence:
    world = World(name="test", captured_at=Instant.now(), mongodb=tuple(deploy[1]))
    return await Looker(world, cache=MemoryCache()).look(f"mongodb.{tool}", args)


async def test_status_tells_what_runs_out(deploy: Deploy) -> None:
    emulator = await deploy[0](WHOLE)
    evidence = await look(deploy, "status")
    assert evidence.outcome is Outcome.FOUND
    (seen,) = evidence.data
    assert (seen["deployment"], seen["entity"]) == ("orders", "mongodb//orders")
    assert seen["connections"]["ratio"] == 0.85
    assert seen["connections"]["max"] == 1000
    assert seen["queue"] == {"readers": 5, "writers": 20, "total": 25}
    assert seen["wired_tiger"]["cache_used_ratio"] == 0.96
    assert seen["wired_tiger"]["cache_dirty_ratio"] == 0.25
    assert seen["wired_tiger"]["tickets"]["write"] == {"out": 128, "available": 0, "total": 128}
    assert type(seen["connections"]["total_created"]) is int
    assert "orders: connections 850 of 1000 (85%)" in evidence.excerpt
    assert emulator.app_names == {"locum"}
    assert all(command["maxTimeMS"] == 3000 for command in emulator.asked)


async def test_tickets_are_found_where_newer_servers_keep_them(deploy: Deploy) -> None:
    engine = {"cache": STATUS["wiredTiger"]["cache"]}
    queues = {"execution": STATUS["wiredTiger"]["concurrentTransactions"]}
    await deploy[0]({"serverStatus": {**STATUS, "wiredTiger": engine, "queues": queues}})
    (seen,) = (await look(deploy, "status")).data
    assert seen["wired_tiger"]["tickets"]["write"]["available"] == 0


async def test_replication_tells_lag_oplog_and_who_is_down_first(deploy: Deploy) -> None:
    await deploy[0](WHOLE)
    evidence = await look(deploy, "replication")
    (seen,) = evidence.data
    assert seen["has_primary"] is True
    assert [one["lag_s"] for one in seen["members"]] == [0, 45, None]
    assert seen["max_lag_s"] == 45
    assert seen["oplog"]["window_h"] == 6
    assert evidence.excerpt.splitlines()[0] == "orders: c:27017 (not reachable/healthy) DOWN: connection refused"


async def test_a_set_without_a_primary_says_so_first(deploy: Deploy) -> None:
    await deploy[0]({**WHOLE, "replSetGetStatus": {"set": "rs0", "members": MEMBERS[1:]}})
    evidence = await look(deploy, "replication")
    assert evidence.data[0]["has_primary"] is False
    assert evidence.excerpt.startswith("orders: replica set rs0 has NO PRIMARY")


async def test_a_standalone_is_a_fact_and_an_unreadable_oplog_is_not_known(deploy: Deploy) -> None:
    await deploy[0]({"replSetGetStatus": refusal(76, "not running with --replSet")}, "single")
    await deploy[0]({**WHOLE, "find": refusal(13)}, "locked")
    evidence = await look(deploy, "replication")
    assert evidence.data[0]["standalone"] is True
    assert evidence.data[1]["oplog"] is None
    assert "locked: oplog window: not known" in evidence.excerpt


async def test_operations_show_shapes_and_never_what_users_wrote(deploy: Deploy) -> None:
    await deploy[0](WHOLE)
    evidence = await look(deploy, "operations")
    (seen,) = evidence.data
    assert [one["opid"] for one in seen["operations"]] == [17, 18]
    assert (seen["running"], seen["waiting_for_lock"]) == (3, 1)
    first, second = seen["operations"]
    assert first["collscan"] is True
    assert first["shape"] == "{find: orders, filter: {email: ?, total: {$gt: ?}}, $db: shop}"
    assert second["waiting_for_lock"] is True
    everything = json.dumps(evidence.data) + evidence.excerpt
    assert not any(value in everything for value in ("ann@example.org", "4711", "X-99"))


async def test_nothing_long_running_is_empty(deploy: Deploy) -> None:
    await deploy[0]({**WHOLE, "aggregate": running(*OPERATIONS[2:])})
    evidence = await look(deploy, "operations")
    assert evidence.outcome is Outcome.EMPTY
    assert evidence.data[0]["running"] == 1


async def test_slow_operations_are_grouped_by_shape_with_examined_for_returned(deploy: Deploy) -> None:
    await deploy[0](WHOLE)
    evidence = await look(deploy, "slow_operations")
    (seen,) = evidence.data
    assert seen["sources"] == ["log"]
    (group,) = seen["operations"]
    assert (group["count"], group["max_ms"], group["mean_ms"]) == (2, 900, 600)
    assert (group["examined"], group["returned"], group["examined_per_returned"]) == (10_000, 2, 5_000)
    assert group["collscan"] is True
    assert "example.org" not in json.dumps(evidence.data) + evidence.excerpt
    assert (await look(deploy, "slow_operations", min_ms=2_000)).outcome is Outcome.EMPTY


async def test_the_profiler_is_read_where_it_is_on(deploy: Deploy) -> None:
    entry = {"op": "query", "ns": "shop.a", "millis": 700, "ts": NOON, "command": {"find": "a"}, "nreturned": 0}
    script = {
        **WHOLE,
        "getLog": refusal(13),
        "profile": {"was": 1},
        "find": batch(entry, namespace="shop.system.profile"),
    }
    emulator = await deploy[0](script)
    (seen,) = (await look(deploy, "slow_operations")).data
    assert seen["sources"] == ["profiler of shop"]
    assert seen["operations"][0]["last_at"] == "2026-01-01T12:00:00Z"
    assert [one["$db"] for one in emulator.asked if "profile" in one] == ["shop"]


async def test_without_log_and_profiler_slow_operations_are_unknown_not_none(deploy: Deploy) -> None:
    await deploy[0]({**WHOLE, "getLog": refusal(13)})
    evidence = await look(deploy, "slow_operations")
    assert evidence.outcome is Outcome.ERROR
    assert "clusterMonitor" in evidence.why


async def test_connections_name_the_applications_or_say_that_they_are_not_known(deploy: Deploy) -> None:
    await deploy[0](WHOLE, "whole")
    await deploy[0]({"serverStatus": STATUS}, "partly")
    evidence = await look(deploy, "connections")
    whole, partly = evidence.data
    assert {"app": "cart", "count": 1} in whole["clients"]
    assert whole["outgoing"] == {"in_use": 2, "available": 7, "created": 30}
    assert (partly["clients"], partly["outgoing"]) == (None, None)
    assert "partly: active applications: not known" in evidence.excerpt


async def test_one_deployment_that_fails_hides_no_other_and_is_named(deploy: Deploy) -> None:
    await deploy[0]({"serverStatus": refusal(13)}, "locked")
    await deploy[0](WHOLE, "open")
    evidence = await look(deploy, "status")
    assert evidence.outcome is Outcome.FOUND
    assert "locked: NOT SEEN" in evidence.excerpt
    assert "gap" in evidence.data[0]
    assert "gap" not in evidence.data[1]
    assert (await look(deploy, "status", deployment="open")).data[0]["deployment"] == "open"
    alone = await look(deploy, "status", deployment="locked")
    assert alone.outcome is Outcome.ERROR
    assert "clusterMonitor" in alone.why
    wrong = await look(deploy, "status", deployment="opens")
    assert "there are locked, open" in wrong.why


async def test_what_a_server_does_not_know_is_no_source_and_no_deployment_too(deploy: Deploy) -> None:
    assert (await look(deploy, "status")).outcome is Outcome.NO_SOURCE
    await deploy[0]({})
    unknown = await look(deploy, "replication")
    assert unknown.outcome is Outcome.NO_SOURCE
    assert "code 59" in unknown.why


async def test_a_server_that_is_silent_or_gone_is_an_error(deploy: Deploy) -> None:
    emulator = await deploy[0](WHOLE, timeout_s=0.3)
    emulator.silent = True
    silent = await look(deploy, "status")
    assert silent.outcome is Outcome.ERROR
    assert "did not answer serverStatus" in silent.why
    gone = LiveMongoDB("gone", f"mongodb://user:hunter22@127.0.0.1:{free_port()}/?directConnection=true", timeout_s=0.3)
    evidence = await look((deploy[0], [gone]), "status")
    assert evidence.outcome is Outcome.ERROR
    assert "cannot be reached" in evidence.why
    assert "hunter22" not in evidence.why
    with pytest.raises(ToolRetry):
        await gone.command("dropDatabase")
    await gone.aclose()


async def test_an_address_that_is_none_is_no_source(deploy: Deploy) -> None:
    for address in ("mongo://nowhere", "mongodb://localhost:99999"):
        evidence = await look((deploy[0], [LiveMongoDB("wrong", address)]), "status")
        assert evidence.outcome is Outcome.NO_SOURCE, address
        assert "check the setting" in evidence.why
