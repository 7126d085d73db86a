"""The Jobs of a namespace on a real API server, and what a scripted one says of logs and in trouble.

Nothing runs pods there: tests write the pods and their status as a kubelet would.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from kubernetes.aio.config import incluster_config

from approvals.sandbox.cluster import JobSandbox
from approvals.sandbox.job import Place, job_name, manifest
from approvals.sandbox.live import MAX_ANSWER, LiveJobs
from approvals.sandbox.port import AlreadyRan, Command, Ended, SandboxLost, SandboxUnavailable
from tests.kubernetes.conftest import ApiServer
from tests.sandbox.jobs import CLOSED, OPEN
from tests.servers import free_port

IMAGE = f"registry.example/locum@sha256:{'a' * 64}"
COMMAND = Command(run_id="run-1", argv=("/usr/bin/dig", "-q", "example.org"), given="text")
NAME = job_name("run-1")


# The real API server


@pytest.fixture
async def jobs(api_server: ApiServer, namespace: str, tmp_path: Path) -> AsyncIterator[LiveJobs]:
    live = LiveJobs(namespace, kubeconfig=api_server.kubeconfig("admin-token", tmp_path))
    yield live
    await live.aclose()


async def test_a21_a_real_api_server_creates_the_job_once(
    jobs: LiveJobs, namespace: str, api_server: ApiServer
) -> None:
    job = manifest(COMMAND, Place(namespace=namespace, image=IMAGE))
    assert await jobs.create(job) is True
    assert await jobs.create(job) is False
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{NAME}"
    stored = (await asyncio.to_thread(api_server.ask, "GET", path))["spec"]
    assert stored["backoffLimit"] == 0
    spec = stored["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["command"] == ["/usr/bin/dig", "-q", "example.org"]
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


async def test_a_written_pod_is_followed_on_a_real_api_server_up_to_its_log(
    jobs: LiveJobs, namespace: str, api_server: ApiServer
) -> None:
    """No kubelet is there to give the log, so the run ends as lost, and its Job is gone."""
    place = Place(namespace=namespace, image=IMAGE)
    sandbox = JobSandbox(jobs, place)
    with pytest.raises(SandboxUnavailable, match="no NetworkPolicy"):
        await sandbox.run(COMMAND)
    policies = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    for each in (CLOSED, OPEN):
        await asyncio.to_thread(api_server.create, policies, each)
    await sandbox.check()
    task = asyncio.create_task(sandbox.run(COMMAND))
    template = manifest(COMMAND, place)["spec"]["template"]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod-1", "labels": {**template["metadata"]["labels"], "job-name": NAME}},
        "spec": {**template["spec"], "nodeName": "nowhere"},
    }
    state = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    statuses = [{"name": "command", "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": state}]
    status = {"phase": "Succeeded", "containerStatuses": statuses}
    pods = f"/api/v1/namespaces/{namespace}/pods"
    await asyncio.to_thread(api_server.create, pods, body, status=status)
    with pytest.raises(SandboxLost, match="the command EXITED, and what it said cannot be read"):
        await task
    found = await asyncio.to_thread(api_server.ask, "GET", f"/apis/batch/v1/namespaces/{namespace}/jobs")
    assert found["items"] == []
    await jobs.delete(NAME)


async def test_b10_credentials_without_the_role_create_nothing(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    live = LiveJobs(namespace, kubeconfig=api_server.kubeconfig("stranger-token", tmp_path))
    with pytest.raises(SandboxUnavailable, match="403"):
        await live.create(manifest(COMMAND, Place(namespace=namespace, image=IMAGE)))
    with pytest.raises(SandboxUnavailable, match="403"):
        await live.delete(NAME)
    with pytest.raises(SandboxUnavailable, match="403"):
        await live.policies()
    await live.aclose()


# A scripted one


class Script:
    """Answers each request with the next of what a test wrote; `None` is silence."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes] | None] = []
        self.asked: list[tuple[str, str, str]] = []
        self.over = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, request.headers.get("Authorization", "")))
        answer = self.answers.pop(0)
        if answer is None:
            await self.over.wait()
            return web.Response()
        return web.Response(status=answer[0], body=answer[1])


def kubeconfig(folder: Path, server: str, user: dict[str, Any] | None = None) -> Path:
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": server}}],
                "users": [{"name": "test", "user": user or {"token": "one"}}],
            }
        )
    )
    return path


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    yield script
    script.over.set()


@pytest.fixture
async def scripted(script: Script, tmp_path: Path) -> AsyncIterator[LiveJobs]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    live = LiveJobs("shop", kubeconfig=kubeconfig(tmp_path, f"http://127.0.0.1:{port}"), context="test", timeout_s=0.5)
    yield live
    script.over.set()
    await live.aclose()
    await live.aclose()
    await runner.cleanup()


