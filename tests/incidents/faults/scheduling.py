"""Pods that find no node, or that the namespace's limits refuse."""

from collections.abc import Sequence

from tests.incidents.cluster import Cluster, Json
from tests.incidents.controllers import REFUSED, callers_notice
from tests.incidents.fault import fault
from tests.incidents.kubelet import WORKERS, crash, pends, run
from tests.incidents.rolling import Edit, blocked, replace, set_fields, surge
from tests.incidents.workloads import container

CONTROL = "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }"


def _no_node(reason: str, *, control: str = CONTROL) -> str:
    return (
        f"0/4 nodes are available: {control}, {reason}. preemption: 0/4 nodes are available: 4 Preemption is not "
        f"helpful for scheduling."
    )


def _stay(c: Cluster, name: str, edit: Edit, why: str, *, sick: bool) -> None:
    for pod in replace(c, name, edit):
        if sick:
            pends(c, pod, why)
    if sick and ("Service", "shop", name) in c.objects:
        callers_notice(c, name, REFUSED)


def _asks(**requests: str) -> Edit:
    return set_fields(resources={"requests": requests, "limits": {}})


@fault("users report the shop is failing in namespace shop; what is wrong?", "deployment/checkout", "insufficient-cpu")
def more_cpu_than_any_node_has(c: Cluster, *, sick: bool) -> None:
    _stay(c, "checkout", _asks(cpu="64" if sick else "250m"), _no_node("3 Insufficient cpu"), sick=sick)


@fault("pods of catalog are Pending", "deployment/catalog", "insufficient-memory")
def more_memory_than_any_node_has(c: Cluster, *, sick: bool) -> None:
    for pod in surge(c, "catalog", _asks(memory="256Gi" if sick else "256Mi", cpu="100m"), sick=sick):
        if sick:
            pends(c, pod, _no_node("3 Insufficient memory"))


@fault("recommendation never becomes available", "deployment/recommendation", "insufficient-extended-resource")
def a_device_that_no_node_offers(c: Cluster, *, sick: bool) -> None:
    requests = {"nvidia.com/gpu": "1"} if sick else {"cpu": "200m"}
    _stay(c, "recommendation", _asks(**requests), _no_node("3 Insufficient nvidia.com/gpu"), sick=sick)


@fault("search is unavailable in shop", "deployment/search", "node-selector-mismatch")
def a_node_selector_that_no_node_meets(c: Cluster, *, sick: bool) -> None:
    selector = {"disktype": "nvme"} if sick else {"kubernetes.io/os": "linux"}
    _stay(
        c,
        "search",
        lambda spec: spec.update(nodeSelector=selector),
        _no_node("3 node(s) didn't match Pod's node affinity/selector"),
        sick=sick,
    )


@fault("ads pods wait for a node", "deployment/ads", "node-selector-mismatch")
def a_node_affinity_that_no_node_meets(c: Cluster, *, sick: bool) -> None:
    zone = "zone-x" if sick else "zone-2"
    terms = [{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    _stay(
        c,
        "ads",
        lambda spec: spec.update(affinity=affinity),
        _no_node("3 node(s) didn't match Pod's node affinity/selector"),
        sick=sick,
    )


@fault("cart cannot be scheduled", ("deployment/cart", *(f"node//{each}" for each in WORKERS)), "taint-not-tolerated")
def workers_that_are_reserved(c: Cluster, *, sick: bool) -> None:
    for name in WORKERS:
        effect = "NoSchedule" if sick else "PreferNoSchedule"
        c.get("Node", name)["spec"]["taints"] = [{"key": "dedicated", "value": "batch", "effect": effect}]
    _stay(
        c,
        "cart",
        lambda spec: spec.update(restarted=1),
        "0/4 nodes are available: 1 node(s) had untolerated taint "
        "{node-role.kubernetes.io/control-plane: }, 3 node(s) had untolerated taint {dedicated: batch}. preemption: "
        "0/4 nodes are available: 4 Preemption is not helpful for scheduling.",
        sick=sick,
    )


def _anti_affinity(app: str, kind: str, topology: str) -> Json:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": topology}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@fault("deployment frontend does not reach its replicas", "deployment/frontend", "affinity-unsatisfiable")
def more_replicas_than_nodes_that_must_differ(c: Cluster, *, sick: bool) -> None:
    deployment = c.get("Deployment", "frontend")
    deployment["spec"]["replicas"] = 5 if sick else 3
    affinity = _anti_affinity("frontend", "podAntiAffinity", "kubernetes.io/hostname")
    pods = replace(c, "frontend", lambda spec: spec.update(affinity=affinity))
    for pod in pods[3:]:
        pends(c, pod, _no_node("3 node(s) didn't match pod anti-affinity rules"))


@fault("why is profiles pending?", "deployment/profiles", "affinity-unsatisfiable")
def a_neighbour_that_does_not_exist(c: Cluster, *, sick: bool) -> None:
    affinity = _anti_affinity("profile-cache" if sick else "profiles-db", "podAffinity", "kubernetes.io/hostname")
    _stay(
        c,
        "profiles",
        lambda spec: spec.update(affinity=affinity),
        _no_node("3 node(s) didn't match pod affinity rules"),
        sick=sick,
    )


@fault("payment has unavailable replicas", "deployment/payment", "spread-unsatisfiable")
def a_spread_that_cannot_be_met(c: Cluster, *, sick: bool) -> None:
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": "example.com/rack",
            "whenUnsatisfiable": "DoNotSchedule" if sick else "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "payment"}},
        }
    ]
    _stay(
        c,
        "payment",
        lambda spec: spec.update(topologySpreadConstraints=spread),
        _no_node("3 node(s) didn't match pod topology spread constraints (missing required label)"),
        sick=sick,
    )


