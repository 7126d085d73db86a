"""How Locum gets into Vault, and what happens when somebody else was there before. On a real OpenBao."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from approvals.credentials.errors import (
    CredentialsError,
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
    WrappingTokenUsed,
)
from approvals.credentials.logins import AppRole
from approvals.credentials.reference import Reference
from approvals.credentials.vault import Vault
from approvals.credentials.vault_http import VaultHttp, part
from tests.credentials.conftest import POLICY, Open, address, approle
from tests.vault import VaultServer

API = Reference.parse("vault:secret/locum/api#token")


async def test_a26_a_wrapped_secret_id_is_unwrapped_and_used_once_and_the_login_is_kept(
    bao: VaultServer, tmp_path: Path, opened: Open
) -> None:
    vault = await opened(bao, approle(bao, tmp_path))
    first, second = await asyncio.gather(*(vault.fetch([API], ttl_s=30) for _ in range(2)))
    assert first.accessor == second.accessor


async def test_a_wrapping_token_that_was_used_before_is_an_alarm(
    bao: VaultServer, tmp_path: Path, opened: Open
) -> None:
    login = approle(bao, tmp_path)
    wrapping = (tmp_path / "wrapped-locum").read_text().strip()
    await VaultHttp(address(bao)).once("post", "sys/wrapping/unwrap", token=wrapping, what="the thief")
    vault = await opened(bao, login)
    with capture_logs() as logs, pytest.raises(WrappingTokenUsed, match="was used before") as caught:
        await vault.fetch([API], ttl_s=30)
    assert [each["event"] for each in logs] == ["ALARM: a wrapping token cannot be trusted"]
    assert wrapping not in str(caught.value) + repr(logs)


async def test_a_wrapping_token_that_was_swapped_is_an_alarm_and_is_not_unwrapped(
    bao: VaultServer, tmp_path: Path, opened: Open
) -> None:
    login = approle(bao, tmp_path)
    swapped = bao.root.sys.wrap(payload={"secret_id": "one-of-the-attackers"}, ttl=60)["wrap_info"]["token"]
    (tmp_path / "wrapped-locum").write_text(swapped)
    vault = await opened(bao, login)
    with pytest.raises(WrappingTokenUsed, match="does not hold a secret id of this login"):
        await vault.fetch([API], ttl_s=30)
    assert bao.root.sys.unwrap(token=swapped)["data"] == {"secret_id": "one-of-the-attackers"}


async def test_a_second_login_needs_a_new_wrapping_token_and_says_so(
    bao: VaultServer, tmp_path: Path, opened: Open
) -> None:
    vault = await opened(bao, approle(bao, tmp_path))
    accessor = (await vault.fetch([API], ttl_s=30)).accessor
    await asyncio.to_thread(bao.root.auth.token.revoke_accessor, accessor)
    with pytest.raises(CredentialsRefused, match="a secret id works once"):
        await vault.fetch([API], ttl_s=30)
    (tmp_path / "wrapped-locum").write_text(bao.wrapped_secret_id("locum"))
    again = await vault.fetch([API], ttl_s=30)
    assert again.accessor != accessor


async def test_a_secret_id_that_was_used_up_is_refused(bao: VaultServer, tmp_path: Path, opened: Open) -> None:
    login = approle(bao, tmp_path)
    # Another role's secret id is one that this role does not know.
    bao.approle("beside")
    (tmp_path / "wrapped-locum").write_text(bao.wrapped_secret_id("beside"))
    vault = await opened(bao, login)
    with pytest.raises(CredentialsRefused, match="does not accept the login by AppRole"):
        await vault.fetch([API], ttl_s=30)


async def test_a_login_that_vault_could_not_answer_goes_on_with_the_same_secret_id(
    bao_on_disk: VaultServer, tmp_path: Path
) -> None:
    login = approle(bao_on_disk, tmp_path)
    http = VaultHttp(address(bao_on_disk))
    sealed_at_the_login = 0

    async def ask(method: str, path: str, body: object = None, *, token: str = "", what: str) -> dict[str, object]:
        nonlocal sealed_at_the_login
        if path.endswith("/login") and not sealed_at_the_login:
            sealed_at_the_login += 1
            await asyncio.to_thread(bao_on_disk.seal)
        return dict(await http.once(method, path, body, token=token, what=what))  # pyright: ignore[reportArgumentType]

    with pytest.raises(CredentialsUnavailable, match="sealed"):
        await login.log_in(ask)
    await asyncio.to_thread(bao_on_disk.unseal)
    assert (await login.log_in(ask))["client_token"]
    http.close()


async def test_a_secret_id_that_was_not_taken_is_let_go_of_at_the_end(bao: VaultServer, tmp_path: Path) -> None:
    login = approle(bao, tmp_path)
    http = VaultHttp(address(bao))

    async def ask(method: str, path: str, body: object = None, *, token: str = "", what: str) -> dict[str, object]:
        if path.endswith("/login"):
            raise CredentialsUnavailable("away")
        return dict(await http.once(method, path, body, token=token, what=what))  # pyright: ignore[reportArgumentType]

    with pytest.raises(CredentialsUnavailable):
        await login.log_in(ask)
    login.close()
    with pytest.raises(CredentialsRefused, match="put a new one there"):
        await login.log_in(ask)
    http.close()


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (None, CredentialsMissing, "cannot be read: No such file"),
        (b"", CredentialsRefused, "does not hold one token"),
        (b"two tokens", CredentialsRefused, "does not hold one token"),
        (b"s.a\nX-Header: injected", CredentialsRefused, "does not hold one token"),
        ("s.tökén".encode(), CredentialsRefused, "does not hold one token"),
        (b"\xff\xfe", CredentialsRefused, "does not hold one token"),
        (b"s.that-never-was", WrappingTokenUsed, "cannot be trusted"),
    ],
)
async def test_a_file_without_a_good_wrapping_token_says_so(
    content: bytes | None, kind: type[CredentialsError], said: str, bao: VaultServer, tmp_path: Path
) -> None:
    file = tmp_path / "wrapped"
    if content is not None:
        file.write_bytes(content)
    vault = Vault(address(bao), AppRole(role_id="any", wrapped_file=file))
    with pytest.raises(kind, match=said) as caught:
        await vault.fetch([API], ttl_s=30)
    assert "injected" not in str(caught.value)
    await vault.aclose()


async def test_our_own_token_is_renewed_before_it_ends_and_leases_know_its_end(
    bao: VaultServer, tmp_path: Path, opened: Open
) -> None:
    bao.policy("brief", POLICY)
    bao.approle("brief", token_ttl="3s", token_max_ttl="1h")
    vault = await opened(bao, approle(bao, tmp_path, role="brief"))
    first = await vault.fetch([Reference.parse("vault:database/creds/ro#username")], ttl_s=600)
    assert first.lease.ttl_s <= 3, "the lease would last a minute, but dies with the token"
    await asyncio.sleep(2.2)
    renewed = await vault.renew(first.lease, ttl_s=600)
    await asyncio.sleep(1.5)
    second = await vault.fetch([API], ttl_s=30)
    assert second.accessor == first.accessor
    assert renewed.ttl_s > 1
    await vault.revoke(first.lease.id)


async def test_a_token_at_the_end_of_its_life_cannot_be_replaced_without_a_new_wrapping_token(
    bao: VaultServer, tmp_path: Path, opened: Open
) -> None:
    bao.policy("once", POLICY)
    bao.approle("once", token_ttl="1s", token_max_ttl="1s")
    vault = await opened(bao, approle(bao, tmp_path, role="once"))
    await vault.fetch([API], ttl_s=30)
    await asyncio.sleep(1.2)
    with pytest.raises(CredentialsRefused, match="put a new one there"):
        await vault.fetch([API], ttl_s=30)


async def test_a_token_that_was_revoked_when_its_renewal_is_due_leads_to_a_new_login(
    bao: VaultServer, tmp_path: Path, opened: Open
) -> None:
    bao.policy("brief", POLICY)
    bao.approle("brief", token_ttl="3s", token_max_ttl="1h")
    vault = await opened(bao, approle(bao, tmp_path, role="brief"))
    first = await vault.fetch([API], ttl_s=30)
    await asyncio.to_thread(bao.root.auth.token.revoke_accessor, first.accessor)
    (tmp_path / "wrapped-brief").write_text(bao.wrapped_secret_id("brief"))
    await asyncio.sleep(2.2)
    second = await vault.fetch([API], ttl_s=30)
    assert second.accessor != first.accessor


async def test_two_that_find_the_login_gone_log_in_once(bao: VaultServer, tmp_path: Path, opened: Open) -> None:
    vault = await opened(bao, approle(bao, tmp_path))
    first = await vault.fetch([API], ttl_s=30)
    await asyncio.to_thread(bao.root.auth.token.revoke_accessor, first.accessor)
    (tmp_path / "wrapped-locum").write_text(bao.wrapped_secret_id("locum"))
    grants = await asyncio.gather(*(vault.fetch([API], ttl_s=30) for _ in range(4)))
    assert {each.accessor for each in grants} != {first.accessor}
    assert len({each.accessor for each in grants}) == 1


@pytest.mark.parametrize("answer", [{}, {"auth": None}, {"auth": {}}, {"auth": "text"}])
def test_an_answer_without_what_vault_answers_is_not_vaults(answer: dict[str, object]) -> None:
    with pytest.raises(CredentialsUnavailable, match=r"no 'auth\.client_token'"):
        part(answer, "auth", "client_token")
