"""A whole process with a runner: its parts, what it says of itself, and its sandbox in a cluster."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from approvals.runners.sandbox import SandboxRunner
from approvals.sandbox.port import SandboxUnavailable
from bot.deciding import open_sandbox
from bot.demo.show import INCIDENTS
from bot.running import running
from bot.setting_groups import Approvals, Http, Runner, Telemetry, Vault
from bot.settings import Settings
from tests.approvals.house import POLICY
from tests.deciding.test_connectors import IMAGE
from tests.kubernetes import runner_house
from tests.kubernetes.conftest import ApiServer
from tests.sandbox.diagnostics import X509, certificate, diagnostic
from tests.servers import need
from tests.vault import openbao


async def test_a_process_with_all_parts_clears_up_after_each_and_says_how_it_is(tmp_path: Path) -> None:
    need("bwrap", "bubblewrap")
    (tmp_path / "policy.yaml").write_text(POLICY.format(version=1, kill_switch="false", ttl="30m", quorum=1))
    with openbao(tmp_path) as bao:
        settings = Settings(
            data_dir=tmp_path / "data",
            snapshot=INCIDENTS,
            telemetry=Telemetry(log_level="ERROR"),
            http=Http(port=0),
            approvals=Approvals(policy=tmp_path / "policy.yaml"),
            vault=Vault(address=bao.url, role_id="locum", wrapped_secret_id_file=tmp_path / "not-there"),
            runner=Runner(sandbox="bubblewrap"),
        )
        async with running(settings, ("bot", "worker", "runner")) as locum, httpx2.AsyncClient() as web:
            assert {"sweeper of the worker", "sweeper of the runner"} <= {each.get_name() for each in locum.parts}
            answer = (await web.get(f"{locum.url}/health", timeout=20)).json()
    found = {each["name"]: each["health"] for each in answer["connectors"]}
    for name in ("policy", "ledger", "secrets: vault (approle)", "sandbox: bubblewrap"):
        assert found[name] == "ok"


def installed(server: ApiServer, folder: Path, namespace: str) -> tuple[Settings, list[runner_house.Object]]:
    """The settings of a chart's runner that has its sandbox in that namespace, and the network policies in it."""
    sandbox = {"enabled": True, "namespace": namespace, "image": IMAGE}
    documents = runner_house.rendered(actions=[], namespaces=[], runner={"enabled": True, "sandbox": sandbox})
    runner_house.put(server, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": runner_house.HOME}})
    for each in documents:
        is_account = each["kind"] == "ServiceAccount" and "runner" in each["metadata"]["name"]
        if is_account or (each["kind"].startswith("Role") and each["metadata"].get("namespace") == namespace):
            runner_house.put(server, each, runner_house.HOME)
    kubeconfig = runner_house.kubeconfig(server, folder, runner_house.token(server, "runner"))
    runner = Runner(kubeconfig=kubeconfig, sandbox="job", sandbox_namespace=namespace, sandbox_image=IMAGE)
    policies = [
        each for each in documents if each["kind"] == "NetworkPolicy" and each["metadata"].get("namespace") == namespace
    ]
    return Settings(runner=runner), policies


@pytest.mark.xdist_group("cluster")
async def test_the_charts_rights_and_policies_are_those_that_the_sandbox_needs(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    settings, policies = await asyncio.to_thread(installed, api_server, tmp_path, namespace)
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"

    async def created() -> list[runner_house.Object]:
        return (await asyncio.to_thread(api_server.ask, "GET", jobs))["items"]

    async with open_sandbox(settings) as sandbox:
        assert sandbox is not None
        with pytest.raises(SandboxUnavailable, match="no NetworkPolicy"):
            await sandbox.check()
        for each in policies:
            path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
            await asyncio.to_thread(api_server.create, path, each)
        await sandbox.check()
        runner = SandboxRunner(sandbox)
        plan = await runner.plan(diagnostic(*X509, given=certificate()))
        running_it = asyncio.create_task(
            runner.execute(plan.action, fingerprint=plan.fingerprint, key="req-0", is_wanted=runner_house.wanted)
        )
        async with asyncio.timeout(10):
            while not (found := await created()):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.05)
        # No kubelet is there to run it. Whoever no longer waits takes it away.
        running_it.cancel()
        await asyncio.wait({running_it})
    (container,) = found[0]["spec"]["template"]["spec"]["containers"]
    assert [each.replace("$$", "$") for each in container["command"]] == plan.action.arguments["argv"]
    assert container["image"] == IMAGE
    assert await created() == []
