"""Changes: told where there is trouble on their path, with the difference that matters."""

from typing import Any

import pytest

from agents.finding import Finding
from agents.rules.kubernetes.changes import recent_change
from tests.rules.builders import (
    ago,
    container,
    deployment,
    ended,
    event,
    obj,
    owned,
    pod,
    replica_set,
    scene,
    service,
    status,
    waits,
)
from tests.rules.looks import found
from tools.evidence import Evidence

ILL = pod("cart-7d4f-a", status(restarts=4, state=waits("CrashLoopBackOff"), last=ended(1)))
WELL = pod("cart-7d4f-a", status(ready=True), ready=True)


def written(kind: str, name: str, minutes: float, **fields: Any) -> dict[str, Any]:
    """An object that somebody edited so many minutes ago."""
    return obj(kind, name, metadata={"managedFields": [{"time": ago(minutes)}]}, **fields)


def using(config: str) -> dict[str, Any]:
    """A Deployment that reads a ConfigMap."""
    one = container(envFrom=[{"configMapRef": {"name": config}}])
    return deployment(spec={"template": {"spec": {"containers": [one]}}})


def versions(**after: Any) -> list[dict[str, Any]]:
    """Two versions of a Deployment, the newer one twenty minutes old."""
    made: list[dict[str, Any]] = []
    for name, minutes, fields in (("cart-1", 900.0, {}), ("cart-2", 20.0, after)):
        template = {"spec": {"containers": [container(**fields)]}}
        metadata = {"ownerReferences": owned("Deployment", "cart"), "creationTimestamp": ago(minutes)}
        made.append(replica_set(name, metadata=metadata, spec={"replicas": 1, "template": template}))
    return made


def told(*objects: dict[str, Any], looks: tuple[Evidence, ...] = (), about: tuple[str, ...] = ()) -> list[Finding]:
    return found(recent_change, scene(*objects, looks=looks, about=about))


def test_an_edited_configmap_is_a_candidate_where_its_user_is_ill_and_a_coincidence_where_it_is_well() -> None:
    edited = written("ConfigMap", "settings", 30, data={"URL": "http://secret-host"})
    (only,) = told(using("settings"), replica_set(), ILL, edited)
    assert str(only.entity) == "configmap/shop/settings"
    assert "it holds URL" in only.summary
    assert "secret-host" not in only.summary + "".join(each.excerpt for each in only.evidence)
    assert not only.direct
    assert told(using("settings"), replica_set(), WELL, edited) == []
    assert told(using("settings"), replica_set(), ILL, written("ConfigMap", "settings", 300)) == []


def test_what_was_written_while_it_was_made_is_not_called_edited() -> None:
    fresh = written("ConfigMap", "settings", 30, age=30.5)
    assert told(using("settings"), replica_set(), ILL, fresh) == []


def test_a_quota_made_after_the_workloads_it_restricts_is_a_change() -> None:
    late = obj("ResourceQuota", "small", age=20)
    early = obj("ResourceQuota", "small", age=600)
    where = (deployment(), replica_set(), ILL)
    assert [str(each.entity) for each in told(*where, late, about=("resourcequota/shop/small",))] == [
        "resourcequota/shop/small"
    ]
    assert told(*where, early) == []


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        ({"image": "r.test/cart:2"}, "cart.image registry.test/cart:1 -> r.test/cart:2"),
        ({"resources": {"limits": {"memory": "64Mi"}}}, "cart.resources.limits.memory absent -> 64Mi"),
        ({"readinessProbe": {"httpGet": {"port": 9}}}, "cart.readinessProbe.httpGet.port absent -> 9"),
        ({"command": ["serve"]}, 'cart.command absent -> ["serve"]'),
    ],
)
def test_a_new_version_tells_the_leaf_that_differs(after: dict[str, Any], shown: str) -> None:
    (only,) = told(deployment(), *versions(**after))
    assert shown in only.summary


def test_defaults_and_hashes_are_no_difference() -> None:
    assert told(deployment(), *versions(terminationMessagePath="/dev/x")) == []


def test_an_autoscaler_that_took_capacity_away_is_a_change_and_one_that_gave_some_is_not() -> None:
    scaler = obj("HorizontalPodAutoscaler", "cart", spec={"scaleTargetRef": {"kind": "Deployment", "name": "cart"}})
    down = event("SuccessfulRescale", "New size: 1; reason: All metrics below target", scaler) | {"type": "Normal"}
    up = event("SuccessfulRescale", "New size: 9; reason: cpu above target", scaler) | {"type": "Normal"}
    (only,) = told(deployment(), replica_set(), ILL, scaler, down)
    assert str(only.entity) == "deployment/shop/cart"
    assert told(deployment(), replica_set(), ILL, scaler, up) == []
    assert told(deployment(), replica_set(), WELL, scaler, down) == []


def test_a_recorded_change_of_something_that_is_well_is_a_coincidence() -> None:
    data = [{"at": ago(70), "kind": "flag", "entity": "service/shop/cart", "summary": "on"}]
    recorded = Evidence.found("history.changes", "changes", "x", data=data)
    assert told(deployment(), replica_set(), service(), WELL, looks=(recorded,)) == []
    assert told(deployment(), replica_set(), service(), ILL, looks=(recorded,))
    # The case is about it: what else was seen does not matter.
    assert told(deployment(), replica_set(), service(), WELL, looks=(recorded,), about=("service/shop/cart",))
