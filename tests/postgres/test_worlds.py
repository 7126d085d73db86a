"""PostgreSQL in recorded worlds, deployments whose credential nobody granted, and what an investigation asks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from agents.gathering import gather
from tests.postgres.conftest import Sessions, live
from tests.postgres.test_live import TOOLS, look
from tests.postgres_server import PostgresServer
from tests.rules.builders import case
from tools.caching import MemoryCache
from tools.errors import ToolError, ToolNoSource, ToolUnavailable
from tools.evidence import Outcome
from tools.looking import Looker
from tools.postgres.queries import QUERIES
from tools.postgres.sealed import SealedPostgres
from tools.snapshot.opening import open_snapshot
from tools.snapshot.recorder import record
from tools.world import World


class Kept:
    """What a server answered at one moment; the same to everybody who asks later."""

    def __init__(self, name: str, answers: Mapping[str, Sequence[Mapping[str, Any]] | ToolError]) -> None:
        self.name = name
        self._answers = answers

    async def query(self, what: str) -> Sequence[Mapping[str, Any]]:
        answer = self._answers[what]
        if isinstance(answer, ToolError):
            raise answer
        return answer


async def kept(server: PostgresServer, name: str) -> Kept:
    source = live(server, name)
    return Kept(name, {what: await source.query(what) for what in QUERIES})


async def test_live_and_snapshot_give_the_same(server: PostgresServer, sessions: Sessions, tmp_path: Path) -> None:
    open_one = await sessions.begin("billing")
    await open_one.execute("SELECT count(*), 'ann@example.org' FROM stock")
    await open_one.execute("SELECT 'postgres://shop:hunter2-hunter2@db/shop'")
    now = World(name="live", postgres=(await kept(server, "orders:5432"),))
    notes = await record(now, tmp_path / "recorded")
    then = await open_snapshot(tmp_path / "recorded")
    assert (notes, then.partial) == ((), frozenset())
    for what in TOOLS:
        args = {"threshold_ms": 0} if what == "slow_queries" else {}
        first = await Looker(now, cache=MemoryCache()).look(f"postgres.{what}", args)
        second = await Looker(then, cache=MemoryCache()).look(f"postgres.{what}", args)
        assert (first.outcome, first.excerpt, first.query) == (second.outcome, second.excerpt, second.query), what
        assert first.data == second.data, what
    (written,) = (tmp_path / "recorded" / "postgres").iterdir()
    assert written.name == "orders%3A5432.json"
    assert not any(each in written.read_text() for each in ("ann@", "hunter2"))


async def test_what_could_not_be_recorded_is_said_and_what_is_not_there_is_no_source(tmp_path: Path) -> None:
    answers: dict[str, Sequence[Mapping[str, Any]] | ToolError] = {what: [] for what in QUERIES}
    answers |= {"statements": ToolNoSource("no extension"), "locks": ToolUnavailable("Postgres 'orders' is silent")}
    notes = await record(World(name="live", postgres=(Kept("orders", answers),)), tmp_path / "recorded")
    then = await open_snapshot(tmp_path / "recorded")
    assert notes == ("postgres: Postgres 'orders' is silent",)
    assert then.partial == {"postgres"}
    for what in ("slow_queries", "locks"):
        seen = await Looker(then, cache=MemoryCache()).look(f"postgres.{what}", {})
        assert seen.outcome is Outcome.NO_SOURCE
        assert "was not captured in this snapshot" in seen.why
    seen = await Looker(then, cache=MemoryCache()).look("postgres.activity", {})
    assert seen.outcome is Outcome.EMPTY


async def test_literals_that_somebody_left_in_a_folder_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    row = {"pid": 7, "state": "active", "query_s": 90.0, "query": "SELECT 'ann@example.org'"}
    (tmp_path / "postgres" / "orders.json").write_bytes(orjson.dumps({"activity": [row, "broken"], "server": 5}))
    (tmp_path / "postgres" / "other.json").write_bytes(b"[]")
    world = await open_snapshot(tmp_path)
    seen = await Looker(world, cache=MemoryCache()).look("postgres.activity", {})
    assert "SELECT ?" in seen.excerpt
    assert "ann" not in seen.excerpt + str(seen.data)
    assert "postgres/other.json: expected an object of rows by query" in world.notes
    with pytest.raises(ToolNoSource):
        await world.postgres[0].query("server")


async def test_what_the_server_leaves_null_breaks_no_tool(server: PostgresServer) -> None:
    empty: dict[str, list[dict[str, Any]]] = {}
    with psycopg.connect(server.owner) as owner:
        for what, text in QUERIES.items():
            columns = owner.execute(text.replace("{schema}", "public").encode()).description or ()
            empty[what] = [dict.fromkeys((each.name for each in columns), None)]
    for what in TOOLS:
        args = {"threshold_ms": 0} if what == "slow_queries" else {"min_seconds": 0} if what == "activity" else {}
        assert (await look(what, Kept("orders", empty), **args)).outcome in (Outcome.FOUND, Outcome.EMPTY), what


async def test_a_deployment_nobody_unsealed_is_not_looked_at_and_says_what_it_needs(server: PostgresServer) -> None:
    sealed = SealedPostgres("billing", ["vault:database/creds/readonly"])
    for what in TOOLS:
        seen = await look(what, sealed)
        assert seen.outcome is Outcome.NO_SOURCE
        assert "'billing' was not looked at" in seen.why
        assert "vault:database/creds/readonly, which nobody has approved" in seen.why
    seen = await look("status", live(server), sealed)
    assert seen.outcome is Outcome.FOUND
    assert "billing: NOT SEEN: Postgres 'billing' was not looked at" in seen.excerpt
    assert set(seen.data[1]) == {"deployment", "entity", "gap"}


def stands(pid: int, *blocked_by: int) -> dict[str, Any]:
    return {"pid": pid, "state": "active", "blocked_by": list(blocked_by) or None, "query_s": float(pid)}


async def test_long_and_many_chains_are_cut_and_the_cut_is_said() -> None:
    rows = [stands(1), *(stands(pid, 1) for pid in range(2, 20))]
    rows += [row for pid in range(100, 124, 2) for row in (stands(pid), stands(pid + 1, pid))]
    seen = await look("locks", Kept("orders", {"locks": rows}))
    (found,) = seen.data
    assert (found["waiting"], len(found["chains"]), found["chains"][0]["blocked"]) == (30, 13, 18)
    assert "[… 8 more …]" in seen.excerpt
    assert "[… 3 more chains …]" in seen.excerpt


async def test_who_waits_for_several_is_behind_each_and_a_circle_has_no_head() -> None:
    seen = await look("locks", Kept("orders", {"locks": [stands(1), stands(2, 1), stands(3, 1), stands(4, 2, 3)]}))
    assert [(one["head"]["pid"], one["blocked"]) for one in seen.data[0]["chains"]] == [(1, 3)]
    circle = await look("locks", Kept("orders", {"locks": [stands(1, 2), stands(2, 1)]}))
    assert circle.data[0]["chains"] == []
    assert "2 wait for each other" in circle.excerpt


async def test_one_deployment_is_asked_by_name_and_an_unknown_name_is_told() -> None:
    orders = Kept("orders", {"activity": [{"pid": 1, "state": "active", "query_s": 5.0}], "prepared": []})
    billing = SealedPostgres("billing", ["op://ops/billing/password"])
    seen = await look("activity", orders, billing, deployment="orders")
    assert [row["deployment"] for row in seen.data] == ["orders"]
    wrong = await look("activity", orders, billing, deployment="order")
    assert wrong.outcome is Outcome.ERROR
    assert "there are orders, billing" in wrong.why
    assert (await look("activity")).outcome is Outcome.NO_SOURCE


async def test_an_investigation_asks_every_deployment_once() -> None:
    asked: list[str] = []
    world = World(name="live", postgres=(SealedPostgres("billing", ["vault:database/creds/readonly"]),))
    looker = Looker(world, cache=MemoryCache(), on_look=lambda look: asked.append(look.tool))
    seen = await gather(case(), frozenset({"postgres"}), looker.look, world)
    assert {f"postgres.{what}" for what in TOOLS} <= set(asked)
    gaps = [each for each in seen if each.tool.startswith("postgres.")]
    assert len(gaps) == len(TOOLS)
    assert all(each.outcome is Outcome.NO_SOURCE for each in gaps)
