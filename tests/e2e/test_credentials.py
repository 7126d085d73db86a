"""Databases that need a login are read after a person approved it, with a login that OpenBao makes and takes back."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from approvals.audit import Kind
from bot.setting_groups import Approvals, PostgresDeployment, Vault
from bot.slack.cards.approval_details import REASON_INPUT
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
    with (
        tempfile.TemporaryDirectory(prefix="locum-pg-", ignore_cleanup_errors=True) as place,
        postgres(Path(place), {"max_connections": "16"}) as server,
    ):
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


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def undecided(house: Borrower) -> tuple[str, str]:
    """A question about whose card nobody does anything, while all the others are asked."""
    return await house.ask()


def logins(database: PostgresServer) -> list[str]:
    """The logins that OpenBao made and that still are."""
    return [str(name) for (name,) in database.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'")]


async def test_an_approved_investigation_reads_with_a_login_of_its_own_that_is_gone_at_its_end(
    house: Borrower, database: PostgresServer, bao: VaultServer
) -> None:
    room, thread = await house.ask()
    card, row = await house.card(room, thread), await house.wanted(room, thread)
    assert (await house.status(row.session_id))["status"] == "waiting"
    waiting = "waiting for a decision about credentials"
    await house.workspace.until(lambda: waiting in house.everything(room, thread), timeout_s=PATIENCE_S)
    for reference in (USER, PASSWORD):
        assert f"`{reference}`: look at Postgres 'orders', read-only" in said(card)
    assert (house.values, logins(database)) == ([], [])
    house.workspace.click("mei", "locum_approve", channel=room, ts=card["ts"])
    await house.workspace.until(lambda: "not counted" in str(house.workspace.ephemerals("mei")), timeout_s=PATIENCE_S)
    assert (house.values, logins(database)) == ([], [])
    house.workspace.click("ben", "locum_approve", channel=room, ts=card["ts"])
    concluded = said(await house.concluded(room, thread))
    assert "pg-connections-high" in concluded
    assert "13 of 16 connections in use" in concluded
    await house.become(row.id, "succeeded")
    diagnosis = (await house.status(row.session_id))["diagnosis"]
    seen = {each["tool"]: each["outcome"] for each in diagnosis["evidence"] if each["tool"].startswith("postgres.")}
    assert seen["postgres.connections"] == "FOUND"
    assert diagnosis["verdict"] == "failing"
    # The login is gone before anybody reads the conclusion.
    user, password = sorted(house.values[-2:], key=lambda value: not value.startswith("v-"))
    assert logins(database) == []
    assert bao.leases("database/creds/ro") == []
    assert not database.accepts(user, password)
    assert await house.kinds(row.id) == [
        Kind.PROPOSED, Kind.REQUESTED, Kind.CLICK_REFUSED, Kind.VOTE_COUNTED, Kind.DECIDED, Kind.STARTED,
        Kind.CREDENTIAL_FETCHED, Kind.CREDENTIAL_REVOKED, Kind.FINISHED,
    ]  # fmt: skip
    await house.workspace.until(lambda: "🔑 *ended*" in house.everything(room, thread), timeout_s=PATIENCE_S)
    (waited,) = [
        task
        for plan in house.workspace.streams()
        for task in plan["tasks"]
        if plan["thread_ts"] == thread and "waiting for a decision" in task["title"]
    ]
    assert (waited["status"], "with credentials" in str(waited)) == ("complete", True)


async def test_a_program_that_may_approve_approves_and_denies_like_a_person(
    house: Borrower, database: PostgresServer
) -> None:
    asked = await asyncio.gather(house.ask(), house.ask())
    rows = [await house.wanted(*each) for each in asked]
    answers = [
        await house.http("POST", f"/approve/{row.session_id}", {"approved": is_approved})
        for row, is_approved in zip(rows, (True, False), strict=True)
    ]
    assert [(status, body["counted"]) for status, body in answers] == [(200, "decided"), (200, "decided")]
    with_login, without = [said(await house.concluded(*each)) for each in asked]
    assert "pg-connections-high" in with_login
    assert "pg-connections-high" not in without
    assert "No credentials were used (denied)" in without
    await house.become(rows[0].id, "succeeded")
    (vote,) = [each for each in await house.audit(rows[0].id) if each.kind is Kind.VOTE_COUNTED]
    assert (vote.actor, vote.facts["principal"]) == ("api:ops-cli", "ben")
    assert Kind.CREDENTIAL_FETCHED not in await house.kinds(rows[1].id)
    assert logins(database) == []


async def test_after_a_denial_it_goes_on_without_and_says_so(house: Borrower) -> None:
    room, thread = await house.ask()
    card, row = await house.card(room, thread), await house.wanted(room, thread)
    before = len(house.values)
    house.workspace.click("ben", "locum_deny", channel=room, ts=card["ts"])
    await house.workspace.until(lambda: house.workspace.modal("ben"), timeout_s=PATIENCE_S)
    house.workspace.submit("ben", {REASON_INPUT: "not this database, please"})
    concluded = said(await house.concluded(room, thread))
    assert "No credentials were used (denied): what needs them was not looked at" in concluded
    assert "Postgres 'orders' was not looked at" in concluded
    diagnosis = (await house.status(row.session_id))["diagnosis"]
    assert diagnosis["verdict"] == "unknown"
    seen = [each for each in diagnosis["evidence"] if each["tool"].startswith("postgres.")]
    assert {each["outcome"] for each in seen} == {"NO_SOURCE"}
    needed = f"needs {USER}, {PASSWORD}, which nobody has approved"
    assert [each["tool"] for each in seen if needed not in str(each)] == []
    assert len(house.values) == before
    assert "not this database, please" in house.everything(room, thread)


async def test_where_policy_lets_nobody_lend_there_is_no_card_and_it_says_so(house: Borrower) -> None:
    house.rule(NOTHING)
    try:
        room, thread = await house.ask()
        concluded = said(await house.concluded(room, thread))
    finally:
        house.rule(LENDING)
    assert "No credentials were used (policy lets nobody approve it)" in concluded
    assert house.cards(room, thread) == []


async def test_a_store_that_refuses_or_is_sealed_is_a_gap_with_its_reason_and_not_the_end(
    house: Borrower, bao: VaultServer
) -> None:
    bao.policy("locum", RULES_OF_LOCUM.replace("database/creds/ro", "database/creds/other"))
    refused = await approved(house)
    bao.policy("locum", RULES_OF_LOCUM)
    bao.seal()
    try:
        is_sealed = await approved(house)
    finally:
        bao.unseal()
    for (room, thread), why in ((refused, "no policy of our login grants it"), (is_sealed, "Vault is sealed")):
        concluded = said(await house.concluded(room, thread))
        assert "its credentials were approved and could not be had" in concluded
        assert why in concluded
        row = await house.wanted(room, thread)
        await house.become(row.id, "succeeded")
        kinds = await house.kinds(row.id)
        assert Kind.CREDENTIAL_FAILED in kinds
        assert Kind.CREDENTIAL_FETCHED not in kinds


async def approved(house: Borrower) -> tuple[str, str]:
    """A question whose card was approved, once it was answered."""
    room, thread = await house.ask()
    card = await house.card(room, thread)
    house.workspace.click("ben", "locum_approve", channel=room, ts=card["ts"])
    await house.concluded(room, thread)
    return room, thread


async def test_when_nobody_decides_it_goes_on_without_and_a_late_click_does_nothing(
    house: Borrower, undecided: tuple[str, str], database: PostgresServer
) -> None:
    room, thread = undecided
    concluded = said(await house.concluded(room, thread))
    assert "No credentials were used (nobody decided in time)" in concluded
    row, before = await house.wanted(room, thread), len(house.values)
    await house.become(row.id, "cancelled")
    answer = await house.http("POST", f"/approve/{row.session_id}", {"approved": True, "request_id": row.id})
    assert answer[0] == 409
    assert "the investigation went on without it" in answer[1]["message"]
    await house.workspace.until(lambda: "locum_approve" not in said(house.cards(room, thread)[0]), timeout_s=PATIENCE_S)
    assert "the investigation went on without it" in said(house.cards(room, thread)[0])
    assert len(house.values) == before
    assert Kind.CREDENTIAL_FETCHED not in await house.kinds(row.id)
    assert logins(database) == []


async def test_a24_no_value_is_anywhere_but_in_the_client(
    house: Borrower, undecided: tuple[str, str], bao: VaultServer
) -> None:
    values = set(house.values)
    assert len(values) >= 4
    found = {**await house.everywhere(), "audit of the store": bao.audit}
    row = await house.wanted(*undecided)
    # What is no secret is found there: the look is not blind.
    for name, known in (("slack", USER), ("logs", row.session_id), ("histories", row.id), ("redis", row.session_id),
                        ("files", USER), ("audit of the store", "database/creds/ro")):  # fmt: skip
        assert known in found[name], name
    assert [(name, value) for value in values for name, text in found.items() if value in text] == []
