"""Databases that need a login are read after a person approved it, with a login that OpenBao makes and takes back."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from approvals.audit import Kind
from bot.settings import Approvals, PostgresDeployment, Vault
from tests.e2e.borrowing import (
    LENDING,
    NOTHING,
    PASSWORD,
    RULES_OF_LOCUM,
    USER,
    Borrower,
    arranged,
    borrower,
    short_of_connections,
    wrapped,
)
from tests.e2e.house import PATIENCE_S, said
from tests.postgres_server import PostgresServer, postgres
from tests.vault import VaultServer, openbao_on_disk

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_MINUTES = 0.4


@pytest.fixture(scope="module")
def database() -> Generator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="locum-pg-", ignore_cleanup_errors=True) as place:
        with postgres(Path(place), {"max_connections": "16"}) as server:
            yield server


@pytest.fixture(scope="module")
def bao(database: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    with openbao_on_disk(tmp_path_factory.mktemp("bao")) as server:
        arranged(server, database)
        with short_of_connections(database):
            yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    database: PostgresServer, bao: VaultServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Borrower]:
    folder = tmp_path_factory.mktemp("locum")
    async with borrower(
        folder,
        postgres=(
            PostgresDeployment(
                name="orders", host="127.0.0.1", port=database.port, user_reference=USER, password_reference=PASSWORD,
                sslmode="disable",
            ),
        ),
        vault=Vault(
            address=bao.url, role_id=bao.root.auth.approle.read_role_id("locum")["data"]["role_id"],
            wrapped_secret_id_file=wrapped(bao, folder / "wrapped"),
        ),
        approvals=Approvals(policy=folder / "policy.yaml", credentials_wait_minutes=WAIT_MINUTES),
    ) as found:  # fmt: skip
        yield found


def logins(database: PostgresServer) -> list[str]:
    """The logins that OpenBao made and that still are."""
    return [str(name) for (name,) in database.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'")]


async def test_an_approved_investigation_reads_with_a_login_of_its_own_that_is_gone_at_its_end(
    house: Borrower, database: PostgresServer, bao: VaultServer
) -> None:
    room, thread = await house.ask()
    card = await house.card(room, thread)
    row = await house.wanted(room, thread)
    assert (await house.status(row.session_id))["status"] == "waiting"
    assert USER in said(card)
    assert PASSWORD in said(card)
    assert "look at Postgres 'orders', read-only" in said(card)
    assert house.values == []
    assert logins(database) == []
    house.workspace.click("ben", "locum_approve", channel=room, ts=card["ts"])
    concluded = await house.concluded(room, thread)
    print(said(concluded))
    user, password = house.values[-2:]
    assert logins(database) == []
    print(house.log.getvalue()[-3000:])
    print([ (e.kind, dict(e.facts)) for e in await house.audit(row.id)])
    print(house.everything(room, thread))
    assert 0
