"""What an approval of credentials opens: exactly what was approved, for that session, while somebody reads."""

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from whenever import Instant, TimeDelta

from approvals.action import Action
from approvals.actions.objects import NoArgs
from approvals.actions.restart_workload import restart_workload
from approvals.actions.use_credentials import UseCredentials, for_session, use_credentials
from approvals.audit import Draft, Kind
from approvals.ballot import State, Terms
from approvals.credentials.broker import Broker
from approvals.credentials.errors import CredentialsRefused, CredentialsUnavailable
from approvals.credentials.reference import Scheme
from approvals.plan import Plan
from approvals.request import ApprovalRequest, Cited, RequestId
from bot.lending import LedgerJournal, Lending, Openers
from bot.proposals import credentials
from bot.requests import draft_body, request_body
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.ledger.rows import PROPOSED, RequestRow
from tests.credentials.stores import Gate, StrictStore
from tools.caching import MemoryCache
from tools.entity import Entity
from tools.errors import ToolNoSource
from tools.evidence import Outcome
from tools.looking import Looker
from tools.mongodb.sealed import SealedMongoDB
from tools.postgres.queries import QUERIES
from tools.postgres.sealed import SealedPostgres
from tools.redaction import redact
from tools.redis.sealed import SealedRedis
from tools.world import MongoDB, Postgres, Redis, World

USER, PASSWORD, URI = "vault:database/creds/ro#username", "vault:database/creds/ro#password", "vault:kv/carts#uri"
CACHE = "vault:kv/cache#password"
VALUES = {
    USER: "v-a-made-up-login",
    PASSWORD: "a-made-up-password",
    URI: "mongodb://carts:27017/made-up",
    CACHE: "a-made-up-pass",
}
PURPOSES = {USER: "look at Postgres 'orders', read-only", PASSWORD: "look at Postgres 'orders', read-only"}


_APPROVED = (State.PENDING, State.APPROVED)
_WAYS = {
    State.PENDING: (State.PENDING,),
    State.EXECUTING: (*_APPROVED, State.EXECUTING),
    **{end: (*_APPROVED, State.EXECUTING, end) for end in (State.SUCCEEDED, State.FAILED, State.UNKNOWN)},
}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    name: str
    references: tuple[str, ...]


@dataclass
class OpenPostgres:
    """Answers every query while it is open, and only then."""

    name: str
    password: Callable[[], str]
    is_open: bool = True

    async def query(self, what: str) -> Sequence[Mapping[str, Any]]:
        assert self.is_open, "it was asked after its credentials were given back"
        assert what in QUERIES
        assert self.password() == VALUES[PASSWORD]
        return [{"state": "idle", "count": 3, "total": 3, "max_connections": 100, "reserved_connections": 3}]


@dataclass
class OpenRedis:
    """Answers with the password that it was given."""

    name: str
    password: Callable[[], str]

    async def command(self, command: str) -> Mapping[str, Any]:
        assert command == "info"
        return {"is_lent": self.password() == VALUES[CACHE]}


