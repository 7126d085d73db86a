"""Names that nobody can resolve, a slow store, and machines that were taken away: told by logs and events."""

from typing import Any

import pytest

from agents.causes import rules, run
from agents.scene import Scene
from tests.rules.builders import condition, container, deployment, event, log, obj, pod, scene, service
from tools.evidence import Evidence

CALLS = [{"name": "REDIS_ADDR", "value": "redis:6379"}]
LOST = log("cart-7d4f-a", *["dial tcp: lookup redis on 10.0.0.2:53: no such host"] * 3)
OUTSIDE = obj("Service", "bank", spec={"type": "ExternalName", "externalName": "api.bank.test"})


def found(cause: str, seen: Scene) -> list[str]:
    checked = run([each for each in rules() if each.cause.id == cause], seen)
    assert checked.failures == ()
    return [str(each.entity) for each in checked.findings]


def asking(policy: str) -> list[dict[str, Any]]:
    """A pod that calls redis, with that DNS policy."""
    main = [container(env=CALLS)]
    parent = deployment(spec={"template": {"spec": {"containers": main}}})
    return [pod(ready=True, spec={"dnsPolicy": policy, "containers": main}), parent, service("redis")]


def test_a_pod_that_asks_the_nodes_resolver_for_services_is_found() -> None:
    assert found("dns-policy-wrong", scene(*asking("Default"), looks=[LOST])) == ["deployment/shop/cart"]


@pytest.mark.parametrize(
    ("policy", "looks"), [("ClusterFirst", [LOST]), ("Default", [log("cart-7d4f-a", "all is well")])]
)
def test_another_policy_or_a_log_without_complaint_is_left_alone(policy: str, looks: list[Evidence]) -> None:
    assert found("dns-policy-wrong", scene(*asking(policy), looks=looks)) == []


def test_a_name_outside_that_callers_cannot_look_up_is_found() -> None:
    line = log("cart-7d4f-a", "lookup api.bank.test on 10.96.0.10:53: no such host")
    assert found("external-name-unresolvable", scene(OUTSIDE, pod(), looks=[line])) == ["service/shop/bank"]
    other = log("cart-7d4f-a", "lookup api.shop.test on 10.96.0.10:53: no such host")
    assert found("external-name-unresolvable", scene(OUTSIDE, pod(), looks=[other])) == []


@pytest.mark.parametrize(("lines", "is_slow"), [(5, True), (1, False)])
def test_a_store_that_says_several_times_that_it_is_slow_is_found(lines: int, *, is_slow: bool) -> None:
    metadata: dict[str, Any] = {"namespace": "kube-system", "labels": {"component": "etcd"}, "ownerReferences": []}
    text = "\n".join(['{"level":"warn","msg":"slow fdatasync","took":"2.1s"}'] * lines)
    said = Evidence.found("kubernetes.logs", "kubectl logs -n kube-system etcd-1 -c etcd --tail=200", text, data=text)
    slow = found("etcd-slow", scene(pod("etcd-1", ready=True, metadata=metadata), looks=[said]))
    assert slow == (["pod/kube-system/etcd-1"] if is_slow else [])


@pytest.mark.parametrize(("reason", "is_taken"), [("SpotInterruption", True), ("Rebooted", False)])
def test_a_machine_that_was_taken_away_is_found(reason: str, *, is_taken: bool) -> None:
    node = obj("Node", "worker-1", "", status={"conditions": [condition("Ready")]})
    seen = found("node-churn", scene(node, event(reason, "the machine goes away", node)))
    assert seen == (["node//worker-1"] if is_taken else [])
