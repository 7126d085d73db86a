"""A strict store of credentials in memory, whose every call can be held up or made to fail."""

import asyncio
from collections.abc import Sequence

from approvals.credentials.provider import Grant, Lease, held
from approvals.credentials.reference import Reference
from approvals.credentials.secret import sealed


class Gate:
    """Holds up a call until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def pass_through(self) -> None:
        self.reached.set()
        await self.opened.wait()


class StrictStore:
    """Leases values. It refuses to revoke or renew what it never gave."""

    def __init__(self, *, ttl_s: float = 60, is_renewable: bool = True, is_held: bool = False) -> None:
        self.values: dict[str, str] = {}
        self.live: dict[str, float] = {}
        self.calls: list[str] = []
        self.ttl_s = ttl_s
        self.renewed_ttl_s = ttl_s
        self.is_renewable = is_renewable
        self.is_held = is_held
        self.fails: dict[str, Exception] = {}
        """What a call raises: `fetch`, `renew` or `revoke`."""
        self.gates: dict[str, Gate] = {}
        self._given: set[str] = set()

    async def fetch(self, references: Sequence[Reference], *, ttl_s: float) -> Grant:
        assert ttl_s > 0
        assert len({each.source for each in references}) == 1
        await self._call("fetch")
        secrets = sealed({each: self.values.get(str(each)) for each in references}, in_development=False)
        lease = held(ttl_s)
        if not self.is_held:
            lease = Lease(
                id=f"{references[0].path}/{len(self._given)}", ttl_s=self.ttl_s, is_renewable=self.is_renewable
            )
            self._given.add(lease.id)
            self.live[lease.id] = self.ttl_s
        return Grant(secrets=secrets, lease=lease, accessor="accessor-1")

    async def renew(self, lease: Lease, *, ttl_s: float) -> Lease:
        assert ttl_s > 0
        await self._call("renew")
        assert lease.id in self.live
        return Lease(id=lease.id, ttl_s=self.renewed_ttl_s, is_renewable=True)

    async def revoke(self, lease_id: str) -> None:
        await self._call("revoke")
        assert self.is_held or lease_id in self._given
        self.live.pop(lease_id, None)

    async def health(self) -> str:
        return "well"

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.gates:
            await self.gates[name].pass_through()
        if name in self.fails:
            raise self.fails[name]
