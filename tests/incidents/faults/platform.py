"""Nodes, the control plane, admission, autoscaling, disruption."""

from tests.incidents.cluster import Cluster, Json, at, condition
from tests.incidents.controllers import REFUSED, callers_notice
from tests.incidents.fault import fault
from tests.incidents.kubelet import crash, creating, set_condition, status_of
from tests.incidents.rolling import blocked, replace, set_fields


def _node_condition(
    c: Cluster, node: str, kind: str, *, status: str, reason: str, message: str, taint: str = ""
) -> None:
    found = c.get("Node", node)
    conditions = found["status"]["conditions"]
    conditions[:] = [each for each in conditions if each["type"] != kind]
    conditions.append(condition(kind, status=status, reason=reason, message=message) | {"lastHeartbeatTime": at(0.5)})
    if taint:
        found["spec"]["taints"] = [{"key": f"node.kubernetes.io/{taint}", "effect": "NoSchedule", "timeAdded": at(20)}]


def _lose(c: Cluster, node: str) -> None:
    """What happens to the pods of a node that does not answer."""
    for pod in c.all("Pod"):
        if pod["spec"].get("nodeName") == node and pod["status"]["phase"] == "Running":
            set_condition(pod, "Ready", status=False, changed=19)
            c.event(pod, "NodeNotReady", "Node is not ready", last=19, source="node-controller")
            owner = pod["metadata"]["ownerReferences"][0]["kind"]
            if owner == "ReplicaSet":
                pod["metadata"] |= {"deletionTimestamp": at(14), "deletionGracePeriodSeconds": 30}


@fault("users report the shop is failing in namespace shop; what is wrong?", "node//worker-2", "node-not-ready")
def a_node_whose_kubelet_stopped(c: Cluster, *, sick: bool) -> None:
    if not sick:
        c.get("Node", "worker-2")["spec"]["unschedulable"] = False
        return
    for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"):
        _node_condition(
            c,
            "worker-2",
            kind,
            status="Unknown",
            reason="NodeStatusUnknown",
            message="Kubelet stopped posting node status.",
        )
    node = c.get("Node", "worker-2")
    node["spec"]["taints"] = [
        {"key": "node.kubernetes.io/unreachable", "effect": effect} for effect in ("NoSchedule", "NoExecute")
    ]
    c.event(node, "NodeNotReady", "Node worker-2 status is now: NodeNotReady", last=19, source="node-controller")
    c.get("Lease", "worker-2", "kube-node-lease")["spec"]["renewTime"] = at(20)
    _lose(c, "worker-2")
    callers_notice(c, "cart", TIMED_OUT_ONCE)


TIMED_OUT_ONCE = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"


@fault("pods on worker-1 are not running", "node//worker-1", "node-not-ready")
def a_node_whose_runtime_is_down(c: Cluster, *, sick: bool) -> None:
    if sick:
        _node_condition(
            c,
            "worker-1",
            "Ready",
            status="False",
            reason="KubeletNotReady",
            taint="not-ready",
            message="[container runtime is down, PLEG is not healthy: pleg was last seen active 19m3s ago; threshold "
            "is 3m0s]",
        )
        c.event(
            c.get("Node", "worker-1"),
            "ContainerGCFailed",
            "rpc error: code = Unavailable desc = connection error: desc = "
            '"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused"',
            first=19,
            last=1,
            count=18,
        )
        _lose(c, "worker-1")
    else:
        _node_condition(
            c, "worker-1", "Ready", status="True", reason="KubeletReady", message="kubelet is posting ready status"
        )


@fault("pods are being evicted in shop", "node//worker-3", "node-disk-pressure")
def a_node_without_disk(c: Cluster, *, sick: bool) -> None:
    status = "True" if sick else "False"
    _node_condition(
        c,
        "worker-3",
        "DiskPressure",
        status=status,
        taint="disk-pressure" if sick else "",
        reason="KubeletHasDiskPressure" if sick else "KubeletHasNoDiskPressure",
        message="kubelet has disk pressure" if sick else "kubelet has no disk pressure",
    )
    for pod in (
        [each for each in c.all("Pod", "shop") if each["spec"].get("nodeName") == "worker-3"][:4] if sick else []
    ):
        text = (
            "The node was low on resource: ephemeral-storage. Threshold quantity: 10657700353, available: 9811236Ki. "
        )
        pod["status"] = {
            "phase": "Failed",
            "reason": "Evicted",
            "message": text,
            "startTime": at(300),
            "conditions": [
                condition("DisruptionTarget", status=True, reason="TerminationByKubelet", message=text, changed=15)
            ],
        }
        c.event(pod, "Evicted", text, last=15)
        c.event(
            c.get("Node", "worker-3"),
            "EvictionThresholdMet",
            "Attempting to reclaim ephemeral-storage",
            first=18,
            last=1,
            count=9,
        )


