"""What the identities of the chart can do on a real API server: the runner its actions and no more, the others nothing."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from approvals.action import read
from approvals.plan import NotPossible
from approvals.runners.kubernetes.catalogue import CHANGES
from tests.kubernetes import runner_house as house
from tests.kubernetes.conftest import ApiServer

pytestmark = pytest.mark.xdist_group("cluster")

ALLOWED, OTHER = "allowed", "another"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
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


def resources(server: ApiServer) -> list[tuple[str, str]]:
    """Every resource and subresource that the server knows, with its group."""
    paths = [("", "/api/v1")]
    for group in server.ask("GET", "/apis")["groups"]:
        paths.append((group["name"], f"/apis/{group['preferredVersion']['groupVersion']}"))
    return [(group, each["name"]) for group, path in paths for each in server.ask("GET", path)["resources"]]


async def test_the_runner_may_do_what_its_actions_need_and_nothing_else_anywhere(settled: Home) -> None:
    given = set(house.rights(each for each in settled.documents if "runner" in each["metadata"]["name"]))
    # What every identity of a cluster may do: ask what it may do.
    reviews = {("create", "selfsubjectaccessreviews"), ("create", "selfsubjectrulesreviews")}
    for group, resource in resources(settled.server):
        for verb in (*WRITES, "get", "list", "watch"):
            for namespace in (ALLOWED, OTHER, ""):
                right = Right(verb=verb, resource=resource, group=group, namespace=namespace)
                everywhere = Right(verb=verb, resource=resource, group=group)
                expected = right in given or everywhere in given or (verb, resource) in reviews
                assert house.may(settled.server, "runner", right) is expected, right


async def test_neither_worker_nor_bot_can_change_anything(settled: Home) -> None:
    for group, resource in resources(settled.server):
        if resource in ("selfsubjectaccessreviews", "selfsubjectrulesreviews"):
            continue
        for verb in WRITES:
            for account in ("worker", "bot"):
                right = Right(verb=verb, resource=resource, group=group, namespace=ALLOWED)
                assert not house.may(settled.server, account, right), (account, right)


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


def refused(home: Home, account: str, method: str, path: str, body: bytes | None = None) -> int:
    """The status of a request with the real token of an identity."""
    request = urllib.request.Request(f"{home.server.host}{path}", body, method=method)
    request.add_header("Authorization", f"Bearer {house.token(home.server, account)}")
    request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=home.server.folder / "apiserver.crt")),
    )
    try:
        with opener.open(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as e:
        return e.code


async def test_real_requests_with_real_tokens_are_refused(settled: Home) -> None:
    pods = house.path_of("Pod", ALLOWED)
    for account in ("runner", "worker"):
        assert refused(settled, account, "GET", pods) == 200
        assert refused(settled, account, "GET", house.path_of("Secret", ALLOWED)) == 403
        assert refused(settled, account, "POST", pods, b"{}") == 403
        assert refused(settled, account, "POST", f"{pods}/cart-1/exec?command=sh") == 403
        assert refused(settled, account, "POST", house.path_of("Role", ALLOWED), b"{}") == 403
        assert refused(settled, account, "DELETE", house.path_of("Deployment", ALLOWED)) == 403
    # The bot has an account and no rights at all.
    assert refused(settled, "bot", "GET", pods) == 403


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
