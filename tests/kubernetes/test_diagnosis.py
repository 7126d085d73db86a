"""A whole diagnosis of a live cluster through the command, and of its recording."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.kubernetes.conftest import ApiServer

LOCUM = Path(sys.executable).parent / "locum"


async def locum(*args: str, kubeconfig: Path) -> tuple[int, str, str]:
    env = {**os.environ, "KUBECONFIG": str(kubeconfig)}  # noqa: TID251
    process = await asyncio.create_subprocess_exec(
        LOCUM, *args, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


async def diagnosis(question: str, *more: str, kubeconfig: Path) -> dict[str, Any]:
    code, out, err = await locum("diagnose", question, "--format", "json", *more, kubeconfig=kubeconfig)
    assert code == 0, err
    return json.loads(out)


def break_selector(server: ApiServer, namespace: str) -> None:
    """A Service whose selector misses the pods of the workload it is named after."""
    labels = {"app": "payments"}
    pod = {"containers": [{"name": "payments", "image": "payments:1", "ports": [{"containerPort": 8080}]}]}
    server.create(
        f"/apis/apps/v1/namespaces/{namespace}/deployments",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "payments"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        status={"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    )
    server.create(
        f"/api/v1/namespaces/{namespace}/pods",
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "payments-1", "labels": labels},
            "spec": {**pod, "nodeName": "worker-1"},
        },
        status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    )
    server.create(
        f"/api/v1/namespaces/{namespace}/services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "payments"},
            "spec": {"selector": {"app": "payments", "tier": "backend"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )


async def test_a_live_cluster_and_its_recording_are_diagnosed_alike(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    break_selector(api_server, namespace)
    kubeconfig = api_server.kubeconfig("admin-token", tmp_path)
    question = f"payments in namespace {namespace} cannot be reached"
    live = await diagnosis(question, kubeconfig=kubeconfig)
    top = live["hypotheses"][0]
    assert (top["cause"], top["entity"]) == ("selector-mismatch", f"service/{namespace}/payments")

    code, out, err = await locum("snapshot", "--out", str(tmp_path / "recorded"), kubeconfig=kubeconfig)
    assert code == 0, err
    assert "recorded in" in out
    again = await diagnosis(question, "--snapshot", str(tmp_path / "recorded"), kubeconfig=kubeconfig)
    told = ("verdict", "state")
    assert {name: again[name] for name in told} == {name: live[name] for name in told}
    assert [(h["cause"], h["entity"], h["confidence"]) for h in again["hypotheses"]] == [
        (h["cause"], h["entity"], h["confidence"]) for h in live["hypotheses"]
    ]


async def test_a_cluster_that_refuses_everything_is_unknown_and_says_which_right_is_missing(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    kubeconfig = api_server.kubeconfig("stranger-token", tmp_path)
    found = await diagnosis(f"payments in namespace {namespace} cannot be reached", kubeconfig=kubeconfig)
    assert found["verdict"] == "unknown"
    gaps = [each["excerpt"] for each in found["evidence"] if each["outcome"] == "ERROR"]
    assert any("pods" in each and "Refused" in each for each in gaps), gaps


async def test_credentials_that_are_not_accepted_are_an_outcome_of_every_look_and_not_a_crash(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    kubeconfig = api_server.kubeconfig("no-such-token", tmp_path)
    found = await diagnosis(f"payments in namespace {namespace} cannot be reached", kubeconfig=kubeconfig)
    assert found["verdict"] == "unknown"
    gaps = {each["excerpt"] for each in found["evidence"] if each["tool"].startswith("kubernetes.")}
    assert all("does not accept the credentials" in each for each in gaps), gaps
