"""Cases about versions, schedules, probes, settings and security."""

from typing import Any

from tests.rules.builders import (
    ago,
    container,
    deployment,
    ended,
    endpoints,
    event,
    obj,
    owned,
    pod,
    replica_set,
    service,
    status,
    waits,
)  # fmt: skip
from tests.rules.kubernetes.cases import Shown
from tests.rules.kubernetes.object_cases import refused
from tests.rules.kubernetes.platform_cases import CART

HPA = "horizontalpodautoscaler/shop/cart"


def scaler(kind: str = "Deployment") -> dict[str, Any]:
    """An autoscaler of cart."""
    return obj("HorizontalPodAutoscaler", "cart", spec={"scaleTargetRef": {"kind": kind, "name": "cart"}})


def probed(probe: dict[str, Any], message: str) -> tuple[dict[str, Any], ...]:
    """A pod whose readiness probe fails with these words."""
    one = pod(spec={"containers": [container(readinessProbe=probe)]})
    return one, deployment(), event("Unhealthy", message, one)


def running(name: str, digest: str) -> dict[str, Any]:
    """A pod that runs an image of that digest."""
    state = status(ready=True) | {"image": "registry.test/cart:1", "imageID": f"registry.test/cart@sha256:{digest}"}
    return pod(name, state, ready=True)


CALLS = [{"name": "REDIS_ADDR", "value": "redis:6379"}]


def fallen(name: str) -> dict[str, Any]:
    """A pod of cart that became unready half an hour ago and calls redis."""
    probe = {"httpGet": {"path": "/ready", "port": 8080}}
    metadata = {"uid": f"uid-{name}"}
    return pod(name, metadata=metadata, spec={"containers": [container(env=CALLS, readinessProbe=probe)]})


def revision(name: str, *, age: float, ready: int) -> dict[str, Any]:
    """A set of cart."""
    meta = {"ownerReferences": owned("Deployment", "cart"), "creationTimestamp": ago(age)}
    return replica_set(name, metadata=meta, spec={"replicas": 2}, status={"readyReplicas": ready})


STOPPED = pod("cart-7d4f-a", status(restarts=1, last=ended(137, minutes=3)))
NEWER = obj("ConfigMap", "settings", age=20, data={"level": "info"})
STALE = pod(
    spec={"containers": [container(envFrom=[{"configMapRef": {"name": "settings"}}])]}, status={"startTime": ago(300)}
)
ROOT = status(state=waits("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"))
REPORT = {"schedule": "0 * * * *", "concurrencyPolicy": "Allow"}

