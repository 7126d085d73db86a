"""The healthy cluster that faults change: an online shop, its neighbours, and the noise that every cluster has."""

from collections.abc import Callable

from tests.incidents.cluster import DAY, Cluster, Json, at, condition, steady
from tests.incidents.kubelet import WORKERS
from tests.incidents.machinery import add_nodes, add_platform
from tests.incidents.workloads import (
    add_pod,
    autoscaler,
    container,
    daemons,
    deploy,
    job,
    policy,
    probe,
    service,
    stateful,
)

CALLS = {
    "frontend": ("catalog", "cart", "checkout", "recommendation", "ads", "currency"),
    "checkout": ("payment", "shipping", "email", "cart", "currency", "orders"),
    "recommendation": ("catalog",),
    "cart": ("cart-redis",),
    "orders": ("orders-db",),
    "profiles": ("profiles-db",),
    "search": ("catalog",),
}
PORTS = {
    "frontend": 8080,
    "catalog": 3550,
    "cart": 7070,
    "checkout": 5050,
    "payment": 50051,
    "shipping": 50051,
    "email": 8080,
    "currency": 7000,
    "recommendation": 8080,
    "ads": 9555,
    "orders": 8080,
    "profiles": 8080,
    "search": 8080,
    "cart-redis": 6379,
    "orders-db": 5432,
    "profiles-db": 27017,
}
REPLICAS = {"frontend": 2, "catalog": 3, "cart": 2, "checkout": 2, "payment": 2, "currency": 2, "orders": 2}
DATABASES = {"cart-redis": "redis:7.2-alpine", "orders-db": "postgres:16.2", "profiles-db": "mongo:7.0"}
MEASURED = ("frontend", "cart", "checkout", "ads", "orders")
"""Whose requests are measured."""
TALKATIVE = ("frontend", "cart", "checkout", "payment")
"""Whose healthy logs were captured, too."""
KINDS = (
    "Pod",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Service",
    "Endpoints",
    "EndpointSlice",
    "Ingress",
    "IngressClass",
    "NetworkPolicy",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "PriorityClass",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Node",
    "Namespace",
    "Lease",
    "APIService",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
)


def shop() -> Cluster:
    """Everything is well."""
    cluster = Cluster()
    cluster.listed |= set(KINDS)
    for name in ("default", "kube-system", "shop", "staging", "monitoring", "ingress-nginx"):
        labels = {"kubernetes.io/metadata.name": name}
        cluster.put(
            "Namespace",
            "",
            name,
            age=200 * DAY,
            status={"phase": "Active"},
            metadata={"labels": labels},
            spec={"finalizers": ["kubernetes"]},
        )
        cluster.put("ServiceAccount", name, "default", age=200 * DAY)
        cluster.put(
            "ConfigMap", name, "kube-root-ca.crt", age=200 * DAY, data={"ca.crt": "-----BEGIN CERTIFICATE-----"}
        )
    add_nodes(cluster)
    add_platform(cluster)
    _applications(cluster)
    _around(cluster)
    _noise(cluster)
    return cluster


def _applications(cluster: Cluster) -> None:
    for name, port in PORTS.items():
        called = [
            {"name": f"{callee.upper().replace('-', '_')}_ADDR", "value": f"{callee}:{PORTS[callee]}"}
            for callee in CALLS.get(name, ())
        ]
        if name in DATABASES:
            made = container(name, DATABASES[name], port, env=_credentials(name))
            stateful(cluster, "shop", name, {"spec": {"containers": [made]}})
            service(cluster, "shop", name, port, headless=True)
            continue
        env = [{"name": "PORT", "value": str(port)}, *called, *_credentials(next(iter(CALLS.get(name, ("",))), ""))]
        made = container(
            "server",
            f"registry.example.com/shop/{name}:v2.14.0",
            port,
            env=env,
            livenessProbe=probe(port),
            readinessProbe=probe(port, "/ready"),
            envFrom=[{"configMapRef": {"name": "shop-settings"}}],
        )
        deploy(
            cluster,
            "shop",
            name,
            {"spec": {"containers": [made]}},
            replicas=REPLICAS.get(name, 1),
            restarts=(0, 1) if name == "cart" else (),
        )
        service(cluster, "shop", name, port)
        if name in TALKATIVE:
            cluster.log(cluster.pods_of(name)[0], *_chatter(name), since=25)
    cluster.calls |= {(caller, callee) for caller, callees in CALLS.items() for callee in callees}
    worker = container(
        "worker",
        "registry.example.com/shop/invoicing:v1.4.2",
        8080,
        envFrom=[{"configMapRef": {"name": "shop-settings"}}],
    )
    worker.pop("ports")
    deploy(cluster, "shop", "invoicing", {"spec": {"containers": [worker]}})


def _credentials(database: str) -> list[Json]:
    if database not in ("orders-db", "profiles-db"):
        return []
    reference = {"secretKeyRef": {"name": f"{database}-credentials", "key": "password"}}
    return [{"name": "DATABASE_USER", "value": "app"}, {"name": "DATABASE_PASSWORD", "valueFrom": reference}]


def _chatter(name: str) -> list[str]:
    return [
        f"INFO {name} listening",
        "INFO handled request method=GetItem status=OK duration_ms=4",
        "WARN slow request duration_ms=612 threshold_ms=500",
        "INFO handled request method=List status=OK duration_ms=9",
    ]


