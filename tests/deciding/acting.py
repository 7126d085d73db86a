"""The runner of a process, at work beside a gate, as the process itself builds it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from approvals.audit import Kind
from approvals.request import Proposal
from bot.deciding import acting
from bot.keyring import open_keyring
from bot.lending import LedgerJournal
from bot.settings import Settings
from bot.workflows import workers
from bot.workflows.actions import Actions
from tests.approvals.house import INCIDENT, House

RULE = """
  {action}:
    risk: low
    environments: [production]
    needs: {{production: {needs}}}
    quorum: 1
    groups: [on-call]
    timeout: 60s
    credential: "{credential}"
"""


def allow(house: House, action: str, *, needs: str = "read-only", credential: str = "") -> None:
    """Names one more action in the policy, or names it anew."""
    rest = house.policy_path.read_text().partition(f"\n  {action}:")[0].rstrip("\n")
    house.policy_path.write_text(rest + RULE.format(action=action, needs=needs, credential=credential))


@contextlib.asynccontextmanager
async def at_work(house: House, settings: Settings) -> AsyncGenerator[None]:
    """The worker of the runner that these settings describe."""
    settings = settings.model_copy(
        update={"approvals": settings.approvals.model_copy(update={"policy": house.policy_path})}
    )
    async with (
        open_keyring(settings) as keyring,
        keyring.broker(LedgerJournal(house.ledger), owner="runner@here") as broker,
        acting(settings, house.ledger, house.client, broker) as worker,
        _running(worker),
    ):
        yield


@contextlib.asynccontextmanager
async def with_runner(house: House, actions: Actions) -> AsyncGenerator[None]:
    """The worker of these actions."""
    async with _running(workers.runner_worker(house.client, actions)):
        yield


@contextlib.asynccontextmanager
async def _running(worker: workers.Worker) -> AsyncGenerator[None]:
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.shutdown()
        await running


async def unprepared(house: House, proposal: Proposal) -> str:
    """Why nobody is asked about a proposal that the policy allows."""
    request_id = await house.proposing.open(proposal, INCIDENT, "ses_house")
    await house.until(request_id, lambda state: state == "cancelled")
    (entry,) = await house.noted(request_id, Kind.CANCELLED, 1)
    assert house.wall.drawn == []
    return str(entry.facts["why"])
