"""Credentials for one approved investigation: fetched when it reads, handed to the clients alone, given back at once.

Only what people approved is fetched: the request is read again from the ledger, with its digest, before each loan.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from approvals.actions.use_credentials import for_session, use_credentials
from approvals.audit import Draft, Kind
from approvals.ballot import State
from approvals.credentials.broker import Broker, Credentials
from approvals.credentials.errors import CredentialsError, CredentialsRefused, JournalFailed
from approvals.credentials.journal import Happening, Note, Outstanding
from approvals.credentials.reference import Reference
from bot.requests import read_request
from bot.stores.ledger.errors import Conflict, LedgerError
from bot.stores.ledger.ledger import Ledger
from tools.errors import ToolNoSource
from tools.mongodb.sealed import SealedMongoDB
from tools.postgres.sealed import SealedPostgres
from tools.world import MongoDB, Postgres, World

_KINDS = {
    Happening.LENT: Kind.CREDENTIAL_FETCHED,
    Happening.RENEWED: Kind.CREDENTIAL_RENEWED,
    Happening.RETURNED: Kind.CREDENTIAL_REVOKED,
    Happening.FAILED: Kind.CREDENTIAL_FAILED,
    Happening.UNRETURNED: Kind.CREDENTIAL_FAILED,
}

T = TypeVar("T")


class LedgerJournal:
    """Implements `approvals.credentials.journal.Journal` in the ledger, with an audit entry for each note."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def noted(self, note: Note) -> None:
        """See `Journal.noted`."""
        draft = Draft(
            kind=_KINDS[note.happening], at=note.at, request_id=note.request_id, actor=note.owner, facts=_facts(note)
        )
        try:
            if note.happening is Happening.LENT:
                await self._ledger.note_lease(
                    note.lease_id, draft, accessor=note.accessor, reference="\n".join(note.references),
                    purpose=note.purpose, request_id=note.request_id, owner=note.owner, at=note.at,
                )  # fmt: skip
            elif note.happening is Happening.RETURNED:
                await self._ledger.end_lease(note.lease_id, "returned", draft)
            else:
                await self._ledger.append(draft)
        except (LedgerError, Conflict) as error:
            raise JournalFailed(str(error)) from error

    async def outstanding(self, owner: str) -> Sequence[Outstanding]:
        """See `Journal.outstanding`."""
        try:
            leases = await self._ledger.open_leases(owner)
        except LedgerError as error:
            raise JournalFailed(str(error)) from error
        return [
            Outstanding(
                lease_id=each.lease_id,
                accessor=each.accessor,
                references=tuple(each.reference.split("\n")),
                purpose=each.purpose,
                request_id=each.request_id or "",
            )
            for each in leases
        ]