def _around(cluster: Cluster) -> None:
    """What stands beside the shop's workloads."""
    settings = {"LOG_LEVEL": "info", "CURRENCY": "EUR", "FEATURE_NEW_CART": "false"}
    cluster.put("ConfigMap", "shop", "shop-settings", data=settings)
    for name in ("orders-db-credentials", "profiles-db-credentials"):
        cluster.put("Secret", "shop", name, type="Opaque", data={"password": "", "username": ""})
    cluster.put("Secret", "shop", "shop-tls", type="kubernetes.io/tls", data={"tls.crt": "", "tls.key": ""})
    cluster.put(
        "Secret", "shop", "registry-login", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": ""}
    )
    backend = {"service": {"name": "frontend", "port": {"number": 8080}}}
    cluster.put(
        "Ingress",
        "shop",
        "shop",
        status={"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}},
        spec={
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}],
            "rules": [
                {
                    "host": "shop.example.com",
                    "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
                }
            ],
        },
    )
    for name in ("frontend", "catalog"):
        autoscaler(cluster, name)
    cluster.put(
        "PodDisruptionBudget",
        "shop",
        "frontend",
        spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "frontend"}}},
        status={
            "currentHealthy": 2,
            "desiredHealthy": 1,
            "disruptionsAllowed": 1,
            "expectedPods": 2,
            "conditions": [condition("DisruptionAllowed", status=True, reason="SufficientPods", changed=DAY)],
        },
    )
    policy(cluster, "orders-db", callers=["orders"], port=5432)
    hard = {"requests.cpu": "20", "requests.memory": "40Gi", "limits.cpu": "40", "limits.memory": "60Gi", "pods": "80"}
    used = {
        "requests.cpu": "2600m",
        "requests.memory": "3328Mi",
        "limits.cpu": "13",
        "limits.memory": "6656Mi",
        "pods": "27",
    }
    cluster.put("ResourceQuota", "shop", "shop-quota", spec={"hard": hard}, status={"hard": hard, "used": used})
    cluster.put(
        "LimitRange",
        "shop",
        "defaults",
        spec={
            "limits": [
                {
                    "type": "Container",
                    "default": {"cpu": "500m", "memory": "256Mi"},
                    "max": {"cpu": "4", "memory": "4Gi"},
                    "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
                }
            ]
        },
    )
    _reports(cluster)


def _reports(cluster: Cluster) -> None:
    template: Json = {
        "metadata": {"labels": {"app": "nightly-report"}},
        "spec": {
            "restartPolicy": "OnFailure",
            "containers": [container("report", "registry.example.com/shop/report:v1.0.3", 80)],
        },
    }
    schedule = cluster.put(
        "CronJob",
        "shop",
        "nightly-report",
        age=90 * DAY,
        spec={
            "schedule": "30 2 * * *",
            "suspend": False,
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": {"backoffLimit": 3, "template": template}},
            "successfulJobsHistoryLimit": 3,
        },
        status={"lastScheduleTime": at(570), "lastSuccessfulTime": at(566)},
    )
    for days in (2, 1, 0):
        job(cluster, schedule, f"nightly-report-{29_552_310 - days * DAY}", template, age=570 + days * DAY)


def _noise(cluster: Cluster) -> None:
    prometheus = container("prometheus", "quay.io/prometheus/prometheus:v2.55.1", 9090)
    stateful(cluster, "monitoring", "prometheus", {"spec": {"containers": [prometheus]}}, size="50Gi")
    service(cluster, "monitoring", "prometheus", 9090, headless=True)
    exporter = container("node-exporter", "quay.io/prometheus/node-exporter:v1.8.2", 9100)
    daemons(cluster, "monitoring", "node-exporter", {"spec": {"containers": [exporter]}}, nodes=("control-1", *WORKERS))
    for name in ("web", "api"):
        made = container("server", f"registry.example.com/staging/{name}:main", 8080, livenessProbe=probe(8080))
        deploy(cluster, "staging", name, {"spec": {"containers": [made]}}, restarts=(3,))
        service(cluster, "staging", name, 8080)
    _leftovers(cluster)
    events: list[tuple[str, Callable[[], Json], str, str, str, float]] = [
        (
            "shop",
            lambda: cluster.pods_of("ads")[0],
            "Unhealthy",
            'Readiness probe failed: Get "http://10.244.1.30:9555/ready": context deadline exceeded',
            "Warning",
            51,
        ),
        (
            "shop",
            lambda: cluster.pods_of("email")[0],
            "DNSConfigForming",
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
            "10.0.0.2 10.0.0.3",
            "Warning",
            4,
        ),
        (
            "shop",
            lambda: cluster.get("HorizontalPodAutoscaler", "catalog"),
            "FailedGetResourceMetric",
            "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)",
            "Warning",
            57,
        ),
        ("staging", lambda: cluster.pods_of("api", "staging")[0], "Pulled", "Successfully pulled image", "Normal", 40),
        (
            "monitoring",
            lambda: cluster.pods_of("prometheus", "monitoring")[0],
            "Started",
            "Started container prometheus",
            "Normal",
            45,
        ),
    ]
    for _, about, reason, message, kind, minutes in events:
        cluster.event(about(), reason, message, last=minutes, kind=kind)
    for name in MEASURED:
        entity = f"service/shop/{name}"
        cluster.signal(entity, "requests_per_second", steady(40))
        cluster.signal(entity, "error_ratio", steady(0.002, 0.5))
        cluster.signal(entity, "latency_p95_seconds", steady(0.08))


def _leftovers(cluster: Cluster) -> None:
    """An evicted pod of two days ago, which nobody deleted."""
    owner = next(each for each in cluster.all("ReplicaSet", "staging") if each["spec"]["replicas"])
    pod = add_pod(cluster, owner, 99, age=9 * DAY)
    pod["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "startTime": at(9 * DAY),
        "message": "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 9Gi.",
    }
