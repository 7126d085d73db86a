"""The Redis tools on a real Valkey: what they tell, what they never tell, and how they fail."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import settings as budget
from hypothesis import strategies as st

from agents.causes import Rule, run
from agents.finding import Finding
from agents.rules.redis import copies, memory, serving
from agents.scene import Scene
from bot.settings import Settings
from bot.wiring import open_world
from tests.redis.conftest import LOOKER, OWNER, Server, valkey
from tests.rules.builders import NOW, case
from tools.caching import MemoryCache
from tools.evidence import Evidence, Outcome
from tools.looking import Looker
from tools.redis.commands import COMMANDS
from tools.snapshot.opening import open_snapshot
from tools.snapshot.recorder import record
from tools.world import Redis, World

SECRET = "card-4111111111111111"


async def look(tool: str, *sources: Redis, **args: Any) -> Evidence:
    world = World(name="test", redis=sources)
    return await Looker(world, cache=MemoryCache()).look(f"redis.{tool}", args)


def found(*looks: Evidence) -> dict[str, Finding]:
    every = [each for module in (memory, serving, copies) for each in vars(module).values() if isinstance(each, Rule)]
    checked = run(every, Scene.of(case("redis//cache"), looks))
    assert checked.failures == ()
    return {each.cause: each for each in checked.findings}


@contextlib.contextmanager
def asked_all_along(server: Server, *words: str) -> Generator[None]:
    """Somebody who sends the same command again and again meanwhile."""
    done = threading.Event()

    def ask() -> None:
        with server.owner() as client:
            while not done.is_set():
                with contextlib.suppress(Exception):
                    client.ask(*words)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield
    finally:
        done.set()
        asker.join()


async def test_a_server_that_is_well_has_no_finding(server: Server) -> None:
    with server.owner() as owner:
        owner.ask("FLUSHALL")
        owner.ask("SET", "cart:1", "x")
    seen = [await look(tool, server.live()) for tool in ("status", "clients", "slow_commands")]
    assert [each.outcome for each in seen] == [Outcome.FOUND, Outcome.FOUND, Outcome.EMPTY]
    assert seen[0].data[0]["keys"]["total"] == 1
    assert found(*seen) == {}


async def test_writes_that_are_refused_for_memory_are_seen_as_they_happen(tmp_path: Path) -> None:
    with valkey(tmp_path / "full", "--maxmemory", "4mb", "--maxmemory-policy", "noeviction") as server:
        with server.owner() as owner, contextlib.suppress(Exception):
            for each in range(400):
                owner.ask("SET", f"blob:{each}", "x" * 20_000)
        with asked_all_along(server, "SET", "one", "more" * 10_000):
            seen = await look("status", server.live())
    [full] = found(seen).values()
    assert (full.cause, full.severity) == ("redis-memory-full", "critical")
    assert "are refused (OOM)" in full.summary


async def test_a_cache_that_evicts_what_is_wanted_is_told_and_one_that_finds_everything_is_not(tmp_path: Path) -> None:
    with valkey(tmp_path / "cache", "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru") as server:
        with server.owner() as owner:
            for each in range(300):
                owner.ask("SET", f"page:{each}", "x" * 20_000)
        with asked_all_along(server, "SET", "page:new", "x"), asked_all_along(server, "GET", "page:0"):
            full_and_well = await look("status", server.live())
        assert "redis-memory-full" not in found(full_and_well)
        script = "for i=1,200 do redis.call('SET','p'..math.random(1e9),string.rep('x',9000)) end return 1"
        with asked_all_along(server, "EVAL", script, "0"), asked_all_along(server, "GET", "never-there"):
            thrashing = await look("status", server.live())
    assert "redis-evicting" in found(thrashing)


async def test_a_slow_command_is_named_and_its_arguments_are_not(server: Server) -> None:
    with server.owner() as owner:
        owner.ask("CONFIG", "SET", "slowlog-log-slower-than", 0)
        owner.ask("SLOWLOG", "RESET")
        owner.ask("SET", f"basket:{SECRET}", SECRET)
        for _ in range(3):
            owner.ask("EVAL", "local n=0 for i=1,4000000 do n=n+i end return n", "0", SECRET)
        owner.ask("CONFIG", "SET", "slowlog-log-slower-than", 10_000)
    seen = await look("slow_commands", server.live())
    [slow] = [each for each in seen.data[0]["commands"] if each["command"] == "EVAL"]
    assert slow["count"] == 3
    assert slow["mean_ms"] > 10
    assert SECRET not in f"{seen.excerpt}{seen.data}"
    assert "redis-slow" in found(seen)


async def test_who_is_connected_is_counted_by_name_and_a_waiting_worker_is_no_trouble(server: Server) -> None:
    worker = server.owner()
    worker.ask("CLIENT", "SETNAME", "mailer")

    def wait() -> None:
        with contextlib.suppress(Exception):
            worker.ask("BLPOP", "jobs", 4)

    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        seen = await look("clients", server.live())
        while not seen.data[0]["waiting"]:
            seen = await look("clients", server.live())
        assert seen.data[0]["waiting"] == {"BLPOP": 1}
        assert "mailer" in seen.excerpt
        assert found(seen) == {}
    finally:
        with server.owner() as owner:
            owner.ask("LPUSH", "jobs", "done")
        waiting.join()
        worker.close()


async def test_a_server_that_lets_nobody_in_says_so(tmp_path: Path) -> None:
    with valkey(tmp_path / "few", "--maxclients", "2") as server:
        held = [server.owner() for _ in range(2)]
        for each in held:
            each.ask("CLIENT", "SETNAME", "holder")
        seen = await look("status", server.live())
        for each in held:
            each.close()
    assert found(seen)["redis-rejected"].severity == "critical"


async def test_a_replica_that_lost_its_primary_says_so(tmp_path: Path) -> None:
    with (
        valkey(tmp_path / "primary", "--repl-diskless-sync-delay", "0") as primary,
        valkey(tmp_path / "replica", "--replicaof", f"127.0.0.1 {primary.port}") as replica,
    ):
        joined = await look("status", replica.live())
        while not joined.data[0]["replication"]["link_up"]:
            joined = await look("status", replica.live())
        of_primary = await look("status", primary.live())
        with primary.owner() as owner:
            owner.ask("CONFIG", "SET", "requirepass", "changed-since")
            owner.ask("CLIENT", "KILL", "TYPE", "replica")
        parted = await look("status", replica.live())
        while parted.data[0]["replication"]["link_up"]:
            parted = await look("status", replica.live())
    assert [each["state"] for each in of_primary.data[0]["replication"]["replicas"]] == ["online"]
    assert "link to the primary DOWN" in parted.excerpt
    assert found(joined) == {}


async def test_a_wrong_password_is_refused_without_repeating_it(server: Server) -> None:
    seen = await look("status", server.live(password="wrong-one"))
    assert seen.outcome is Outcome.ERROR
    assert "refuses the credentials" in seen.why
    assert "wrong-one" not in seen.why


async def test_a_user_who_may_not_ask_is_told_what_is_missing_and_the_rest_is_read(server: Server) -> None:
    with server.owner() as owner:
        owner.ask("ACL", "SETUSER", "poor", "on", ">poor-pass-1", "+info")
    poor = server.live(user="poor", password="poor-pass-1")
    status, slow = await look("status", poor), await look("slow_commands", poor)
    assert status.outcome is Outcome.FOUND
    assert slow.outcome is Outcome.ERROR
    assert "may not call it" in slow.why


async def test_a_server_that_is_away_is_a_gap_and_one_that_is_silent_ends_in_time() -> None:
    held = asyncio.Event()

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    listener = await asyncio.start_server(keep, "127.0.0.1", 0)
    port = int(listener.sockets[0].getsockname()[1])
    silent = await look("clients", Server(port=port).live(timeout_s=0.2))
    held.set()
    listener.close()
    await listener.wait_closed()
    away = await look("clients", Server(port=1).live(timeout_s=0.5))
    assert (silent.outcome, away.outcome) == (Outcome.ERROR, Outcome.ERROR)
    assert "did not answer" in silent.why
    assert "cannot be reached" in away.why


async def test_a_snapshot_tells_what_the_live_server_told(server: Server, tmp_path: Path) -> None:
    live = World(name="live", redis=(server.live(),))
    await record(live, tmp_path / "out")
    kept = (tmp_path / "out" / "redis" / "cache.json").read_text()
    assert OWNER not in kept
    assert LOOKER not in kept
    again = await open_snapshot(tmp_path / "out")
    for tool in ("status", "clients", "slow_commands"):
        seen = await Looker(again, cache=MemoryCache()).look(f"redis.{tool}", {})
        assert seen.outcome is not Outcome.ERROR
    assert (await Looker(again, cache=MemoryCache()).look("redis.status", {})).data[0]["keys"]["lookups_per_s"] == 0


@contextlib.asynccontextmanager
async def opened(server: dict[str, Any]) -> AsyncGenerator[World]:
    async with open_world(Settings.model_validate({"redis_servers": [server]})) as world:
        yield world


async def test_a_deployment_whose_credential_nobody_approved_is_a_gap_that_names_it() -> None:
    async with opened({"name": "cache", "host": "cache", "password_reference": "vault:kv/cache#password"}) as world:
        seen = await look("status", *world.redis)
    assert seen.outcome is Outcome.NO_SOURCE
    assert "vault:kv/cache#password" in seen.why


async def test_the_settings_open_the_server_that_they_name(server: Server) -> None:
    described = {"name": "cache", "host": "127.0.0.1", "port": server.port, "user": "locum", "password": LOOKER}
    async with opened(described) as world:
        seen = await look("status", *world.redis)
    assert seen.outcome is Outcome.FOUND


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
_NAMES = ("samples", "entries", "clients", "events", "ms", "cmd", "omem", "db0", "slave0", "errorstat_OOM", "maxmemory")


class Odd:
    """A deployment whose recorded replies are anything."""

    name = "odd"

    def __init__(self, reply: Mapping[str, Any]) -> None:
        self._reply = reply

    async def command(self, command: str) -> Mapping[str, Any]:
        assert command in COMMANDS
        return self._reply


@budget(max_examples=25, deadline=None)
@hypothesis.given(
    st.dictionaries(st.sampled_from(_NAMES), _JSON | st.lists(st.dictionaries(st.sampled_from(_NAMES), _JSON)))
)
def test_whatever_somebody_wrote_into_a_snapshot_no_tool_breaks_and_no_rule_does(reply: dict[str, Any]) -> None:
    async def seen() -> list[Evidence]:
        world = World(name="kept", captured_at=NOW, redis=(Odd(reply),))
        looker = Looker(world, cache=MemoryCache())
        return [await looker.look(f"redis.{tool}", {}) for tool in ("status", "clients", "slow_commands")]

    looks = asyncio.run(seen())
    assert not [each.why for each in looks if "itself failed" in each.why]
    found(*looks)
