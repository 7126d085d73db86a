"""Vault's side, on a real OpenBao with logins on a real PostgreSQL."""

import asyncio
import contextlib
import re
import time
import traceback
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, cast

import hvac
import pytest
from structlog.testing import capture_logs

from approvals.credentials.broker import Broker
from approvals.credentials.errors import (
    CredentialsEnded,
    CredentialsError,
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
)
from approvals.credentials.journal import Happening
from approvals.credentials.logins import AppRole, Ask
from approvals.credentials.provider import Lease, held
from approvals.credentials.reference import Reference, Scheme
from approvals.credentials.vault import Vault
from approvals.credentials.vault_http import Address, VaultHttp
from tests.credentials.conftest import Open, address, approle
from tests.credentials.journals import StrictJournal
from tests.postgres_server import PostgresServer
from tests.servers import free_port
from tests.vault import VaultServer, openbao

USER, PASSWORD = (Reference.parse(f"vault:database/creds/ro#{field}") for field in ("username", "password"))
BRIEF_USER, BRIEF_PASSWORD = (
    Reference.parse(f"vault:database/creds/brief#{field}") for field in ("username", "password")
)
API = Reference.parse("vault:secret/locum/api#token")


@pytest.fixture
def journal() -> StrictJournal:
    return StrictJournal()


def broker_of(vault: Vault, journal: StrictJournal) -> Broker:
    return Broker({Scheme.VAULT: vault}, journal, owner="runner-1")


async def test_a26_a_database_login_works_while_it_is_lent_and_fails_after(
    vault: Vault, bao: VaultServer, database: PostgresServer, journal: StrictJournal
) -> None:
    broker = broker_of(vault, journal)
    async with broker.lend([USER, PASSWORD], purpose="connections", request_id="req-1", ttl_s=30) as lent:
        user, password = lent[USER].reveal(), lent[PASSWORD].reveal()
        assert await asyncio.to_thread(database.accepts, user, password)
        assert not await asyncio.to_thread(database.accepts, user, "another-password")
        assert len(journal.notes) == 1, "both fields share one lease"
        lease_id = journal.notes[0].lease_id
        assert lease_id.removeprefix("database/creds/ro/") in bao.leases("database/creds/ro")
    ended = time.monotonic()
    assert not await asyncio.to_thread(database.accepts, user, password)
    assert time.monotonic() - ended < 5
    assert lease_id.removeprefix("database/creds/ro/") not in bao.leases("database/creds/ro")
    broker.close()


async def test_f18_a_lease_is_asked_to_last_no_longer_than_its_use_may(vault: Vault) -> None:
    grant = await vault.fetch([USER], ttl_s=7)
    assert grant.lease.ttl_s == 7
    await vault.revoke(grant.lease.id)
    assert (await vault.fetch([USER], ttl_s=600)).lease.ttl_s == 60


async def test_a_lease_is_renewed_while_it_is_used_until_its_longest_life(
    vault: Vault, database: PostgresServer, journal: StrictJournal
) -> None:
    broker = broker_of(vault, journal)
    async with broker.lend([BRIEF_USER, BRIEF_PASSWORD], purpose="x", request_id="req-1", ttl_s=6) as lent:
        user, password = lent[BRIEF_USER].reveal(), lent[BRIEF_PASSWORD].reveal()
        await asyncio.sleep(3.5)
        assert await asyncio.to_thread(database.accepts, user, password), "its first three seconds are over"
    assert journal.happenings() == [Happening.LENT, Happening.RENEWED, Happening.RETURNED]
    assert not await asyncio.to_thread(database.accepts, user, password)
    broker.close()


async def test_f18_a_lease_that_nobody_returns_ends_with_its_time(vault: Vault, database: PostgresServer) -> None:
    grant = await vault.fetch([BRIEF_USER, BRIEF_PASSWORD], ttl_s=1)
    user, password = (grant.secrets[each].reveal() for each in (BRIEF_USER, BRIEF_PASSWORD))
    assert await asyncio.to_thread(database.accepts, user, password)
    async with asyncio.timeout(5):
        while await asyncio.to_thread(database.accepts, user, password):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.1)


async def test_a_revoked_lease_ends_the_use_at_its_next_renewal(
    vault: Vault, bao: VaultServer, journal: StrictJournal
) -> None:
    broker = broker_of(vault, journal)

    async def use() -> None:
        async with broker.lend([BRIEF_USER], purpose="x", request_id="req-1", ttl_s=30):
            await asyncio.to_thread(bao.root.sys.revoke_lease, journal.notes[0].lease_id)
            await asyncio.Event().wait()

    with pytest.raises(CredentialsEnded, match="could not be renewed: Vault has nothing for the renewal of a lease"):
        await use()
    broker.close()


