"""Lends credentials for one use: fetched after approval, written down before they are used, kept alive, given back.

Every end gives back: success, error, cancellation, a lease that cannot be kept. What a killed process could not give
back is left to `sweep`, and to the leases' own time. This module knows values only to hand them on.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from whenever import Instant, TimeDelta

from approvals.credentials.errors import (
    CredentialsEnded,
    CredentialsError,
    CredentialsMissing,
    JournalFailed,
)
from approvals.credentials.journal import Happening, Journal, Note, Outstanding
from approvals.credentials.provider import Grant, Lease, Provider, is_held
from approvals.credentials.reference import BadReference, Reference, Scheme
from approvals.credentials.secret import Secret
from approvals.credentials.waiting import journal_in_time, to_the_end, within

FETCH_WITHIN_S = 30.0
RETURN_WITHIN_S = 4.0
"""One attempt to revoke. A lease is gone within five seconds of the end of its use, or it is left to the sweep."""
LINGER_S = 300.0
"""How long texts are searched for a value after its end: an error that quotes it may be told late."""

_log = structlog.get_logger("locum.credentials")


class Credentials(Mapping[Reference, Secret]):
    """What was lent, by reference. Shows references, never values."""

    def __init__(self, secrets: Mapping[Reference, Secret]) -> None:
        self._secrets = dict(secrets)

    def __getitem__(self, reference: Reference) -> Secret:
        return self._secrets[reference]

    def __iter__(self) -> Iterator[Reference]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did."""

    returned: int
    left: int
    """Could not be revoked; the next sweep tries again."""


@dataclass(slots=True, kw_only=True)
class _Loan:
    purpose: str
    request_id: str
    ends_at_s: float
    """By the event loop's clock."""
    why_ended: str
    granted: list[tuple[Provider, Grant]] = field(default_factory=list[tuple[Provider, Grant]])

    @property
    def secrets(self) -> dict[Reference, Secret]:
        return {reference: secret for _, grant in self.granted for reference, secret in grant.secrets.items()}


