"""What a runner found out about an action before anyone is asked, and what became of it. Pure."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from approvals.action import Action
from tools.redaction import Redacted


class RunnerError(Exception):
    """An action could not be prepared or carried out; the message is for people and holds no secret.

    RunnerError
    ├── TargetChanged    it is not what was shown: nothing was done, ask anew
    ├── NotPossible      the target, or the one who guards it, says no: nothing was done
    ├── NotReached       nobody answered before anything was sent: nothing was done
    └── Unclear          it was sent, and nobody knows whether it was done
    """


class TargetChanged(RunnerError):
    """The target is not what was shown: nothing was done."""


class NotPossible(RunnerError):
    """The target says no (not found, not allowed, not valid): nothing was done."""


class NotReached(RunnerError):
    """Nobody answered before anything was sent: nothing was done."""


class Unclear(RunnerError):
    """It was sent, and nobody knows whether it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One action, looked at by whoever would carry it out. Nothing was changed for it."""

    action: Action
    fingerprint: Mapping[str, str | int]
    """What the target was like: `uid`, `resourceVersion`, `generation`, and the counts that the reason rests on."""
    diff: Redacted
    """What the server says would change, as a unified diff; empty where an action has none (deleting a pod)."""
    blast_radius: Redacted
    """Who feels it, in one or two sentences with numbers."""
    dry_run: str
    """How the diff was made: `server` (the API server's own dry run), `recorded` (a recorded world), `none`."""
    undo: Action | None
    """The way back, where there is one."""


class Outcome(StrEnum):
    """How one action ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It was not done."""
    UNKNOWN = "unknown"
    """Nobody can know whether it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one action."""

    outcome: Outcome
    detail: Redacted
    """What the target answered, in one or two sentences."""
    diff: Redacted = Redacted("")
    """What really changed, where the target told."""


class Runner(Protocol):
    """Carries actions out: the only one that holds write credentials. No model and no Slack is near it."""

    name: str
    """As `ActionKind.runner` has it."""

    async def plan(self, action: Action) -> Plan:
        """Looks at the target and tries the action without effect.

        Raises:
            RunnerError: when it cannot be prepared.
        """
        ...

    async def execute(
        self,
        action: Action,
        *,
        fingerprint: Mapping[str, str | int],
        key: str,
        is_wanted: Callable[[], Awaitable[bool]],
    ) -> Receipt:
        """Does it, once, if the target still is as `fingerprint` says.

        Args:
            action: exactly what was approved.
            fingerprint: of the approved plan; the write itself carries its `resourceVersion`.
            key: idempotency key, passed to targets that take one.
            is_wanted: asked right before the write is sent; `False` = somebody wants it no more, nothing is done.

        Raises:
            RunnerError: nothing was done, except for `Unclear`.
        """
        ...


@runtime_checkable
class Borrower(Runner, Protocol):
    """A runner that can carry one action out with a credential that is lent for it, instead of with its own rights."""

    async def sketch(self, action: Action) -> Plan:
        """As `plan`, for an action whose credential is fetched after its approval: nothing can be tried before.

        Raises:
            RunnerError: when it cannot be prepared.
        """
        ...

    def borrowing(self, token: Callable[[], str]) -> AbstractAsyncContextManager[Runner]:
        """A runner that writes with that token, as long as the block runs; what it reads, it reads with its own rights.

        Args:
            token: gives the value as long as it is lent; it is kept nowhere else.
        """
        ...