@dataclass(kw_only=True)
class Desk:
    """Lending on a real ledger and a strict store of credentials."""

    store: StrictStore
    ledger: Ledger
    file: Path
    lending: Lending
    opened: list[OpenPostgres] = field(default_factory=list[OpenPostgres])
    world: World = field(
        default_factory=lambda: World(
            name="live",
            postgres=(SealedPostgres("orders", (USER, PASSWORD)),),
            mongodb=(SealedMongoDB("carts", (URI,)),),
            redis=(SealedRedis("cache", (CACHE,)),),
        )
    )

    async def request(
        self, session_id: str, *, state: State = State.EXECUTING, action: Action | None = None, minutes: int = 15
    ) -> str:
        """A request as the gateway leaves it in that state; its id."""
        proposal = credentials(session_id, PURPOSES, minutes=minutes, prompted_by="")
        measured = Cited(id="ev_1", tool="t", query="q", excerpt=redact("x"), is_measured=True)
        proposal = replace(proposal, actions=(action or proposal.actions[0],), evidence=(measured,))
        now = Instant.now()
        row = RequestRow(
            id=f"req-{session_id}-{state}-{minutes}".ljust(24, "0"), merge_key=f"{session_id} {state} {minutes}",
            incident_id="inc_1", session_id=session_id, requester="inc_1", state=PROPOSED, body=draft_body(proposal),
            digest="", created_at=now, updated_at=now,
        )  # fmt: skip
        await self.ledger.open_request(row, Draft(kind=Kind.PROPOSED, at=now, request_id=row.id, actor="t", facts={}))
        item = Plan(
            action=proposal.actions[0], fingerprint={}, diff=redact(""), blast_radius=redact("Nothing."),
            dry_run="none", undo=None,
        )  # fmt: skip
        request = ApprovalRequest(
            id=RequestId(row.id), incident_id="inc_1", session_id=session_id, environment="production",
            proposal=proposal, items=(item,),
            terms=Terms(
                risk="low", quorum=1, groups=frozenset({"g"}), barred=frozenset(), policy_version="1",
                expires_at=now + TimeDelta(minutes=30),
            ),
            credential="", timeout_s=60, created_at=now,
        )  # fmt: skip
        await self.ledger.save_request(
            row.id, Draft(kind=Kind.REQUESTED, at=now, request_id=row.id, actor="t", facts={}),
            expected_state=PROPOSED, state=State.PENDING, body=request_body(request), digest=request.digest,
        )  # fmt: skip
        for before, after in itertools.pairwise(_WAYS.get(state, (State.PENDING, state))):
            draft = Draft(kind=Kind.STARTED, at=now, request_id=row.id, actor="t", facts={"state": after})
            await self.ledger.save_request(row.id, draft, expected_state=before, state=after)
        return row.id

    def forge(self, request_id: str, **columns: object) -> None:
        """Writes into the ledger's file, past everything that guards it."""
        with contextlib.closing(sqlite3.connect(self.file)) as connection, connection:
            for (guard,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {guard}")
            for name, value in columns.items():
                connection.execute(f"UPDATE ledger_requests SET {name} = ? WHERE id = ?", (value, request_id))

    async def refused(self, session_id: str, request_id: str) -> str:
        """Why nothing is lent."""
        with pytest.raises(CredentialsRefused) as raised:
            await self.lending.approved(session_id, request_id)
        loan = self.lending.loan(self.world, session_id, request_id)
        async with loan.reading():
            with pytest.raises(ToolNoSource) as gap:
                await loan.world.postgres[0].query("connections")
        assert str(raised.value) in str(gap.value)
        assert self.store.calls == []
        return str(raised.value)

    async def kinds(self) -> list[Kind]:
        return [each.kind for each in await self.ledger.entries() if each.kind.startswith("CREDENTIAL")]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    opened: list[OpenPostgres] = []

    @contextlib.asynccontextmanager
    async def open_postgres(name: str, values: Mapping[str, Callable[[], str]]) -> AsyncGenerator[Postgres]:
        assert values[USER]() == VALUES[USER]
        made = OpenPostgres(name, values[PASSWORD])
        opened.append(made)
        yield made
        made.is_open = False

    @contextlib.asynccontextmanager
    async def open_mongodb(name: str, values: Mapping[str, Callable[[], str]]) -> AsyncGenerator[MongoDB]:
        raise AssertionError(f"nobody approved {name} with {list(values)}")
        yield

    @contextlib.asynccontextmanager
    async def open_redis(name: str, values: Mapping[str, Callable[[], str]]) -> AsyncGenerator[Redis]:
        yield OpenRedis(name, values[CACHE])

    store, file = StrictStore(), tmp_path / "ledger.db"
    store.values = VALUES
    async with open_ledger(f"sqlite:///{file}") as ledger:
        broker = Broker({Scheme.VAULT: store}, LedgerJournal(ledger), owner="worker@here")
        yield Desk(
            store=store, ledger=ledger, file=file, opened=opened,
            lending=Lending(
                broker=broker, ledger=ledger, postgres=[Deployment(name="orders", references=(USER, PASSWORD))],
                mongodb=[Deployment(name="carts", references=(URI,))],
                redis=[Deployment(name="cache", references=(CACHE,))], minutes=15, wait_minutes=1,
                openers=Openers(postgres=open_postgres, mongodb=open_mongodb, redis=open_redis),
            ),
        )  # fmt: skip
        broker.close()


def test_a_world_says_what_it_wants_for_the_tools_that_would_read(desk: Desk) -> None:
    orders = dict.fromkeys((USER, PASSWORD), "look at Postgres 'orders', read-only")
    assert desk.lending.wanted(["postgres.locks", "kubernetes.objects"]) == orders
    assert desk.lending.wanted(["mongodb.status"]) == {URI: "look at MongoDB 'carts', read-only"}
    assert desk.lending.wanted(["redis.status"]) == {CACHE: "look at Redis 'cache', read-only"}
    assert desk.lending.wanted(["kubernetes.objects"]) == {}


async def test_readers_at_once_share_one_loan_that_ends_with_the_last(desk: Desk) -> None:
    loan = desk.lending.loan(desk.world, "ses_1", await desk.request("ses_1"))
    source = loan.world.postgres[0]
    async with loan.reading():
        async with loan.reading():
            assert await source.query("connections")
        assert await source.query("connections")
        assert len(desk.store.live) == 1
    assert desk.store.calls == ["fetch", "revoke"]
    assert desk.store.live == {}
    with pytest.raises(ToolNoSource, match="given back"):
        await source.query("connections")
    assert await desk.kinds() == [Kind.CREDENTIAL_FETCHED, Kind.CREDENTIAL_REVOKED]


async def test_who_comes_while_a_loan_ends_borrows_anew_and_keeps_what_it_got(desk: Desk) -> None:
    loan = desk.lending.loan(desk.world, "ses_1", await desk.request("ses_1"))
    source, gate = loan.world.postgres[0], Gate()

    async def first() -> None:
        async with loan.reading():
            desk.store.gates["revoke"] = gate

    ending = asyncio.create_task(first())
    await gate.reached.wait()
    async with loan.reading():
        gate.opened.set()
        await ending
        assert await source.query("connections")
    assert desk.store.calls == ["fetch", "revoke", "fetch", "revoke"]
    assert desk.store.live == {}


async def test_a_reader_that_is_cancelled_gives_back_before_it_goes(desk: Desk) -> None:
    loan = desk.lending.loan(desk.world, "ses_1", await desk.request("ses_1"))
    is_reading = asyncio.Event()

    async def read() -> None:
        async with loan.reading():
            is_reading.set()
            await asyncio.Event().wait()

    reader = asyncio.create_task(read())
    await is_reading.wait()
    assert len(desk.store.live) == 1
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert desk.store.live == {}


async def test_only_what_was_approved_is_opened(desk: Desk) -> None:
    loan = desk.lending.loan(desk.world, "ses_1", await desk.request("ses_1"))
    async with loan.reading():
        with pytest.raises(ToolNoSource, match=f"needs {URI}, which nobody has approved"):
            await loan.world.mongodb[0].command("serverStatus")
        with pytest.raises(ToolNoSource, match=f"needs {CACHE}, which nobody has approved"):
            await loan.world.redis[0].command("info")


async def test_a_redis_is_read_with_the_password_that_was_approved_for_it(desk: Desk) -> None:
    args = UseCredentials(references=(CACHE,), minutes=5)
    request_id = await desk.request("ses_1", action=use_credentials.on(for_session("ses_1"), args))
    loan = desk.lending.loan(desk.world, "ses_1", request_id)
    async with loan.reading():
        assert await loan.world.redis[0].command("info") == {"is_lent": True}
    assert desk.store.live == {}


async def test_what_was_read_with_credentials_is_not_served_to_a_session_without(desk: Desk) -> None:
    cache = MemoryCache()
    loan = desk.lending.loan(desk.world, "ses_1", await desk.request("ses_1"))
    async with loan.reading():
        with_them = await Looker(loan.world, cache=cache).look("postgres.connections", {})
    without = await Looker(desk.world, cache=cache).look("postgres.connections", {})
    other = desk.lending.loan(desk.world, "ses_2", "req-unknown")
    async with other.reading():
        of_another = await Looker(other.world, cache=cache).look("postgres.connections", {})
    found = (with_them.outcome, without.outcome, of_another.outcome)
    assert found == (Outcome.FOUND, Outcome.NO_SOURCE, Outcome.NO_SOURCE)


async def test_a_store_that_does_not_answer_is_a_gap_with_its_reason_for_every_reader(desk: Desk) -> None:
    desk.store.fails["fetch"] = CredentialsUnavailable("Vault cannot be reached: ConnectionError")
    loan = desk.lending.loan(desk.world, "ses_1", await desk.request("ses_1"))
    async with loan.reading(), loan.reading():
        with pytest.raises(ToolNoSource, match="could not be had: Vault cannot be reached"):
            await loan.world.postgres[0].query("connections")
    assert await desk.kinds() == [Kind.CREDENTIAL_FAILED]
    del desk.store.fails["fetch"]
    async with loan.reading():
        assert await loan.world.postgres[0].query("connections")


@pytest.mark.parametrize("state", [each for each in State if each is not State.EXECUTING])
async def test_a26_nothing_is_lent_in_any_other_state(desk: Desk, state: State) -> None:
    request_id = await desk.request("ses_1", state=state)
    assert await desk.refused("ses_1", request_id) == "no approval of these credentials is in force"


async def test_a26_an_approval_of_another_investigation_lends_nothing(desk: Desk) -> None:
    request_id = await desk.request("ses_1")
    assert await desk.refused("ses_2", request_id) == "the approval is for another investigation"
    assert await desk.refused("ses_2", "") == "no approval of these credentials is in force"


async def test_a26_an_approval_of_another_action_lends_nothing(desk: Desk) -> None:
    restart = restart_workload.on(Entity.of("deployment", "shop", "cart"), NoArgs())
    request_id = await desk.request("ses_1", action=restart)
    assert await desk.refused("ses_1", request_id) == "what is stored is not what was approved"


async def test_a14_a_request_that_was_changed_after_it_was_shown_lends_nothing(desk: Desk) -> None:
    request_id = await desk.request("ses_1")
    row = await desk.ledger.request(request_id)
    assert row is not None
    for body in (row.body.replace(b"creds/ro", b"creds/rw"), b"{}", b"[]", b"no JSON"):
        desk.forge(request_id, body=body)
        assert await desk.refused("ses_1", request_id) == "what is stored is not what was approved"


async def test_a14_the_row_of_one_request_with_the_body_of_another_lends_nothing(desk: Desk) -> None:
    approved, pending = await desk.request("ses_1"), await desk.request("ses_1", state=State.PENDING, minutes=60)
    row = await desk.ledger.request(pending)
    assert row is not None
    desk.forge(approved, body=row.body, digest=row.digest)
    assert await desk.refused("ses_1", approved) == "what is stored is not what was approved"


async def test_a_loan_that_begins_late_ends_when_the_approved_minutes_do(desk: Desk) -> None:
    request_id = await desk.request("ses_1", minutes=10)
    began_at = Instant.now() - TimeDelta(minutes=9)
    desk.forge(request_id, updated_at=began_at.timestamp(unit="nanosecond"))
    assert 50 < (await desk.lending.approved("ses_1", request_id)).left_s <= 60
    desk.forge(request_id, updated_at=(began_at - TimeDelta(minutes=1)).timestamp(unit="nanosecond"))
    assert await desk.refused("ses_1", request_id) == "they were approved for 10 minutes, which are over"


async def test_a_reference_that_is_none_lends_nothing(desk: Desk) -> None:
    args = UseCredentials(references=("vault:nowhere",), minutes=5)
    request_id = await desk.request("ses_1", action=use_credentials.on(for_session("ses_1"), args))
    assert "cannot be looked up" in await desk.refused("ses_1", request_id)


async def test_a_recorded_world_keeps_its_open_deployments(desk: Desk) -> None:
    known = OpenPostgres("billing", lambda: VALUES[PASSWORD])
    world = replace(desk.world, postgres=(*desk.world.postgres, known))
    loan = desk.lending.loan(world, "ses_1", await desk.request("ses_1"))
    assert loan.world.postgres[1] is known
