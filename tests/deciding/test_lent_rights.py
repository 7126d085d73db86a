"""A change with a credential that was fetched after its approval: a real OpenBao, a real API server, the whole gate."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from approvals.action import Action
from approvals.actions.objects import NoArgs
from approvals.actions.restart_workload import restart_workload
from approvals.audit import Kind
from approvals.ballot import State
from approvals.credentials import secret
from approvals.runners.kubernetes import live
from approvals.runners.kubernetes.api import Answered
from bot.setting_groups import Runner
from bot.setting_groups import Vault as VaultSettings
from bot.settings import Settings
from tests.approvals.house import ANA, House, proposal
from tests.deciding.acting import allow, at_work, unprepared
from tests.kubernetes import runner_house
from tests.kubernetes.conftest import ApiServer
from tests.vault import VaultServer, openbao
from tools import redaction
from tools.entity import Entity

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("cluster")]
PLACE = "lent"
AUDIENCE = "https://locum.test"
RBAC = "rbac.authorization.k8s.io"
LOOKS: list[tuple[str, list[str], list[str]]] = [
    ("apps", ["deployments"], ["get"]),
    ("", ["pods", "services"], ["list"]),
    ("policy", ["poddisruptionbudgets"], ["list"]),
]


def token(server: ApiServer, account: str, audience: str) -> str:
    asked: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    asked["spec"] = {"audiences": [audience], "expirationSeconds": 3600}
    path = f"/api/v1/namespaces/{PLACE}/serviceaccounts/{account}/token"
    return str(server.ask("POST", path, asked)["status"]["token"])


def role(server: ApiServer, name: str, *rules: tuple[str, list[str], list[str]]) -> None:
    made = [{"apiGroups": [group], "resources": resources, "verbs": verbs} for group, resources, verbs in rules]
    body = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": name}, "rules": made}
    server.create(f"/apis/{RBAC}/v1/namespaces/{PLACE}/roles", body)


def bound(server: ApiServer, kind: str, name: str, account: str) -> None:
    binding = f"{kind}Binding"
    where = f"namespaces/{PLACE}/rolebindings" if kind == "Role" else "clusterrolebindings"
    body = {
        "apiVersion": f"{RBAC}/v1", "kind": binding, "metadata": {"name": f"{account}-of-{PLACE}"},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": PLACE}],
    }  # fmt: skip
    server.create(f"/apis/{RBAC}/v1/{where}", body)


@dataclass(frozen=True, kw_only=True)
class Bank:
    """A cluster whose runner may only look, and an OpenBao that lends the right to change."""

    server: ApiServer
    bao: VaultServer
    settings: Settings

    def deployment(self, name: str) -> Action:
        made = runner_house.deployment()
        made["metadata"]["name"] = name
        self.server.create(f"/apis/apps/v1/namespaces/{PLACE}/deployments", made)
        return restart_workload.on(Entity.of("deployment", PLACE, name), NoArgs())

    def is_restarted(self, name: str) -> bool:
        found = runner_house.get(self.server, "Deployment", PLACE, name)
        return "restartedAt" in str(found["spec"]["template"]["metadata"].get("annotations", {}))

    def accounts(self) -> set[str]:
        found = self.server.ask("GET", f"/api/v1/namespaces/{PLACE}/serviceaccounts")
        return {each["metadata"]["name"] for each in found["items"]}


@pytest.fixture(scope="module")
def bank(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    folder = tmp_path_factory.mktemp("bank")
    runner_house.put(api_server, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}})
    for account in ("runner", "vault"):
        runner_house.put(
            api_server, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}, PLACE
        )
    role(api_server, "looks", *LOOKS)
    role(api_server, "changes", ("apps", ["deployments"], ["patch"]))
    role(api_server, "powerless", ("apps", ["deployments"], ["list"]))
    bound(api_server, "Role", "looks", "runner")
    bound(api_server, "ClusterRole", "cluster-admin", "vault")
    pod_token = folder / "vault-token"
    pod_token.write_text(token(api_server, "runner", "vault"))
    kubeconfig = runner_house.kubeconfig(api_server, folder, token(api_server, "runner", AUDIENCE))
    with openbao(folder) as bao:
        _arranged(bao, api_server)
        settings = Settings(
            runner=Runner(kubeconfig=kubeconfig),
            vault=VaultSettings(
                address=bao.url, kv_mount="secret", kubernetes_mount="cluster", auth_mount="pods", role="runner",
                token_file=pod_token,
            ),
        )  # fmt: skip
        yield Bank(server=api_server, bao=bao, settings=settings)


def _arranged(bao: VaultServer, server: ApiServer) -> None:
    ca = (server.folder / "apiserver.crt").read_text()
    bao.policy(
        "runner",
        'path "cluster/creds/*" { capabilities = ["update"] }\npath "sys/leases/revoke" { capabilities = ["update"] }',
    )
    root, reviewer = bao.root, token(server, "vault", AUDIENCE)
    root.sys.enable_auth_method("kubernetes", path="pods")
    root.auth.kubernetes.configure(
        kubernetes_host=server.host, kubernetes_ca_cert=ca, token_reviewer_jwt=reviewer, mount_point="pods"
    )
    root.auth.kubernetes.create_role(
        "runner", bound_service_account_names=["runner"], bound_service_account_namespaces=[PLACE], audience="vault",
        policies=["runner"], ttl="10m", mount_point="pods",
    )  # fmt: skip
    root.sys.enable_secrets_engine("kubernetes", path="cluster")
    engine = {"kubernetes_host": server.host, "kubernetes_ca_cert": ca, "service_account_jwt": reviewer}
    root.adapter.post("/v1/cluster/config", json=engine | {"disable_local_ca_jwt": True})
    for name in ("changes", "powerless"):
        allowed = {"allowed_kubernetes_namespaces": [PLACE], "kubernetes_role_name": name}
        root.adapter.post(f"/v1/cluster/roles/{name}", json=allowed)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every value that was hidden since: those that were lent, and what is used to get them."""
    values: list[str] = []

    def hide(value: str) -> None:
        values.append(value)
        redaction.hide(value)

    monkeypatch.setattr(secret, "hide", hide)
    return values


