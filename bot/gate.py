"""The gate: what people and programs can ask of approvals. The one door that Slack, HTTP and the terminal share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from whenever import Instant

from approvals.ballot import Answer, Choice, State, Vote
from approvals.plan import Outcome, Receipt
from approvals.request import ApprovalRequest, RequestId
from bot.incident import Place
from tools.redaction import Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One decision as it arrived. What it is about stands in the store, never in the click."""

    request_id: RequestId
    account: str
    """Slack user id, or the principal of an API token."""
    via: str
    """`slack` or `api`."""
    choice: Choice
    key: str
    """The same for every delivery of the same click: a hash over request, account and the click's own time."""
    reason: str = ""
    only: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was seen when Locum looked again after the execution."""

    helped: bool | None
    """`None`: it could not be seen."""
    said: Redacted
    """One or two sentences."""
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A request as people see it now; a card is drawn from this and from nothing else."""

    request: ApprovalRequest
    place: Place
    """The incident's thread."""
    state: State
    votes: tuple[Vote, ...] = ()
    why: str = ""
    """Why it ended, where votes did not decide."""
    receipts: tuple[Receipt, ...] = ()
    """One for each item that was tried, in order; the items after a failed one are not tried."""
    began_at: Instant | None = None
    ended_at: Instant | None = None
    verification: Verification | None = None
    frozen: str = ""
    """Why nothing may be approved at present; empty = nothing stands in the way."""

    @property
    def outcome(self) -> Outcome | None:
        """How the execution ended as a whole; `None` before."""
        ends = {State.SUCCEEDED: Outcome.SUCCEEDED, State.FAILED: Outcome.FAILED, State.UNKNOWN: Outcome.UNKNOWN}
        return ends.get(self.state)


class GateClosed(Exception):
    """The click could not be recorded now; it was not counted, and clicking again is safe."""


class Gate(Protocol):
    """Takes decisions and tells how requests stand."""

    async def vote(self, click: Click) -> Answer:
        """Counts one click, or says why not; the same click again gets the same answer.

        Raises:
            GateClosed: when it could not be recorded.
            TimeoutError: when nobody knows yet whether it is counted; clicking again is safe.
        """
        ...

    async def view(self, request_id: RequestId) -> View | None:
        """How a request stands; `None` when there is none of that id.

        Raises:
            GateClosed: when the store does not answer.
        """
        ...

    async def open_requests(self, session_id: str) -> Sequence[View]:
        """The session's requests that wait for a decision, oldest first.

        Raises:
            GateClosed: when the store does not answer.
        """
        ...
