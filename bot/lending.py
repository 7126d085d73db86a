"""Credentials for one approved investigation: fetched when it reads, handed to the clients alone, given back at once.

Only what people approved is fetched: the request is read again from the ledger, with its digest, before each loan.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from whenever import Instant, TimeDelta

from approvals.action import Action, ActionError
from approvals.actions.use_credentials import for_session, use_credentials
from approvals.audit import Draft, Kind
from approvals.ballot import State
from approvals.credentials.broker import Broker, Credentials
from approvals.credentials.errors import CredentialsError, CredentialsRefused, JournalFailed
from approvals.credentials.journal import Happening, Note, Outstanding
from approvals.credentials.reference import BadReference, Reference
from approvals.credentials.waiting import to_the_end
from bot.requests import read_request
from bot.stores.ledger.errors import Conflict, LedgerError
from bot.stores.ledger.ledger import Ledger
from bot.stores.ledger.rows import RequestRow
from tools.errors import ToolNoSource
from tools.mongodb.sealed import SealedMongoDB
from tools.postgres.sealed import SealedPostgres
from tools.redis.sealed import SealedRedis
from tools.world import MongoDB, Postgres, Redis, World

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
    redis: Callable[[str, Mapping[str, Callable[[], str]]], contextlib.AbstractAsyncContextManager[Redis]]


class Lending:
    """Lends to investigations. One for a process."""

    def __init__(
        self,
        *,
        broker: Broker,
        ledger: Ledger,
        postgres: Iterable[Deployment],
        mongodb: Iterable[Deployment],
        redis: Iterable[Deployment],
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
        self._redis = {each.name: each.references for each in redis if each.references}
        self._openers = openers

    def wanted(self, tools: Iterable[str]) -> dict[str, str]:
        """What each reference would be wanted for, by those who look with these tools."""
        integrations = {name.partition(".")[0] for name in tools}
        found: dict[str, str] = {}
        for integration, title, sealed in (
            ("postgres", "Postgres", self._postgres),
            ("mongodb", "MongoDB", self._mongodb),
            ("redis", "Redis", self._redis),
        ):
            if integration in integrations:
                for name, references in sealed.items():
                    found |= dict.fromkeys(references, f"look at {title} {name!r}, read-only")
        return found

    def seals(self, deployment: Postgres | MongoDB | Redis) -> bool:
        """Whether a deployment of the world needs a credential."""
        return isinstance(deployment, SealedPostgres | SealedMongoDB | SealedRedis)

    def loan(self, world: World, session_id: str, request_id: str) -> "Loan":
        """A world of its own for a session whose credentials were approved."""
        return Loan(self, world, session_id, request_id)

    async def approved(self, session_id: str, request_id: str) -> "Approved":
        """What people approved for exactly this session.

        Raises:
            CredentialsRefused: when nobody did, its time is over, or what is stored is not what was approved.
        """
        try:
            row = await self._ledger.request(request_id)
        except LedgerError as error:
            raise CredentialsRefused("the ledger does not answer: nothing is lent on memory") from error
        if row is None or row.state != State.EXECUTING:
            raise CredentialsRefused("no approval of these credentials is in force")
        found = _read(row)
        if found is None:
            raise CredentialsRefused("what is stored is not what was approved")
        if found.target != for_session(session_id):
            raise CredentialsRefused("the approval is for another investigation")
        args = use_credentials.arguments(found)
        # Whoever begins to read late must not read for longer than was approved.
        ends_at = row.updated_at + TimeDelta(minutes=args.minutes)
        left_s = (ends_at - Instant.now()).total("seconds")
        if left_s <= 0:
            raise CredentialsRefused(f"they were approved for {args.minutes} minutes, which are over")
        try:
            references = tuple(Reference.parse(each) for each in args.references)
        except BadReference as error:
            raise CredentialsRefused(f"what was approved cannot be looked up: {error}") from error
        return Approved(references=references, left_s=left_s)

    @contextlib.asynccontextmanager
    async def lent(self, session_id: str, request_id: str) -> AsyncGenerator[Credentials]:
        """The values, for as long as the block runs and people approved it.

        Raises:
            CredentialsError: when they cannot be had.
        """
        approved = await self.approved(session_id, request_id)
        async with self._broker.lend(
            approved.references, purpose=f"investigation {session_id}", request_id=request_id, ttl_s=approved.left_s
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
                ("redis", self._redis, self._openers.redis),
            ):
                for name, references in sealed.items():
                    if all(each in values for each in references):
                        found[f"{kind}/{name}"] = await stack.enter_async_context(opener(name, values))
            yield found


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What may be fetched at this moment."""

    references: tuple[Reference, ...]
    left_s: float
    """How long it may still be used."""


