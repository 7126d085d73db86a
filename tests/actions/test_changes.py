"""What a change makes of an object, when it makes no sense, and who is told to feel it."""

from pathlib import Path
from typing import Any

import pytest

from approvals.action import Action
from approvals.plan import NotPossible
from approvals.runners.kubernetes.patching import MAX_DIFF_LINES, operations, unified
from tests.actions.worlds import Object, action, owned, pod, recorded, workload
from tests.kubernetes import scenes

DEPLOYMENT, POD, JOB, SERVICE = "deployment/shop/cart", "pod/shop/cart-1", "job/shop/report", "service/shop/cart"
HTTP = {"readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}}}
EXEC = {"readinessProbe": {"exec": {"command": ["true"]}}}
GRPC = {"readinessProbe": {"grpc": {"port": 9000}}}
TCP = {"readinessProbe": {"tcpSocket": {"port": 9000}}}


def probed(**arguments: Any) -> Action:
    return action("patch-probe", DEPLOYMENT, container="cart", probe="readiness", **arguments)


def resourced(**arguments: Any) -> Action:
    return action("set-resources", DEPLOYMENT, container="cart", **arguments)


def imaged(image: str, container: str = "cart", **arguments: Any) -> Action:
    return action("set-image", DEPLOYMENT, container=container, image=image, **arguments)


def job(*conditions: str, **status: Any) -> Object:
    met = [{"type": each, "status": "True"} for each in conditions]
    metadata = {"name": "report", "ownerReferences": owned("c-1", "CronJob", "nightly")}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "status": {"conditions": met, **status}}