class Broker:
    """Lends what its providers hold. One for a process."""

    def __init__(self, providers: Mapping[Scheme, Provider], journal: Journal, *, owner: str) -> None:
        """`owner`: the name of this process in the journal; its next run has the same, a process beside it has not."""
        self._providers = dict(providers)
        self._journal = journal
        self._owner = owner
        self._sweeping = asyncio.Lock()
        self._out: set[str] = set()
        """Leases in use, and those whose end is under way."""
        self._lingering: dict[Secret, asyncio.TimerHandle] = {}

    @contextlib.asynccontextmanager
    async def lend(
        self, references: Sequence[Reference], *, purpose: str, request_id: str, ttl_s: float
    ) -> AsyncGenerator[Credentials]:
        """The values of `references` for as long as the block runs, `ttl_s` seconds at most.

        When a lease cannot be kept, or the time is over, the block is cancelled where it stands. A cancellation from
        outside is delivered after a fetch under way is known, and after everything was given back.

        Raises:
            CredentialsError: when not all of them can be had; then none is lent.
            CredentialsEnded: when the time of a credential was over before the block was.
            JournalFailed: when the journal cannot be written; then nothing is lent.
        """
        loan = _Loan(
            purpose=purpose,
            request_id=request_id,
            ends_at_s=asyncio.get_running_loop().time() + ttl_s,
            why_ended=f"they were lent for {ttl_s:g} s",
        )
        try:
            for group in _by_source(references):
                await to_the_end(self._fetch(loan, group))
            async with self._kept(loan):
                yield Credentials(loan.secrets)
        finally:
            await to_the_end(self._give_back(loan))

    async def sweep(self) -> Swept:
        """Revokes what an earlier run of this owner lent and did not return. For the start, and now and then.

        Raises:
            JournalFailed: when the journal cannot be read.
        """
        async with self._sweeping:
            async with journal_in_time():
                known = await self._journal.outstanding(self._owner)
            done = await asyncio.gather(*(self._sweep(each) for each in known if each.lease_id not in self._out))
        return Swept(returned=sum(done), left=len(done) - sum(done))

    def close(self) -> None:
        """Forgets the values that texts were still searched for."""
        for secret, timer in self._lingering.items():
            timer.cancel()
            secret.forget()
        self._lingering.clear()

    async def _fetch(self, loan: _Loan, references: Sequence[Reference]) -> None:
        # At least a moment: an earlier fetch may have been slow, and the use ends in time all the same.
        ttl_s = max(1.0, loan.ends_at_s - asyncio.get_running_loop().time())
        try:
            provider = self._provider(references[0].scheme)
            grant = await within(FETCH_WITHIN_S, provider.fetch(references, ttl_s=ttl_s))
        except CredentialsError as error:
            await self._note(Happening.FAILED, loan, references, lease=None, accessor="", detail=str(error))
            raise
        self._out.add(grant.lease.id)
        loan.granted.append((provider, grant))
        await self._note(Happening.LENT, loan, references, lease=grant.lease, accessor=grant.accessor)

    @contextlib.asynccontextmanager
    async def _kept(self, loan: _Loan) -> AsyncGenerator[None]:
        """Keeps the leases alive while the block runs, and stops it when one cannot be."""
        bounds = asyncio.timeout_at(loan.ends_at_s)
        try:
            async with bounds:
                keepers = [asyncio.create_task(self._keep(loan, *each, bounds)) for each in loan.granted]
                try:
                    yield
                finally:
                    for keeper in keepers:
                        keeper.cancel()
                    for ended in await asyncio.gather(*keepers, return_exceptions=True):
                        if isinstance(ended, Exception):
                            raise ended
        except TimeoutError as error:
            if not bounds.expired():
                raise
            raise CredentialsEnded(f"the use of the credentials was stopped: {loan.why_ended}") from error

    async def _keep(self, loan: _Loan, provider: Provider, grant: Grant, bounds: asyncio.Timeout) -> None:
        loop, lease = asyncio.get_running_loop(), grant.lease
        ends_at_s = loop.time() + lease.ttl_s
        while ends_at_s < loan.ends_at_s and lease.is_renewable:
            await asyncio.sleep(lease.ttl_s * 2 / 3)
            try:
                wanted_s = loan.ends_at_s - loop.time()
                lease = await within(lease.ttl_s / 3, provider.renew(lease, ttl_s=wanted_s))
                await self._note(Happening.RENEWED, loan, list(grant.secrets), lease=lease, accessor=grant.accessor)
            except CredentialsError as error:
                _stop(bounds, loan, at_s=loop.time(), why=f"a lease could not be renewed: {error}")
                await self._complain(loan, grant, f"the renewal failed: {error}")
                return
            before_s, ends_at_s = ends_at_s, loop.time() + lease.ttl_s
            if ends_at_s < before_s + 1:
                # It has reached its longest life: asking again would only come in ever shorter steps.
                break
        if ends_at_s < loan.ends_at_s:
            _stop(bounds, loan, at_s=ends_at_s, why="a lease reached the end of its longest life")

    async def _complain(self, loan: _Loan, grant: Grant, detail: str) -> None:
        try:
            await self._note(
                Happening.FAILED, loan, list(grant.secrets), lease=grant.lease, accessor=grant.accessor, detail=detail
            )
        except JournalFailed as error:
            _log.error("a failed renewal is not in the journal", lease=grant.lease.id, reason=str(error))

    async def _give_back(self, loan: _Loan) -> None:
        for secret in loan.secrets.values():
            secret.end()
            self._linger(secret)
        returning = (
            self._return(
                provider,
                Outstanding(
                    lease_id=grant.lease.id,
                    accessor=grant.accessor,
                    references=tuple(map(str, grant.secrets)),
                    purpose=loan.purpose,
                    request_id=loan.request_id,
                ),
            )
            for provider, grant in loan.granted
        )
        # All are tried, whatever becomes of one of them.
        ended = await asyncio.gather(*returning, return_exceptions=True)
        self._out.difference_update(grant.lease.id for _, grant in loan.granted)
        for done in ended:
            if isinstance(done, BaseException):
                raise done

    async def _sweep(self, left: Outstanding) -> bool:
        if is_held(left.lease_id):
            return await self._return(None, left)
        try:
            provider = self._provider(Reference.parse(left.references[0]).scheme)
        except (CredentialsMissing, BadReference) as error:
            _log.error("a lease was left whose store is not known here", lease=left.lease_id, reason=str(error))
            return False
        return await self._return(provider, left)

    async def _return(self, provider: Provider | None, lent: Outstanding) -> bool:
        """Whether it is returned; the journal has what became of it."""
        happening, detail = Happening.RETURNED, ""
        try:
            if provider is not None:
                await within(RETURN_WITHIN_S, provider.revoke(lent.lease_id))
        except CredentialsError as error:
            happening, detail = Happening.UNRETURNED, str(error)
            _log.error("a lease could not be revoked; it is tried again", lease=lent.lease_id, reason=detail)
        note = Note(
            happening=happening,
            at=Instant.now(),
            owner=self._owner,
            lease_id=lent.lease_id,
            accessor=lent.accessor,
            references=lent.references,
            purpose=lent.purpose,
            request_id=lent.request_id,
            expires_at=None,
            detail=detail,
        )
        try:
            async with journal_in_time():
                await self._journal.noted(note)
        except JournalFailed as error:
            # What the use did is done: its outcome must not be lost over this. The sweep returns it once more.
            _log.error("the end of a lease is not in the journal", lease=lent.lease_id, reason=str(error))
            return False
        return happening is Happening.RETURNED

    async def _note(
        self,
        happening: Happening,
        loan: _Loan,
        references: Sequence[Reference],
        *,
        lease: Lease | None,
        accessor: str,
        detail: str = "",
    ) -> None:
        now = Instant.now()
        note = Note(
            happening=happening,
            at=now,
            owner=self._owner,
            lease_id=lease.id if lease else "",
            accessor=accessor,
            references=tuple(map(str, references)),
            purpose=loan.purpose,
            request_id=loan.request_id,
            expires_at=now + TimeDelta(seconds=lease.ttl_s) if lease else None,
            detail=detail,
        )
        async with journal_in_time():
            await self._journal.noted(note)

    def _provider(self, scheme: Scheme) -> Provider:
        if scheme not in self._providers:
            raise CredentialsMissing(f"no store for references of {scheme}: is configured in this process")
        return self._providers[scheme]

    def _linger(self, secret: Secret) -> None:
        def forget() -> None:
            del self._lingering[secret]
            secret.forget()

        self._lingering[secret] = asyncio.get_running_loop().call_later(LINGER_S, forget)


def _by_source(references: Sequence[Reference]) -> list[list[Reference]]:
    groups: dict[str, list[Reference]] = {}
    for reference in dict.fromkeys(references):
        groups.setdefault(reference.source, []).append(reference)
    return list(groups.values())


def _stop(bounds: asyncio.Timeout, loan: _Loan, *, at_s: float, why: str) -> None:
    """Lets the use end at that time, unless it ends earlier anyway."""
    when = bounds.when()
    if when is not None and at_s < when:
        loan.why_ended = why
        bounds.reschedule(at_s)