@fault("shipping does not come up", "deployment/shipping", "host-port-conflict")
def a_host_port_that_is_taken(c: Cluster, *, sick: bool) -> None:
    port = {"name": "main", "containerPort": 50051, "hostPort": 9100 if sick else 19100, "protocol": "TCP"}
    _stay(
        c,
        "shipping",
        set_fields(ports=[port]),
        _no_node("3 node(s) didn't have free ports for the requested pod ports"),
        sick=sick,
    )


@fault(
    "new pods stay Pending in namespace shop",
    ("deployment/currency", *(f"node//{each}" for each in WORKERS)),
    "all-nodes-cordoned",
)
def workers_that_are_all_cordoned(c: Cluster, *, sick: bool) -> None:
    for name in WORKERS if sick else WORKERS[:1]:
        c.get("Node", name)["spec"] |= {
            "unschedulable": True,
            "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}],
        }
    _stay(c, "currency", lambda spec: spec.update(restarted=1), _no_node("3 node(s) were unschedulable"), sick=sick)


@fault("email is pending", "deployment/email", ("node-pods-full",))
def nodes_that_hold_all_the_pods_they_may(c: Cluster, *, sick: bool) -> None:
    for name in WORKERS if sick else ():
        c.get("Node", name)["status"]["allocatable"]["pods"] = "12"
    _stay(c, "email", lambda spec: spec.update(restarted=1), _no_node("3 Too many pods"), sick=sick)


@fault("orders is stuck", "deployment/orders", "claim-missing")
def a_claim_that_does_not_exist(c: Cluster, *, sick: bool) -> None:
    claim = "orders-cache" if sick else "data-orders-db-0"
    volumes = [{"name": "cache", "persistentVolumeClaim": {"claimName": claim}}]
    _stay(
        c,
        "orders",
        lambda spec: spec.update(volumes=volumes),
        '0/4 nodes are available: persistentvolumeclaim "orders-cache" not found. preemption: 0/4 nodes are available: '
        "4 Preemption is not helpful for scheduling.",
        sick=sick,
    )


@fault(
    "everything new in namespace shop stays Pending, without any event",
    ("pod/kube-system/kube-scheduler-control-1",),
    ("controller-down", "scheduler-silent", "control-plane-pod-down"),
)
def a_scheduler_that_is_down(c: Cluster, *, sick: bool) -> None:
    pods = replace(c, "checkout", lambda spec: spec.update(restarted=1))
    if sick:
        crash(
            c,
            c.get("Pod", "kube-scheduler-control-1", "kube-system"),
            "unable to load config: open /etc/kubernetes/scheduler.conf: no such file or directory",
            since=40,
        )
        c.get("Lease", "kube-scheduler", "kube-system")["spec"]["renewTime"] = "2026-03-10T11:20:00Z"
        for pod in pods:
            pends(c, pod, "")


@fault("deployment ads has had no pod for a while", "deployment/ads", "scheduler-silent")
def a_scheduler_that_nobody_runs(c: Cluster, *, sick: bool) -> None:
    name = "batch-scheduler" if sick else "default-scheduler"
    _stay(c, "ads", lambda spec: spec.update(schedulerName=name), "", sick=sick)