async def test_a26_the_right_to_change_is_lent_after_the_approval_for_one_action_and_gone_after_it(
    gate: House, bank: Bank, fetched: list[str]
) -> None:
    action = bank.deployment("cart")
    before = bank.accounts()
    allow(gate, "restart-workload", needs="production-writes", credential="vault:cluster/creds/changes#token")
    async with at_work(gate, bank.settings):
        request_id = await gate.ask(proposal(action))
        plan = gate.wall.last(request_id).request.items[0]
        assert plan.dry_run == "none"
        assert "restartedAt" in plan.diff
        # Nobody has approved: nobody has even logged in.
        assert fetched == []
        await gate.click(request_id, ANA)
        assert await gate.ended(request_id) == State.SUCCEEDED, gate.wall.last(request_id).receipts
        assert bank.is_restarted("cart")
        assert bank.bao.leases("cluster/creds/changes") == []
        assert bank.accounts() == before
        await gate.over(request_id)
    kinds = [each.kind for each in await gate.entries(request_id)]
    order = [Kind.REQUESTED, Kind.STARTED, Kind.CREDENTIAL_FETCHED, Kind.CREDENTIAL_REVOKED, Kind.FINISHED]
    assert sorted(order, key=kinds.index) == order
    history = (await gate.client.get_workflow_handle(f"approval-{request_id}").fetch_history()).to_json()
    stored = b"".join(each.read_bytes() for each in gate.folder.glob("ledger.db*"))
    assert request_id.encode() in stored
    assert len(fetched) >= 2
    for value in fetched:
        assert value not in history
        assert value.encode() not in stored


async def test_a26_without_a_credential_the_same_runner_may_change_nothing(gate: House, bank: Bank) -> None:
    action = bank.deployment("own-rights")
    allow(gate, "restart-workload", needs="production-writes")
    async with at_work(gate, bank.settings):
        why = await unprepared(gate, proposal(action))
    assert "lacks a permission" in why
    assert not bank.is_restarted("own-rights")


async def test_a26_what_was_lent_can_do_no_more_than_its_role(
    gate: House, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARD_OF_S", 0.5)
    action = bank.deployment("powerless")
    allow(gate, "restart-workload", needs="production-writes", credential="vault:cluster/creds/powerless#token")
    async with at_work(gate, bank.settings):
        request_id = await gate.ask(proposal(action))
        await gate.click(request_id, ANA)
        assert await gate.ended(request_id) == State.FAILED
        await gate.over(request_id)
    assert "lacks a permission" in gate.wall.last(request_id).receipts[0].detail
    assert not bank.is_restarted("powerless")
    assert bank.bao.leases("cluster/creds/powerless") == []


async def test_a_target_that_is_not_there_is_found_out_before_anybody_is_asked(gate: House, bank: Bank) -> None:
    allow(gate, "restart-workload", needs="production-writes", credential="vault:cluster/creds/changes#token")
    async with at_work(gate, bank.settings):
        missing = restart_workload.on(Entity.of("deployment", PLACE, "missing"), NoArgs())
        assert "is not there" in await unprepared(gate, proposal(missing))


@pytest.mark.parametrize("credential", ["vault:cluster/creds/nobody#token", "op://ops/cluster/token"])
async def test_a_credential_that_cannot_be_had_leaves_everything_as_it_was(
    credential: str, gate: House, bank: Bank
) -> None:
    name = f"no-{len(credential)}"
    action = bank.deployment(name)
    allow(gate, "restart-workload", needs="production-writes", credential=credential)
    async with at_work(gate, bank.settings):
        request_id = await gate.ask(proposal(action))
        await gate.click(request_id, ANA)
        assert await gate.ended(request_id) == State.FAILED
        await gate.over(request_id)
    (receipt,) = gate.wall.last(request_id).receipts
    assert receipt.detail.startswith("Its credential could not be had: ")
    assert not bank.is_restarted(name)


async def test_a26_nothing_of_the_runners_own_identity_goes_along_with_a_lent_token(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARD_OF_S", 0)
    bank.deployment("administered")
    weak = token(bank.server, "runner", AUDIENCE)
    operations = [{"op": "replace", "path": "/spec/paused", "value": True}]
    # Its own identity is an administrator's, and would be allowed.
    own = live.LiveApi(kubeconfig=bank.server.kubeconfig("admin-token", tmp_path))
    async with contextlib.aclosing(own), contextlib.aclosing(own.borrowing(lambda: weak)) as lent:
        with pytest.raises(Answered, match="cannot patch"):
            await lent.patch("Deployment", PLACE, "administered", operations, dry_run=False)
        await own.patch("Deployment", PLACE, "administered", operations, dry_run=False)
