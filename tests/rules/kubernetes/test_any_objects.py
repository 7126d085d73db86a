"""Objects come from clusters, folders and people; nothing in them may stop a diagnosis."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.causes import rules, run
from agents.conclusion import conclude
from agents.report import Report
from agents.routing import Routing
from agents.scene import Scene
from tests.rules.builders import KINDS, ago, case, log
from tools.evidence import Evidence
from tools.kubernetes.objects import get_line
from tools.window import Window

KEYS: tuple[str, ...] = (
    "metadata", "name", "namespace", "uid", "labels", "ownerReferences", "creationTimestamp",
    "deletionTimestamp", "spec", "status", "kind", "phase", "conditions", "type", "reason", "message",
    "containerStatuses", "initContainerStatuses", "state", "lastState", "waiting", "terminated", "running",
    "startedAt", "finishedAt", "exitCode", "restartCount", "ready", "containers", "initContainers", "env",
    "value", "valueFrom", "configMapKeyRef", "envFrom", "configMapRef", "key", "optional", "volumes",
    "configMap", "ports", "containerPort", "port", "targetPort", "selector", "matchLabels", "app", "template",
    "replicas", "rules", "http", "paths", "backend", "service", "number", "readinessProbe", "httpGet",
    "livenessProbe", "imagePullSecrets", "storageClassName", "involvedObject", "lastTimestamp", "count",
    "endpoints", "taints", "nodeName", "schedule", "suspend", "scaleTargetRef", "webhooks", "clientConfig",
    "ingress", "from", "podSelector", "policyTypes", "maxReplicas", "currentReplicas", "disruptionsAllowed",
    "data", "parentRefs", "backendRefs", "listeners", "allowedRoutes", "gatewayClassName", "provisioner", "claimRef",
    "capacity", "storage", "accessModes", "renewTime", "leaseDurationSeconds", "nodeInfo", "kubeletVersion",
    "schedulingGates", "lastScheduleTime", "concurrencyPolicy", "active", "exec", "command", "dnsPolicy", "imageID",
    "resources", "requests", "items", "projected", "sources", "externalName", "volumeName", "securityContext",
)  # fmt: skip
WORDS: tuple[str, ...] = (
    "cart", "shop", "a/b", "", "True", "False", "Unknown", "Pending", "Running", "CrashLoopBackOff",
    "ImagePullBackOff",
    "CreateContainerConfigError", "OOMKilled", "Unhealthy", "Failed", "FailedCreate", "FailedMount",
    "FailedScheduling",
    "Readiness probe failed: connection refused", "0/3 nodes are available: 3 Insufficient cpu.", "manifest unknown",
    'configmap "x" not found', "Ready", "Available", "Progressing", ago(5), ago(100_000), "9999-99-99T00:00:00Z",
    "http",
    "* * * * *", "31 2 30 2 *", "@every 1h", "*/0 1-99 , - *", "10Gi", "1e400", "v1.99999999999.0", "Preempted",
    "Killing",
    "NotTriggerScaleUp", "0001-01-01T00:00:00Z", "kubernetes.io/no-provisioner", "x" * 5_000,
    "Pod", "ReplicaSet", "Deployment", "Ingress", "TooManyReplicas", "ScalingLimited", "{x}", "%s",
)  # fmt: skip

Anything = st.SearchStrategy[Any]


def shape(always: Mapping[str, Anything], **optional: Anything) -> Anything:
    """Objects with these fields, and perhaps those."""
    return st.fixed_dictionaries(dict(always), optional=optional)


scalars: Anything = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.sampled_from(WORDS), st.text(max_size=8)
)
values: Anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=25,
)
conditions: Anything = st.lists(shape({"type": st.sampled_from(WORDS), "status": scalars}, message=scalars), max_size=3)
statuses: Anything = st.lists(
    shape({"name": scalars}, state=values, lastState=values, restartCount=scalars, ready=scalars), max_size=2
)
named: Anything = shape(
    {"name": st.sampled_from(("cart", "cart-1", "web")), "namespace": st.sampled_from(("shop", "kube-system"))},
    labels=values,
    ownerReferences=values,
    uid=scalars,
    creationTimestamp=scalars,
)
standing: Anything = shape({"conditions": conditions, "containerStatuses": statuses, "phase": scalars})
objects: Anything = shape(
    {
        "kind": st.sampled_from(
            (
                *KINDS,
                "Event",
                "Endpoints",
                "ScaledObject",
                "Lease",
                "HTTPRoute",
                "Certificate",
                "InstallPlan",
                "CatalogSource",
                "OperatorGroup",
                "Role",
                "PersistentVolume",
            )
        ),
        "metadata": st.one_of(values, named),
    },
    spec=values,
    status=st.one_of(values, standing),
    involvedObject=values,
    reason=scalars,
    message=scalars,
    lastTimestamp=scalars,
    endpoints=values,
    webhooks=values,
)


@settings(max_examples=80, deadline=None)
@given(found=st.lists(objects, max_size=6))
def test_no_object_however_broken_stops_a_rule(found: list[dict[str, Any]]) -> None:
    looks = [
        Evidence.found("kubernetes.objects", get_line("Pod", None, None), "listed", data=found),
        Evidence.found("kubernetes.events", "kubectl get events -A", "listed", data=found),
        log("cart", "listening on :8080", "exec format error"),
    ]
    scene = Scene.of(case("pod/shop/cart"), looks)
    checked = run(rules(), scene)
    assert checked.failures == ()
    assert scene.edges() is not None


@settings(max_examples=25, deadline=None)
@given(found=st.lists(objects, max_size=6), years=st.sampled_from((-2_000, -1, 0, 1, 900)))
def test_nothing_is_confirmed_without_its_evidence_whatever_the_clock_says(
    found: list[dict[str, Any]], years: int
) -> None:
    about = case("pod/shop/cart")
    at = about.asked_at.add(hours=years * 8_766)
    skewed = replace(about, asked_at=at, scope=replace(about.scope, window=Window.ending(at, minutes=60)))
    looks = [
        Evidence.found("kubernetes.objects", get_line(kind, None, None), "listed", data=found)
        for kind in ("Pod", "Job")
    ]
    checked = run(rules(), Scene.of(skewed, looks))
    assert checked.failures == ()
    report = Report(specialist="infrastructure", evidence=tuple(looks), findings=checked.findings)
    answer = conclude(skewed, Routing(specialists=(), abstained=True), [report], now=at)
    known = {each.id for each in answer.evidence}
    for each in answer.hypotheses:
        assert each.evidence
        assert set(each.evidence) <= known
