"""The gate on Temporal: a click becomes an Update of the request's workflow, and what is over is told by the ledger."""

import contextlib
from collections.abc import Sequence
from typing import Protocol

import structlog
from whenever import Instant

from approvals.audit import Draft, Kind
from approvals.ballot import Answer, Ballot, Counted, State
from approvals.request import RequestId
from bot.gate import Click, GateClosed, View
from bot.stores.connection import StoreError
from bot.stores.ledger.errors import LedgerError
from bot.stores.ledger.ledger import Ledger
from bot.workflows.approval_messages import Cast
from bot.workflows.approving import Approvals, NoSuchBallot
from bot.workflows.gateway import Requests
from bot.workflows.service import WorkflowsAway
from bot.workflows.who import API
from tools.redaction import redact

NO_SUCH = "There is no such request: nothing was done."
REMEMBERED_S = 7 * 24 * 3600
LONGEST_REASON = 800

_log = structlog.get_logger("locum.gate")


class Seen(Protocol):
    """Remembers what was seen before."""

    async def first(self, key: str, ttl_s: int) -> bool:
        """Whether this is the first time."""
        ...


class TemporalGate:
    """Implements `bot.gate.Gate`."""

    def __init__(self, *, approvals: Approvals, requests: Requests, ledger: Ledger, seen: Seen) -> None:
        self._approvals = approvals
        self._requests = requests
        self._ledger = ledger
        self._seen = seen

    async def vote(self, click: Click) -> Answer:
        """See `Gate.vote`."""
        cast = Cast(
            account=f"{API}{click.account}" if click.via == "api" else click.account,
            via=click.via,
            choice=click.choice,
            key=click.key,
            reason=redact(click.reason)[:LONGEST_REASON],
            only=None if click.only is None else tuple(sorted(click.only)),
        )
        try:
            reply = await self._approvals.vote(click.request_id, cast)
        except NoSuchBallot:
            return await self._over(click, cast)
        except WorkflowsAway as error:
            raise GateClosed(str(error)) from error
        await self._count_copies(click, cast)
        return Answer(counted=Counted(reply.counted), text=reply.text)

    async def view(self, request_id: RequestId) -> View | None:
        """See `Gate.view`."""
        try:
            return await self._requests.view(request_id)
        except (LedgerError, StoreError) as error:
            raise GateClosed(str(error)) from error

    async def open_requests(self, session_id: str) -> Sequence[View]:
        """See `Gate.open_requests`."""
        try:
            rows = await self._ledger.requests(states=[State.PENDING], session_id=session_id)
            views = [await self._requests.of(row) for row in reversed(rows)]
        except (LedgerError, StoreError) as error:
            raise GateClosed(str(error)) from error
        return [view for view in views if view is not None]

    async def _over(self, click: Click, cast: Cast) -> Answer:
        """A click on what has ended, or never was: answered from the ledger, and audited."""
        view = await self.view(click.request_id)
        text = NO_SUCH if view is None else _told(view)
        facts = {"choice": cast.choice, "via": cast.via, "answer": Counted.CLOSED, "text": text, "key": cast.key}
        await self._append(Kind.CLICK_REFUSED, click.request_id if view else None, cast, facts)
        return Answer(counted=Counted.CLOSED, text=text)

    async def _count_copies(self, click: Click, cast: Cast) -> None:
        """The workflow counts a click once, whatever comes again; that it came again is audited here."""
        with contextlib.suppress(StoreError):
            if await self._seen.first(f"approvals:click:{click.key}", REMEMBERED_S):
                return
            facts = {"choice": cast.choice, "via": cast.via, "key": cast.key}
            await self._append(Kind.DUPLICATE_IGNORED, click.request_id, cast, facts)

    async def _append(self, kind: Kind, request_id: str | None, cast: Cast, facts: dict[str, str]) -> None:
        try:
            await self._ledger.append(
                Draft(kind=kind, at=Instant.now(), request_id=request_id, actor=cast.account, facts=facts)
            )
        except LedgerError as error:
            # It changed nothing, so it may be answered all the same.
            _log.warning("a click that changed nothing was not audited", reason=str(error))


def _told(view: View) -> str:
    request = view.request
    ballot = Ballot(
        terms=request.terms, items=len(request.items), state=view.state, votes=view.votes, why=view.why
    )  # fmt: skip
    return ballot.told()