async def test_a_value_of_the_kv_engine_is_read_and_has_nothing_to_revoke(vault: Vault) -> None:
    grant = await vault.fetch([API], ttl_s=30)
    assert grant.secrets[API].reveal() == "a-value-of-the-kv-engine"
    assert grant.lease.is_held
    assert grant.accessor
    await vault.revoke(grant.lease.id)


@pytest.mark.parametrize(
    ("reference", "kind", "said"),
    [
        ("vault:secret/others#token", CredentialsRefused, "no policy of our login grants it"),
        ("vault:database/creds/hidden#username", CredentialsRefused, "no policy of our login grants it"),
        ("vault:sys/mounts#accessor", CredentialsRefused, "no policy of our login grants it"),
        ("vault:auth/token/lookup-self#id", CredentialsRefused, "gives no lease"),
        ("vault:secret/locum/none#token", CredentialsMissing, "Vault has nothing"),
        ("vault:database/creds/absent#username", CredentialsMissing, "Vault has nothing"),
        ("vault:secret/locum/api#none", CredentialsMissing, "no field 'none'"),
        ("vault:secret/locum/api#short", CredentialsRefused, "at least 8 characters"),
        ("vault:secret/locum/api#number", CredentialsRefused, "is no text"),
    ],
)
async def test_what_cannot_be_had_says_which_kind_of_no_it_is(
    reference: str, kind: type[CredentialsError], said: str, vault: Vault
) -> None:
    with pytest.raises(kind, match=said) as caught:
        await vault.fetch([Reference.parse(reference)], ttl_s=30)
    assert type(caught.value) is kind
    with pytest.raises(CredentialsRefused, match="no policy"):
        await vault.fetch([Reference.parse("vault:secret/others#token")], ttl_s=30)


async def test_a_lease_without_the_wanted_field_is_revoked_at_once(vault: Vault, bao: VaultServer) -> None:
    before = set(bao.leases("database/creds/ro"))
    with pytest.raises(CredentialsMissing, match="no field 'token'"):
        await vault.fetch([USER, Reference.parse("vault:database/creds/ro#token")], ttl_s=30)
    assert set(bao.leases("database/creds/ro")) == before


async def test_what_is_gone_can_be_revoked_again_and_not_be_renewed(vault: Vault) -> None:
    grant = await vault.fetch([USER], ttl_s=30)
    await vault.revoke(grant.lease.id)
    await vault.revoke(grant.lease.id)
    with pytest.raises(CredentialsMissing):
        await vault.renew(grant.lease, ttl_s=30)


async def test_a_revocation_that_the_database_does_not_take_is_no_revocation(
    bao: VaultServer, database: PostgresServer, vault: Vault
) -> None:
    grant = await vault.fetch([USER], ttl_s=30)
    database.run(
        "ALTER ROLE vault NOLOGIN", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vault'"
    )
    try:
        with pytest.raises(CredentialsUnavailable):
            await vault.revoke(grant.lease.id)
        with pytest.raises(CredentialsUnavailable, match="InternalServerError"):
            await vault.fetch([USER], ttl_s=30)
    finally:
        database.run("ALTER ROLE vault LOGIN")
    await vault.revoke(grant.lease.id)
    assert grant.lease.id.rpartition("/")[2] not in bao.leases("database/creds/ro")


async def test_a24_no_value_is_in_vaults_audit_the_journal_logs_or_errors(
    vault: Vault, bao: VaultServer, journal: StrictJournal, caplog: pytest.LogCaptureFixture
) -> None:
    broker = broker_of(vault, journal)
    caplog.set_level("DEBUG")
    errors: list[CredentialsError] = []
    with capture_logs() as logs:
        async with broker.lend([USER, PASSWORD, API], purpose="x", request_id="req-1", ttl_s=30) as lent:
            user, password, key = (lent[each].reveal() for each in (USER, PASSWORD, API))
            for path in (USER.path, API.path, "secret/others"):
                # It is fetched, and then lacks a field; the last one is not fetched.
                with pytest.raises(CredentialsError) as caught:
                    await vault.fetch([Reference.parse(f"vault:{path}#none")], ttl_s=3)
                errors.append(caught.value)
    broker.close()
    assert user
    for place in (bao.audit, journal.text, repr(logs), caplog.text):
        assert password not in place
        assert key not in place
    for error in errors:
        assert not _foreign(error), "the client's own exception holds the answer"
        assert key not in "".join(traceback.TracebackException.from_exception(error).format())


def _foreign(error: BaseException | None) -> list[str]:
    found: list[str] = []
    while error is not None:
        if not type(error).__module__.startswith("approvals."):
            found.append(type(error).__name__)
        error = error.__cause__ or error.__context__
    return found


