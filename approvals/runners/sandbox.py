"""Runs diagnostic commands in a sandbox: exactly the one that people saw, once.

A sandbox may keep no names. That nothing runs twice rests on the intent that is written before a runner is called.
"""

from collections.abc import Awaitable, Callable, Mapping

from approvals.action import Action, ActionError
from approvals.actions.run_diagnostic_command import RUNNER, command
from approvals.canonical import digest
from approvals.plan import NotPossible, NotReached, Outcome, Plan, Receipt, TargetChanged, Unclear
from approvals.sandbox.port import AlreadyRan, Command, Ended, Ran, Sandbox, SandboxLost, SandboxUnavailable
from tools.redaction import Redacted, redact

SHOWN = 4_000
"""Characters of each output that are kept."""

_ENDED = {
    Ended.TIMED_OUT: "It ran longer than it may and was stopped",
    Ended.KILLED: "It was ended by a signal, most often for its limit of processor time or memory",
    Ended.OUTPUT_CAPPED: "It said more than may be kept and was stopped",
}


class SandboxRunner:
    """Implements `approvals.plan.Runner` with a sandbox."""

    name = RUNNER

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def plan(self, action: Action) -> Plan:
        """Says what would run and what it can reach; nothing is tried, as the run itself changes nothing."""
        found = _command(action, run_id="plan")
        return Plan(
            action=action,
            fingerprint=_fingerprint(found),
            diff=Redacted(""),
            blast_radius=redact(_reach(found)),
            dry_run="none",
            undo=None,
        )

    async def execute(
        self,
        action: Action,
        *,
        fingerprint: Mapping[str, str | int],
        key: str,
        is_wanted: Callable[[], Awaitable[bool]],
    ) -> Receipt:
        """Runs it under the name of the approval."""
        found = _command(action, run_id=key)
        if _fingerprint(found) != fingerprint:
            raise TargetChanged("The command would not run as it was shown: its limits changed. Nothing was run.")
        if not await is_wanted():
            raise NotPossible("It was called off right before it was to run; nothing was run.")
        try:
            ran = await self._sandbox.run(found)
        except SandboxUnavailable as e:
            raise NotReached(f"Nothing was run: {redact(str(e))}") from e
        except (AlreadyRan, SandboxLost) as e:
            raise Unclear(f"What the command found is not known: {redact(str(e))}") from e
        return _receipt(ran)


def _command(action: Action, *, run_id: str) -> Command:
    try:
        return command(action, run_id)
    except ActionError as e:
        raise NotPossible(f"{redact(str(e))}; nothing was run") from e


def _fingerprint(found: Command) -> Mapping[str, str | int]:
    """Of everything that decides what runs. What the program will find is nothing that could be compared."""
    limits = {name: str(getattr(found.limits, name)) for name in found.limits.__slots__}
    seen = {
        "argv": found.argv, "given": found.given, "network": found.network, "hosts": found.hosts, "limits": limits,
    }  # fmt: skip
    return {"command": digest("locum.command.v1", seen)}


def _reach(found: Command) -> str:
    apart = f"It runs in a sandbox, without files, credentials and settings, for at most {found.limits.wall_s:g} s."
    if not found.network:
        return f"{apart} It has no network."
    return f"{apart} It has the network, to reach {', '.join(found.hosts) or 'the name servers of where it runs'}."


def _receipt(ran: Ran) -> Receipt:
    """How it ended, and what it said. What an exit code means the program decides: it ran, and that was the wish."""
    if ran.ended is Ended.REFUSED:
        return Receipt(outcome=Outcome.FAILED, detail=redact(f"It was not run: {_shown(ran.stderr)}"))
    how = f"It exited with {ran.exit_code}" if ran.ended is Ended.EXITED else _ENDED[ran.ended]
    said = [f"{how}, after {ran.seconds:g} s.", *(_shown(each) for each in (ran.stdout, ran.stderr) if each.strip())]
    outcome = Outcome.SUCCEEDED if ran.ended is Ended.EXITED else Outcome.FAILED
    # Redacted as it came, each output by itself: what stands beside it now makes no secret of it.
    return Receipt(outcome=outcome, detail=Redacted("\n".join(said)))


def _shown(said: Redacted) -> str:
    if len(said) <= SHOWN:
        return said.rstrip("\n")
    # Not in the middle of a word: a mark of what was redacted stays whole.
    kept = said[:SHOWN].rpartition("\n")[0] or said[:SHOWN].rpartition(" ")[0]
    return f"{kept}\n[cut: {len(said) - len(kept):,} more characters]"
