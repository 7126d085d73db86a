"""From a real server, by way of a recorded world, to the answer: the cause first, what it explains under it."""

from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from agents.diagnosis import Confidence, Diagnosis
from agents.health import Verdict
from agents.investigation import diagnose as investigate
from agents.investigation import new_session_id, open_case
from agents.specialist import shipped
from bot.settings import Settings
from bot.terminal import diagnose
from bot.wiring import open_model
from tests.postgres.conftest import Sessions, live
from tests.postgres.test_live import waiting_behind
from tests.postgres_server import PostgresServer
from tools.caching import MemoryCache
from tools.postgres.sealed import SealedPostgres
from tools.snapshot.recorder import record
from tools.world import Postgres, World


async def asked(question: str, *deployments: Postgres) -> Diagnosis:
    world = World(name="live", postgres=deployments)
    async with open_model(Settings()) as model:
        case = open_case(question, [], world, session_id=new_session_id())
        return await investigate(case, world, shipped(), model=model, cache=MemoryCache(), listen=lambda _: None)


def causes(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    return [(str(each.cause), str(each.entity)) for each in diagnosis.hypotheses]


async def test_a_server_without_a_free_connection_is_the_likely_cause_though_nothing_else_can_be_asked(
    server: PostgresServer, sessions: Sessions
) -> None:
    async def fill() -> None:
        for _ in range(20):
            await sessions.begin()

    with pytest.raises(psycopg.OperationalError):
        await fill()
    told = await asked("why does postgres refuse connections?", live(server))
    assert causes(told)[0] == ("pg-connections-high", "postgres//orders")
    # Its own words, but everything else that might say otherwise is out of sight.
    assert told.hypotheses[0].confidence is Confidence.LIKELY
    assert told.verdict is Verdict.FAILING


async def test_a_transaction_left_open_is_the_cause_and_the_waiting_its_effect(
    server: PostgresServer, sessions: Sessions, tmp_path: Path
) -> None:
    async with waiting_behind(server, sessions, "report", "cart", "billing"):
        await record(World(name="live", postgres=(live(server),)), tmp_path / "now")
    later(tmp_path / "now" / "postgres" / "orders.json", by_s=600)
    told = await diagnose("why do updates of stock hang in postgres?", Settings(snapshot=tmp_path / "now"))
    assert causes(told) == [("pg-idle-in-transaction", "postgres//orders")]
    (hypothesis,) = told.hypotheses
    assert hypothesis.confidence is Confidence.CONFIRMED
    explained = {each.cause for each in told.findings if each.id in hypothesis.explains}
    assert "pg-blocked" in explained
    assert "app report" in hypothesis.title + "".join(each.summary for each in told.findings)


def later(path: Path, *, by_s: float) -> None:
    """The same record as if it had been taken later: who waited waits longer."""
    rows: dict[str, list[dict[str, Any]]] = orjson.loads(path.read_bytes())
    for row in (*rows["locks"], *rows["activity"]):
        for key in ("transaction_s", "query_s", "state_s", "wait_s"):
            row[key] = row[key] + by_s if row.get(key) is not None else None
    path.write_bytes(orjson.dumps(rows))


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("why are postgres connections exhausted?", []),
        ("PostgreSQL replication lag is high", []),
        ("mongodb locks", []),
        ("is postgres orders slow?", ["postgres//orders"]),
        ("look at postgresql/orders", ["postgres//orders"]),
    ],
)
def test_what_people_say_about_a_database_is_not_taken_for_its_name(question: str, names: list[str]) -> None:
    case = open_case(question, [], World(name="live"), session_id=new_session_id())
    assert [str(each) for each in case.scope.entities] == names


async def test_a_server_that_is_well_is_healthy(server: PostgresServer) -> None:
    told = await asked("is anything wrong with postgres orders?", live(server))
    assert (causes(told), told.verdict) == ([], Verdict.HEALTHY)


async def test_a_server_that_nobody_could_look_at_is_unknown_and_never_healthy(server: PostgresServer) -> None:
    sealed = SealedPostgres("orders", ["vault:database/creds/ro#password"])
    for deployment in (sealed, live(server, user="shop"), live(server, port=1)):
        told = await asked("is anything wrong with postgres orders?", deployment)
        assert (causes(told), told.verdict) == ([], Verdict.UNKNOWN)
        assert any("orders" in each.why for each in told.evidence if each.is_gap)
