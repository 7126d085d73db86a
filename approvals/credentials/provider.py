"""Who holds credentials: the port, and what comes through it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from approvals.credentials.reference import Reference
from approvals.credentials.secret import Secret

_HELD = "held:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """How long what was fetched is good for, counted from the moment of the answer."""

    id: str
    """Unique; the store's own where it revokes, ours where the value is only held."""
    ttl_s: float
    is_renewable: bool

    @property
    def is_held(self) -> bool:
        """Whether the store knows nothing of it, so that there is nothing to revoke."""
        return is_held(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one fetch gave."""

    secrets: Mapping[Reference, Secret]
    lease: Lease
    accessor: str
    """Of the login that fetched it; empty where there is none."""


class Provider(Protocol):
    """One store of credentials. Every call has a time limit of its own."""

    async def fetch(self, references: Sequence[Reference], *, ttl_s: float) -> Grant:
        """The values of references that have the same `source`; all of them or an error and no lease.

        Args:
            references: at least one.
            ttl_s: how long they are needed at most; a lease is not asked to last longer.

        Raises:
            CredentialsError: when it cannot be had.
        """
        ...

    async def renew(self, lease: Lease, *, ttl_s: float) -> Lease:
        """The lease as it is after it was extended, to `ttl_s` from now at most.

        Raises:
            CredentialsError: when it cannot be extended.
        """
        ...

    async def revoke(self, lease_id: str) -> None:
        """Returns when the lease has no effect any more; one that is gone already is fine.

        Raises:
            CredentialsError: when that cannot be said.
        """
        ...

    async def health(self) -> str:
        """How it is, in a few words; uses up nothing that works once.

        Raises:
            CredentialsError: when it could not serve; the kind says why.
        """
        ...


def held(ttl_s: float) -> Lease:
    """The lease of values whose store leases none: they are ours until the use ends."""
    return Lease(id=f"{_HELD}{uuid.uuid4()}", ttl_s=ttl_s, is_renewable=False)


def is_held(lease_id: str) -> bool:
    """Whether `held` made it."""
    return lease_id.startswith(_HELD)