@fault("what is wrong with node worker-2?", "node//worker-2", "node-memory-pressure")
def a_node_without_memory(c: Cluster, *, sick: bool) -> None:
    status = "True" if sick else "False"
    _node_condition(
        c,
        "worker-2",
        "MemoryPressure",
        status=status,
        taint="memory-pressure" if sick else "",
        reason="KubeletHasInsufficientMemory" if sick else "KubeletHasSufficientMemory",
        message="kubelet has insufficient memory available" if sick else "kubelet has sufficient memory available",
    )


@fault(
    "new pods on worker-3 get no network",
    ("node//worker-3", "daemonset/kube-system/calico-node"),
    ("cni-down", "sandbox-create-failed", "node-network-unavailable"),
)
def a_network_daemon_that_is_down(c: Cluster, *, sick: bool) -> None:
    pods = replace(c, "catalog", set_fields(restarted=1))
    if not sick:
        return
    for pod in c.pods_of("calico-node", "kube-system"):
        if pod["spec"]["nodeName"] == "worker-3":
            crash(c, pod, "calico/node is not ready: BIRD is not ready: Failed to stat() nodename file", since=40)
    for pod in pods:
        if pod["spec"]["nodeName"] == "worker-3":
            text = (
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
                '"3f": plugin '
                'type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the '
                "calico/node container is running and has mounted /var/lib/calico/"
            )
            creating(c, pod, "FailedCreatePodSandBox", text)


@fault(
    "deployments in shop are not rolled out, nothing happens",
    "pod/kube-system/kube-controller-manager-control-1",
    ("controller-down", "control-plane-pod-down"),
)
def a_controller_manager_that_is_down(c: Cluster, *, sick: bool) -> None:
    c.get("Deployment", "checkout")["metadata"]["generation"] += 1 if sick else 0
    if sick:
        crash(
            c,
            c.get("Pod", "kube-controller-manager-control-1", "kube-system"),
            "Error: unknown flag: --cluster-cdir",
            since=40,
        )
        c.get("Lease", "kube-controller-manager", "kube-system")["spec"]["renewTime"] = at(41)


@fault(
    "kubectl is slow, and the API server answers with etcd time-outs",
    "pod/kube-system/etcd-control-1",
    ("etcd-slow", "control-plane-pod-down"),
)
def a_store_that_crashes(c: Cluster, *, sick: bool) -> None:
    if sick:
        crash(
            c,
            c.get("Pod", "etcd-control-1", "kube-system"),
            '{"level":"warn","msg":"slow fdatasync","took":"2.1s"}',
            '{"level":"fatal","msg":"failed to open WAL","error":"no space left on device"}',
            since=25,
        )


@fault(
    "nothing can be created in namespace shop",
    ("validatingwebhookconfiguration//policy",),
    ("webhook-failing", "webhook-service-missing", "webhook-no-pods"),
)
def a_webhook_without_endpoints(c: Cluster, *, sick: bool) -> None:
    c.put("Namespace", "", "policy", status={"phase": "Active"})
    c.put(
        "Service",
        "policy",
        "policy",
        spec={"selector": {"app": "policy"}, "ports": [{"port": 443, "targetPort": 9443}]},
    )
    c.put(
        "ValidatingWebhookConfiguration",
        "",
        "policy",
        webhooks=[
            {
                "name": "validate.policy.example.com",
                "failurePolicy": "Fail" if sick else "Ignore",
                "timeoutSeconds": 10,
                "clientConfig": {"service": {"name": "policy", "namespace": "policy", "port": 443}},
                "rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}],
            }
        ],
    )
    blocked(
        c,
        "search",
        set_fields(restarted=1),
        'Internal error occurred: failed calling webhook "validate.policy.example.com": '
        'failed to call webhook: Post "https://policy.policy.svc:443/?timeout=10s": no endpoints available for '
        'service "policy"',
        sick=sick,
    )


@fault(
    "the autoscaler of catalog does not scale",
    ("apiservice//v1beta1.metrics.k8s.io", "deployment/kube-system/metrics-server"),
    ("apiservice-unavailable", "file-permission-denied", "hpa-metrics-missing"),
)
def a_metrics_server_that_is_down(c: Cluster, *, sick: bool) -> None:
    if not sick:
        return
    for pod in c.pods_of("metrics-server", "kube-system"):
        crash(c, pod, "panic: failed to create listener: listen tcp 0.0.0.0:10250: bind: permission denied")
    service = c.get("APIService", "v1beta1.metrics.k8s.io")
    service["status"]["conditions"] = [
        condition(
            "Available",
            status=False,
            reason="MissingEndpoints",
            message='endpoints for service/metrics-server in "kube-system" have no addresses with port name "https"',
        )
    ]
    for name in ("frontend", "catalog"):
        _no_metrics(
            c,
            name,
            "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the "
            "server is currently unable to handle the request (get pods.metrics.k8s.io)",
        )