class Loan:
    """The world of one session: what was sealed in it is open while somebody reads."""

    def __init__(self, lending: Lending, world: World, session_id: str, request_id: str) -> None:
        self._lending = lending
        self._session_id = session_id
        self._request_id = request_id
        self._held: _Held | None = None
        # A name of its own: what was read with credentials is not served from the cache to anybody else.
        self.world = replace(
            world,
            name=f"{world.name}+{session_id}",
            postgres=tuple(_Postgres(each, self) if lending.seals(each) else each for each in world.postgres),
            mongodb=tuple(_MongoDB(each, self) if lending.seals(each) else each for each in world.mongodb),
            redis=tuple(_Redis(each, self) if lending.seals(each) else each for each in world.redis),
        )

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncGenerator[None]:
        """While it lasts, the credentials are lent; several readers share them, and the last one gives them back."""
        held = self._held = self._held or _Held(self._lending, self._session_id, self._request_id)
        held.readers += 1
        try:
            await held.ready.wait()
            yield
        finally:
            held.readers -= 1
            if not held.readers:
                # Before the wait: whoever comes meanwhile borrows anew.
                self._held = None
                await to_the_end(held.end())

    def client(self, key: str, sealed: T) -> T:
        """The open client, or the sealed one where nothing was approved.

        Raises:
            ToolNoSource: when it was approved, and could not be had all the same.
        """
        if self._held is None:
            raise ToolNoSource("its credentials were given back: whoever wanted to read is done")
        if self._held.why:
            raise ToolNoSource(f"its credentials were approved and could not be had: {self._held.why}")
        return self._held.clients.get(key, sealed)


class _Held:
    """Clients that are open from the first reader to the end of the last."""

    def __init__(self, lending: Lending, session_id: str, request_id: str) -> None:
        self.readers = 0
        self.ready = asyncio.Event()
        """Whether they are open, or it is known that they cannot be."""
        self.clients: Mapping[str, Any] = {}
        self.why = ""
        """Why nothing can be read with them; empty while it can."""
        self._done = asyncio.Event()
        self._holding = asyncio.create_task(self._hold(lending, session_id, request_id))

    async def end(self) -> None:
        """Returns when everything is given back."""
        self._done.set()
        await self._holding

    async def _hold(self, lending: Lending, session_id: str, request_id: str) -> None:
        try:
            async with (
                lending.lent(session_id, request_id) as credentials,
                lending.opened(credentials) as self.clients,
            ):
                self.ready.set()
                await self._done.wait()
        except CredentialsError as error:
            self.why = str(error)
        finally:
            self.clients = {}
            self.ready.set()


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


class _Redis:
    """A deployment that is looked at through the loan."""

    def __init__(self, sealed: Redis, loan: Loan) -> None:
        self.name = sealed.name
        self._sealed = sealed
        self._loan = loan

    async def command(self, command: str) -> Mapping[str, Any]:
        return await self._loan.client(f"redis/{self.name}", self._sealed).command(command)


def _read(row: RequestRow) -> Action | None:
    """The action of a request; `None` when it is not one request for credentials, as it was when people saw it."""
    try:
        request = read_request(row.body)
    except (ActionError, KeyError, ValueError, TypeError):
        return None
    if request.digest != row.digest or request.id != row.id or len(request.items) != 1:
        return None
    action = request.items[0].action
    return action if action.name == use_credentials.name else None


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
