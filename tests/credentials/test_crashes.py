"""What is left when a process is killed or Vault goes away, on real servers."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from approvals.credentials.broker import Broker, Swept
from approvals.credentials.errors import CredentialsUnavailable
from approvals.credentials.reference import Reference, Scheme
from approvals.credentials.vault import Vault
from tests.credentials.conftest import POLICY, address, approle
from tests.credentials.journals import StrictJournal
from tests.postgres_server import PostgresServer
from tests.vault import VaultServer, openbao_on_disk

API = Reference.parse("vault:secret/locum/api#token")


async def test_f18_the_next_run_revokes_within_five_seconds_what_a_killed_process_held(
    bao: VaultServer, database: PostgresServer, tmp_path: Path, vault: Vault
) -> None:
    role_id = str(bao.root.auth.approle.read_role_id("locum")["data"]["role_id"])
    wrapped, notes = tmp_path / "for-the-holder", tmp_path / "journal"
    wrapped.write_text(bao.wrapped_secret_id("locum"))
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.credentials.holder", bao.url, role_id, str(wrapped), str(notes),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    async with asyncio.timeout(30):
        user, password = (await holder.stdout.readline()).decode().split()
    assert await asyncio.to_thread(database.accepts, user, password)
    holder.kill()
    await holder.wait()
    assert await asyncio.to_thread(database.accepts, user, password), "the kill alone ends nothing"

    began = time.monotonic()
    stranger = Broker({Scheme.VAULT: vault}, StrictJournal(notes), owner="runner-2")
    assert await stranger.sweep() == Swept(returned=0, left=0), "it is not this one's to end"
    again = Broker({Scheme.VAULT: vault}, StrictJournal(notes), owner="runner-1")
    assert await again.sweep() == Swept(returned=1, left=0)
    assert not await asyncio.to_thread(database.accepts, user, password)
    assert time.monotonic() - began < 5
    assert await again.sweep() == Swept(returned=0, left=0)
    assert password not in notes.read_text()


async def test_a_login_survives_the_restart_of_vault(tmp_path: Path) -> None:
    with openbao_on_disk(tmp_path) as server:
        server.policy("locum", POLICY)
        server.approle("locum")
        server.kv("locum/api", {"token": "a-value-of-the-kv-engine"})
        vault = Vault(address(server), approle(server, tmp_path))
        accessor = (await vault.fetch([API], ttl_s=30)).accessor
    with pytest.raises(CredentialsUnavailable, match="cannot be reached"):
        await vault.fetch([API], ttl_s=30)
    with openbao_on_disk(tmp_path, server):
        grant = await vault.fetch([API], ttl_s=30)
        assert grant.accessor == accessor
        assert grant.secrets[API].reveal() == "a-value-of-the-kv-engine"
        await vault.aclose()


async def test_an_outage_at_the_end_of_a_use_is_made_good_by_the_next_sweep(
    bao_on_disk: VaultServer, database: PostgresServer, tmp_path: Path
) -> None:
    server = bao_on_disk
    server.policy("locum", POLICY)
    server.databases(database, "ro")
    vault = Vault(address(server), approle(server, tmp_path))
    journal = StrictJournal()
    broker = Broker({Scheme.VAULT: vault}, journal, owner="runner-1")
    user, password = (Reference.parse(f"vault:database/creds/ro#{field}") for field in ("username", "password"))
    async with broker.lend([user, password], purpose="x", request_id="req-1", ttl_s=60) as lent:
        login = lent[user].reveal(), lent[password].reveal()
        await asyncio.to_thread(server.seal)
    assert await asyncio.to_thread(database.accepts, *login)
    await asyncio.to_thread(server.unseal)
    assert await broker.sweep() == Swept(returned=1, left=0)
    assert not await asyncio.to_thread(database.accepts, *login)
    await vault.aclose()
    broker.close()