def _no_metrics(c: Cluster, name: str, why: str) -> None:
    autoscaler = c.get("HorizontalPodAutoscaler", name)
    said = f"the HPA was unable to compute the replica count: failed to get cpu utilization: {why}"
    autoscaler["status"]["conditions"][1] = condition(
        "ScalingActive", status=False, reason="FailedGetResourceMetric", message=said
    )
    c.event(
        autoscaler,
        "FailedGetResourceMetric",
        f"failed to get cpu utilization: {why}",
        first=18,
        last=0.5,
        count=70,
        source="horizontal-pod-autoscaler",
    )


@fault("frontend is slow and its autoscaler does nothing", "horizontalpodautoscaler/frontend", "hpa-target-missing")
def an_autoscaler_without_target(c: Cluster, *, sick: bool) -> None:
    autoscaler = c.get("HorizontalPodAutoscaler", "frontend")
    autoscaler["spec"]["scaleTargetRef"]["name"] = "front-end" if sick else "frontend"
    if sick:
        said = (
            'the HPA controller was unable to get the target\'s current scale: deployments.apps "front-end" not found'
        )
        autoscaler["status"]["conditions"] = [
            condition("AbleToScale", status=False, reason="FailedGetScale", message=said)
        ]
        c.event(
            autoscaler,
            "FailedGetScale",
            'deployments.apps "front-end" not found',
            first=50,
            last=0.4,
            count=190,
            source="horizontal-pod-autoscaler",
        )


@fault("catalog is not scaled under load", ("deployment/catalog", "horizontalpodautoscaler/catalog"), "hpa-no-requests")
def an_autoscaler_of_pods_without_requests(c: Cluster, *, sick: bool) -> None:
    replace(c, "catalog", set_fields(resources={} if sick else {"requests": {"cpu": "100m"}}))
    if sick:
        _no_metrics(c, "catalog", "missing request for cpu in container server of Pod catalog-x")


@fault("frontend is overloaded", ("horizontalpodautoscaler/frontend", "deployment/frontend"), "hpa-at-max")
def an_autoscaler_at_its_maximum(c: Cluster, *, sick: bool) -> None:
    autoscaler = c.get("HorizontalPodAutoscaler", "frontend")
    autoscaler["spec"]["maxReplicas"] = 2 if sick else 10
    if sick:
        autoscaler["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"] = 180
        autoscaler["status"]["conditions"][2] = condition(
            "ScalingLimited",
            status=True,
            reason="TooManyReplicas",
            message="the desired replica count is more than the maximum replica count",
            changed=45,
        )


@fault("the drain of worker-1 does not finish", "poddisruptionbudget/frontend", "pdb-blocks")
def a_budget_that_allows_nothing(c: Cluster, *, sick: bool) -> None:
    node = c.get("Node", "worker-1")
    node["spec"] |= {
        "unschedulable": True,
        "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": at(30)}],
    }
    budget = c.get("PodDisruptionBudget", "frontend")
    if sick:
        budget["spec"]["minAvailable"] = 2
        budget["status"] |= {
            "desiredHealthy": 2,
            "disruptionsAllowed": 0,
            "conditions": [condition("DisruptionAllowed", status=False, reason="InsufficientPods", changed=40)],
        }
        c.pods_of("frontend")[0]["spec"]["nodeName"] = "worker-1"


@fault("namespace legacy cannot be deleted", "namespace//legacy", "namespace-terminating")
def a_namespace_that_does_not_end(c: Cluster, *, sick: bool) -> None:
    namespace = c.put(
        "Namespace",
        "",
        "legacy",
        status={"phase": "Terminating" if sick else "Active"},
        spec={"finalizers": ["kubernetes"]},
    )
    if sick:
        namespace["metadata"]["deletionTimestamp"] = at(120)
        namespace["status"]["conditions"] = [
            condition(
                "NamespaceFinalizersRemaining",
                status=True,
                reason="SomeFinalizersRemain",
                changed=118,
                message="Some content in the namespace has finalizers remaining: example.com/protect in 1 resource "
                "instances",
            )
        ]


@fault("cart is unhealthy in namespace shop", ("statefulset/cart-redis",), "oom-killed")
def a_cache_that_is_killed_for_memory(c: Cluster, *, sick: bool) -> None:
    limit = "16Mi" if sick else "512Mi"
    for pod in replace(
        c, "cart-redis", set_fields(resources={"limits": {"memory": limit}, "requests": {"memory": "16Mi"}})
    ):
        if sick:
            crash(c, pod, "1:M * Ready to accept connections tcp", code=137, reason="OOMKilled")
    if sick:
        callers_notice(c, "cart-redis", REFUSED)
        for pod in c.pods_of("cart"):
            set_unready(c, pod)
        callers_notice(c, "cart", REFUSED)


def set_unready(c: Cluster, pod: Json) -> None:
    """Its readiness asks what it depends on."""
    status_of(pod)["ready"] = False
    for kind in ("Ready", "ContainersReady"):
        set_condition(
            pod,
            kind,
            status=False,
            reason="ContainersNotReady",
            message="containers with unready status: [server]",
            changed=16,
        )
    c.event(
        pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", first=16, last=0.2, count=90
    )
