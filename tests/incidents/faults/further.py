"""Faults that were written last, in other words and at other places, when the rules stood."""

from tests.incidents.cluster import Cluster, Json, at, condition
from tests.incidents.controllers import REFUSED, callers_notice
from tests.incidents.fault import fault
from tests.incidents.kubelet import WORKERS, crash, creating, killed, pends, unready, waits
from tests.incidents.rolling import blocked, first, replace, set_env, set_fields, set_image
from tests.incidents.workloads import container, probe, service, volume_claim


@fault("customers cannot log in; profile pages spin forever", "statefulset/profiles-db", ("image-not-found",))
def a_database_image_with_a_typing_error(c: Cluster, *, sick: bool) -> None:
    image = "mongo:7.0.99" if sick else "mongo:7.0.1"
    for pod in replace(c, "profiles-db", set_image(image)):
        if sick:
            waits(
                c,
                pod,
                "ErrImagePull",
                f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": '
                f'failed to resolve reference "docker.io/library/{image}": docker.io/library/{image}: not found',
            )
    if sick:
        for pod in c.pods_of("profiles"):
            unready(c, pod, message="HTTP probe failed with statuscode: 503")


@fault(
    "KubePodCrashLooping in namespace shop", "deployment/frontend", ("setting-missing", "app-exits", "config-invalid")
)
def an_address_that_was_deleted(c: Cluster, *, sick: bool) -> None:
    def edit(spec: Json) -> None:
        gone = "CART_ADDR" if sick else "NOTHING"
        first(spec)["env"] = [each for each in first(spec)["env"] if each["name"] != gone]

    for pod in replace(c, "frontend", edit):
        if sick:
            crash(
                c,
                pod,
                'panic: environment variable "CART_ADDR" not set',
                "goroutine 1 [running]:",
                "main.mustMapEnv()",
                code=2,
            )


@fault("the checkout team sees 0/2 pods", "deployment/checkout", "oom-killed")
def a_start_that_needs_more_memory(c: Cluster, *, sick: bool) -> None:
    limits = {"limits": {"memory": "12Mi" if sick else "300Mi"}, "requests": {"memory": "12Mi"}}
    for pod in replace(c, "checkout", set_fields(resources=limits)):
        if sick:
            crash(
                c,
                pod,
                code=128,
                reason="StartError",
                message="failed to create containerd task: failed to create shim task: "
                "OCI runtime create failed: runc create failed: unable to start container process: container init was "
                "OOM-killed (memory limit too low?): unknown",
            )


@fault(
    "which component is broken? the shop lost its recommendations", "deployment/recommendation", "probe-port-mismatch"
)
def a_probe_of_a_named_port_that_is_gone(c: Cluster, *, sick: bool) -> None:
    wanted = probe(8080)
    wanted["httpGet"]["port"] = "http-metrics" if sick else "main"
    for pod in replace(c, "recommendation", set_fields(readinessProbe=wanted)):
        if sick:
            unready(c, pod)
            text = (
                'Readiness probe errored and resulted in unknown state: couldn\'t find port: "http-metrics" in '
                'container "server"'
            )
            c.event(pod, "Unhealthy", text, first=18, last=0.2, count=100)


@fault(
    "payment latency went up and pods restart every minute or so",
    "deployment/payment",
    ("liveness-killing", "probe-timeout"),
)
def a_probe_with_no_patience(c: Cluster, *, sick: bool) -> None:
    timing = {"timeoutSeconds": 1, "failureThreshold": 1, "periodSeconds": 3} if sick else {"timeoutSeconds": 10}
    for pod in replace(c, "payment", set_fields(livenessProbe=probe(50051) | timing)):
        if sick:
            killed(
                c,
                pod,
                'Get "http://{ip}:50051/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting '
                "headers)",
            )


