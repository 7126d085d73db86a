"""The PostgreSQL tools against a real server: what they read, what they refuse and what they never say."""

import asyncio
import contextlib
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.causes import run
from agents.finding import Severity
from agents.rules.postgres import sessions as rules
from agents.scene import Scene
from tests.postgres.conftest import PASSWORD, Sessions, closed, listening, live
from tests.postgres_server import PostgresServer
from tests.rules.builders import case
from tests.servers import free_port
from tools.caching import MemoryCache
from tools.errors import ToolError, ToolRetry, ToolUnavailable
from tools.evidence import Evidence, Outcome
from tools.looking import Looker
from tools.postgres.live import LivePostgres
from tools.postgres.queries import QUERIES
from tools.world import Postgres, World

TOOLS = ("status", "connections", "activity", "locks", "slow_queries", "replication", "vacuum")


async def look(what: str, *deployments: Postgres, **args: Any) -> Evidence:
    return await Looker(World(name="live", postgres=deployments), cache=MemoryCache()).look(f"postgres.{what}", args)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits for the server to show what a session has begun."""
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.02)


async def runs_in(server: PostgresServer, database: str) -> bool:
    found = server.rows("SELECT datname FROM pg_stat_activity WHERE state = 'active' AND application_name = 'locum'")
    return (database,) in found


@contextlib.asynccontextmanager
async def in_between(server: PostgresServer) -> AsyncGenerator[tuple[int, Callable[[], None]]]:
    """A way to the server, and what makes it swallow everything from then on; nobody is told."""
    is_open = True

    def cut() -> None:
        nonlocal is_open
        is_open = False

    async def relay(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while part := await source.read(65_536):
                if is_open:
                    target.write(part)
        finally:
            target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(relay(reader, outer), relay(inner, writer), return_exceptions=True)
        await closed(outer)

    async with listening(serve) as port:
        yield port, cut


async def waiting(deployment: Postgres, count: int) -> bool:
    return sum(bool(row["blocked_by"]) for row in await deployment.query("locks")) == count


async def test_every_query_is_understood_by_the_server(server: PostgresServer) -> None:
    orders = live(server)
    for what in QUERIES:
        assert isinstance(await orders.query(what), list), what


async def test_a_quiet_server_is_told_as_it_is(server: PostgresServer) -> None:
    server.run("SELECT pg_stat_statements_reset()")
    seen = {what: await look(what, live(server)) for what in TOOLS}
    assert [what for what in TOOLS if seen[what].outcome is not Outcome.FOUND] == ["activity", "locks", "slow_queries"]
    assert all(seen[what].outcome is Outcome.EMPTY for what in ("activity", "locks", "slow_queries"))
    status = seen["status"].data[0]
    assert (status["deployment"], status["entity"]) == ("orders", "postgres//orders")
    assert (status["version"], status["in_recovery"], status["max_connections"]) == ("18.6", False, 16)
    assert status["settings"]["autovacuum"] == "off"
    assert {row["database"] for row in status["databases"]} == {"postgres", "template0", "template1"}
    assert "primary" in seen["replication"].excerpt
    assert "no replica is connected" in seen["replication"].excerpt
    assert "autovacuum is OFF" in seen["vacuum"].excerpt


async def test_the_query_of_an_evidence_is_sql_that_gives_the_same(server: PostgresServer) -> None:
    seen = await look("status", live(server))
    for statement in seen.query.split("; "):
        with psycopg.connect(server.dsn("watcher", PASSWORD)) as connection:
            assert connection.execute(statement.encode()).fetchall()


async def test_who_holds_connections_in_which_state_is_counted(server: PostgresServer, sessions: Sessions) -> None:
    for _ in range(2):
        await sessions.begin("cart")
    open_one = await sessions.begin("billing")
    await open_one.execute("SELECT 1")
    (seen,) = (await look("connections", live(server))).data
    holders = {one["application"]: one for one in seen["holders"]}
    assert (holders["cart"]["count"], holders["cart"]["idle"]) == (2, 2)
    assert (holders["billing"]["count"], holders["billing"]["idle_in_transaction"]) == (1, 1)
    assert (seen["max"], seen["reserved"], seen["refused"]) == (16, 3, None)
    assert seen["used"] == sum(one["count"] for one in seen["holders"])
    assert seen["ratio"] == pytest.approx(seen["used"] / 13, abs=0.001)


async def test_a_server_that_lets_nobody_in_is_a_fact_and_no_gap(server: PostgresServer, sessions: Sessions) -> None:
    async def fill() -> None:
        for _ in range(20):
            await sessions.begin()

    with pytest.raises(psycopg.OperationalError):
        await fill()
    orders = live(server)
    seen = await look("connections", orders)
    assert seen.outcome is Outcome.FOUND
    scene = Scene.of(case("postgres//orders"), [seen])
    (finding,) = run([rules.pg_connections_high], scene).findings
    assert (finding.severity, finding.direct) == (Severity.CRITICAL, True)
    status = await look("status", orders)
    assert status.outcome is Outcome.ERROR
    assert "lets nobody in" in status.why


@contextlib.asynccontextmanager
async def waiting_behind(
    server: PostgresServer, sessions: Sessions, *applications: str
) -> AsyncGenerator[Sequence[int]]:
    """The first holds a row and does nothing, the others wait for it one behind the other; gives their pids."""
    orders = live(server)
    head, *others = [await sessions.begin(name) for name in applications]
    await head.execute("UPDATE stock SET count = 4711 WHERE sku = 'X-99'")
    async with asyncio.TaskGroup() as group:
        for place, each in enumerate(others, start=1):
            group.create_task(updated(each))
            await until(lambda place=place: waiting(orders, place))
        yield [head.info.backend_pid, *(each.info.backend_pid for each in others)]
        await head.rollback()


async def updated(session: psycopg.AsyncConnection[Any]) -> None:
    await session.execute("UPDATE stock SET count = 1 WHERE sku = 'X-99'")
    await session.rollback()


async def test_a_chain_of_locks_is_led_back_to_who_holds_it(server: PostgresServer, sessions: Sessions) -> None:
    async with waiting_behind(server, sessions, "report", "cart", "billing") as (head, second, third):
        seen = await look("locks", live(server))
    (found,) = seen.data
    (chain,) = found["chains"]
    assert (found["waiting"], chain["blocked"]) == (2, 2)
    assert (chain["head"]["pid"], chain["head"]["application"]) == (head, "report")
    assert chain["head"]["state"] == "idle in transaction"
    assert [one["pid"] for one in chain["waiters"]] == [second, third]
    assert chain["waiters"][0]["wait_s"] >= chain["waiters"][1]["wait_s"] >= 0
    assert "X-99" not in seen.excerpt + str(seen.data)
    assert "4711" not in seen.excerpt + str(seen.data)
    assert f"behind pid {head}" in seen.excerpt


async def test_a_prepared_transaction_heads_a_chain_without_a_session(
    server: PostgresServer, sessions: Sessions
) -> None:
    orders = live(server)
    first, second = await sessions.begin(), await sessions.begin()
    await first.execute("UPDATE stock SET count = 3 WHERE sku = 'X-98'")
    await first.execute("PREPARE TRANSACTION 'order-17'")
    behind = asyncio.create_task(second.execute("UPDATE stock SET count = 2 WHERE sku = 'X-98'"))
    try:
        await until(lambda: waiting(orders, 1))
        seen = await look("locks", orders)
        (chain,) = seen.data[0]["chains"]
        assert chain["head"]["pid"] == 0
        assert "order-17" in seen.excerpt
        activity = await look("activity", orders, min_seconds=0)
        assert [one["gid"] for one in activity.data[0]["prepared"]] == ["order-17"]
    finally:
        server.run("ROLLBACK PREPARED 'order-17'")
        await behind


async def test_what_runs_is_shown_without_the_values_in_it(server: PostgresServer, sessions: Sessions) -> None:
    busy = await sessions.begin()
    work = asyncio.create_task(busy.execute("SELECT 'ann@example.org', 4711, pg_sleep(60) /* for Ann */"))
    orders = live(server)

    async def runs() -> bool:
        return any("pg_sleep" in (row["query"] or "") for row in await orders.query("activity"))

    await until(runs)
    seen = await look("activity", orders, min_seconds=0)
    assert "SELECT ?, …, pg_sleep(?)" in seen.excerpt
    assert not any(each in str(seen.data) + seen.excerpt for each in ("ann@", "4711", "Ann"))
    assert (await look("activity", orders, min_seconds=3600)).outcome is Outcome.EMPTY
    await busy.cancel_safe()
    with pytest.raises(psycopg.errors.QueryCanceled):
        await work


async def test_slow_statements_are_those_above_the_threshold(server: PostgresServer, sessions: Sessions) -> None:
    server.run("SELECT pg_stat_statements_reset()")
    slow = await sessions.begin()
    for _ in range(2):
        await slow.execute("SELECT pg_sleep(0.12), 'ann@example.org'")
    seen = await look("slow_queries", live(server), threshold_ms=100)
    (statement,) = seen.data[0]["statements"]
    assert (statement["calls"], statement["role"]) == (2, "shop")
    assert statement["mean_ms"] > 100
    assert statement["share"] > 0.5
    assert statement["busy"] > 0
    assert "ann@example.org" not in seen.excerpt
    assert (await look("slow_queries", live(server), threshold_ms=60_000)).outcome is Outcome.EMPTY


async def test_a_missing_extension_is_no_source_and_says_how_to_add_it(server: PostgresServer) -> None:
    server.run("CREATE DATABASE bare")
    seen = await look("slow_queries", live(server, database="bare"))
    assert seen.outcome is Outcome.NO_SOURCE
    assert "CREATE EXTENSION pg_stat_statements in the database 'bare'" in seen.why
    assert "shared_preload_libraries" in seen.why


@pytest.mark.parametrize(("version", "outcome"), [("1.7", Outcome.NO_SOURCE), ("1.8", Outcome.FOUND)])
async def test_an_extension_of_an_older_time_is_read_or_named(
    server: PostgresServer, version: str, outcome: Outcome
) -> None:
    with psycopg.connect(server.owner, autocommit=True) as owner:
        database = f"old_{version.replace('.', '_')}"
        owner.execute(f"CREATE DATABASE {database}".encode())
    with psycopg.connect(server.owner, dbname=database, autocommit=True) as owner:
        owner.execute(f"CREATE EXTENSION pg_stat_statements VERSION '{version}'".encode())
        owner.execute("SELECT pg_sleep(0.01)")
    seen = await look("slow_queries", live(server, database=database), threshold_ms=0)
    assert seen.outcome is outcome
    if outcome is Outcome.NO_SOURCE:
        assert "ALTER EXTENSION pg_stat_statements UPDATE" in seen.why
    else:
        # Nobody knows since when it counts.
        assert seen.data[0]["since_s"] is None
        assert {one["busy"] for one in seen.data[0]["statements"]} == {None}


async def test_a_user_without_the_role_is_refused_and_not_told_that_all_is_quiet(server: PostgresServer) -> None:
    for what in TOOLS:
        seen = await look(what, live(server, user="shop"))
        assert seen.outcome is Outcome.ERROR
        assert "Refused" in seen.why
        assert "pg_monitor" in seen.why


async def test_no_error_says_the_password_or_how_to_connect(server: PostgresServer, tmp_path: Path) -> None:
    secret = "swordfish-4711"
    wrong: list[dict[str, Any]] = [
        {"password": lambda: secret},
        {"password": lambda: f"{secret}\0"},
        {"user": f"nobody {secret}", "password": lambda: secret},
        {"database": "nowhere", "password": lambda: PASSWORD},
        {"host": "nowhere.invalid"},
        {"host": str(tmp_path)},
        {"port": free_port()},
        {"sslmode": "require"},
        {"sslmode": f"sometimes {secret}"},
    ]
    for each in wrong:
        with pytest.raises(ToolError) as raised:
            await live(server, **each).query("server")
        told = "".join(traceback.format_exception(raised.value))
        assert not any(said in told for said in (secret, PASSWORD, "password=", "port=")), told
        assert raised.value.__cause__ is None


async def test_why_nobody_answers_is_told_by_kind(server: PostgresServer) -> None:
    said: dict[str, dict[str, Any]] = {
        "check user, password": {"password": lambda: "wrong-one-here"},
        "no such database": {"database": "nowhere"},
        "connection refused": {"port": free_port()},
        "failed to resolve host": {"host": "nowhere.invalid"},
        "does not support ssl": {"sslmode": "require"},
    }
    for why, given in said.items():
        assert why in (await look("locks", live(server, **given))).why


async def test_a_query_that_is_not_among_ours_is_not_sent(server: PostgresServer) -> None:
    with pytest.raises(ToolRetry, match="there is no query 'DROP TABLE stock'"):
        await live(server).query("DROP TABLE stock")


HOSTILE = (
    "CREATE VIEW pg_stat_statements AS SELECT 1 AS queryid, 10 AS userid, 5 AS dbid, 1 AS calls, "
    "1.0 AS total_exec_time, 1.0 AS mean_exec_time, 1.0 AS max_exec_time, 1 AS rows, 1 AS shared_blks_hit, "
    "1 AS shared_blks_read, 1 AS temp_blks_written, trap() AS query"
)


def planted(server: PostgresServer, database: str, body: str) -> None:
    """A database whose owner put a trap where the extension's view was."""
    with psycopg.connect(server.owner, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {database}".encode())
    with psycopg.connect(server.owner, dbname=database, autocommit=True) as owner:
        owner.execute("CREATE EXTENSION pg_stat_statements")
        owner.execute("ALTER EXTENSION pg_stat_statements DROP VIEW pg_stat_statements")
        owner.execute("DROP VIEW pg_stat_statements")
        owner.execute("CREATE TABLE public.taken (what text)")
        owner.execute("GRANT ALL ON public.taken TO PUBLIC")
        owner.execute(f"CREATE FUNCTION trap() RETURNS text LANGUAGE plpgsql AS $$ {body} $$".encode())
        owner.execute(HOSTILE)
        owner.execute("GRANT SELECT ON pg_stat_statements TO PUBLIC")


async def test_a_session_of_ours_cannot_write_whatever_it_is_made_to_call(server: PostgresServer) -> None:
    planted(server, "writing", "BEGIN INSERT INTO public.taken VALUES ('x'); RETURN 'x'; END")
    seen = await look("slow_queries", live(server, database="writing"), threshold_ms=0)
    assert seen.outcome is Outcome.ERROR
    assert "SQLSTATE 25006" in seen.why
    with psycopg.connect(server.owner, dbname="writing") as owner:
        assert owner.execute("SELECT * FROM public.taken").fetchall() == []


async def test_a_query_that_never_ends_is_given_up_on_both_sides(server: PostgresServer) -> None:
    planted(server, "sleeping", "BEGIN PERFORM pg_sleep(60); RETURN 'x'; END")
    sleeping = live(server, database="sleeping", timeout_s=0.4)
    with pytest.raises(ToolError, match=r"did not answer statements in 0\.4 s"):
        await sleeping.query("statements")
    assert server.rows("SELECT 1 FROM pg_stat_activity WHERE datname = 'sleeping' AND state = 'active'") == []


async def test_a_server_that_never_answers_is_given_up_in_time() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        await reader.read()

    async with listening(say_nothing) as port:
        silent = LivePostgres("orders", host="127.0.0.1", port=port, timeout_s=0.2)
        with pytest.raises(ToolUnavailable, match="did not take a connection in 200 ms"):
            await silent.query("server")


async def test_a_server_that_goes_away_in_the_middle_is_given_up_in_time(server: PostgresServer) -> None:
    planted(server, "stuck", "BEGIN PERFORM pg_sleep(60); RETURN 'x'; END")
    async with in_between(server) as (port, cut):
        orders = live(server, database="stuck", port=port, timeout_s=0.3)
        asked = asyncio.create_task(orders.query("statements"))
        await until(lambda: runs_in(server, "stuck"))
        cut()
        began = asyncio.get_running_loop().time()
        with pytest.raises(ToolUnavailable, match=r"did not answer statements in 0\.3 s"):
            await asked
        assert asyncio.get_running_loop().time() - began < 2


async def test_a_server_that_lacks_what_is_asked_for_is_no_source(server: PostgresServer) -> None:
    with psycopg.connect(server.owner, autocommit=True) as owner:
        owner.execute("CREATE DATABASE ancient")
    with psycopg.connect(server.owner, dbname="ancient", autocommit=True) as owner:
        owner.execute("SET allow_system_table_mods = on")
        owner.execute("DROP VIEW pg_catalog.pg_stat_replication")
    seen = await look("replication", live(server, database="ancient"))
    assert seen.outcome is Outcome.NO_SOURCE
    assert "does not know what replication asks for: it is older than 13" in seen.why


async def test_all_questions_share_one_connection_and_leave_none_behind(server: PostgresServer) -> None:
    orders = live(server)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(orders.query(what)) for what in ("server", "connections", "activity", "locks")]
    ours = [row for row in asked[1].result() if row["application"] == "locum"]
    assert [row["count"] for row in ours] == [1]

    async def gone() -> bool:
        return not server.rows("SELECT 1 FROM pg_stat_activity WHERE application_name = 'locum'")

    await until(gone)


async def test_who_gives_up_leaves_a_connection_that_is_not_used_again(server: PostgresServer) -> None:
    planted(server, "slow_one", "BEGIN PERFORM pg_sleep(60); RETURN 'x'; END")
    orders = live(server, database="slow_one")
    asked = asyncio.create_task(orders.query("statements"))

    async def sleeps() -> bool:
        return bool(server.rows("SELECT 1 FROM pg_stat_activity WHERE datname = 'slow_one' AND state = 'active'"))

    await until(sleeps)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (await orders.query("server"))[0]["max_connections"] == 16