async def test_a_sealed_vault_is_unavailable_and_serves_again_when_it_is_opened(
    bao_on_disk: VaultServer, tmp_path: Path, opened: Open
) -> None:
    vault = await opened(bao_on_disk, approle(bao_on_disk, tmp_path))
    await vault.fetch([API], ttl_s=30)
    await asyncio.to_thread(bao_on_disk.seal)
    with pytest.raises(CredentialsUnavailable, match="sealed"):
        await vault.fetch([API], ttl_s=30)
    with pytest.raises(CredentialsUnavailable, match="sealed"):
        await vault.health()
    await asyncio.to_thread(bao_on_disk.unseal)
    grant = await vault.fetch([API], ttl_s=30)
    assert grant.secrets[API].reveal() == "a-value-of-the-kv-engine"


async def test_health_tells_sealed_down_and_logged_in_apart_and_uses_up_no_login(
    bao: VaultServer, tmp_path: Path, opened: Open
) -> None:
    vault = await opened(bao, approle(bao, tmp_path))
    assert await vault.health() == "answers; not logged in yet"
    await vault.fetch([API], ttl_s=30)
    assert (await vault.health()).startswith("answers; logged in for ")
    await asyncio.to_thread(bao.root.auth.token.revoke_accessor, (await vault.fetch([API], ttl_s=30)).accessor)
    with pytest.raises(CredentialsRefused, match="our own login"):
        await vault.health()
    nobody = Vault(Address(url=f"http://127.0.0.1:{free_port()}"), approle(bao, tmp_path))
    with pytest.raises(CredentialsUnavailable, match="cannot be reached for the health of Vault: ConnectionError"):
        await nobody.health()
    await nobody.aclose()


@contextlib.asynccontextmanager
async def answering(*parts: bytes, pause_s: float = 0) -> AsyncGenerator[str]:
    """Something that is not Vault: it answers with those bytes, a pause before each, and then ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for part in parts:
                await asyncio.sleep(pause_s)
                writer.write(part)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
        done.set()

    done = asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await done.wait()


async def test_a_vault_that_goes_on_answering_and_never_ends_is_unavailable_in_time(
    bao: VaultServer, tmp_path: Path
) -> None:
    # A byte now and then keeps a client's own limit from coming.
    drops = [b"HTTP/1.1 200 OK\r\n", *[b"X-More: 1\r\n"] * 10, b"Content-Length: 0\r\n\r\n"]
    async with answering(*drops, pause_s=0.1) as url:
        vault = Vault(Address(url=url, timeout_s=0.25), approle(bao, tmp_path))
        began = time.monotonic()
        with pytest.raises(CredentialsUnavailable, match="did not answer in time to the health of Vault"):
            await vault.health()
        assert time.monotonic() - began < 1
    await vault.aclose()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "status 200 without JSON"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "status 302 without"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\nsecret", "with BadGateway"),
    ],
)
async def test_what_is_not_vault_is_unavailable_and_gets_no_token_by_a_redirect(
    answer: bytes, said: str, bao: VaultServer, tmp_path: Path
) -> None:
    async with answering(answer) as url:
        vault = Vault(Address(url=url), approle(bao, tmp_path))
        with pytest.raises(CredentialsUnavailable, match=said) as caught:
            await vault.health()
    assert "secret" not in str(caught.value)
    await vault.aclose()


@pytest.mark.parametrize(
    ("url", "in_development", "is_good"),
    [
        ("https://vault.example:8200", False, True),
        ("http://127.0.0.1:8200", False, True),
        ("http://localhost:8200", False, True),
        ("http://vault.example:8200", True, True),
        ("http://vault.example:8200", False, False),
        ("http://10.0.0.1:8200", False, False),
        ("vault.example:8200", True, False),
        ("ftp://vault.example", True, False),
        ("https://", True, False),
    ],
)
def test_credentials_go_over_https_or_stay_on_this_machine(url: str, in_development: bool, is_good: bool) -> None:
    if is_good:
        assert Address(url=url, in_development=in_development).url == url
    else:
        with pytest.raises(ValueError, match="the address of Vault"):
            Address(url=url, in_development=in_development)


class LoggedIn:
    """A login that needs no Vault."""

    async def log_in(self, ask: Ask) -> Mapping[str, Any]:
        del ask
        return {"client_token": "token-of-a-script", "accessor": "a", "lease_duration": 600, "renewable": True}

    def close(self) -> None:
        """It holds nothing."""


async def test_a_short_outage_is_waited_for() -> None:
    sealed, good, gone = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        for status, body in (
            ("503 Service Unavailable", '{"errors": ["Vault is sealed"]}'),
            ("200 OK", '{"data": {"data": {"token": "a-value-of-the-script"}}}'),
            ("204 No Content", ""),
        )
    )
    async with scripted(sealed, sealed, good, gone) as url:
        vault = Vault(Address(url=url, kv_mount="secret"), LoggedIn())
        assert (await vault.fetch([API], ttl_s=30)).secrets[API].reveal() == "a-value-of-the-script"
        await vault.aclose()


@contextlib.asynccontextmanager
async def scripted(*answers: bytes) -> AsyncGenerator[str]:
    """A server that gives each request the next of these answers; all must be asked for."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        writer.write(left.pop(0).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert not left


