"""Every action on a real API server, with the rights that the chart gives the runner for that action alone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from approvals.action import Action, kinds, read
from approvals.plan import NotPossible, Outcome, Plan, TargetChanged
from approvals.runners.kubernetes.patching import REQUEST
from approvals.runners.kubernetes.runner import KubernetesRunner
from tests.kubernetes import runner_house as house
from tests.kubernetes.conftest import ApiServer

pytestmark = pytest.mark.xdist_group("cluster")

Given = tuple[ApiServer, str, Path]


@pytest.fixture
async def given(api_server: ApiServer, namespace: str, tmp_path: Path) -> Given:
    return api_server, namespace, tmp_path


@pytest.fixture
async def anyone(api_server: ApiServer, tmp_path: Path) -> AsyncIterator[KubernetesRunner]:
    """A runner that may do everything, where rights are not what is tested."""
    async with house.running_as(api_server.kubeconfig("admin-token", tmp_path)) as runner:
        yield runner


def action_of(case: house.Case, namespace: str) -> Action:
    target = case.target.format(namespace)
    return read({"name": case.action, "target": target, "arguments": dict(case.arguments)})


def kind_of(case: house.Case) -> str:
    return str(case.objects[0]["kind"])


async def done(runner: KubernetesRunner, plan: Plan, key: str) -> None:
    receipt = await runner.execute(plan.action, fingerprint=plan.fingerprint, key=key, is_wanted=house.wanted)
    assert receipt.outcome is Outcome.SUCCEEDED
    assert receipt.detail
    assert receipt.diff.splitlines()[2:] == plan.diff.splitlines()[2:] or "restartedAt" in receipt.diff


def test_every_kind_of_action_on_a_cluster_is_tried_here() -> None:
    tried = {each.action for each in house.CASES.values()} | {"rollback-workload"}
    assert tried == {name for name, kind in kinds().items() if kind.runner == "kubernetes"}


@pytest.mark.parametrize("name", house.CASES)
async def test_an_action_is_tried_without_effect_then_done_and_taken_back(given: Given, name: str) -> None:
    server, namespace, folder = given
    case = house.CASES[name]
    actions = [case.action, *([case.undo["name"]] if case.undo else [])]
    documents = house.rendered(actions=actions, namespaces=[namespace])
    house.install(server, documents)
    await house.settled(server, documents)
    for each in case.objects:
        house.put(server, each, namespace)
    action = action_of(case, namespace)
    kind, where, named = kind_of(case), action.target.namespace, action.target.name
    before = house.get(server, kind, where, named)
    config = house.kubeconfig(server, folder, house.token(server, "runner"))
    async with house.running_as(config) as runner:
        plan = await runner.plan(action)

        assert house.get(server, kind, where, named) == before
        assert plan.dry_run == "server"
        lines = plan.diff.splitlines()
        assert all(any(line.startswith(shown) for line in lines) for shown in case.shows), plan.diff
        assert bool(case.shows) is bool(plan.diff)
        assert plan.blast_radius
        expected = None if case.undo is None else read({**case.undo, "target": str(action.target)})
        assert plan.undo == expected

        await done(runner, plan, "request-1")
        if not case.shows:
            assert not house.exists(server, kind, where, named)
            return
        after = house.get(server, kind, where, named)
        assert not house.same(before, after)
        assert after["metadata"]["annotations"][REQUEST] == "request-1"
        assert "locum" in {each["manager"] for each in after["metadata"]["managedFields"]}
        if plan.undo:
            await done(runner, await runner.plan(plan.undo), "request-2")
            assert house.same(before, house.get(server, kind, where, named))
    house.remove_cluster_roles(server, [each for each in documents if "runner" in each["metadata"]["name"]])


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
async def test_a_rollback_takes_the_template_of_the_revision_and_leads_back(given: Given, kind: str) -> None:
    server, namespace, folder = given
    documents = house.rendered(actions=["rollback-workload"], namespaces=[namespace])
    house.install(server, documents)
    await house.settled(server, documents)
    house.history(server, namespace, kind)
    before = house.get(server, kind, namespace, "cart")
    target = f"{kind.lower()}/{namespace}/cart"
    async with house.running_as(house.kubeconfig(server, folder, house.token(server, "runner"))) as runner:
        plan = await runner.plan(read({"name": "rollback-workload", "target": target, "arguments": {"revision": 1}}))

        changed = [line for line in plan.diff.splitlines()[2:] if line[0] in "+-"]
        assert changed == ["-        image: registry.test/cart:1", "+        image: registry.test/cart:0"]
        assert plan.blast_radius.startswith("From revision 2 to 1. ")
        assert plan.undo == read({"name": "rollback-workload", "target": target, "arguments": {"revision": 2}})
        assert plan.undo
        await done(runner, plan, "request-1")
        await done(runner, await runner.plan(plan.undo), "request-2")

        assert house.same(before, house.get(server, kind, namespace, "cart"))
        with pytest.raises(NotPossible, match="no revision 9; it has: 1, 2"):
            await runner.plan(read({"name": "rollback-workload", "target": target, "arguments": {"revision": 9}}))
        with pytest.raises(NotPossible, match="has the pod template of revision 2 already"):
            await runner.plan(plan.undo)


async def test_a1_a_revision_that_was_edited_after_it_was_shown_is_not_rolled_back_to(
    given: Given, anyone: KubernetesRunner
) -> None:
    server, namespace, _ = given
    house.history(server, namespace, "Deployment")
    target = f"deployment/{namespace}/cart"
    plan = await anyone.plan(read({"name": "rollback-workload", "target": target, "arguments": {"revision": 1}}))
    containers = house.get(server, "ReplicaSet", namespace, "cart-h1")["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = "registry.test/evil:1"
    path = house.path_of("ReplicaSet", namespace, "cart-h1")
    server.ask("PATCH", path, {"spec": {"template": {"spec": {"containers": containers}}}})

    with pytest.raises(TargetChanged, match="template was"):
        await anyone.execute(plan.action, fingerprint=plan.fingerprint, key="k", is_wanted=house.wanted)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "scale": ({"spec": {"paused": True}}, "generation was 1, is 2; spec was"),
    "port": ({"metadata": {"labels": {"seen": "yes"}}}, "resourceVersion was"),
    "delete-job": ({"metadata": {"labels": {"seen": "yes"}}}, "resourceVersion was"),
    "cordon": ({"spec": {"podCIDR": "10.9.0.0/24"}}, "spec was"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a4_a_target_that_changed_after_it_was_shown_is_left_alone(
    given: Given, anyone: KubernetesRunner, name: str
) -> None:
    server, namespace, _ = given
    case = house.CASES[name]
    patch, why = CHANGES[name]
    action = action_of(case, namespace)
    if case.action == "cordon-node":
        case = house.Case(action=case.action, target="", objects=[house.node("for-a4")], undo=None)
        action = read({"name": "cordon-node", "target": "node//for-a4", "arguments": {}})
    for each in case.objects:
        house.put(server, each, namespace)
    plan = await anyone.plan(action)
    path = house.path_of(kind_of(case), namespace, action.target.name)
    changed = server.ask("PATCH", path, patch)

    with pytest.raises(TargetChanged, match=why):
        await anyone.execute(action, fingerprint=plan.fingerprint, key="k", is_wanted=house.wanted)
    assert server.ask("GET", path) == changed


async def test_a4_the_write_itself_carries_the_version_that_was_compared(
    given: Given, anyone: KubernetesRunner
) -> None:
    server, namespace, _ = given
    house.put(server, house.deployment(), namespace)
    plan = await anyone.plan(action_of(house.CASES["scale"], namespace))
    path = house.path_of("Deployment", namespace, "cart")

    async def somebody_else_is_faster() -> bool:
        # Between the comparison and the write; the fingerprint of this action leaves labels out.
        server.ask("PATCH", path, {"metadata": {"labels": {"seen": "yes"}}})
        return True

    with pytest.raises(TargetChanged, match="by somebody else in this moment"):
        await anyone.execute(
            plan.action, fingerprint=plan.fingerprint, key="k", is_wanted=somebody_else_is_faster
        )  # fmt: skip
    assert server.ask("GET", path)["spec"]["replicas"] == 2


async def test_a4_a_pod_that_was_replaced_under_its_name_is_not_deleted(given: Given, anyone: KubernetesRunner) -> None:
    server, namespace, _ = given
    house.put(server, house.pod(), namespace)
    plan = await anyone.plan(action_of(house.CASES["delete-pod"], namespace))
    path = house.path_of("Pod", namespace, "cart-1")
    server.ask("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    house.put(server, house.pod(), namespace)

    with pytest.raises(TargetChanged, match="uid was"):
        await anyone.execute(plan.action, fingerprint=plan.fingerprint, key="k", is_wanted=house.wanted)

    fresh = await anyone.plan(plan.action)

    async def it_changes_in_this_moment() -> bool:
        server.ask("PATCH", path, {"metadata": {"labels": {"seen": "yes"}}})
        return True

    with pytest.raises(TargetChanged, match="by somebody else in this moment"):
        await anyone.execute(
            plan.action, fingerprint=fresh.fingerprint, key="k", is_wanted=it_changes_in_this_moment
        )  # fmt: skip
    assert house.exists(server, "Pod", namespace, "cart-1")


async def test_the_status_of_a_crash_looping_workload_voids_no_approval(given: Given, anyone: KubernetesRunner) -> None:
    server, namespace, _ = given
    house.put(server, house.deployment(), namespace)
    plan = await anyone.plan(action_of(house.CASES["restart"], namespace))
    path = house.path_of("Deployment", namespace, "cart")
    server.ask("PATCH", f"{path}/status", {"status": {"replicas": 2, "readyReplicas": 1}})

    await done(anyone, plan, "request-1")


async def test_what_is_called_off_right_before_the_write_is_not_done(given: Given, anyone: KubernetesRunner) -> None:
    server, namespace, _ = given
    house.put(server, house.deployment(), namespace)
    plan = await anyone.plan(action_of(house.CASES["scale"], namespace))

    async def no_more() -> bool:
        return False

    with pytest.raises(NotPossible, match="called off"):
        await anyone.execute(plan.action, fingerprint=plan.fingerprint, key="k", is_wanted=no_more)
    assert house.get(server, "Deployment", namespace, "cart")["spec"]["replicas"] == 2


async def test_a16_a_second_attempt_of_one_request_sends_nothing(given: Given, anyone: KubernetesRunner) -> None:
    server, namespace, _ = given
    house.put(server, house.deployment(), namespace)
    plan = await anyone.plan(action_of(house.CASES["restart"], namespace))
    await done(anyone, plan, "request-1")
    after = house.get(server, "Deployment", namespace, "cart")

    receipt = await anyone.execute(plan.action, fingerprint=plan.fingerprint, key="request-1", is_wanted=house.wanted)

    assert "already" in receipt.detail
    assert house.get(server, "Deployment", namespace, "cart") == after
    # And under another name it is not what was approved any more.
    with pytest.raises(TargetChanged):
        await anyone.execute(plan.action, fingerprint=plan.fingerprint, key="request-2", is_wanted=house.wanted)


async def test_what_the_server_finds_invalid_is_refused_with_its_reason(given: Given, anyone: KubernetesRunner) -> None:
    server, namespace, _ = given
    house.put(server, house.deployment(resources={"requests": {"memory": "128Mi"}}), namespace)
    arguments = {"container": "cart", "memory_limit": "64Mi"}
    with pytest.raises(NotPossible, match="must be less than or equal to memory limit"):
        await anyone.plan(
            read({"name": "set-resources", "target": f"deployment/{namespace}/cart", "arguments": arguments})
        )  # fmt: skip


async def test_what_is_not_there_is_not_possible(given: Given, anyone: KubernetesRunner) -> None:
    _, namespace, _ = given
    with pytest.raises(NotPossible, match="is not there"):
        await anyone.plan(action_of(house.CASES["scale"], namespace))


async def test_the_blast_radius_counts_who_would_feel_it(given: Given, anyone: KubernetesRunner) -> None:
    server, namespace, _ = given
    spec = {"selector": {"matchLabels": {"app": "cart"}}, "minAvailable": 1}
    scaler = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}, "maxReplicas": 9}
    plain = house.service()
    plain["spec"]["selector"] = {"app": "cart"}
    for each in (
        house.deployment(), house.pod("cart-1"), house.pod("cart-2") | {"status": house.scenes.crashing()}, plain,
        {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "cart"}, "spec": spec},
        {
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "cart"},
            "spec": scaler,
        },
    ):  # fmt: skip
        house.put(server, each, namespace)

    plan = await anyone.plan(action_of(house.CASES["scale"], namespace))

    assert plan.blast_radius == (
        "From 2 to 5 replicas; 1 of 2 are ready now. HorizontalPodAutoscaler cart owns this number (1 to 9) and would "
        "set its own again. Service cart sends traffic to them. PodDisruptionBudget cart covers them and would not be "
        "asked."
    )