@fault("recommendation waits for something", "deployment/recommendation", "scheduling-gated")
def a_gate_that_nobody_opens(c: Cluster, *, sick: bool) -> None:
    for pod in replace(
        c, "recommendation", lambda spec: spec.update(schedulingGates=[{"name": "example.com/cost"}] if sick else [])
    ):
        if sick:
            pends(c, pod, "")
            pod["status"]["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                }
            ]


def _quota(c: Cluster, hard: str, used: str, limit: str) -> None:
    status = c.get("ResourceQuota", "shop-quota")
    status["spec"]["hard"][hard] = status["status"]["hard"][hard] = limit
    status["status"]["used"][hard] = used


@fault(
    "users report the shop is failing in namespace shop; what is wrong?",
    ("deployment/payment", "resourcequota/shop-quota"),
    "quota-exceeded",
)
def a_quota_without_cpu(c: Cluster, *, sick: bool) -> None:
    if sick:
        _quota(c, "limits.cpu", "12", "12")
    blocked(
        c,
        "payment",
        set_fields(restarted=1),
        'pods "{pod}" is forbidden: exceeded quota: shop-quota, requested: '
        "limits.cpu=500m, used: limits.cpu=12, limited: limits.cpu=12",
        sick=sick,
    )
    if sick:
        callers_notice(c, "payment", REFUSED)


@fault("catalog cannot scale", ("deployment/catalog", "resourcequota/shop-quota"), "quota-exceeded")
def a_quota_without_pods(c: Cluster, *, sick: bool) -> None:
    if sick:
        _quota(c, "pods", "27", "27")
    blocked(
        c,
        "catalog",
        set_fields(restarted=1),
        'pods "{pod}" is forbidden: exceeded quota: shop-quota, requested: pods=1, used: pods=27, limited: pods=27',
        sick=sick,
    )


@fault("the shop has no currency service", ("deployment/currency", "resourcequota/shop-quota"), "quota-exceeded")
def a_quota_that_wants_limits(c: Cluster, *, sick: bool) -> None:
    if not sick:
        _quota(c, "limits.memory", "6Gi", "60Gi")
    blocked(
        c,
        "currency",
        set_fields(resources={} if sick else {"limits": {"memory": "256Mi", "cpu": "1"}}),
        'pods "{pod}" is forbidden: failed quota: shop-quota: must specify limits.cpu for: server; limits.memory '
        "for: server",
        sick=sick,
    )


@fault("orders has zero pods", ("deployment/orders", "limitrange/defaults"), "limit-range-violation")
def a_limit_above_the_range(c: Cluster, *, sick: bool) -> None:
    blocked(
        c,
        "orders",
        set_fields(resources={"limits": {"memory": "8Gi" if sick else "2Gi"}}),
        'pods "{pod}" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi',
        sick=sick,
    )


@fault("cart is not there", "deployment/cart", "priority-class-missing")
def a_priority_that_does_not_exist(c: Cluster, *, sick: bool) -> None:
    name = "shop-critical" if sick else "system-cluster-critical"
    blocked(
        c,
        "cart",
        lambda spec: spec.update(priorityClassName=name),
        'pods "{pod}" is forbidden: no PriorityClass with name shop-critical was found',
        sick=sick,
    )


@fault("invoicing was killed and does not come back", "deployment/invoicing", ("pod-preempted", "insufficient-cpu"))
def a_pod_that_was_preempted(c: Cluster, *, sick: bool) -> None:
    pods: Sequence[Json] = c.pods_of("invoicing")
    big = container("train", "registry.example.com/batch/train:v1", 8080)
    job = c.put("Job", "staging", "train", age=12, spec={"template": {}}, status={"active": 1})
    run(
        c,
        "staging",
        job,
        {"metadata": {"labels": {"app": "train"}}, "spec": {"containers": [big]}},
        "train-x8d2k",
        age=12,
    )
    if sick:
        new = replace(c, "invoicing", lambda spec: spec.update(restarted=1), age=12)
        c.event(
            pods[0],
            "Preempted",
            "Preempted by pod 2b1c0c7e-0b5e-4a53-9c59-0f4f3f7c2d11 on node worker-1",
            last=12,
            source="default-scheduler",
        )
        pends(c, new[0], _no_node("3 Insufficient cpu"), since=12)