async def test_vaults_certificate_is_checked(tmp_path: Path) -> None:
    with openbao(tmp_path, tls=True) as server:
        trusted = Vault(Address(url=server.url, ca_file=server.ca_file), approle_nobody(tmp_path))
        assert await trusted.health() == "answers; not logged in yet"
        await trusted.aclose()
        stranger = Vault(Address(url=server.url), approle_nobody(tmp_path))
        with pytest.raises(CredentialsUnavailable, match="cannot be reached for the health of Vault: SSLError"):
            await stranger.health()
        await stranger.aclose()


async def test_neither_proxies_nor_tokens_of_the_environment_are_used(
    bao: VaultServer, tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = approle(bao, tmp_path)
    for name, value in (
        ("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1"), ("VAULT_TOKEN", bao.root_token),
        ("VAULT_ADDR", "http://127.0.0.1:1"), ("NETRC", str(tmp_path / "netrc")),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    vault = await opened(bao, login)
    grant = await vault.fetch([API], ttl_s=30)
    assert grant.secrets[API].reveal() == "a-value-of-the-kv-engine"
    with pytest.raises(CredentialsRefused, match="no policy"):
        await vault.fetch([Reference.parse("vault:secret/others#token")], ttl_s=30)


async def test_a_namespace_is_a_vault_of_its_own(bao: VaultServer, tmp_path: Path) -> None:
    await asyncio.to_thread(bao.root.adapter.post, "/v1/sys/namespaces/team")
    inside = VaultHttp(Address(url=bao.url, namespace="team"))
    api = Reference.parse("vault:kv/locum/api#token")

    async def arrange(method: str, path: str, body: dict[str, object]) -> dict[str, Any]:
        return dict(await inside.once(method, path, body, token=bao.root_token, what="the arrangement"))

    await arrange("post", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    await arrange("post", "kv/data/locum/api", {"data": {"token": "a-value-of-the-team"}})
    await arrange("put", "sys/policies/acl/locum", {"policy": 'path "kv/data/*" { capabilities = ["read"] }'})
    await arrange("post", "sys/auth/approle", {"type": "approle"})
    await arrange("post", "auth/approle/role/locum", {"token_policies": "locum", "secret_id_num_uses": 1})
    role_id = (await arrange("get", "auth/approle/role/locum/role-id", {}))["data"]["role_id"]
    inside.close()
    root = hvac.Client(url=bao.url, token=bao.root_token, namespace="team")
    (tmp_path / "wrapped").write_text(
        cast("Any", root).auth.approle.generate_secret_id("locum", wrap_ttl="60s")["wrap_info"]["token"]
    )
    login = AppRole(role_id=role_id, wrapped_file=tmp_path / "wrapped")
    vault = Vault(Address(url=bao.url, namespace="team"), login)
    assert (await vault.fetch([api], ttl_s=30)).secrets[api].reveal() == "a-value-of-the-team"
    await vault.aclose()


def approle_nobody(folder: Path) -> AppRole:
    return AppRole(role_id="nobody", wrapped_file=folder / "none")


async def test_closing_ends_our_login_and_every_lease_that_it_made(
    bao: VaultServer, tmp_path: Path, database: PostgresServer
) -> None:
    vault = Vault(address(bao), approle(bao, tmp_path))
    grant = await vault.fetch([USER, PASSWORD], ttl_s=30)
    user, password = (grant.secrets[each].reveal() for each in (USER, PASSWORD))
    await vault.aclose()
    async with asyncio.timeout(5):
        while await asyncio.to_thread(database.accepts, user, password):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)


async def test_closing_while_vault_is_away_says_that_the_login_ends_with_its_time(
    bao_on_disk: VaultServer, tmp_path: Path
) -> None:
    vault = Vault(address(bao_on_disk), approle(bao_on_disk, tmp_path))
    await vault.fetch([API], ttl_s=30)
    await asyncio.to_thread(bao_on_disk.seal)
    with capture_logs() as logs:
        await vault.aclose()
    assert [each["event"] for each in logs] == ["the login to Vault could not be ended; it ends with its time"]


def test_what_is_held_is_told_from_what_vault_leased() -> None:
    assert held(5).is_held
    assert not Lease(id="database/creds/ro/abc", ttl_s=5, is_renewable=True).is_held