class Deployment(Protocol):
    """A database of the settings."""

    @property
    def name(self) -> str:
        """How people call it."""
        ...

    @property
    def references(self) -> tuple[str, ...]:
        """What must be fetched before it can be looked at."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Openers:
    """How the clients of each kind of database are made of what was lent; the settings know the rest."""

    postgres: Callable[[str, Mapping[str, Callable[[], str]]], contextlib.AbstractAsyncContextManager[Postgres]]
    mongodb: Callable[[str, Mapping[str, Callable[[], str]]], contextlib.AbstractAsyncContextManager[MongoDB]]


class Lending:
    """Lends to investigations. One for a process."""

    def __init__(
        self,
        *,
        broker: Broker,
        ledger: Ledger,
        postgres: Iterable[Deployment],
        mongodb: Iterable[Deployment],
        openers: Openers,
        minutes: int,
        wait_minutes: float,
    ) -> None:
        self.minutes = minutes
        """How long an investigation may use what it is lent at most."""
        self.wait_minutes = wait_minutes
        """How long it waits for a decision."""
        self._broker = broker
        self._ledger = ledger
        self._postgres = {each.name: each.references for each in postgres if each.references}
        self._mongodb = {each.name: each.references for each in mongodb if each.references}
        self._openers = openers

    def wanted(self, tools: Iterable[str]) -> dict[str, str]:
        """What each reference would be wanted for, by those who look with these tools."""
        integrations = {name.partition(".")[0] for name in tools}
        found: dict[str, str] = {}
        for integration, title, sealed in (
            ("postgres", "Postgres", self._postgres),
            ("mongodb", "MongoDB", self._mongodb),
        ):
            if integration in integrations:
                for name, references in sealed.items():
                    found |= dict.fromkeys(references, f"look at {title} {name!r}, read-only")
        return found

    def seals(self, deployment: Postgres | MongoDB) -> bool:
        """Whether a deployment of the world needs a credential."""
        return isinstance(deployment, SealedPostgres | SealedMongoDB)

    def loan(self, world: World, session_id: str, request_id: str) -> "Loan":
        """A world of its own for a session whose credentials were approved."""
        return Loan(self, world, session_id, request_id)

    async def approved(self, session_id: str, request_id: str) -> tuple[Reference, ...]:
        """The references that people approved for exactly this session.

        Raises:
            CredentialsRefused: when nobody did, or what is stored is not what was approved.
        """
        try:
            row = await self._ledger.request(request_id)
        except LedgerError as error:
            raise CredentialsRefused("the ledger does not answer: nothing is lent on memory") from error
        if row is None or row.state != State.EXECUTING:
            raise CredentialsRefused("no approval of these credentials is in force")
        request = read_request(row.body)
        action = request.items[0].action
        if request.digest != row.digest or action.name != use_credentials.name:
            raise CredentialsRefused("what is stored is not what was approved")
        if action.target != for_session(session_id):
            raise CredentialsRefused("the approval is for another investigation")
        return tuple(Reference.parse(each) for each in use_credentials.arguments(action).references)

    @contextlib.asynccontextmanager
    async def lent(self, session_id: str, request_id: str) -> AsyncGenerator[Credentials]:
        """The values, for as long as the block runs.

        Raises:
            CredentialsError: when they cannot be had.
        """
        references = await self.approved(session_id, request_id)
        async with self._broker.lend(
            references, purpose=f"investigation {session_id}", request_id=request_id, ttl_s=self.minutes * 60
        ) as credentials:
            yield credentials

    @contextlib.asynccontextmanager
    async def opened(self, credentials: Credentials) -> AsyncGenerator[dict[str, Any]]:
        """Clients of every database whose credentials are there, by the word for its port and its name."""
        values = {str(reference): secret.reveal for reference, secret in credentials.items()}
        async with contextlib.AsyncExitStack() as stack:
            found: dict[str, Any] = {}
            for kind, sealed, opener in (
                ("postgres", self._postgres, self._openers.postgres),
                ("mongodb", self._mongodb, self._openers.mongodb),
            ):
                for name, references in sealed.items():
                    if all(each in values for each in references):
                        found[f"{kind}/{name}"] = await stack.enter_async_context(opener(name, values))
            yield found


class Loan:
    """The world of one session: what was sealed in it is open while somebody reads."""

    def __init__(self, lending: Lending, world: World, session_id: str, request_id: str) -> None:
        self._lending = lending
        self._session_id = session_id
        self._request_id = request_id
        self._readers = 0
        self._holder: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._done = asyncio.Event()
        self._clients: dict[str, Any] = {}
        self._why = ""
        # A name of its own: what was read with credentials is not served from the cache to anybody else.
        self.world = replace(
            world,
            name=f"{world.name}+{session_id}",
            postgres=tuple(_Postgres(each, self) if lending.seals(each) else each for each in world.postgres),
            mongodb=tuple(_MongoDB(each, self) if lending.seals(each) else each for each in world.mongodb),
        )

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncGenerator[None]:
        """While it lasts, the credentials are lent; several readers share one loan."""
        self._readers += 1
        try:
            if self._holder is None:
                self._ready, self._done = asyncio.Event(), asyncio.Event()
                self._holder = asyncio.create_task(self._hold())
            await self._ready.wait()
            yield
        finally:
            self._readers -= 1
            if not self._readers and self._holder is not None:
                holder, self._holder = self._holder, None
                self._done.set()
                await asyncio.wait({holder})

    def client(self, key: str, sealed: T) -> T:
        """The open client, or the sealed one where nothing was lent.

        Raises:
            ToolNoSource: when it was approved, and could not be had all the same.
        """
        if self._why:
            raise ToolNoSource(f"its credentials were approved and could not be had: {self._why}")
        return self._clients.get(key, sealed)

    async def _hold(self) -> None:
        try:
            async with (
                self._lending.lent(self._session_id, self._request_id) as credentials,
                self._lending.opened(credentials) as clients,
            ):
                self._clients, self._why = clients, ""
                self._ready.set()
                await self._done.wait()
        except CredentialsError as error:
            self._why = str(error)
        finally:
            self._clients = {}
            self._ready.set()


class _Postgres:
    """A deployment that is looked at through the loan."""

    def __init__(self, sealed: Postgres, loan: Loan) -> None:
        self.name = sealed.name
        self._sealed = sealed
        self._loan = loan

    async def query(self, what: str) -> Sequence[Mapping[str, Any]]:
        return await self._loan.client(f"postgres/{self.name}", self._sealed).query(what)


class _MongoDB:
    """A deployment that is looked at through the loan."""

    def __init__(self, sealed: MongoDB, loan: Loan) -> None:
        self.name = sealed.name
        self._sealed = sealed
        self._loan = loan

    async def command(self, command: str) -> Mapping[str, Any]:
        return await self._loan.client(f"mongodb/{self.name}", self._sealed).command(command)


def _facts(note: Note) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "happening": note.happening,
        "references": list(note.references),
        "purpose": note.purpose,
        "lease_id": note.lease_id,
        "accessor": note.accessor,
        "expires_at": str(note.expires_at) if note.expires_at else None,
        "detail": note.detail,
    }
    return {name: value for name, value in facts.items() if value}
