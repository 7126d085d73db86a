"""Replication between two real servers: what lags, what is paused, what nobody sends any more."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from agents.causes import run
from agents.rules.postgres import replicas as rules
from agents.scene import Scene
from tests.postgres.conftest import SETTINGS, folder, live, prepared, replica
from tests.postgres.test_live import look
from tests.postgres_server import PostgresServer, postgres
from tests.rules.builders import case
from tools.evidence import Evidence, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A primary and its replica."""

    primary: PostgresServer
    replica: PostgresServer
    stop_primary: Callable[[], object]


@pytest.fixture(scope="module")
def pair() -> Generator[Pair]:
    with ExitStack() as both:
        places = [both.enter_context(folder()) for _ in range(2)]
        first = both.enter_context(ExitStack())
        # The extension is there and its library is not: as it is for whoever forgot the restart.
        settings = {name: value for name, value in SETTINGS.items() if name != "shared_preload_libraries"}
        primary = prepared(first.enter_context(postgres(places[0], settings)))
        second = both.enter_context(replica(primary, places[1]))
        yield Pair(primary=primary, replica=second, stop_primary=first.close)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await holds():  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.05)


def findings(*looks: Evidence) -> set[str]:
    chosen = [
        rules.pg_replication_lag, rules.pg_replay_paused, rules.pg_replica_disconnected, rules.pg_slot_retains_wal,
        rules.pg_slot_lost, rules.pg_sync_standby_missing,
    ]  # fmt: skip
    return {each.cause for each in run(chosen, Scene.of(case(), looks)).findings}


async def test_both_ends_tell_of_a_replica_that_keeps_up(pair: Pair) -> None:
    primary, standby = live(pair.primary, "orders"), live(pair.replica, "orders-replica")

    async def streams() -> bool:
        return [row["state"] for row in await primary.query("replication")] == ["streaming"]

    await until(streams)
    seen = await look("replication", primary, standby)
    first, second = seen.data
    assert (first["in_recovery"], first["standby"], len(first["replicas"])) == (False, None, 1)
    assert first["replicas"][0]["application"] == "standby"
    assert second["in_recovery"] is True
    assert (second["standby"]["receiver"], second["standby"]["replay_paused"]) == ("streaming", False)
    assert second["standby"]["streams"] is True
    assert findings(seen) == set()
    for what in ("status", "vacuum", "activity", "locks", "connections", "slow_queries"):
        # A replica answers everything too.
        assert (await look(what, standby)).outcome in (Outcome.FOUND, Outcome.EMPTY), what


async def test_an_extension_that_was_not_loaded_is_no_source_and_says_how(pair: Pair) -> None:
    seen = await look("slow_queries", live(pair.primary))
    assert seen.outcome is Outcome.NO_SOURCE
    assert "add it to shared_preload_libraries, restart" in seen.why


async def test_replay_that_is_paused_piles_up_and_is_found_at_the_replica(pair: Pair) -> None:
    standby = live(pair.replica, "orders-replica")
    pair.replica.run("SELECT pg_wal_replay_pause()")
    pair.primary.run("CREATE TABLE filler AS SELECT generate_series(1, 20000) AS a")
    try:

        async def piles_up() -> bool:
            (row,) = await standby.query("standby")
            return bool(row["replay_paused"] and row["pending_bytes"])

        await until(piles_up)
        seen = await look("replication", standby)
        assert "replay PAUSED" in seen.excerpt
        assert findings(seen) == {"pg-replay-paused"}
        (one,) = await live(pair.primary).query("replication")
        assert one["behind_bytes"] > 0
    finally:
        pair.replica.run("SELECT pg_wal_replay_resume()")


async def test_a_slot_whose_consumer_is_gone_retains_what_is_written(pair: Pair) -> None:
    pair.primary.run(
        "SELECT pg_create_physical_replication_slot('warehouse', true)",
        "INSERT INTO filler SELECT generate_series(1, 20000)",
    )
    (seen,) = (await look("replication", live(pair.primary))).data
    (slot,) = seen["slots"]
    assert (slot["slot"], slot["active"], slot["wal_status"]) == ("warehouse", False, "reserved")
    assert slot["retained_bytes"] > 1_000_000
    pair.primary.run("SELECT pg_drop_replication_slot('warehouse')")


async def test_commits_that_wait_for_a_replica_that_is_not_there_are_found(pair: Pair) -> None:
    pair.primary.run("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'", "SELECT pg_reload_conf()")
    primary = live(pair.primary)
    try:

        async def is_set() -> bool:
            return bool((await look("replication", primary)).data[0]["synchronous"])

        await until(is_set)
        assert findings(await look("replication", primary)) == {"pg-sync-standby-missing"}
    finally:
        pair.primary.run("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")


async def test_a_replica_without_its_primary_receives_from_nobody(pair: Pair) -> None:
    standby = live(pair.replica, "orders-replica")
    pair.stop_primary()

    async def is_alone() -> bool:
        (row,) = await standby.query("standby")
        return row["receiver"] is None

    await until(is_alone)
    seen = await look("replication", standby, live(pair.primary, "orders"))
    assert "orders-replica: receives from NOBODY" in seen.excerpt
    assert "orders: NOT SEEN: Postgres 'orders' cannot be reached: connection refused" in seen.excerpt
    assert findings(seen) == {"pg-replica-disconnected"}
    # Within two minutes of its start a replica may still be on its way to the primary.
    assert findings(seen, await look("status", standby)) == set()
