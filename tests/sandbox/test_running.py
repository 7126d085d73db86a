"""A diagnostic command from an action to its receipt: what is shown is what runs, once, and what it said is told."""

from dataclasses import replace

import pytest

from approvals.action import Action, ActionError, ActionName, Effect, kinds, read
from approvals.actions.run_diagnostic_command import (
    SANDBOX,
    RunDiagnosticCommand,
    command,
    run_diagnostic_command,
)
from approvals.plan import NotPossible, NotReached, Outcome, Receipt, Runner, TargetChanged, Unclear
from approvals.runners.sandbox import SHOWN, SandboxRunner
from approvals.sandbox.bubblewrap import Bubblewrap
from approvals.sandbox.port import AlreadyRan, Ended, Ran, SandboxLost, SandboxUnavailable
from tests.sandbox.diagnostics import X509, WrittenSandbox, certificate, diagnostic, ran
from tools.entity import Entity

KEY = "9f8e-0"
COMMANDS = (
    ("dig", "x.test"),
    ("dig", "+short", "@9.9.9.9", "x.test.", "TXT"),
    ("getent", "hosts", "db.shop.svc"),
    ("curl", "--max-time", "3", "--insecure", "https://a.test:8443/x?y=1"),
    ("openssl", "s_client", "-connect", "[2001:db8::1]:443", "-servername", "a.test"),
    ("nc", "-w", "2", "a.test", "5432"),
    ("ping", "-6", "a.test"),
    ("tracepath", "a.test"),
)


async def wanted() -> bool:
    return True


async def unwanted() -> bool:
    return False


async def receipt(sandbox: Bubblewrap | WrittenSandbox, action: Action) -> Receipt:
    runner: Runner = SandboxRunner(sandbox)
    plan = await runner.plan(action)
    return await runner.execute(action, fingerprint=plan.fingerprint, key=KEY, is_wanted=wanted)


# What can be asked for


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_a1_what_is_stored_and_shown_is_what_runs_with_every_argument(argv: tuple[str, ...]) -> None:
    action = diagnostic(*argv)
    found = command(action, KEY)
    assert action.arguments == {"argv": list(found.argv), "given": ""}
    assert found.run_id == KEY
    assert read(action.to_json()) == action
    assert all(each in action.sentence for each in found.argv if "%" not in each)


def test_a_certificate_is_read_by_its_program_and_shown_whole() -> None:
    action = diagnostic(*X509, given=certificate())
    assert read(action.to_json()) == action
    assert action.arguments["given"] == certificate()
    assert command(action, KEY).given == certificate()
    assert f"on a text of {len(certificate()):,} characters: /usr/bin/openssl x509 -in" in action.sentence


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("kubectl", "get", "secrets"), "not among the diagnostics"),
        (("sh", "-c", "id"), "not among the diagnostics"),
        (("/bin/sh", "-c", "id"), "not among the diagnostics"),
        (("/usr/bin/dig/../sh", "x.test"), "not among the diagnostics"),
        (("curl", "-o", "/tmp/x", "https://a.test"), "'-o'"),
        (("curl", "http://169.254.169.254/latest"), "metadata"),
        (("getent", "hosts", "localhost"), "this machine"),
        (("dig", "-q", "x.test"), "'-q'"),
        (("/usr/bin/dig", "-f", "/etc/passwd"), "'-f'"),
    ],
)
def test_what_the_grammar_does_not_have_is_no_action(argv: tuple[str, ...], why: str) -> None:
    with pytest.raises(ActionError, match=why):
        diagnostic(*argv)


@pytest.mark.parametrize("data", [{"argv": []}, {"argv": ["dig", 1]}, {"argv": "dig x.test"}, {"argv": ["dig"] * 65}])
def test_what_is_no_list_of_words_is_no_action(data: dict[str, object]) -> None:
    with pytest.raises(ActionError):
        read({"name": "run-diagnostic-command", "target": str(SANDBOX), "arguments": data})


@pytest.mark.parametrize("place", [("sandbox//other", ""), ("sandbox/staging/diagnostics", ""), (str(SANDBOX), "lab")])
def test_no_target_puts_a_command_into_a_laxer_environment(place: tuple[str, str]) -> None:
    args = RunDiagnosticCommand(argv=("dig", "x.test"))
    with pytest.raises(ActionError, match="no other target"):
        run_diagnostic_command.on(Entity.parse(place[0]), args, cluster=place[1])


def test_an_argument_that_could_not_be_shown_is_refused() -> None:
    with pytest.raises(ActionError, match="looks like a secret"):
        diagnostic("curl", "https://a.test/?token=ghp_0123456789abcdefghijABCDEFGHIJ012345")


def test_a_command_only_looks_and_still_needs_a_runner_of_its_own() -> None:
    kind = kinds()[ActionName("run-diagnostic-command")]
    assert (kind.effect, kind.runner) == (Effect.READ, SandboxRunner.name)


# What people are told before


