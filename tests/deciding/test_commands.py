"""Diagnostic commands through the whole gate, in a real sandbox: asked for, approved, run once, told."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from approvals.action import Action
from approvals.audit import Kind
from approvals.ballot import Counted, State
from approvals.plan import Outcome
from approvals.policy_file import PolicyFile
from approvals.request import Proposal
from approvals.runners.sandbox import SandboxRunner
from bot.requests import read_request
from bot.settings import Runner, Settings
from bot.workflows.actions import Actions
from bot.workflows.approval_messages import Run
from tests.approvals.house import ANA, House, proposal
from tests.deciding.acting import allow, at_work
from tests.sandbox.diagnostics import X509, certificate, diagnostic
from tests.servers import free_port, need
from tests.sandbox.running import processes

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME = "run-diagnostic-command"
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture
def local() -> Settings:
    need("bwrap", "bubblewrap")
    return Settings(runner=Runner(sandbox="bubblewrap"))


def asking(action: Action) -> Proposal:
    return proposal(action)


async def refusal(gate: House, request_id: str) -> str:
    (entry,) = await gate.noted(request_id, Kind.REFUSED, 1)
    return str(entry.facts["why"])


async def test_an_approved_command_runs_once_and_what_it_said_is_told_redacted(gate: House, local: Settings) -> None:
    allow(gate, NAME)
    async with at_work(gate, local):
        request_id = await gate.ask(asking(diagnostic(*X509, given=certificate(organisation=SECRET))))
        plan = gate.wall.last(request_id).request.items[0]
        assert "It has no network." in plan.blast_radius
        assert plan.action.arguments["argv"][:4] == ["/usr/bin/openssl", "x509", "-in", "/given/text"]
        assert (await gate.click(request_id, ANA)).counted is Counted.DECIDED
        assert await gate.ended(request_id) == State.SUCCEEDED
        await gate.over(request_id)
    (receipt,) = gate.wall.last(request_id).receipts
    assert receipt.outcome is Outcome.SUCCEEDED
    assert "CN = shop.test" in receipt.detail
    assert SECRET not in receipt.detail
    # What the program said is in the ledger alone, and never as it came.
    history = await gate.client.get_workflow_handle(f"approval-{request_id}").fetch_history()
    assert "shop.test" not in history.to_json()
    assert SECRET not in "".join(map(str, await gate.entries(request_id)))


async def test_a16_a_second_execution_of_the_same_approval_is_refused(gate: House, local: Settings) -> None:
    allow(gate, NAME)
    async with at_work(gate, local):
        request_id = await gate.ask(asking(diagnostic(*X509, given=certificate())))
        await gate.click(request_id, ANA)
        await gate.ended(request_id)
    row = await gate.ledger.request(request_id)
    assert row is not None
    sandbox = SandboxRunner(NoMore())
    again = Actions(ledger=gate.ledger, policies=PolicyFile(gate.policy_path), runners=[sandbox])
    run = Run(request_id=request_id, digest=read_request(row.body).digest, items=(0,))
    from temporalio.testing import ActivityEnvironment

    ran = await ActivityEnvironment().run(again.execute, run)
    assert ran.outcome == "succeeded"
    assert "begun once before" in ran.why
    assert len(await gate.noted(request_id, Kind.STARTED, 1)) == 1


async def test_nothing_of_the_host_is_in_the_reach_of_a_command(
    gate: House, local: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCUM_CANARY", SECRET)
    allow(gate, NAME)
    async with at_work(gate, local):
        request_id = await gate.ask(asking(diagnostic("getent", "hosts", "no-such-name.invalid")))
        plan = gate.wall.last(request_id).request.items[0]
        assert "It has the network, to reach no-such-name.invalid." in plan.blast_radius
        await gate.click(request_id, ANA)
        # The name leads nowhere: it is refused before a program starts.
        assert await gate.ended(request_id) == State.FAILED
    (receipt,) = gate.wall.last(request_id).receipts
    assert receipt.detail.startswith("It was not run: ")