def service(**port: Any) -> Object:
    spec = {"selector": {"app": "cart"}, "ports": [{"port": 80, **port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart"}, "spec": spec}


def cron_job(**spec: Any) -> Object:
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}, "spec": spec}


def node(name: str, **spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}


def listed(kind: str) -> Object:
    """That a kind was captured, and that there is none."""
    return {"apiVersion": "v1", "kind": f"{kind}List", "metadata": {}, "items": []}


LEAVING = {"deletionTimestamp": "2026-01-01T09:59:59Z"}
SENSELESS: dict[str, tuple[Action, list[Object], str]] = {
    "paused": (action("restart-workload", DEPLOYMENT), [workload(paused=True)], "is paused"),
    "on delete": (
        action("restart-workload", "statefulset/shop/cart"),
        [workload("StatefulSet", updateStrategy={"type": "OnDelete"})], "only when they are deleted",
    ),
    "no history": (
        action("rollback-workload", DEPLOYMENT, revision=3), [workload(), listed("ReplicaSet")],
        "no revision 3; it has: none",
    ),
    "that many": (action("scale-workload", DEPLOYMENT, replicas=2), [workload()], "to have 2 replicas already"),
    "one unwritten": (
        action("scale-workload", DEPLOYMENT, replicas=1), [workload(replicas=None)], "to have 1 replica already",
    ),
    "no container": (imaged("registry.test/cart:2", "proxy"), [workload()], "no container 'proxy'"),
    "same image": (imaged("registry.test/cart:1"), [workload()], "like that already"),
    "other repository": (imaged("evil.test/cart:1"), [workload()], "of another repository"),
    "same resources": (
        resourced(memory_limit="1Gi"), [workload(container={"resources": {"limits": {"memory": "1Gi"}}})], "already",
    ),
    "no limit to take": (resourced(memory_limit="none"), [workload(container={"resources": {}})], "already"),
    "no probe": (probed(port=80), [workload()], "has no readiness probe"),
    "same probe": (probed(path="/ready"), [workload(container=HTTP)], "like that already"),
    "a program": (probed(port=80), [workload(container=EXEC)], "of kind exec, which cannot have the port 80"),
    "grpc by name": (probed(port="http"), [workload(container=GRPC)], "of kind grpc, which cannot have the port"),
    "path of tcp": (probed(path="/"), [workload(container=TCP)], "of kind tcpSocket, which has no path"),
    "no such port": (action("patch-service-port", SERVICE, port=81, target_port=1), [service()], "no port 81"),
    "leads there": (action("patch-service-port", SERVICE, port=80, target_port=80), [service()], "leads to 80 already"),
    "selects them": (action("patch-service-selector", SERVICE, selector={"app": "cart"}), [service()], "already"),
    "nobody's pod": (
        action("delete-pod", POD), [pod("cart-1", ownerReferences=owned("o", controller=False))], "would lose it",
    ),
    "static pod": (
        action("delete-pod", POD), [pod("cart-1", ownerReferences=owned("n-1", "Node", "worker-1"))], "run by its node",
    ),
    "leaving pod": (
        action("delete-pod", POD), [pod("cart-1", metadata={"ownerReferences": owned("o"), **LEAVING})],
        "being deleted already",
    ),
    "running job": (action("delete-failed-job", JOB), [job()], "has not failed for good"),
    "job at work": (action("delete-failed-job", JOB), [job("Failed", active=1)], "still has 1 pod at work"),
    "cordoned": (action("cordon-node", "node//w-1"), [node("w-1", unschedulable=True)], "cordoned already"),
    "open": (action("uncordon-node", "node//w-1"), [node("w-1")], "open for new pods already"),
    "suspended": (action("suspend-cronjob", "cronjob/shop/nightly"), [cron_job(suspend=True)], "suspended already"),
    "gone": (action("delete-pod", POD), [pod("cart-2")], "is not there"),
}  # fmt: skip


@pytest.mark.parametrize("name", SENSELESS)
async def test_a_change_that_makes_no_sense_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    wanted, objects, why = SENSELESS[name]
    with pytest.raises(NotPossible, match=why):
        await recorded(tmp_path, *objects).plan(wanted)


EMPTY = [listed(kind) for kind in ("Pod", "Service", "PodDisruptionBudget", "ReplicaSet", "Job")]
TWO = [pod("cart-1"), pod("cart-2", is_ready=False)]
BUDGET = {
    "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "cart"},
    "spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["cart"]}]}},
}  # fmt: skip
SELECTING = [service(), service() | {"metadata": {"name": "cart-2"}}]
RESTART = action("restart-workload", DEPLOYMENT)
HISTORY = [
    workload(),
    *(scenes.replica_set("shop", number, f"registry.test/cart:{number}", owner_uid="uid-0") for number in (1, 2)),
    scenes.replica_set("shop", 3, "registry.test/other:1", owner_uid="another"),
]
REACH: dict[str, tuple[Action, list[Object], str]] = {
    "many": (
        RESTART, [workload(), *TWO, *SELECTING, BUDGET],
        "2 pods would be replaced; 1 of 2 are ready now. Services cart, cart-2 send traffic to them. "
        "PodDisruptionBudget cart covers them and would not be asked.",
    ),
    "one": (
        RESTART, [workload(replicas=1), pod("cart-1"), service(), *EMPTY],
        "1 pod would be replaced; 1 of 1 are ready now. It has a single replica: the old pod goes when the new one is "
        "ready. Service cart sends traffic to them.",
    ),
    "none": (
        RESTART, [workload(replicas=0), *EMPTY], "0 pods would be replaced; 0 of 0 are ready now.",
    ),
    "an outage": (
        RESTART, [workload(strategy={"type": "Recreate"}), *EMPTY],
        "0 pods would be replaced; 0 of 2 are ready now. Its strategy is Recreate: all pods end before the first new "
        "one starts, an outage.",
    ),
    "a single stateful one": (
        action("restart-workload", "statefulset/shop/cart"), [workload("StatefulSet", replicas=1), *EMPTY],
        "0 pods would be replaced; 0 of 1 are ready now. It has a single replica: nothing serves while that is "
        "replaced, an outage.",
    ),
    "on every node": (
        action("restart-workload", "daemonset/shop/cart"),
        [workload("DaemonSet") | {"status": {"desiredNumberScheduled": 3}}, *EMPTY],
        "0 pods would be replaced; 0 of 3 are ready now. On each node nothing of it runs while its pod is replaced.",
    ),
    "not recorded": (
        RESTART, [workload()],
        "0 pods would be replaced; 0 of 2 are ready now. Not known, because it could not be read: Pod, "
        "PodDisruptionBudget, Service.",
    ),
    "from a known revision": (
        action("rollback-workload", DEPLOYMENT, revision=2),
        [*HISTORY, pod("cart-1", ownerReferences=owned("uid-2")), *EMPTY],
        "From revision unknown to 2. 0 pods would be replaced and 1 would stay; 1 of 2 are ready now.",
    ),
    "to nothing": (
        action("scale-workload", DEPLOYMENT, replicas=0), [workload(), *TWO, *EMPTY],
        "From 2 to 0 replicas; 1 of 2 are ready now. 2 pods would be removed. Nothing would serve. Not known, because "
        "it could not be read: HorizontalPodAutoscaler.",
    ),
    "a port that nobody names": (
        action("patch-service-port", SERVICE, port=80, target_port="web"), [service(), *TWO],
        "All callers of port 80, now led to 80. 2 pods selected, 1 ready; 0 of them names the port web.",
    ),
    "a port that one declares": (
        action("patch-service-port", SERVICE, port=80, target_port=8080),
        [service(targetPort="http"), scenes.pod("shop", "cart-1") | {"spec": {"containers": [
            {"name": "cart", "ports": [{"name": "http", "containerPort": 8080}]}]}}],
        "All callers of port 80, now led to http. 1 pod selected, 0 ready; 1 of them declares the port 8080.",
    ),
    "no pod to select": (
        action("patch-service-selector", SERVICE, selector={"app": "else"}), [service(), *TWO],
        "All callers of the Service. It selects 2 pods now, 1 ready, and would select 0, 0 ready. No pod has these "
        "labels: nobody would answer.",
    ),
    "a pod among others": (
        action("delete-pod", POD),
        [
            pod("cart-1", is_ready=False, ownerReferences=owned("o")), pod("cart-2", ownerReferences=owned("o")),
            *SELECTING, BUDGET,
        ],
        "One pod, which is not ready. ReplicaSet cart-h1 makes a new one; beside it 1 pod, 1 ready. Traffic to it "
        "comes by Service cart, cart-2. PodDisruptionBudget cart covers it, and deleting does not ask it.",
    ),
    "a job with pods": (
        action("delete-failed-job", JOB), [job("Failed"), pod("report-1", ownerReferences=owned("uid-0", "Job"))],
        "The Job and 1 pod of it, with what the cluster kept of their logs. CronJob nightly starts its next run as "
        "usual.",
    ),
    "a job of nobody": (
        action("delete-failed-job", JOB), [job("Failed") | {"metadata": {"name": "report"}}, *EMPTY],
        "The Job and 0 pods of it, with what the cluster kept of their logs.",
    ),
    "runs": (
        action("suspend-cronjob", "cronjob/shop/nightly"), [cron_job(schedule="5 * * * *"), job() | {
            "metadata": {"name": "nightly-1", "ownerReferences": owned("uid-0", "CronJob")}}],
        "Runs on the schedule 5 * * * *, the last at no time that is known. 1 Job of it kept, 0 at work now, which "
        "would go on.",
    ),
    "nodes": (
        action("cordon-node", "node//w-1"), [node("w-1"), node("w-2"), node("w-3", unschedulable=True)],
        "One node, which is not ready; pods that run there stay. Of 2 other nodes 1 can take new pods, and 0 of those "
        "are ready.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REACH)
async def test_the_blast_radius_is_told_in_numbers(tmp_path: Path, name: str) -> None:
    wanted, objects, expected = REACH[name]
    assert (await recorded(tmp_path, *objects).plan(wanted)).blast_radius == expected


async def test_a_selector_without_a_label_selects_nobody_and_finished_pods_do_not_count(tmp_path: Path) -> None:
    headless = service()
    headless["spec"]["selector"] = {}
    done = pod("cart-2") | {"status": {"phase": "Succeeded"}}
    runner = recorded(tmp_path, headless, pod("cart-1"), done, workload(selector={"matchLabels": {"app": "cart"}}))

    plan = await runner.plan(action("patch-service-selector", SERVICE, selector={"app": "cart"}))

    assert "selects 0 pods now, 0 ready, and would select 1, 1 ready" in plan.blast_radius
    # There is no selector to go back to: an empty one is not among the arguments.
    assert plan.undo is None


WAYS_BACK: dict[str, tuple[Action, list[Object], Action | None]] = {
    "an image without a tag": (
        imaged("registry.test/cart:2"), [workload(container={"image": "registry.test/cart"})], None,
    ),
    "a probe by a port's name": (probed(port=81), [workload(container=HTTP)], probed(port="http")),
    "what was not written": (
        probed(timeout_seconds=9, period_seconds=9, failure_threshold=9, initial_delay_seconds=9),
        [workload(container=TCP)],
        probed(timeout_seconds=1, period_seconds=10, failure_threshold=3, initial_delay_seconds=0),
    ),
    "an odd quantity": (
        resourced(memory_limit="1Gi"), [workload(container={"resources": {"limits": {"memory": "123456m"}}})], None,
    ),
    "an init container": (
        imaged("registry.test/init:2", "init"),
        [workload() | {"spec": {"template": {"spec": {
            "containers": [{"name": "cart", "image": "a:1"}],
            "initContainers": [{"name": "init", "image": "registry.test/init:1"}]}}}}],
        imaged("registry.test/init:1", "init"),
    ),
    "a revision that is not kept": (action("rollback-workload", DEPLOYMENT, revision=2), HISTORY, None),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS_BACK)
async def test_the_way_back_is_what_was_before_or_none(tmp_path: Path, name: str) -> None:
    wanted, objects, expected = WAYS_BACK[name]
    assert (await recorded(tmp_path, *objects).plan(wanted)).undo == expected


async def test_other_settings_of_resources_stay(tmp_path: Path) -> None:
    claims = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}, "claims": [{"name": "gpu"}]}
    runner = recorded(tmp_path, workload(container={"resources": claims}))
    lines = (await runner.plan(resourced(cpu_request="none", memory_request="1Gi"))).diff.splitlines()
    assert [line.split() for line in lines[2:] if line[0] in "+-"] == [["-", "cpu:", "'1'"], ["+", "memory:", "1Gi"]]


def test_operations_say_what_changed_and_nothing_else() -> None:
    before = {"a/b": 1, "gone": True, "list": [{"x": 1}, 2], "short": [1], "same": {"y": None}, "flag": 1}
    after = {"a/b": 2, "new~": [], "list": [{"x": 1, "z": 3}, 2], "short": [1, 2], "same": {"y": None}, "flag": True}
    assert operations(before, after) == [
        {"op": "replace", "path": "/a~1b", "value": 2},
        {"op": "replace", "path": "/flag", "value": True},
        {"op": "remove", "path": "/gone"},
        {"op": "add", "path": "/list/0/z", "value": 3},
        {"op": "add", "path": "/new~0", "value": []},
        {"op": "replace", "path": "/short", "value": [1, 2]},
    ]
    assert operations([1], {}) == [{"op": "replace", "path": "", "value": {}}]


def held(**env: str) -> Object:
    container = {"name": "cart", "env": [{"name": name, "value": each} for name, each in env.items()]}
    return {"metadata": {"name": "cart", "annotations": {"note": "a"}}, "spec": {"containers": [container]}}


def test_a_diff_shows_that_a_secret_changed_and_never_the_secret() -> None:
    diff = unified(held(DB_PASSWORD="hunter2hunter2", MODE="safe"), held(DB_PASSWORD="tr0ub4dor&3", MODE="fast"))
    assert "hunter2" not in diff
    assert "tr0ub4dor" not in diff
    assert len([line for line in diff.splitlines() if "[redacted:value:" in line]) == 2
    assert "+      value: fast" in diff
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"
    assert "MIIEvQ" not in unified(held(FILE="a"), held(FILE=key))


def test_a_diff_makes_odd_characters_visible_and_says_when_it_is_cut() -> None:
    assert "value: rm<U+202E>c\u0430t" not in (diff := unified(held(A="x"), held(A="rm\u202ec\u0430t")))
    assert "<U+202E>" in diff
    assert "<U+0430>" in diff
    long = unified(held(), held(**{f"V{number}": "x" * 9 for number in range(300)}))
    assert len(long.splitlines()) == MAX_DIFF_LINES + 1
    assert long.endswith("more lines")