CASES: tuple[Shown, ...] = (
    Shown(
        cause="old-set-serving",
        objects=(deployment(), revision("cart-new", age=60, ready=0), revision("cart-old", age=900, ready=2)),
        entity=CART,
        twin={"1/status/readyReplicas": 1},
        alarm={"1/metadata/creationTimestamp": ago(5)},
    ),
    Shown(
        cause="daemonset-misscheduled",
        objects=(obj("DaemonSet", "agent", status={"numberMisscheduled": 2}),),
        entity="daemonset/shop/agent",
        twin={"0/status/numberMisscheduled": 0},
    ),
    Shown(
        cause="image-drift",
        objects=(deployment(), replica_set(), running("cart-7d4f-a", "aa11"), running("cart-7d4f-b", "bb22")),
        entity=CART,
        twin={"3/status/containerStatuses/0/imageID": "registry.test/cart@sha256:aa11"},
        # Half-way through a rollout the other pod belongs to another set.
        alarm={"3/metadata/ownerReferences": owned("ReplicaSet", "cart-9c1b")},
    ),
    Shown(
        cause="cronjob-missed",
        objects=(obj("CronJob", "report", spec=REPORT, status={"lastScheduleTime": ago(400)}),),
        entity="cronjob/shop/report",
        twin={"0/status/lastScheduleTime": ago(30)},
        alarm={"0/spec/suspend": True},
    ),
    Shown(
        cause="probe-protocol-wrong",
        objects=probed(
            {"httpGet": {"port": 8080, "scheme": "HTTPS"}},
            "Readiness probe failed: Get: http: server gave HTTP response to HTTPS client",
        ),
        entity=CART,
        twin={"2/message": "Readiness probe failed: HTTP probe failed with statuscode: 503"},
    ),
    Shown(
        cause="probe-command-missing",
        objects=probed(
            {"exec": {"command": ["curl", "localhost"]}},
            'Readiness probe errored: exec: "curl": executable file not found in $PATH',
        ),
        entity=CART,
        twin={"2/message": "Readiness probe failed: HTTP 503"},
    ),
    Shown(
        cause="probe-checks-dependency",
        objects=(
            fallen("cart-7d4f-a"),
            fallen("cart-7d4f-b"),
            deployment(spec={"template": {"spec": {"containers": [container(env=CALLS)]}}}),
            service("redis", ports=[{"port": 6379}]),
            endpoints("redis"),
            event("Unhealthy", "Readiness probe failed: 503", fallen("cart-7d4f-a")),
        ),
        entity=CART,
        # They fell hours apart: not for one reason.
        twin={"1/status/conditions/0/lastTransitionTime": ago(300)},
        alarm={"4/endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": True}}]},
    ),
    Shown(
        cause="no-readiness-probe",
        objects=(deployment(), service(), pod(ready=True)),
        entity="namespace//shop",
        twin={"0/spec/template/spec/containers/0/readinessProbe": {"tcpSocket": {"port": 8080}}},
        # A worker that nothing leads to.
        alarm={"1/spec/selector": {"app": "other"}},
    ),
    Shown(
        cause="slow-shutdown",
        objects=(STOPPED, deployment(), event("Killing", "Stopping container cart", STOPPED)),
        entity=CART,
        twin={"0/status/containerStatuses/0/lastState/terminated/exitCode": 0},
        alarm={"0/status/containerStatuses/0/lastState/terminated/reason": "OOMKilled"},
    ),
    Shown(
        cause="hpa-target-unsupported",
        objects=(scaler("DaemonSet"),),
        entity=HPA,
        twin={"0/spec/scaleTargetRef/kind": "Deployment"},
        # A kind of somebody else may have a scale.
        alarm={"0/spec/scaleTargetRef/kind": "Rollout"},
    ),
    Shown(
        cause="hpa-flapping",
        objects=(scaler(), event("SuccessfulRescale", "New size: 3", scaler(), count=9)),
        entity=HPA,
        twin={"1/count": 2},
    ),
    Shown(
        cause="configmap-unused",
        objects=(obj("ConfigMap", "left", data={"a": "b"}), deployment()),
        entity="namespace//shop",
        twin={"1/spec/template/spec/volumes": [{"projected": {"sources": [{"configMap": {"name": "left"}}]}}]},
        # A sidecar finds it by its label.
        alarm={"0/metadata/labels": {"grafana_dashboard": "1"}},
    ),
    Shown(
        cause="configmap-empty",
        objects=(obj("ConfigMap", "left", data={}),),
        entity="configmap/shop/left",
        twin={"0/binaryData": {"a": "Yg=="}},
        # The lock of an election.
        alarm={"0/metadata/annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}},
    ),
    Shown(
        cause="configmap-oversized",
        objects=(obj("ConfigMap", "large", data={"a": "x" * 1_000_001}),),
        entity="configmap/shop/large",
        twin={"0/data/a": "x"},
        alarm={"0/metadata/namespace": "kube-system"},
    ),
    Shown(
        cause="config-changed-not-loaded",
        objects=(STALE, deployment(), NEWER),
        entity=CART,
        twin={"2/metadata/creationTimestamp": ago(500)},
        # Whoever is ready has read what it needs, or reloads.
        alarm={"0/status/conditions/0/status": "True"},
    ),
    Shown(
        cause="runs-as-root",
        objects=(pod("cart-7d4f-a", ROOT, status={"phase": "Pending"}), deployment()),
        entity=CART,
        twin={"0/status/containerStatuses/0/state/waiting/message": 'secret "x" not found'},
        alarm={"0/metadata/deletionTimestamp": ago(1)},
    ),
    refused("policy-violation", 'admission webhook "validate.kyverno.svc" denied the request: no latest tag'),
)
