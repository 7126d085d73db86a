"""The ledger: the audit chain and everything about approvals that must never be lost, doubled or changed afterwards.

A method that takes drafts writes them to the audit in the same transaction as what they tell of: both are there, or
neither. `LedgerError` from any method means that nothing may be executed.
"""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from whenever import Instant

from approvals.audit import Anchor, Draft, Entry, Unreadable
from bot.stores.ledger import chain, records, requests
from bot.stores.ledger.database import Database
from bot.stores.ledger.rows import Fingerprint, Freeze, Intent, Lease, RequestRow, VoteRow


@asynccontextmanager
async def open_ledger(url: str, *, create: bool = True) -> AsyncGenerator["Ledger"]:
    """The ledger at `sqlite:///FILE` or `postgresql://…`, made at its first use.

    Args:
        url: where it is.
        create: whether to make one where there is none; else that is an error.

    Raises:
        LedgerError: when it cannot be opened.
        ValueError: when `url` is of neither kind.
    """
    database = Database(url)
    try:
        await database.open(create=create)
        yield Ledger(database)
    finally:
        await database.close()


class Ledger:
    """One ledger; several processes may have it open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, first: Draft, *more: Draft) -> Entry:
        """Adds to the audit; the last entry that was made."""
        drafts = (first, *more)
        entry = await self._database.write(lambda db: chain.append(db, drafts))
        assert entry is not None  # noqa: S101 - at least one draft makes an entry
        return entry

    async def entries(self, *, after: int = 0, limit: int = 1000, request_id: str | None = None) -> list[Entry]:
        """Entries after a number, in order."""
        return await self._database.read(lambda db: chain.listed(db, after, limit, request_id))

    async def latest(self, *, limit: int = 100, request_id: str | None = None) -> list[Entry]:
        """The last entries, in order."""
        return await self._database.read(lambda db: chain.latest(db, limit, request_id))

    async def records(self, *, after: int | None = None, limit: int = 1000) -> list[Entry | Unreadable]:
        """Entries after a number, in order, in whatever state they are: for verification.

        `None` begins before every number: an entry with a number that no entry has must be seen too.
        """
        return await self._database.read(lambda db: chain.records(db, after, limit))

    async def head(self) -> Entry | None:
        """The last entry."""
        return await self._database.read(chain.head)

    async def anchors(self) -> list[Anchor]:
        """The heads that were written down elsewhere, oldest first."""
        return await self._database.read(chain.known_anchors)

    async def anchored(self, anchor: Anchor, where: str) -> None:
        """Notes that a head was written down elsewhere; the same again changes nothing."""
        await self._database.write(lambda db: chain.anchored(db, anchor, where))

    async def open_request(self, row: RequestRow, *drafts: Draft) -> tuple[RequestRow, bool]:
        """Opens a request, or gives the open one of the same merge key; whether this one was opened.

        The same id again gives what is there, so that it may be repeated. Drafts are written when it is opened.

        Raises:
            Conflict: when the id is taken by something else, or no request starts in that state.
        """
        return await self._database.write(lambda db: requests.open_request(db, row, drafts))

    async def save_request(
        self,
        request_id: str,
        *drafts: Draft,
        expected_state: str | Collection[str],
        state: str,
        body: bytes | None = None,
        digest: str | None = None,
    ) -> RequestRow:
        """Moves a request from an expected state to another, which may be the same.

        Raises:
            Conflict: when it is in another state, cannot go there, or its body would change after it was shown.
        """
        expected = (expected_state,) if isinstance(expected_state, str) else expected_state
        return await self._database.write(
            lambda db: requests.save(
                db, request_id, expected=expected, state=state, body=body, digest=digest, drafts=drafts
            )
        )

    async def request(self, request_id: str) -> RequestRow | None:
        """One request."""
        return await self._database.read(lambda db: requests.get(db, request_id))

    async def requests(
        self,
        *,
        states: Collection[str] | None = None,
        incident_id: str | None = None,
        session_id: str | None = None,
        limit: int = 100,
    ) -> list[RequestRow]:
        """Requests, newest first."""
        return await self._database.read(
            lambda db: requests.listed(db, states=states, incident_id=incident_id, session_id=session_id, limit=limit)
        )

    async def count_requests(
        self, since: Instant, *, incident_id: str | None = None, requester: str | None = None
    ) -> int:
        """How many requests were opened since then."""
        return await self._database.read(
            lambda db: requests.count(db, since, incident_id=incident_id, requester=requester)
        )

    async def claim(self, request_id: str, digest: str, owner: str, *drafts: Draft) -> bool:
        """Takes the right to execute a request: `True` for exactly one caller, ever.

        Raises:
            Conflict: when there is no such request, its digest is another, or it is not approved.
        """
        return await self._database.write(lambda db: requests.claim(db, request_id, digest, owner, drafts))

    async def settle(self, request_id: str, outcome: str, *drafts: Draft) -> bool:
        """Notes how the execution ended; `False` when that was noted before.

        Raises:
            Conflict: when nobody claimed it, or it ended otherwise.
        """
        return await self._database.write(lambda db: requests.settle(db, request_id, outcome, drafts))

    async def intent(self, request_id: str) -> Intent | None:
        """Who took the right to execute, and how it ended; `None` = nobody did."""
        return await self._database.read(lambda db: requests.intent(db, request_id))

    async def vote(
        self, request_id: str, vote_key: str, principal: str, choice: str, body: bytes, *drafts: Draft
    ) -> bool:
        """Keeps a counted click; `False` when it is there.

        Raises:
            Conflict: when there is no such request.
        """
        row = VoteRow(
            request_id=request_id, vote_key=vote_key, principal=principal, choice=choice, body=body, at=Instant.now()
        )
        return await self._database.write(lambda db: requests.vote(db, row, drafts))

    async def votes(self, request_id: str) -> list[VoteRow]:
        """The clicks that were counted on a request, in their order."""
        return await self._database.read(lambda db: requests.cast(db, request_id))

    async def freeze(self, scope: str, by: str, reason: str, until: Instant | None, *drafts: Draft) -> None:
        """Freezes an environment, or `*` for all, until a time or until somebody ends it."""
        row = Freeze(scope=scope, by=by, reason=reason, since=Instant.now(), until=until)
        await self._database.write(lambda db: records.freeze(db, row, drafts))

    async def unfreeze(self, scope: str, *drafts: Draft) -> bool:
        """Ends every freeze of exactly this scope; `False` when there was none."""
        return await self._database.write(lambda db: records.unfreeze(db, scope, drafts))

    async def freezes(self, now: Instant) -> list[Freeze]:
        """The freezes that hold at a time; exactly at its end one holds no more."""
        return await self._database.read(lambda db: records.frozen(db, now))

    async def note_lease(
        self,
        lease_id: str,
        *drafts: Draft,
        accessor: str,
        reference: str,
        purpose: str,
        request_id: str | None,
        owner: str,
        at: Instant,
    ) -> None:
        """Notes a credential that was handed out.

        Raises:
            Conflict: when that lease was noted before.
        """
        row = Lease(
            lease_id=lease_id, accessor=accessor, reference=reference, purpose=purpose, request_id=request_id,
            owner=owner, at=at,
        )  # fmt: skip
        await self._database.write(lambda db: records.note_lease(db, row, drafts))

    async def end_lease(self, lease_id: str, outcome: str, *drafts: Draft) -> bool:
        """Notes the end of a lease; `False` when it was not out."""
        return await self._database.write(lambda db: records.end_lease(db, lease_id, outcome, drafts))

    async def open_leases(self, owner: str | None = None) -> list[Lease]:
        """The credentials that are still out, oldest first."""
        return await self._database.read(lambda db: records.open_leases(db, owner))

    async def note_fingerprint(self, incident_id: str, reference: str, fingerprint: bytes) -> None:
        """Notes what a live value can be recognised by; the same again changes nothing."""
        row = Fingerprint(incident_id=incident_id, reference=reference, fingerprint=fingerprint)
        await self._database.write(lambda db: records.note_fingerprint(db, row))

    async def fingerprints(self, incident_id: str) -> list[Fingerprint]:
        """The fingerprints of an incident's live values."""
        return await self._database.read(lambda db: records.known_fingerprints(db, incident_id))
