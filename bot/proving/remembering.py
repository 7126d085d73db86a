"""Keeps, of every value that is lent, what it can be recognised by afterwards; before anybody can use the value."""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence

from approvals.credentials.broker import Broker, Credentials
from approvals.credentials.errors import JournalFailed
from approvals.credentials.journal import Journal
from approvals.credentials.provider import Provider
from approvals.credentials.reference import Reference, Scheme
from bot.proving.fingerprints import Print, new_key, print_of
from bot.stores.ledger.errors import LedgerError
from bot.stores.ledger.ledger import Ledger


class RememberingBroker(Broker):
    """Lends as any broker, and nothing of which the ledger could not keep a fingerprint."""

    def __init__(self, providers: Mapping[Scheme, Provider], journal: Journal, *, owner: str, ledger: Ledger) -> None:
        super().__init__(providers, journal, owner=owner)
        self._ledger = ledger

    @contextlib.asynccontextmanager
    async def lend(
        self, references: Sequence[Reference], *, purpose: str, request_id: str, ttl_s: float
    ) -> AsyncGenerator[Credentials]:
        """See `Broker.lend`."""
        async with super().lend(references, purpose=purpose, request_id=request_id, ttl_s=ttl_s) as credentials:
            await remember(self._ledger, request_id, credentials)
            yield credentials


async def remember(ledger: Ledger, request_id: str, credentials: Credentials) -> None:
    """Writes down what the values of a request can be recognised by.

    Raises:
        JournalFailed: when that cannot be written.
    """
    try:
        row = await ledger.request(request_id)
        if row is None:
            raise JournalFailed(f"there is no request {request_id!r} that a value could belong to")
        known = await ledger.fingerprints(row.incident_id)
        key = Print.from_bytes(known[0].fingerprint).key if known else new_key()
        for reference, secret in credentials.items():
            kept = print_of(secret.reveal(), key)
            await ledger.note_fingerprint(row.incident_id, str(reference), kept.to_bytes())
    except LedgerError as error:
        raise JournalFailed(str(error)) from error