@pytest.mark.parametrize(
    ("action", "reach"),
    [
        (diagnostic("nc", "a.test", "5432"), "for at most 35 s. It has the network, to reach a.test."),
        (diagnostic("dig", "x.test"), "for at most 15 s. It has the network, to reach the name servers of"),
        (diagnostic(*X509, given=certificate()), "for at most 15 s. It has no network."),
    ],
    ids=["host", "resolver", "none"],
)
async def test_the_plan_says_what_a_command_can_reach_and_tries_nothing(action: Action, reach: str) -> None:
    sandbox = WrittenSandbox(ran())
    plan = await SandboxRunner(sandbox).plan(action)
    assert reach in plan.blast_radius
    assert (plan.dry_run, plan.diff, plan.undo, sandbox.runs) == ("none", "", None, [])


async def test_a4_a_command_that_would_run_otherwise_than_it_was_shown_does_not_run() -> None:
    sandbox = WrittenSandbox(ran())
    runner = SandboxRunner(sandbox)
    shown = (await runner.plan(diagnostic("ping", "a.test"))).fingerprint
    other = (await runner.plan(diagnostic("ping", "b.test"))).fingerprint
    assert shown != other
    with pytest.raises(TargetChanged):
        await runner.execute(diagnostic("ping", "a.test"), fingerprint=other, key=KEY, is_wanted=wanted)
    assert sandbox.runs == []


@pytest.mark.parametrize("argv", [["/usr/bin/ping", "a.test"], ["/usr/bin/id"]])
async def test_a1_a_stored_command_that_is_not_as_the_grammar_would_have_it_does_not_run(argv: list[str]) -> None:
    sandbox = WrittenSandbox(ran())
    tampered = replace(diagnostic("ping", "a.test"), arguments={"argv": argv, "given": ""})
    with pytest.raises(NotPossible, match="nothing was run"):
        await SandboxRunner(sandbox).execute(tampered, fingerprint={}, key=KEY, is_wanted=wanted)
    assert sandbox.runs == []


async def test_a15_what_was_called_off_right_before_does_not_run() -> None:
    sandbox, action = WrittenSandbox(ran()), diagnostic("ping", "a.test")
    runner = SandboxRunner(sandbox)
    shown = (await runner.plan(action)).fingerprint
    with pytest.raises(NotPossible, match="called off"):
        await runner.execute(action, fingerprint=shown, key=KEY, is_wanted=unwanted)
    assert sandbox.runs == []


# What they are told afterwards


@pytest.mark.parametrize(
    ("end", "outcome", "said"),
    [
        (ran(out="a\n", err="b\n"), Outcome.SUCCEEDED, "It exited with 0, after 0.25 s.\na\nb"),
        (ran(code=2), Outcome.SUCCEEDED, "It exited with 2, after 0.25 s."),
        (
            ran(Ended.TIMED_OUT, out="so far"),
            Outcome.FAILED,
            "longer than it may and was stopped, after 0.25 s.\nso far",
        ),
        (ran(Ended.KILLED), Outcome.FAILED, "ended by a signal"),
        (ran(Ended.OUTPUT_CAPPED), Outcome.FAILED, "more than may be kept"),
        (ran(Ended.REFUSED, err="dig is not installed"), Outcome.FAILED, "It was not run: dig is not installed"),
    ],
    ids=["exited", "code", "time", "killed", "capped", "refused"],
)
async def test_the_receipt_says_how_it_ended_and_what_it_said(end: Ran, outcome: Outcome, said: str) -> None:
    sandbox = WrittenSandbox(end)
    found = await receipt(sandbox, diagnostic("ping", "a.test"))
    assert found.outcome is outcome
    assert said in found.detail
    assert [each.run_id for each in sandbox.runs] == [KEY]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SandboxUnavailable("no namespaces"), NotReached),
        (AlreadyRan("the Job was created before"), Unclear),
        (SandboxLost("the Job did not end"), Unclear),
    ],
)
async def test_a19_what_nobody_knows_is_unclear_and_what_was_not_begun_is_not(
    error: Exception, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=str(error)):
        await receipt(WrittenSandbox(error), diagnostic("ping", "a.test"))


@pytest.mark.parametrize("between", ["\n", " "])
async def test_what_was_said_at_length_is_cut_between_words_and_says_so(between: str) -> None:
    found = await receipt(WrittenSandbox(ran(out=f"one{between}" * SHOWN)), diagnostic("ping", "a.test"))
    assert len(found.detail) < SHOWN + 100
    kept, _, note = found.detail.rpartition("\n")
    assert kept.endswith("one")
    assert "more characters]" in note


async def test_the_real_program_runs_and_what_looks_like_a_secret_in_its_answer_is_not_told(
    bubblewrap: Bubblewrap,
) -> None:
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    found = await receipt(bubblewrap, diagnostic(*X509, given=certificate(organisation=secret)))
    assert found.outcome is Outcome.SUCCEEDED
    assert "CN = shop.test" in found.detail
    assert "notAfter=" in found.detail
    assert secret not in found.detail
    assert "[redacted:" in found.detail
