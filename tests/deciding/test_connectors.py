"""What `/health` and `locum check-config` say of policy, ledger, secrets and sandbox; and the stores of a process."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from approvals.credentials.reference import Scheme
from approvals.sandbox import bubblewrap
from bot.connectors import Connector, Health, approval_connectors, check_approvals
from bot.keyring import KeyringError, modes, open_keyring
from bot.setting_groups import Approvals, Ledger, OnePassword, Runner, Vault
from bot.settings import Settings
from bot.stores.ledger.ledger import open_ledger
from tests.approvals.house import POLICY
from tests.servers import free_port, need
from tests.vault import VaultServer, openbao
from tools.kubernetes import connecting
from tools.redaction import redact

TOKEN = SecretStr("ops_a-token-of-a-service-account")
IMAGE = f"registry.example/tools@sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    with openbao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
async def decided(tmp_path: Path) -> AsyncGenerator[Settings]:
    """Settings with a policy that can be used and a ledger that is there."""
    policy, url = tmp_path / "policy.yaml", SecretStr(f"sqlite:///{tmp_path}/ledger.db")
    policy.write_text(POLICY.format(version=3, kill_switch="false", ttl="30m", quorum=1))
    async with open_ledger(url.get_secret_value()):
        yield Settings(data_dir=tmp_path, approvals=Approvals(policy=policy), ledger=Ledger(url=url))


def of(found: tuple[Connector, ...]) -> Mapping[str, tuple[Health, str]]:
    return {each.name: (each.health, each.detail) for each in found}


async def test_a4_health_shows_the_provider_its_mode_and_what_decides(bao: VaultServer, decided: Settings) -> None:
    need("bwrap", "bubblewrap")
    vault = Vault(address=bao.url, role_id="locum", wrapped_secret_id_file=decided.data_dir / "not-there")
    settings = decided.model_copy(update={"vault": vault, "runner": Runner(sandbox="bubblewrap")})
    found = of(await check_approvals(settings))
    assert found["policy"][0] is Health.OK
    assert found["policy"][1].startswith("3-")
    assert found["ledger"] == (Health.OK, "answers, 0 entries in the audit")
    # Nobody logs in for this: the wrapped secret id, which works once, is not even looked for.
    assert found["secrets: vault (approle)"] == (Health.OK, "answers; not logged in yet")
    assert found["sandbox: bubblewrap"] == (Health.OK, "keeps commands apart")


async def test_what_cannot_serve_has_failed_and_says_why(
    decided: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap.Bubblewrap.__init__, "__kwdefaults__", {"bwrap": Path("/nonexistent/bwrap")})
    (tmp_path / "policy.yaml").write_text("version: 3\ndefault: allow\n")
    settings = decided.model_copy(
        update={
            "ledger": Ledger(url=SecretStr(f"sqlite:///{tmp_path}/another.db")),
            "vault": Vault(address=f"http://127.0.0.1:{free_port()}", role="runner"),
            "runner": Runner(sandbox="bubblewrap"),
        }
    )
    found = of(await check_approvals(settings))
    assert {health for health, _ in found.values()} == {Health.FAILED}
    assert "everything is refused: " in found["policy"][1]
    assert "the ledger could not" in found["ledger"][1]
    assert "cannot be reached" in found["secrets: vault (kubernetes)"][1]
    assert "apt-get install bubblewrap" in found["sandbox: bubblewrap"][1]
    assert not (tmp_path / "another.db").exists()


async def test_settings_that_cannot_be_used_are_one_failure_with_the_setting_in_it() -> None:
    settings = Settings(vault=Vault(address="https://vault.test"), onepassword=OnePassword(mode="local"))
    found = of(await check_approvals(settings))
    assert found["secrets"][0] is Health.FAILED
    assert "set role" in found["secrets"][1]
    assert [each for each in found if each.startswith("secrets")] == ["secrets"]


async def test_where_nothing_is_set_everything_is_off_and_says_how() -> None:
    found = of(await check_approvals(Settings()))
    assert {health for health, _ in found.values()} == {Health.OFF}
    assert [each for each in found if "LOCUM_" not in found[each][1]] == []


async def test_what_only_another_process_uses_is_not_asked_from_here() -> None:
    settings = Settings(
        vault=Vault(address=f"http://127.0.0.1:{free_port()}", role="runner"), runner=Runner(sandbox="bubblewrap")
    )
    found = of(await approval_connectors(settings, opened=None, keyring=None, has_runner=False))
    for name in ("secrets: vault (kubernetes)", "sandbox: bubblewrap"):
        assert found[name][0] is Health.OFF
        assert found[name][1].endswith("this process does not")


# The stores of a process


async def test_the_token_of_1password_is_kept_out_of_texts_as_long_as_the_process_has_it() -> None:
    settings = Settings(onepassword=OnePassword(mode="sdk", token=TOKEN))
    assert modes(settings) == {Scheme.ONEPASSWORD: "sdk"}
    text = f"it is {TOKEN.get_secret_value()} here"
    async with open_keyring(settings) as keyring:
        assert set(keyring.stores) == {Scheme.ONEPASSWORD}
        assert "[redacted:" in redact(text)
    assert redact(text) == text


async def test_b4_the_development_server_serves_in_development_alone() -> None:
    local = OnePassword(mode="local")
    async with open_keyring(Settings(environment="development", onepassword=local)) as keyring:
        assert set(keyring.stores) == {Scheme.ONEPASSWORD}
    with pytest.raises(KeyringError, match="production does not use it"):
        async with open_keyring(Settings(onepassword=local)):
            pass


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (Settings(onepassword=OnePassword(mode="sdk")), "onepassword.token is not set"),
        (Settings(vault=Vault(address="https://vault.test", role_id="locum")), "wrapped_secret_id_file"),
        (Settings(vault=Vault(address="http://vault.test", role="runner")), "credentials go over https only"),
    ],
    ids=["token", "login", "http"],
)
async def test_a_store_that_cannot_be_set_up_names_what_is_wrong(settings: Settings, why: str) -> None:
    with pytest.raises(KeyringError, match=why):
        async with open_keyring(settings):
            pass


@pytest.mark.parametrize(
    ("runner", "why"),
    [
        ({"sandbox": "job", "in_cluster": True}, "sandbox_image"),
        ({"sandbox": "job", "sandbox_image": IMAGE}, "whose Jobs they are"),
        ({"sandbox_image": "registry.example/tools:1"}, "sandbox_image"),
    ],
)
def test_jobs_need_an_image_by_its_digest_and_an_identity(runner: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Runner.model_validate(runner)
    assert Runner.model_validate({"sandbox": "job", "in_cluster": True, "sandbox_image": IMAGE}).sandbox == "job"


# The way to an API server with a token that was lent


async def test_a26_a_certificate_of_the_kubeconfig_does_not_go_along_with_a_lent_token(tmp_path: Path) -> None:
    for name in ("crt", "key"):
        # Used, it would be refused at once: it is none.
        (tmp_path / name).write_text("none")
    config = tmp_path / "kubeconfig"
    user = f"{{client-certificate: {tmp_path}/crt, client-key: {tmp_path}/key, token: its-own-token}}"
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],"
        f"clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}], users: [{{name: u, user: {user}}}]}}"
    )
    client = await connecting.connect(kubeconfig=config, context=None, timeout_s=5, token="the-lent-token")
    assert client.configuration.cert_file is None
    assert await client.configuration.get_api_key_with_prefix("BearerToken") == "Bearer the-lent-token"
    await client.close()


async def test_a26_the_pods_own_token_does_not_come_back_in_the_place_of_a_lent_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.aio.config import incluster_config

    from tests.sandbox.diagnostics import certificate

    for name, content in (("SERVICE_TOKEN_FILENAME", "the-pods-own-token"), ("SERVICE_CERT_FILENAME", certificate())):
        (tmp_path / name).write_text(content)
        monkeypatch.setattr(incluster_config, name, str(tmp_path / name))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    client = await connecting.connect(kubeconfig=None, context=None, timeout_s=5, token="the-lent-token")
    for _ in range(2):
        assert await client.configuration.get_api_key_with_prefix("BearerToken") == "Bearer the-lent-token"
    await client.close()