@fault(
    "scaling up catalog does not help, replicas stay at 3",
    ("deployment/catalog", "resourcequota/shop-quota"),
    "quota-exceeded",
)
def a_quota_that_stops_a_scale_up(c: Cluster, *, sick: bool) -> None:
    deployment = c.get("Deployment", "catalog")
    if not sick:
        return
    deployment["spec"]["replicas"] = 6
    newest = max(
        (each for each in c.all("ReplicaSet", "shop") if each["metadata"]["name"].startswith("catalog-")),
        key=lambda each: each["metadata"]["creationTimestamp"],
    )
    newest["spec"]["replicas"] = 6
    said = (
        f'pods "{newest["metadata"]["name"]}-z9k4c" is forbidden: exceeded quota: shop-quota, requested: '
        f"memory=1Gi, used: memory=39Gi, limited: memory=40Gi"
    )
    newest["status"]["conditions"] = [condition("ReplicaFailure", status=True, reason="FailedCreate", message=said)]
    c.event(
        newest, "FailedCreate", f"Error creating: {said}", first=18, last=1, count=12, source="replicaset-controller"
    )


@fault("search pods cannot start: secret problem?", "deployment/search", "secret-missing", ("Secret",))
def a_tls_volume_that_was_never_made(c: Cluster, *, sick: bool) -> None:
    name = "search-client-tls" if sick else "shop-tls"
    for pod in replace(
        c, "search", lambda spec: spec.update(volumes=[{"name": "tls", "secret": {"secretName": name}}])
    ):
        if sick:
            creating(c, pod, "FailedMount", f'MountVolume.SetUp failed for volume "tls" : secret "{name}" not found')


@fault("nobody can reach cart since the migration", "service/cart", ("selector-mismatch",))
def a_selector_of_another_convention(c: Cluster, *, sick: bool) -> None:
    c.get("Service", "cart")["spec"]["selector"] = {"app.kubernetes.io/name": "cart"} if sick else {"app": "cart"}
    if sick:
        callers_notice(c, "cart", REFUSED)


@fault(
    "ads is not placed on any node", ("deployment/ads", *(f"node//{each}" for each in WORKERS)), "taint-not-tolerated"
)
def workers_that_take_nothing_new(c: Cluster, *, sick: bool) -> None:
    for name in WORKERS:
        effect = "NoExecute" if sick else "PreferNoSchedule"
        c.get("Node", name)["spec"]["taints"] = [{"key": "maintenance", "value": "true", "effect": effect}]
    for pod in replace(c, "ads", set_fields(restarted=True)):
        if sick:
            pends(
                c,
                pod,
                "0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
                "3 node(s) "
                "had untolerated taint {maintenance: true}. preemption: 0/4 nodes are available: 4 Preemption is not "
                "helpful for scheduling.",
            )


@fault("orders keeps crashing with a database error", ("deployment/orders",), ("callee-missing", "dns-errors"))
def a_database_of_another_namespace(c: Cluster, *, sick: bool) -> None:
    host = "orders-db.database.svc.cluster.local" if sick else "orders-db.shop.svc.cluster.local"
    for pod in replace(c, "orders", set_env("ORDERS_DB_ADDR", f"{host}:5432")):
        if sick:
            crash(c, pod, f"FATAL could not connect: dial tcp: lookup {host} on 10.96.0.10:53: no such host")


@fault("a third of all requests to frontend fail", "node//worker-1", "node-network-unavailable")
def a_node_without_routes(c: Cluster, *, sick: bool) -> None:
    conditions = c.get("Node", "worker-1")["status"]["conditions"]
    conditions.append(
        condition(
            "NetworkUnavailable",
            status=sick,
            reason="NoRouteCreated" if sick else "RouteCreated",
            message="RouteController failed to create a route" if sick else "RouteController created a route",
        )
    )
    for pod in c.pods_of("frontend") if sick else []:
        if pod["spec"]["nodeName"] == "worker-1":
            unready(c, pod, message="context deadline exceeded")


