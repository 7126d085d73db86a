"""What the identities of the chart can do on a real API server: the runner its actions, the others nothing."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from approvals.action import read
from approvals.plan import NotPossible
from approvals.runners.kubernetes.catalogue import CHANGES
from tests.kubernetes import runner_house as house
from tests.kubernetes.conftest import ApiServer

pytestmark = pytest.mark.xdist_group("cluster")

ALLOWED, OTHER = "allowed", "another"
Right = house.Right


@dataclass(frozen=True)
class Home:
    """A server with the whole chart in it."""

    server: ApiServer
    documents: list[house.Object]
    folder: Path


@pytest.fixture(scope="module")
def home(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    documents = house.rendered(actions=list(CHANGES), namespaces=[ALLOWED])
    for name in (ALLOWED, OTHER):
        house.put(api_server, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    house.install(api_server, documents)
    yield Home(server=api_server, documents=documents, folder=tmp_path_factory.mktemp("rights"))
    house.remove_cluster_roles(api_server, documents)


@pytest.fixture
async def settled(home: Home) -> Home:
    await house.settled(home.server, home.documents)
    return home


def asked(home: Home, account: str, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The answer to a request with the real token of an identity."""
    request = urllib.request.Request(f"{home.server.host}{path}", body, method=method)
    request.add_header("Authorization", f"Bearer {house.token(home.server, account)}")
    request.add_header("Content-Type", "application/json")
    trust = ssl.create_default_context(cafile=home.server.folder / "apiserver.crt")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    try:
        with opener.open(request, timeout=10) as reply:
            return int(reply.status), reply.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def allowed(home: Home, account: str, namespace: str) -> set[Right]:
    """Everything that the server says an identity may do in a namespace, the rights of all identities left out."""
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace},
    }  # fmt: skip
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status, answer = asked(home, account, "POST", path, json.dumps(review).encode())
    assert status == 201
    found = json.loads(answer)["status"]
    assert not found["incomplete"]
    return {
        Right(verb=verb, resource=resource, group=group)
        for rule in found["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if resource not in ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
    }


async def test_the_runner_may_do_what_its_actions_need_and_nothing_else_anywhere(settled: Home) -> None:
    given = house.rights(each for each in settled.documents if "runner" in each["metadata"]["name"])
    everywhere = {each for each in given if not each.namespace}

    assert {each.resource for each in everywhere} == {"nodes"}
    assert allowed(settled, "runner", OTHER) == everywhere
    assert allowed(settled, "runner", ALLOWED) == {replace(each, namespace="") for each in given}


async def test_neither_worker_nor_bot_can_change_anything(settled: Home) -> None:
    read_role = {replace(each, namespace="") for each in house.rights(settled.documents)} - allowed(
        settled, "runner", ALLOWED
    )
    for namespace in (ALLOWED, OTHER, house.HOME):
        found = allowed(settled, "worker", namespace)
        assert read_role <= found
        assert {each.verb for each in found} == {"get", "list", "watch"}
        assert allowed(settled, "bot", namespace) == set()


NEVER = [
    Right(verb="get", resource="secrets", namespace=ALLOWED),
    Right(verb="list", resource="secrets", namespace=ALLOWED),
    Right(verb="watch", resource="secrets"),
    Right(verb="create", resource="pods/exec", namespace=ALLOWED),
    Right(verb="get", resource="pods/exec", namespace=ALLOWED),
    Right(verb="create", resource="pods/attach", namespace=ALLOWED),
    Right(verb="create", resource="pods/portforward", namespace=ALLOWED),
    Right(verb="get", resource="pods/proxy", namespace=ALLOWED),
    Right(verb="get", resource="services/proxy", namespace=ALLOWED),
    Right(verb="get", resource="nodes/proxy"),
    Right(verb="patch", resource="pods/ephemeralcontainers", namespace=ALLOWED),
    Right(verb="create", resource="serviceaccounts/token", namespace=ALLOWED),
    Right(verb="impersonate", resource="users"),
    Right(verb="impersonate", resource="serviceaccounts", namespace=ALLOWED),
    Right(verb="bind", resource="clusterroles", group="rbac.authorization.k8s.io"),
    Right(verb="escalate", resource="roles", group="rbac.authorization.k8s.io", namespace=ALLOWED),
    Right(verb="approve", resource="signers", group="certificates.k8s.io"),
    Right(verb="*", resource="*", group="*"),
]


@pytest.mark.parametrize("account", ["runner", "worker", "bot"])
async def test_what_nobody_may_is_refused_to_everybody(settled: Home, account: str) -> None:
    assert [each for each in NEVER if house.may(settled.server, account, each)] == []


async def test_real_requests_with_real_tokens_are_refused(settled: Home) -> None:
    pods = house.path_of("Pod", ALLOWED)
    for account in ("runner", "worker"):
        assert asked(settled, account, "GET", pods)[0] == 200
        assert asked(settled, account, "GET", house.path_of("Secret", ALLOWED))[0] == 403
        assert asked(settled, account, "POST", pods, b"{}")[0] == 403
        assert asked(settled, account, "POST", f"{pods}/cart-1/exec?command=sh")[0] == 403
        assert asked(settled, account, "POST", house.path_of("Role", ALLOWED), b"{}")[0] == 403
        assert asked(settled, account, "DELETE", house.path_of("Deployment", ALLOWED))[0] == 403
    # The bot has an account and no rights at all.
    assert asked(settled, "bot", "GET", pods)[0] == 403


@pytest.mark.parametrize("name", [name for name, case in house.CASES.items() if "{}" in case.target])
async def test_the_runner_is_refused_in_a_namespace_that_is_not_its_own(settled: Home, name: str) -> None:
    case = house.CASES[name]
    for each in case.objects:
        house.put(settled.server, each, OTHER)
    action = read({"name": case.action, "target": case.target.format(OTHER), "arguments": dict(case.arguments)})
    config = house.kubeconfig(settled.server, settled.folder, house.token(settled.server, "runner"))
    async with house.running_as(config) as runner:
        with pytest.raises(NotPossible, match=f"lacks a permission that {case.action} needs.*cannot get resource"):
            await runner.plan(action)


async def test_what_only_tells_who_would_feel_it_may_be_unreadable_and_is_then_said_to_be(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    documents = house.rendered(actions=["scale-workload"], namespaces=[namespace])
    (role,) = [each for each in documents if each["kind"] == "Role"]
    role["rules"] = [each for each in role["rules"] if each["resources"] != ["horizontalpodautoscalers"]]
    house.install(api_server, documents)
    await house.settled(api_server, documents)
    house.put(api_server, house.deployment(), namespace)
    action = read({
        "name": "scale-workload", "target": f"deployment/{namespace}/cart", "arguments": {"replicas": 3},
    })  # fmt: skip
    async with house.running_as(house.kubeconfig(api_server, tmp_path, house.token(api_server, "runner"))) as runner:
        plan = await runner.plan(action)

    assert plan.blast_radius.endswith("Not known, because it could not be read: HorizontalPodAutoscaler.")
