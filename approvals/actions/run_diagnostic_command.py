"""Run a diagnostic command in a sandbox."""

import shlex
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from approvals.action import Action, ActionArgs, ActionError, ActionKind, ActionName, Effect
from approvals.sandbox.commands import PROGRAMS, Refusal, allowed
from approvals.sandbox.port import MAX_ARGUMENT, MAX_ARGUMENTS, MAX_GIVEN, Command
from tools.entity import Entity
from tools.redaction import redact

RUNNER = "sandbox"
SANDBOX = Entity.of("sandbox", None, "diagnostics")
"""The only target: a place in which nothing is. In no namespace, so that it is not in the laxer environment of one."""
_UNTRIED = "not yet"


class RunDiagnosticCommand(ActionArgs):
    """What is run, and on which text."""

    argv: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_ARGUMENT)], ...],
        Field(min_length=1, max_length=MAX_ARGUMENTS, description="The program and its arguments; no shell reads them"),
    ]
    """Of an action: exactly what runs, with the arguments that the program always has."""
    given: Annotated[
        str, Field(max_length=MAX_GIVEN, description="The text that the program reads, if it reads one")
    ] = ""
    """The program finds it as a file; empty = none."""


class _Command(ActionKind[RunDiagnosticCommand]):
    """Can only be made of a command that the grammar of diagnostics allows."""

    __slots__ = ()

    def on(self, target: Entity, args: RunDiagnosticCommand, *, cluster: str = "") -> Action:
        """This action, with the command as it will run in the place of the one that was asked for.

        Raises:
            ActionError: when the command is none that may be run, or could not be shown to people as it is.
        """
        if target != SANDBOX or cluster:
            raise ActionError(f"{self.name} is for {SANDBOX} and no other target, in no cluster")
        command = _allowed(_asked(args.argv), args.given)
        runs = args.model_copy(update={"argv": command.argv})
        shown = " ".join(command.argv), self.sentence(target, runs), args.given
        if any(redact(each) != each for each in shown):
            raise ActionError(f"{self.name}: an argument looks like a secret, and people could not be shown it")
        return super().on(target, runs)


def command(action: Action, run_id: str) -> Command:
    """What the action runs, and nothing else.

    Raises:
        ActionError: when the grammar does not have it (any more).
    """
    args = run_diagnostic_command.arguments(action)
    found = _allowed(_asked(args.argv), args.given)
    if found.argv != args.argv:
        raise ActionError(f"{action.name}: the command would run as {shlex.join(found.argv)} now")
    return replace(found, run_id=run_id)


def _allowed(argv: tuple[str, ...], given: str) -> Command:
    found = allowed(argv, run_id=_UNTRIED, given=given or None)
    if isinstance(found, Refusal):
        raise ActionError(f"run-diagnostic-command: {found.reason}")
    return found


def _asked(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command as one asks for it, also when it is written as it runs: a stored action is read by the same rules."""
    words = (argv[0].removeprefix("/usr/bin/"), *argv[1:])
    program = next((each for each in PROGRAMS if words[: len(each.words)] == each.words), None)
    if program is None or not argv[0].startswith("/"):
        return argv
    # None of these can be the value of a flag or an operand, which never begin with a dash.
    added = {"--"} if program.separator else {each.flag for each in program.operands}
    return tuple(each for each in words if each not in added)


def _sentence(target: Entity, args: RunDiagnosticCommand) -> str:
    del target
    text = f", on a text of {len(args.given):,} characters" if args.given else ""
    return f"Run in a sandbox{text}: {shlex.join(args.argv)}"


run_diagnostic_command = _Command(
    name=ActionName("run-diagnostic-command"),
    title="Run a diagnostic command",
    meaning="Runs one program of a fixed list (dig, curl --head, openssl, ping and the like) without a shell, apart "
    "from files, credentials and processes, and shows what it said. Changes nothing.",
    # It looks, and what it looks at is not ours to change: a freeze of changes does not stop it, and a policy may let
    # whoever asked approve it. It needs an entry in the policy and the approval of people like any other action.
    effect=Effect.READ,
    args=RunDiagnosticCommand,
    targets=frozenset({SANDBOX.kind}),
    runner=RUNNER,
    sentence=_sentence,
)
