"""The chart as rendered: it may look and never touch."""

from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm" / "locum"
VALUES = {"image": {"repository": "registry.example/locum"}}


def rendered(more: dict[str, Any]) -> list[dict[str, Any]]:
    with helm_python.Chart.load(str(CHART)) as chart:
        files = chart.render(VALUES | more, name="demo", namespace="locum")
    return [each for text in files.values() for each in yaml.safe_load_all(text) if each]


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return rendered({})


def test_every_document_is_valid_for_its_kind(documents: list[dict[str, Any]]) -> None:
    assert len(documents) >= 8
    for document in documents:
        kubernetes_validate.validate(document, "1.32", strict=True)


def test_the_read_role_has_no_verb_that_changes_anything_and_no_secret(documents: list[dict[str, Any]]) -> None:
    (role,) = [each for each in documents if each["kind"] == "ClusterRole"]
    for rule in role["rules"]:
        assert set(rule["verbs"]) <= {"get", "list", "watch"}
        assert not {"*", "secrets", "nodes/proxy", "services/proxy", "pods/exec"} & set(rule["resources"])
        assert "*" not in rule["apiGroups"]


def test_only_the_worker_gets_the_read_role_and_a_token(documents: list[dict[str, Any]]) -> None:
    (binding,) = [each for each in documents if each["kind"] == "ClusterRoleBinding"]
    assert [each["name"] for each in binding["subjects"]] == ["demo-worker"]
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in documents if each["kind"] == "Deployment"
    }
    assert pods["demo-worker"]["automountServiceAccountToken"] is True
    assert pods["demo-bot"]["automountServiceAccountToken"] is False


def test_pods_meet_the_restricted_standard(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        if document["kind"] != "Deployment":
            continue
        pod = document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}


def test_a_chart_without_an_image_says_what_to_set() -> None:
    with helm_python.Chart.load(str(CHART)) as chart, pytest.raises(Exception, match="name the image that you built"):
        chart.render({}, name="demo", namespace="locum")


def test_the_policy_reaches_everybody_who_decides_or_acts() -> None:
    chart = rendered({"policy": {"version": 1, "default": "refuse"}, "runner": {"enabled": True}})
    (config,) = [each for each in chart if each["kind"] == "ConfigMap"]
    assert "version: 1" in config["data"]["policy.yaml"]
    for each in chart:
        if each["kind"] == "Deployment":
            env = {one["name"]: one["value"] for one in each["spec"]["template"]["spec"]["containers"][0]["env"]}
            assert env["LOCUM_APPROVALS__POLICY"] == "/etc/locum/policy.yaml"


def test_the_worker_gets_a_token_for_vault_where_it_is_asked_for() -> None:
    chart = rendered({"worker": {"vaultAudience": "vault"}})
    worker = next(
        each for each in chart if each["kind"] == "Deployment" and each["metadata"]["name"].endswith("worker")
    )
    names = {volume["name"] for volume in worker["spec"]["template"]["spec"]["volumes"]}
    assert "vault-token" in names
