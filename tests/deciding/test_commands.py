"""Diagnostic commands through the whole gate, in a real sandbox: asked for, approved, run once, told."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from temporalio.testing import ActivityEnvironment

from approvals.audit import Kind
from approvals.ballot import Counted, State
from approvals.plan import Outcome
from approvals.policy_file import PolicyFile
from approvals.runners.sandbox import SandboxRunner
from approvals.sandbox import bubblewrap
from bot.setting_groups import Runner
from bot.settings import Settings
from bot.workflows.actions import Actions
from bot.workflows.approval_messages import Run
from tests.approvals.house import ANA, House, proposal
from tests.deciding.acting import allow, at_work, unprepared
from tests.sandbox.diagnostics import X509, WrittenSandbox, certificate, diagnostic, ran
from tests.servers import need

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME = "run-diagnostic-command"
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture
def local() -> Settings:
    need("bwrap", "bubblewrap")
    return Settings(runner=Runner(sandbox="bubblewrap"))


async def test_an_approved_command_runs_once_and_what_it_said_is_told_redacted(gate: House, local: Settings) -> None:
    allow(gate, NAME)
    async with at_work(gate, local):
        request_id = await gate.ask(proposal(diagnostic(*X509, given=certificate(organisation=SECRET))))
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


async def test_a16_a_second_execution_of_the_same_approval_runs_nothing(gate: House, local: Settings) -> None:
    allow(gate, NAME)
    async with at_work(gate, local):
        request_id = await gate.ask(proposal(diagnostic(*X509, given=certificate())))
        await gate.click(request_id, ANA)
        assert await gate.ended(request_id) == State.SUCCEEDED
        await gate.over(request_id)
    sandbox = WrittenSandbox(ran())
    policies = PolicyFile(gate.policy_path)
    again = Actions(ledger=gate.ledger, policies=policies, runners=[SandboxRunner(sandbox)])
    run = Run(request_id=request_id, digest=gate.wall.last(request_id).request.digest, items=(0,))
    told = await ActivityEnvironment().run(again.execute, run)
    assert (told.outcome, sandbox.runs) == ("succeeded", [])
    assert "begun once before" in told.why
    begun = [each for each in await gate.noted(request_id, Kind.STARTED, 1) if each.actor == "runner"]
    assert len(begun) == 1


async def test_a_command_that_finds_no_such_host_fails_before_a_program_starts(gate: House, local: Settings) -> None:
    allow(gate, NAME)
    async with at_work(gate, local):
        request_id = await gate.ask(proposal(diagnostic("getent", "hosts", "no-such-name.invalid")))
        assert "to reach no-such-name.invalid." in gate.wall.last(request_id).request.items[0].blast_radius
        await gate.click(request_id, ANA)
        assert await gate.ended(request_id) == State.FAILED
        await gate.over(request_id)
    assert gate.wall.last(request_id).receipts[0].detail.startswith("It was not run: ")


async def test_a11_a_command_that_the_policy_does_not_name_is_not_even_asked_about(
    gate: House, local: Settings
) -> None:
    async with at_work(gate, local):
        assert await gate.ask(proposal(diagnostic(*X509, given=certificate()))) == ""


async def test_a_policy_that_wants_a_credential_for_a_command_gets_none_run(gate: House, local: Settings) -> None:
    allow(gate, NAME, credential="vault:kv/any#token")
    async with at_work(gate, local):
        why = await unprepared(gate, proposal(diagnostic(*X509, given=certificate())))
    assert "wants it done with vault:kv/any#token, and nothing can be lent" in why


@pytest.mark.parametrize("wanted", [Runner(sandbox="bubblewrap"), Runner()], ids=["broken", "none"])
async def test_where_no_command_can_be_kept_apart_the_runner_goes_on_without(
    wanted: Runner, gate: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap.Bubblewrap.__init__, "__kwdefaults__", {"bwrap": Path("/nonexistent/bwrap")})
    allow(gate, NAME)
    with capture_logs() as logs:
        async with at_work(gate, Settings(runner=wanted)):
            why = await unprepared(gate, proposal(diagnostic(*X509, given=certificate())))
    assert "no runner for 'sandbox'" in why
    said = [each for each in logs if each["event"] == "diagnostic commands cannot be run here"]
    assert ["missing: apt-get install bubblewrap" in each["reason"] for each in said] == (
        [True] if wanted.sandbox == "bubblewrap" else []
    )