@fault("email claims pending forever", ("persistentvolumeclaim/outbox", "deployment/email"), ("provisioning-failed",))
def a_driver_that_does_not_support_the_mode(c: Cluster, *, sick: bool) -> None:
    claim = volume_claim(c, "shop", "outbox", mode="ReadWriteMany" if sick else "ReadWriteOnce", bound=not sick, age=25)
    if sick:
        c.event(
            claim,
            "ProvisioningFailed",
            'failed to provision volume with StorageClass "standard": rpc error: code = InvalidArgument '
            "desc = Volume capabilities MULTI_NODE_MULTI_WRITER not supported. Only SINGLE_NODE_WRITER supported.",
            first=24,
            last=1,
            count=12,
            source="csi.example.com_controller",
        )
    for pod in replace(
        c, "email", lambda spec: spec.update(volumes=[{"name": "o", "persistentVolumeClaim": {"claimName": "outbox"}}])
    ):
        if sick:
            pends(
                c,
                pod,
                "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/4 nodes are "
                "available: 4 Preemption is not helpful for scheduling.",
            )


@fault("the mobile api in shop returns 503", "service/mobile", ("selector-mismatch", "endpoints-empty"))
def a_new_service_for_a_workload_by_another_name(c: Cluster, *, sick: bool) -> None:
    service(c, "shop", "mobile", 8080, selector={"app": "front-end" if sick else "frontend"})


@fault(
    "shipping: containers are creating for 20 minutes",
    "deployment/shipping",
    ("container-create-error", "command-not-found"),
)
def a_working_directory_that_is_a_file(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "shipping", set_fields(workingDir="/app/server" if sick else "/app")):
        if sick:
            text = (
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "
                "create failed: unable to "
                'start container process: chdir to cwd ("/app/server") set in config.json failed: not a directory: '
                "unknown"
            )
            crash(c, pod, code=128, reason="StartError", message=text)
            c.event(pod, "Failed", f"Error: {text}", first=18, last=1.4, count=8)


@fault("currency pods are refused by the cluster", "deployment/currency", ("policy-violation",))
def an_image_that_a_policy_refuses(c: Cluster, *, sick: bool) -> None:
    blocked(
        c,
        "currency",
        set_image("registry.example.com/shop/currency:latest" if sick else "r/currency:v3"),
        'admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/shop/currency was blocked '
        "due to the following "
        "policies: disallow-latest-tag: require-image-tag: validation error: an image tag is required",
        sick=sick,
    )


@fault("node worker-3 is flapping, pods on it restart", "node//worker-3", ("node-not-ready",))
def a_node_that_fell_silent_with_its_pods(c: Cluster, *, sick: bool) -> None:
    if not sick:
        return
    for each in c.get("Node", "worker-3")["status"]["conditions"]:
        each |= {
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastTransitionTime": at(7),
        }
    for pod in c.all("Pod"):
        if pod["spec"].get("nodeName") == "worker-3" and pod["status"]["phase"] == "Running":
            unready(c, pod, since=6.5)


@fault("reports are late", "cronjob/nightly-report", "cronjob-missed")
def a_schedule_that_the_controller_forgot(c: Cluster, *, sick: bool) -> None:
    if sick:
        c.get("CronJob", "nightly-report")["status"] = {
            "lastScheduleTime": at(570 + 5 * 1440),
            "lastSuccessfulTime": at(566 + 5 * 1440),
        }
        for each in c.all("Job", "shop"):
            c.drop("Job", each["metadata"]["name"])
        for pod in c.pods_of("nightly-report"):
            c.drop("Pod", pod["metadata"]["name"])


@fault(
    "frontend has a sidecar that misbehaves",
    "deployment/frontend",
    ("sidecar-not-ready", "app-exits", "file-missing", "config-invalid"),
)
def a_proxy_without_its_bootstrap(c: Cluster, *, sick: bool) -> None:
    side = container("proxy", "envoyproxy/envoy:v1.31", 15001)
    for pod in replace(c, "frontend", lambda spec: spec["containers"].append(side)):
        if sick:
            crash(
                c,
                pod,
                "[critical] error initializing configuration '/etc/envoy/envoy.yaml': Unable to parse JSON as proto",
                container="proxy",
            )
