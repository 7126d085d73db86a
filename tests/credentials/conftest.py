"""A real OpenBao and a real PostgreSQL, started once, and a way in that holds what Locum may hold and no more."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from approvals.credentials import secret
from approvals.credentials.logins import AppRole, Login
from approvals.credentials.vault import Vault
from approvals.credentials.vault_http import Address
from tests.kubernetes.conftest import api_server, etcd, keys
from tests.postgres_server import PostgresServer, postgres
from tests.vault import VaultServer, openbao, openbao_on_disk
from tools import redaction

__all__ = ["api_server", "etcd", "keys"]
"""The cluster's fixtures, for tests here as well."""

POLICY = """
path "database/creds/ro" { capabilities = ["read"] }
path "database/creds/brief" { capabilities = ["read"] }
path "database/creds/absent" { capabilities = ["read"] }
path "secret/data/locum/*" { capabilities = ["read"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""


@pytest.fixture(autouse=True)
def nothing_stays_hidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Values that a test never gave back must not be taken out of the texts of the next one."""
    live: Counter[str] = Counter()

    def hide(value: str) -> None:
        redaction.hide(value)
        live[value] += 1

    def unhide(value: str) -> None:
        assert live[value] > 0, "taken out more often than put in"
        live[value] -= 1
        redaction.unhide(value)

    monkeypatch.setattr(secret, "hide", hide)
    monkeypatch.setattr(secret, "unhide", unhide)
    yield
    for value in live.elements():
        redaction.unhide(value)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def bao(database: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A server that nobody may harm; the role `locum` can do what `POLICY` says."""
    with openbao(tmp_path_factory.mktemp("openbao")) as server:
        server.policy("locum", POLICY)
        server.approle("locum")
        server.databases(database, "ro", ttl="1m", max_ttl="5m")
        server.databases(database, "brief", ttl="3s", max_ttl="6s")
        server.databases(database, "hidden")
        server.kv("locum/api", {"token": "a-value-of-the-kv-engine", "short": "short", "number": 12345678})
        server.kv("others", {"token": "not-for-locum"})
        yield server


@pytest.fixture
def bao_on_disk(tmp_path: Path) -> Iterator[VaultServer]:
    """A server of the test's own, that can be sealed, and started again on its data."""
    with openbao_on_disk(tmp_path) as server:
        server.policy("locum", POLICY)
        server.approle("locum")
        server.kv("locum/api", {"token": "a-value-of-the-kv-engine"})
        yield server


def address(server: VaultServer, *, timeout_s: float = 5) -> Address:
    return Address(url=server.url, kv_mount="secret", timeout_s=timeout_s)


def approle(server: VaultServer, folder: Path, *, role: str = "locum") -> AppRole:
    """A login whose file has a fresh wrapping token."""
    file = folder / f"wrapped-{role}"
    file.write_text(server.wrapped_secret_id(role) + "\n")
    role_id = str(server.root.auth.approle.read_role_id(role)["data"]["role_id"])
    return AppRole(role_id=role_id, wrapped_file=file)


Open = Callable[[VaultServer, Login], Awaitable[Vault]]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Opens Vaults that are closed at the end of the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def opener(server: VaultServer, login: Login) -> Vault:
            found = Vault(address(server), login)
            stack.push_async_callback(found.aclose)
            return found

        yield opener


@pytest.fixture
async def vault(bao: VaultServer, tmp_path: Path, opened: Open) -> Vault:
    return await opened(bao, approle(bao, tmp_path))
