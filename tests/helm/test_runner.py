"""The chart with a runner: rights for the listed actions in the listed namespaces, and no other."""

from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from approvals.runners.kubernetes.catalogue import CHANGES, KINDS
from approvals.sandbox.isolation import why_open
from approvals.sandbox.job import NETWORK_LABEL
from tests.helm.test_chart import CHART
from tools.kind import plural

Document = dict[str, Any]
DENIED_RESOURCES = {
    "*", "secrets", "nodes/proxy", "services/proxy", "pods/exec", "pods/attach", "pods/portforward", "pods/proxy",
    "pods/ephemeralcontainers", "serviceaccounts/token", "certificatesigningrequests/approval", "users", "groups",
}  # fmt: skip
DENIED_VERBS = {"*", "impersonate", "bind", "escalate", "approve", "sign", "create", "update", "deletecollection"}
LOOKS = {"get", "list", "watch"}


def rendered(runner: Document | None = None, **values: Any) -> list[Document]:
    values |= {"image": {"repository": "registry.example/locum"}}
    if runner is not None:
        values["runner"] = {"enabled": True, **runner}
    with helm_python.Chart.load(str(CHART)) as chart:
        files = chart.render(values, name="demo", namespace="locum")
    return [each for text in files.values() for each in yaml.safe_load_all(text) if each]


SANDBOX = {"enabled": True, "namespace": "locum-sandbox", "image": f"registry.example/tools@sha256:{'0' * 64}"}
EVERYTHING: Document = {
    "actions": list(CHANGES), "namespaces": ["shop", "web"], "vaultAudience": "vault", "sandbox": SANDBOX,
}  # fmt: skip


@pytest.fixture(scope="module", params=[None, EVERYTHING], ids=["without", "with"])
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return rendered(request.param, readConfigMaps=True, networkPolicy={"probeNamespaces": ["shop"]})


@pytest.fixture(scope="module")
def whole() -> list[Document]:
    return rendered(EVERYTHING)


def of(documents: list[Document], *kinds: str) -> list[Document]:
    return [each for each in documents if each["kind"] in kinds]


def pods(documents: list[Document]) -> list[Document]:
    return [each["spec"]["template"]["spec"] for each in of(documents, "Deployment", "StatefulSet", "Job", "DaemonSet")]


def test_every_document_is_valid_for_its_kind(documents: list[Document]) -> None:
    for document in documents:
        kubernetes_validate.validate(document, "1.32", strict=True)


def test_no_role_holds_what_nobody_may_have(documents: list[Document]) -> None:
    roles = of(documents, "Role", "ClusterRole")
    assert roles
    for where, rule in ((role["metadata"].get("namespace"), rule) for role in roles for rule in role["rules"]):
        assert not DENIED_RESOURCES & set(rule.get("resources", ()))
        may_make_jobs = where == "locum-sandbox" and rule["resources"] == ["jobs"]
        assert not (DENIED_VERBS - ({"create"} if may_make_jobs else set())) & set(rule["verbs"])
        assert "*" not in rule["apiGroups"]
        assert set(rule) == {"apiGroups", "resources", "verbs"}


def test_whoever_writes_is_the_runner_and_nobody_else(documents: list[Document]) -> None:
    writing = {
        (role["kind"], role["metadata"]["name"])
        for role in of(documents, "Role", "ClusterRole")
        if any(set(rule["verbs"]) - LOOKS for rule in role["rules"])
    }
    bound = {
        subject["name"]
        for each in of(documents, "RoleBinding", "ClusterRoleBinding")
        if (each["roleRef"]["kind"], each["roleRef"]["name"]) in writing
        for subject in each["subjects"]
    }
    assert bound <= {"demo-runner"}


def test_a_role_is_what_its_action_reads_and_writes_and_bound_where_it_was_listed(whole: list[Document]) -> None:
    for name, change in CHANGES.items():
        suffix = f"demo-runner-{name}"
        roles = [each for each in of(whole, "Role", "ClusterRole") if each["metadata"]["name"].endswith(suffix)]
        targets = {plural(KINDS[kind]) for kind in change.kind.targets}
        verb = "delete" if name in ("delete-pod", "delete-failed-job") else "patch"
        expected = {(plural(each), "list") for each in change.related}
        expected |= {(target, each) for target in targets for each in ("get", verb)}
        for role in roles:
            found = {
                (resource, each) for rule in role["rules"] for resource in rule["resources"] for each in rule["verbs"]
            }
            assert found == expected, name
        where = [each["metadata"].get("namespace") for each in roles]
        assert where == ([None] if "node" in targets or name.endswith("-node") else ["shop", "web"])
        bindings = [
            each for each in of(whole, "RoleBinding", "ClusterRoleBinding") if each["metadata"]["name"].endswith(suffix)
        ]
        assert [each["metadata"].get("namespace") for each in bindings] == where
        assert {each["roleRef"]["name"] for each in bindings} == {each["metadata"]["name"] for each in roles}


