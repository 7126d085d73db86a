"""What becomes of an execution when its credential ends, or cannot be had: strict stores, the whole gate."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from approvals.action import Action
from approvals.ballot import State
from approvals.credentials.broker import Broker
from approvals.credentials.errors import CredentialsUnavailable
from approvals.credentials.reference import Reference, Scheme
from approvals.plan import Borrower, Plan, Unclear
from approvals.policy_file import PolicyFile
from bot import keyring
from bot.lending import LedgerJournal
from bot.workflows.actions import Actions
from tests.approvals.house import ANA, House, Target, proposal
from tests.credentials.journals import StrictJournal
from tests.credentials.stores import StrictStore
from tests.deciding.acting import allow, unprepared, with_runner

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFERENCE = "vault:kubernetes/creds/restart#token"
VALUE = "a-token-of-the-store"


@dataclass
class LentTarget(Target):
    """Implements `Borrower`: it changes with what was lent, and notes with what."""

    tokens: list[str] = field(default_factory=list[str])
    sketched: int = 0
    hangs_up_s: float = 0
    """How long it takes to close its connections."""

    async def sketch(self, action: Action) -> Plan:
        self.sketched += 1
        return await self.plan(action)

    @contextlib.asynccontextmanager
    async def borrowing(self, token: Callable[[], str]) -> AsyncGenerator["LentTarget"]:
        self.tokens.append(token())
        yield self
        await asyncio.sleep(self.hangs_up_s)


@contextlib.asynccontextmanager
async def runner(gate: House, target: Target, store: StrictStore | None) -> AsyncGenerator[None]:
    broker = Broker({Scheme.VAULT: store}, LedgerJournal(gate.ledger), owner="runner@here") if store else None
    policies = PolicyFile(gate.policy_path)
    actions = Actions(ledger=gate.ledger, policies=policies, runners=[target], broker=broker)
    async with with_runner(gate, actions):
        yield
    if broker:
        broker.close()


@pytest.fixture
def store() -> StrictStore:
    made = StrictStore()
    made.values[REFERENCE] = VALUE
    return made


@pytest.fixture
def gate_with_credential(gate: House) -> House:
    allow(gate, "restart-workload", needs="production-writes", credential=REFERENCE)
    return gate


async def executed(gate: House) -> tuple[str, str]:
    """How an approved request ended, and what its receipt says."""
    request_id = await gate.ask()
    await gate.click(request_id, ANA)
    state = await gate.ended(request_id)
    await gate.over(request_id)
    return state, gate.wall.last(request_id).receipts[0].detail


async def test_a26_an_action_gets_the_value_and_the_store_gets_it_back(
    gate_with_credential: House, store: StrictStore
) -> None:
    target = LentTarget()
    assert isinstance(target, Borrower)
    async with runner(gate_with_credential, target, store):
        state, _ = await executed(gate_with_credential)
    assert (state, target.tokens, target.sketched) == (State.SUCCEEDED, [VALUE], 1)
    assert (store.calls, store.live) == (["fetch", "revoke"], {})


async def test_a26_a_target_that_fails_gives_it_back_as_well(gate_with_credential: House, store: StrictStore) -> None:
    target = LentTarget(failure=Unclear(f"the answer was lost: {VALUE}"))
    async with runner(gate_with_credential, target, store):
        state, said = await executed(gate_with_credential)
    assert state == State.UNKNOWN
    assert VALUE not in said
    assert "[redacted:" in said
    assert store.live == {}


async def test_a19_a_credential_that_ends_in_the_middle_leaves_it_unknown(
    gate_with_credential: House, store: StrictStore
) -> None:
    store.ttl_s, store.is_renewable = 0.3, False
    target = LentTarget(is_slow=asyncio.Event())
    async with runner(gate_with_credential, target, store):
        state, said = await executed(gate_with_credential)
    assert (state, target.effects) == (State.UNKNOWN, [])
    assert said.startswith("It was begun, and its credential ended before it did: ")
    assert store.live == {}


async def test_a19_a_credential_that_ends_after_the_answer_came_takes_nothing_of_it_back(
    gate_with_credential: House, store: StrictStore
) -> None:
    store.ttl_s, store.is_renewable = 0.3, False
    target = LentTarget(hangs_up_s=60)
    async with runner(gate_with_credential, target, store):
        state, said = await executed(gate_with_credential)
    assert (state, said, len(target.effects)) == (State.SUCCEEDED, "It was restarted.", 1)
    assert store.live == {}


async def test_what_was_done_stays_done_when_its_credential_cannot_be_given_back(
    gate_with_credential: House, store: StrictStore
) -> None:
    store.fails["revoke"] = CredentialsUnavailable("the store is down")
    target = LentTarget()
    async with runner(gate_with_credential, target, store):
        state, _ = await executed(gate_with_credential)
        assert (state, len(target.effects)) == (State.SUCCEEDED, 1)
        (left,) = await gate_with_credential.ledger.open_leases("runner@here")
    # The next run of the same part gives it back at its start.
    del store.fails["revoke"]
    journal = LedgerJournal(gate_with_credential.ledger)
    with capture_logs() as logs:
        async with keyring.Keyring(stores={Scheme.VAULT: store}).broker(journal, owner="runner@here"):
            assert await gate_with_credential.ledger.open_leases("runner@here") == []
    assert [(each["returned"], each["left"]) for each in logs] == [(1, 0)]
    assert left.lease_id not in store.live


async def test_a23_a_store_that_is_away_leaves_everything_as_it_was(
    gate_with_credential: House, store: StrictStore
) -> None:
    store.fails["fetch"] = CredentialsUnavailable("the store is down")
    target = LentTarget()
    async with runner(gate_with_credential, target, store):
        state, said = await executed(gate_with_credential)
    assert (state, target.asked) == (State.FAILED, [])
    assert said == "Its credential could not be had: the store is down. Nothing was done."


@pytest.mark.parametrize("lacking", ["broker", "borrower"])
async def test_nobody_is_asked_about_what_could_not_be_lent(lacking: str, gate: House, store: StrictStore) -> None:
    allow(gate, "restart-workload", needs="production-writes", credential=REFERENCE)
    target = Target() if lacking == "borrower" else LentTarget()
    async with runner(gate, target, None if lacking == "broker" else store):
        why = await unprepared(gate, proposal())
    assert "nothing can be lent" in why
    assert (store.calls, target.asked) == ([], [])


async def test_without_a_credential_in_the_policy_nothing_is_lent(gate: House, store: StrictStore) -> None:
    target = LentTarget()
    async with runner(gate, target, store):
        state, _ = await executed(gate)
    assert (state, target.sketched, target.tokens, store.calls) == (State.SUCCEEDED, 0, [], [])


async def test_f18_what_could_not_be_given_back_is_tried_again_while_the_process_runs(
    store: StrictStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "SWEEP_EVERY_S", 0.01)
    journal = StrictJournal()
    async with keyring.Keyring(stores={Scheme.VAULT: store}).broker(journal, owner="runner@here") as broker:
        store.fails["revoke"] = CredentialsUnavailable("the store is down")
        async with broker.lend([Reference.parse(REFERENCE)], purpose="restart", request_id="r", ttl_s=60):
            pass
        assert store.live
        journal.is_unreadable = True
        with capture_logs() as logs:
            sweeper = asyncio.create_task(keyring.sweeping(broker))
            try:
                await _until(lambda: any("not swept" in each["event"] for each in logs))
                # A journal that was away for a while did not end it.
                journal.is_unreadable = False
                store.fails.clear()
                await _until(lambda: not store.live)
            finally:
                sweeper.cancel()


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - the sweeper is a task of its own
            await asyncio.sleep(0.01)
