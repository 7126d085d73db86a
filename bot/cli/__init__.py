"""The command `locum`. Each command's work is in a module of its own, imported when it is called."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.evals import app as evals
from bot.cli.outcome import BadInput

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Locum, the on-call stand-in: an alert or a question in, a cited diagnosis out.",
)

Format = Annotated[str, typer.Option("--format", help="text or json")]
Snapshot = Annotated[Path | None, typer.Option("--snapshot", help="answer from this folder instead of live systems")]


@app.command()
def diagnose(
    question: Annotated[str, typer.Argument(help="what is wrong, in your words; may be empty with a snapshot's alert")],
    snapshot: Snapshot = None,
    output: Format = "text",
) -> None:
    """One investigation in the terminal; no Slack and no server needed."""
    from bot.cli.diagnose import run

    run(question, snapshot=snapshot, output=_one_of(output, "text", "json"))


@app.command()
def snapshot(out: Annotated[Path, typer.Option("--out", help="a folder that does not exist yet")]) -> None:
    """Record the live world, redacted, so that it can be diagnosed elsewhere."""
    from bot.cli.snapshot import run

    run(out)


@app.command()
def route(
    file: Annotated[Path, typer.Argument(help="an Alertmanager or generic payload, or - for standard input")],
    output: Format = "text",
) -> None:
    """Which specialists an alert would reach, and why."""
    from bot.cli.route import run

    run(file, output=_one_of(output, "text", "json"))


@app.command("check-config")
def check_config(output: Format = "text") -> None:
    """Check every setting and connector; says what is missing and how to set it."""
    from bot.cli.check_config import run

    run(output=_one_of(output, "text", "json"))


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="fire one incident, print its thread, exit")] = False,
    port: Annotated[int, typer.Option(help="port of the page; 0 takes a free one")] = 8083,
    incident: Annotated[str, typer.Option(help="the recorded incident that --once fires")] = "dependency-down",
) -> None:
    """Everything on this machine with a local Slack workspace in the browser and recorded incidents."""
    from bot.cli.demo import run

    run(once=once, port=port, incident=incident)


@app.command()
def up() -> None:
    """Run everything on one machine: intake, Slack, investigations, embedded servers where none are set."""
    from bot.cli.up import run

    run(("bot", "worker", "runner"))


@app.command()
def bot() -> None:
    """Run Slack, the webhooks and the HTTP surface; needs REDIS and TEMPORAL set."""
    from bot.cli.up import run

    run(("bot",))


@app.command()
def worker() -> None:
    """Run investigations; needs REDIS and TEMPORAL set."""
    from bot.cli.up import run

    run(("worker",))


@app.command()
def runner() -> None:
    """Run what carries out approved actions, with its own identity; needs REDIS, TEMPORAL and a policy set."""
    from bot.cli.up import run

    run(("runner",))


@app.command("prove-secrets")
def prove_secrets(
    incident: Annotated[str, typer.Argument(help="the id of a finished incident")],
    output: Format = "text",
) -> None:
    """Search everything that was recorded of an incident for the credentials that it read with."""
    from bot.cli.proving import run

    run(incident, output=_one_of(output, "text", "json"))


approvals = typer.Typer(no_args_is_help=True, help="What waits for a decision, what became of it, and freezes.")
audit = typer.Typer(no_args_is_help=True, help="The audit: a chain that nobody can change unseen.")
checks = typer.Typer(no_args_is_help=True, help="Custom checks, written in YAML.")
dev = typer.Typer(no_args_is_help=True, help="For development on this machine.")
app.add_typer(approvals, name="approvals")
app.add_typer(audit, name="audit")
app.add_typer(checks, name="checks")
app.add_typer(dev, name="dev")
app.add_typer(evals, name="eval")

Environment = Annotated[str, typer.Option("--environment", help="an environment of the policy; * for all")]
Reason = Annotated[str, typer.Option("--reason", help="why, for those who read it")]


@approvals.command("list")
def approvals_list(
    is_all: Annotated[bool, typer.Option("--all", help="what is over too")] = False,  # noqa: FBT002 - a flag
    output: Format = "text",
) -> None:
    """What waits for a decision or runs."""
    from bot.cli.approvals import run_list

    run_list(is_all=is_all, output=_one_of(output, "text", "json"))


@approvals.command("show")
def approvals_show(request_id: str, output: Format = "text") -> None:
    """One request, with everything that happened to it."""
    from bot.cli.approvals import run_show

    run_show(request_id, output=_one_of(output, "text", "json"))


@approvals.command("freeze")
def approvals_freeze(
    reason: Reason,
    environment: Environment = "*",
    lasts: Annotated[str, typer.Option("--for", help="90m, 2h, 1d; until unfrozen when left out")] = "",
) -> None:
    """Stop approvals and executions, also of what is approved already."""
    from bot.cli.approvals import run_freeze

    run_freeze(environment=environment, lasts=lasts, reason=reason)


@approvals.command("unfreeze")
def approvals_unfreeze(environment: Environment = "*") -> None:
    """End a freeze."""
    from bot.cli.approvals import run_unfreeze

    run_unfreeze(environment=environment)


@approvals.command("record")
def approvals_record(
    request_id: str,
    outcome: Annotated[str, typer.Argument(help="succeeded or failed")],
    reason: Reason,
) -> None:
    """Say what happened, after an execution that ended without anybody knowing how."""
    from bot.cli.approvals import run_record

    run_record(request_id, outcome=_one_of(outcome, "succeeded", "failed", what="outcome"), reason=reason)


@approvals.command("policy")
def approvals_policy(
    explain: Annotated[str | None, typer.Option("--explain", help="an action; all when left out")] = None,
    environment: Annotated[str | None, typer.Option("--environment", help="one of the policy's")] = None,
    output: Format = "text",
) -> None:
    """What the policy says about an action: every rule that speaks, and who decides."""
    from bot.cli.approving import run_policy

    run_policy(explain, environment=environment, output=_one_of(output, "text", "json"))


@audit.command("verify")
def audit_verify(
    anchors: Annotated[
        Path | None, typer.Option("--anchors", help="heads that were kept elsewhere, JSON lines")
    ] = None,
    output: Format = "text",
) -> None:
    """Walk along the whole chain: finds a change, a gap, a cut tail."""
    from bot.cli.approving import run_verify

    run_verify(anchors=anchors, output=_one_of(output, "text", "json"))


@audit.command("show")
def audit_show(
    request_id: Annotated[str | None, typer.Option("--request", help="of one request")] = None,
    limit: Annotated[int, typer.Option("--limit")] = 50,
    output: Format = "text",
) -> None:
    """The last entries."""
    from bot.cli.approving import run_audit

    run_audit(request_id=request_id, limit=limit, output=_one_of(output, "text", "json"))


@checks.command("test")
def checks_test(
    file: Annotated[Path, typer.Argument(help="a file of checks, or a folder of them")],
    snapshot: Snapshot = None,
    output: Format = "text",
) -> None:
    """Which custom checks fire in a snapshot, or in the live world, and on what."""
    from bot.cli.checks import run_test

    run_test(file, snapshot=snapshot, output=_one_of(output, "text", "json"))


@dev.command("secrets")
def dev_secrets(
    file: Annotated[Path, typer.Argument(help="references and values: YAML, JSON or KEY=VALUE lines; mode 600")],
    port: Annotated[int, typer.Option(help="port on this machine")] = 8080,
) -> None:
    """Serve secrets to a Locum on this machine, as 1Password would; refused in production."""
    from bot.cli.approving import run_secrets

    run_secrets(file, port=port)


def _one_of(value: str, *allowed: str, what: str = "--format") -> str:
    if value not in allowed:
        raise BadInput(f"{what} {value!r}: expected {' or '.join(allowed)}")
    return value


def main() -> None:
    """Entry point: bad input and bad settings end with one clear line and exit code 2, never with a traceback."""
    try:
        app()
    except BadInput as error:
        sys.stderr.write(f"locum: {error}\n")
        sys.exit(2)