def test_nothing_is_bound_that_was_not_listed() -> None:
    few = rendered({"actions": ["delete-pod"], "namespaces": ["shop"]})
    names = {each["metadata"]["name"] for each in of(few, "Role", "ClusterRole")}
    assert names == {"locum-demo-read", "demo-runner-delete-pod"}
    without = rendered()
    assert not [each for each in without if "runner" in each["metadata"]["name"] and each["kind"] != "NetworkPolicy"]


@pytest.mark.parametrize(
    ("runner", "why"),
    [
        ({"actions": ["drop-database"], "namespaces": ["shop"]}, "there is no action"),
        ({"actions": ["delete-pod"], "namespaces": ["kube-system"]}, "runs the cluster itself"),
        ({"actions": ["delete-pod"], "namespaces": ["openshift-etcd"]}, "runs the cluster itself"),
        ({"actions": ["delete-pod"], "namespaces": ["locum"]}, "Locum does not change itself"),
        ({"sandbox": SANDBOX | {"namespace": "shop"}, "namespaces": ["shop"]}, "a namespace of its own"),
        ({"sandbox": SANDBOX | {"namespace": "locum"}}, "a namespace of its own"),
        ({"sandbox": SANDBOX | {"image": ""}}, "name the image by its digest"),
    ],
)
def test_rights_that_must_not_be_given_stop_the_installation(runner: Document, why: str) -> None:
    with pytest.raises(Exception, match=why):
        rendered(runner)


def test_every_pod_meets_the_restricted_standard(documents: list[Document]) -> None:
    assert len(pods(documents)) >= 2
    for pod in pods(documents):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not [each for each in pod["volumes"] if "hostPath" in each]
        for container in [*pod["containers"], *pod.get("initContainers", ())]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert "privileged" not in security


def test_tokens_are_mounted_where_the_api_server_is_asked_and_nowhere_else(whole: list[Document]) -> None:
    assert all(each["automountServiceAccountToken"] is False for each in of(whole, "ServiceAccount"))
    mounted = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["automountServiceAccountToken"]
        for each in of(whole, "Deployment")
    }
    assert mounted == {"demo-bot": False, "demo-worker": True, "demo-runner": True}


def test_the_runner_is_never_there_twice_and_has_neither_slack_nor_model(whole: list[Document]) -> None:
    (runner,) = [each for each in of(whole, "Deployment") if each["metadata"]["name"] == "demo-runner"]
    assert runner["spec"]["replicas"] == 1
    assert runner["spec"]["strategy"] == {"type": "Recreate"}
    pod = runner["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["locum", "runner"]
    assert container["envFrom"] == [{"secretRef": {"name": "locum-runner"}}]
    assert pod["serviceAccountName"] == "demo-runner"
    (token,) = [each["projected"]["sources"] for each in pod["volumes"] if "projected" in each]
    assert token == [{"serviceAccountToken": {"path": "vault", "audience": "vault", "expirationSeconds": 600}}]


def test_the_sandbox_s_namespace_keeps_its_commands_apart(whole: list[Document]) -> None:
    (namespace,) = of(whole, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    inside = [each for each in of(whole, "NetworkPolicy") if each["metadata"].get("namespace") == "locum-sandbox"]
    for network in (False, True):
        labels = {NETWORK_LABEL: "egress" if network else "none"}
        assert why_open(inside, labels, network=network) is None


def test_nothing_goes_in_or_out_but_what_is_named(documents: list[Document]) -> None:
    own = [each for each in of(documents, "NetworkPolicy") if "namespace" not in each["metadata"]]
    policies = {each["metadata"]["name"]: each["spec"] for each in own}
    nothing = policies["demo-nothing"]
    assert nothing["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in nothing
    assert "egress" not in nothing
    selector = nothing["podSelector"]["matchLabels"]
    for each in of(documents, "Deployment"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()
        out = policies[f"demo-{labels['app.kubernetes.io/component']}-out"]
        assert out["policyTypes"] == ["Egress"]
        for rule in out["egress"]:
            blocks = [each["ipBlock"] for each in rule["to"] if "ipBlock" in each]
            assert all(rule.get("ports") for _ in blocks)
            assert all("169.254.0.0/16" in block["except"] for block in blocks if block["cidr"] == "0.0.0.0/0")
    ports = {each["port"] for rule in policies["demo-runner-out"]["egress"] for each in rule["ports"]}
    assert ports == {53, 443, 4318, 5432, 6379, 6443, 7233, 8200}
