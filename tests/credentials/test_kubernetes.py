"""Login by ServiceAccount and tokens for one namespace: a real OpenBao with a real kube-apiserver."""

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from approvals.credentials.broker import Broker
from approvals.credentials.errors import CredentialsMissing, CredentialsRefused
from approvals.credentials.logins import Kubernetes
from approvals.credentials.reference import Reference, Scheme
from approvals.credentials.vault import Vault
from tests.credentials.conftest import Open, address
from tests.credentials.journals import StrictJournal
from tests.kubernetes.conftest import ApiServer
from tests.vault import VaultServer, openbao

RBAC = "rbac.authorization.k8s.io"
API_AUDIENCE = "https://locum.test"
API = Reference.parse("vault:secret/locum/api#token")
RESTART = Reference.parse("vault:kubernetes/creds/restart#token")


def token(api: ApiServer, name: str, audience: str) -> str:
    """What the kubelet projects into a pod."""
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": 600},
    }
    answer = api.ask("POST", f"/api/v1/namespaces/default/serviceaccounts/{name}/token", request)
    return str(answer["status"]["token"])


def status(api: ApiServer, bearer: str, path: str) -> int:
    """What the API server answers to somebody."""
    request = urllib.request.Request(f"{api.host}{path}", headers={"Authorization": f"Bearer {bearer}"})
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=api.folder / "apiserver.crt")),
    )
    try:
        with opener.open(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.fixture(scope="module")
def bao_of_the_cluster(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    for name in ("locum-runner", "stranger", "vault"):
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        api_server.create("/api/v1/namespaces/default/serviceaccounts", body)
    api_server.create(
        f"/apis/{RBAC}/v1/clusterrolebindings",
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "vault"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "vault", "namespace": "default"}],
        },
    )
    api_server.create(
        f"/apis/{RBAC}/v1/namespaces/default/roles",
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "Role",
            "metadata": {"name": "restart"},
            "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "patch"]}],
        },
    )
    ca = (api_server.folder / "apiserver.crt").read_text()
    with openbao(tmp_path_factory.mktemp("openbao")) as server:
        server.policy(
            "runner",
            'path "secret/data/locum/*" { capabilities = ["read"] }\n'
            'path "kubernetes/creds/restart" { capabilities = ["update"] }\n'
            'path "sys/leases/revoke" { capabilities = ["update"] }',
        )
        server.kv("locum/api", {"token": "a-value-of-the-kv-engine"})
        root = server.root
        root.sys.enable_auth_method("kubernetes")
        root.auth.kubernetes.configure(
            kubernetes_host=api_server.host,
            kubernetes_ca_cert=ca,
            token_reviewer_jwt=token(api_server, "vault", API_AUDIENCE),
        )
        root.auth.kubernetes.create_role(
            "runner",
            bound_service_account_names=["locum-runner"],
            bound_service_account_namespaces=["default"],
            audience="vault",
            policies=["runner"],
            ttl="10m",
        )
        root.sys.enable_secrets_engine("kubernetes")
        root.adapter.post(
            "/v1/kubernetes/config",
            json={
                "kubernetes_host": api_server.host,
                "kubernetes_ca_cert": ca,
                "service_account_jwt": token(api_server, "vault", API_AUDIENCE),
                "disable_local_ca_jwt": True,
            },
        )
        root.adapter.post(
            "/v1/kubernetes/roles/restart",
            # A role, and no account: the engine makes an account for each lease, and deletes it at its end.
            json={"allowed_kubernetes_namespaces": ["default"], "kubernetes_role_name": "restart"},
        )
        yield server


async def test_a26_a_pods_own_account_logs_in_again_and_again(
    bao_of_the_cluster: VaultServer, api_server: ApiServer, tmp_path: Path, opened: Open
) -> None:
    file = tmp_path / "token"
    file.write_text(token(api_server, "locum-runner", "vault"))
    vault = await opened(bao_of_the_cluster, Kubernetes(role="runner", token_file=file))
    first = await vault.fetch([API], ttl_s=30)
    await asyncio.to_thread(bao_of_the_cluster.root.auth.token.revoke_accessor, first.accessor)
    file.write_text(token(api_server, "locum-runner", "vault"))
    second = await vault.fetch([API], ttl_s=30)
    assert second.secrets[API].reveal() == "a-value-of-the-kv-engine"
    assert second.accessor != first.accessor


@pytest.mark.parametrize(("account", "audience"), [("stranger", "vault"), ("locum-runner", API_AUDIENCE)])
async def test_another_account_or_a_token_for_another_audience_is_refused(
    account: str, audience: str, bao_of_the_cluster: VaultServer, api_server: ApiServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(token(api_server, account, audience))
    login = Kubernetes(role="runner", token_file=file)
    vault = Vault(address(bao_of_the_cluster), login)
    with pytest.raises(CredentialsRefused, match="does not allow the login by Kubernetes") as caught:
        await vault.fetch([API], ttl_s=30)
    assert file.read_text() not in str(caught.value)
    await vault.aclose()


async def test_without_a_projected_token_there_is_no_login(
    bao_of_the_cluster: VaultServer, tmp_path: Path, opened: Open
) -> None:
    vault = await opened(bao_of_the_cluster, Kubernetes(role="runner", token_file=tmp_path / "none"))
    with pytest.raises(CredentialsMissing, match="cannot be read"):
        await vault.fetch([API], ttl_s=30)


async def test_a26_a_token_for_one_action_works_in_its_namespace_while_it_is_lent_and_not_after(
    bao_of_the_cluster: VaultServer, api_server: ApiServer, tmp_path: Path, opened: Open
) -> None:
    file = tmp_path / "token"
    file.write_text(token(api_server, "locum-runner", "vault"))
    vault = await opened(bao_of_the_cluster, Kubernetes(role="runner", token_file=file))
    broker = Broker({Scheme.VAULT: vault}, StrictJournal(), owner="runner-1")
    async with broker.lend([RESTART], purpose="restart", request_id="req-1", ttl_s=120) as lent:
        bearer = lent[RESTART].reveal()
        assert await seen(api_server, bearer, "/apis/apps/v1/namespaces/default/deployments") == 200
        assert await seen(api_server, bearer, "/apis/apps/v1/namespaces/kube-system/deployments") == 403
        assert await seen(api_server, bearer, "/api/v1/namespaces/default/secrets") == 403
    async with asyncio.timeout(5):
        # Its binding is deleted with its lease; the API server is told of that by a watch.
        while await seen(api_server, bearer, "/apis/apps/v1/namespaces/default/deployments") == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert bearer not in bao_of_the_cluster.audit
    broker.close()


async def seen(api: ApiServer, bearer: str, path: str) -> int:
    return await asyncio.to_thread(status, api, bearer, path)
