"""A process that holds a lease until it is killed: `python -m tests.credentials.holder URL ROLE_ID WRAPPED JOURNAL`."""

import asyncio
import sys
from pathlib import Path

from approvals.credentials.broker import Broker
from approvals.credentials.logins import AppRole
from approvals.credentials.reference import Reference, Scheme
from approvals.credentials.vault import Vault
from approvals.credentials.vault_http import Address
from tests.credentials.journals import StrictJournal


async def hold(url: str, role_id: str, wrapped: str, journal: str) -> None:
    vault = Vault(Address(url=url, kv_mount="secret"), AppRole(role_id=role_id, wrapped_file=Path(wrapped)))
    broker = Broker({Scheme.VAULT: vault}, StrictJournal(Path(journal)), owner="runner-1")
    user, password = (Reference.parse(f"vault:database/creds/ro#{field}") for field in ("username", "password"))
    async with broker.lend([user, password], purpose="held", request_id="req-1", ttl_s=60) as lent:
        sys.stdout.write(f"{lent[user].reveal()} {lent[password].reveal()}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hold(*sys.argv[1:]))