async def test_a_log_is_asked_for_up_to_its_limit(scripted: LiveJobs, script: Script) -> None:
    script.answers = [(200, b"one two three")]
    assert await scripted.log("pod-1", 7) == b"one two"
    path = "/api/v1/namespaces/shop/pods/pod-1/log?limitBytes=7"
    assert script.asked == [("GET", path, "Bearer one")]


async def test_an_answer_without_an_end_is_cut(scripted: LiveJobs, script: Script) -> None:
    script.answers = [(200, b"x" * (MAX_ANSWER + 100_000))]
    assert len(await scripted.log("pod-1", 2 * MAX_ANSWER)) == MAX_ANSWER


async def test_a_run_ends_with_its_log_and_its_job_goes_with_its_pods(scripted: LiveJobs, script: Script) -> None:
    state = {"terminated": {"exitCode": 3, "reason": "Error"}}
    pod = {"metadata": {"name": "pod-1"}, "status": {"phase": "Failed", "containerStatuses": [{"state": state}]}}
    policies, pods = (json.dumps({"items": items}).encode() for items in ([CLOSED], [pod]))
    script.answers = [(200, policies), (201, b"{}"), (200, pods), (200, b"said"), (200, b"{}")]
    ran = await JobSandbox(scripted, Place(namespace="shop", image=IMAGE)).run(COMMAND)
    assert (ran.ended, ran.exit_code, ran.stdout) == (Ended.EXITED, 3, "said")
    assert [(method, path) for method, path, _ in script.asked[2:]] == [
        ("GET", f"/api/v1/namespaces/shop/pods?labelSelector=job-name%3D{NAME}"),
        ("GET", "/api/v1/namespaces/shop/pods/pod-1/log?limitBytes=65537"),
        ("DELETE", f"/apis/batch/v1/namespaces/shop/jobs/{NAME}?propagationPolicy=Background"),
    ]


async def test_a21_a_conflict_is_a_run_that_was_started_before(scripted: LiveJobs, script: Script) -> None:
    script.answers = [(200, json.dumps({"items": [CLOSED]}).encode()), (409, b"{}")]
    with pytest.raises(AlreadyRan):
        await JobSandbox(scripted, Place(namespace="shop", image=IMAGE)).run(COMMAND)


@pytest.mark.parametrize("answer", [None, (500, b"broken"), (503, b'{"message": "try later"}')])
async def test_a19_a_creation_without_a_clear_answer_is_lost(
    scripted: LiveJobs, script: Script, answer: tuple[int, bytes] | None
) -> None:
    script.answers = [answer]
    with pytest.raises(SandboxLost, match="whether the Job was created is not known"):
        await scripted.create({})


async def test_a_creation_that_is_refused_is_not_lost(scripted: LiveJobs, script: Script) -> None:
    script.answers = [(422, b'{"message": "spec is wrong"}')]
    with pytest.raises(SandboxUnavailable, match=r"answered 422 to POST .*: spec is wrong"):
        await scripted.create({})


async def test_what_is_no_json_is_said_to_be_none(scripted: LiveJobs, script: Script) -> None:
    script.answers = [(200, b"<html>")]
    with pytest.raises(SandboxUnavailable, match="is not JSON"):
        await scripted.policies()


async def test_a_job_that_is_gone_is_taken_away(scripted: LiveJobs, script: Script) -> None:
    script.answers = [(404, b"gone")]
    await scripted.delete("job-1")


async def test_a_token_that_has_expired_is_read_again_once(scripted: LiveJobs, script: Script, tmp_path: Path) -> None:
    script.answers = [(401, b""), (200, b'{"items": []}'), (401, b""), (401, b"")]
    assert await scripted.policies() == []
    with pytest.raises(SandboxUnavailable, match="401"):
        await scripted.policies()


async def test_two_expired_answers_at_once_renew_once(scripted: LiveJobs, script: Script) -> None:
    script.answers = [(401, b""), (401, b""), (200, b'{"items": []}'), (200, b'{"items": []}')]
    await asyncio.gather(scripted.policies(), scripted.policies())
    assert len(script.asked) == 4


async def test_a_server_that_is_not_there_was_asked_nothing(tmp_path: Path) -> None:
    live = LiveJobs("shop", kubeconfig=kubeconfig(tmp_path, f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(SandboxUnavailable, match="cannot be reached"):
        await live.create({})
    await live.aclose()


async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="no cluster is configured for the sandbox"):
        await LiveJobs("shop", kubeconfig=tmp_path / "none").policies()


async def test_a_credential_plugin_that_hangs_is_given_up(tmp_path: Path) -> None:
    plugin = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["60"]}}
    path = kubeconfig(tmp_path, "http://127.0.0.1:1", plugin)
    with pytest.raises(SandboxUnavailable, match="did not come in time"):
        await LiveJobs("shop", kubeconfig=path, timeout_s=0.2).policies()


async def test_in_a_cluster_the_pods_own_account_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("token")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    with pytest.raises(SandboxUnavailable, match="Service host/port is not set"):
        await LiveJobs("shop").policies()
