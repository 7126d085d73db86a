"""Cases about workloads, Jobs, Services, ingress, network policies and autoscaling."""

from typing import Any

from tests.rules.builders import (
    ago,
    condition,
    deployment,
    endpoints,
    event,
    obj,
    owned,
    pod,
    replica_set,
    service,
)
from tests.rules.kubernetes.cases import Shown
from tests.rules.kubernetes.platform_cases import node

CART = "deployment/shop/cart"
SERVICE = "service/shop/cart"
SET = replica_set()
DEPLOYMENT = deployment(ready=0)


def refused(cause: str, message: str, twin: str = "pods is forbidden: something else") -> Shown:
    """A ReplicaSet that may not create its pods."""
    about = event("FailedCreate", message, SET)
    return Shown(
        cause=cause,
        objects=(DEPLOYMENT, SET, about),
        entity=CART,
        twin={"2/message": twin},
        # An old set, scaled down since.
        alarm={"1/spec/replicas": 0},
    )


def ingress(service_name: str = "cart", port: Any = 80, **spec: Any) -> dict[str, Any]:
    """An Ingress of class `nginx` with one path."""
    backend = {"service": {"name": service_name, "port": {"number": port}}}
    rules = [{"host": "shop.test", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    return obj("Ingress", "web", spec={"ingressClassName": "nginx", "rules": rules, **spec})


def scaler(*conditions: dict[str, Any], current: int = 3, target: str = "cart") -> dict[str, Any]:
    """An autoscaler of Deployment cart, at most three replicas."""
    spec = {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": target}}
    return obj("HorizontalPodAutoscaler", "cart", spec=spec,
               status={"conditions": list(conditions), "currentReplicas": current})  # fmt: skip


def job(reason: str, **more: Any) -> dict[str, Any]:
    """A Job of CronJob report that failed."""
    failed = condition("Failed", reason=reason, message="Job has reached the specified backoff limit")
    metadata = {"ownerReferences": owned("CronJob", "report")}
    return obj("Job", "report-1", metadata=metadata, spec={}, status={"conditions": [failed]}, age=40, **more)


GOOD_JOB = obj(
    "Job", "report-2", metadata={"ownerReferences": owned("CronJob", "report"), "creationTimestamp": ago(5)},
    status={"conditions": [condition("Complete")]},
)  # fmt: skip
FAILED_JOB = job("BackoffLimitExceeded")
LATE_JOB = job("DeadlineExceeded")
NO_JOB: dict[str, Any] = {}
HOOK = 'Internal error occurred: failed calling webhook "check.policy.test": context deadline exceeded'
DENY = obj("NetworkPolicy", "closed", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
OUTGOING = obj("NetworkPolicy", "closed", spec={"podSelector": {}, "policyTypes": ["Egress"],
                                                "egress": [{"ports": [{"port": 443}]}]})  # fmt: skip
CASES: tuple[Shown, ...] = (
    Shown(
        cause="replicas-unavailable",
        objects=(deployment(ready=0),),
        entity=CART,
        twin={"0/status/readyReplicas": 1},
        alarm={
            "0/status/conditions": [
                condition("Available"),
                condition("Progressing", minutes=1, reason="ReplicaSetUpdated"),
            ]
        },
    ),
    Shown(
        cause="daemonset-not-ready",
        objects=(obj("DaemonSet", "agent", status={"desiredNumberScheduled": 3, "numberReady": 2}),),
        entity="daemonset/shop/agent",
        twin={"0/status/numberReady": 3},
        alarm={"0/metadata/creationTimestamp": ago(2)},
    ),
    Shown(
        cause="statefulset-stuck-ordinal",
        objects=(
            obj("StatefulSet", "db", spec={"replicas": 3}, status={"readyReplicas": 0}),
            pod("db-0", metadata={"ownerReferences": owned("StatefulSet", "db")}),
        ),
        entity="statefulset/shop/db",
        twin={"1/status/conditions/0/status": "True"},
        alarm={"1/status/conditions/0/lastTransitionTime": ago(2)},
    ),
    Shown(
        cause="statefulset-service-missing",
        objects=(obj("StatefulSet", "db", spec={"serviceName": "db"}), service("database")),
        entity="statefulset/shop/db",
        twin={"1/metadata/name": "db"},
        alarm={"0/spec/serviceName": ""},
    ),
    Shown(
        cause="progress-deadline-exceeded",
        objects=(
            deployment(status={"conditions": [condition("Progressing", False, reason="ProgressDeadlineExceeded")]}),
        ),
        entity=CART,
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/reason": "DeploymentPaused"},
    ),
    Shown(
        cause="rollout-paused",
        objects=(deployment(spec={"paused": True}, status={"updatedReplicas": 0}),),
        entity=CART,
        twin={"0/spec/paused": False},
        alarm={"0/status/updatedReplicas": 1},
    ),
    Shown(
        cause="scaled-to-zero",
        objects=(deployment(replicas=0, ready=0), service(), ingress()),
        entity=CART,
        twin={"0/spec/replicas": 1},
        # Nobody needs it.
        alarm={"2/spec/rules": []},
    ),
    Shown(
        cause="replica-create-failed",
        objects=(DEPLOYMENT, SET, event("FailedCreate", "pods is forbidden: something", SET)),
        entity=CART,
        twin={"2/reason": "SuccessfulCreate"},
        alarm={"1/spec/replicas": 0},
    ),
    refused("quota-exceeded", "pods is forbidden: exceeded quota: compute, requested: cpu=1, used: cpu=4"),
    refused("limit-range-violation", "pods is forbidden: maximum cpu usage per Container is 1, but limit is 2"),
    refused("priority-class-missing", "pods is forbidden: no PriorityClass with name urgent was found"),
    refused("pod-security-rejected", 'pods is forbidden: violates PodSecurity "restricted:latest"'),
    refused("service-account-missing", 'error looking up service account shop/cart: serviceaccount "cart" not found'),
    refused("webhook-failing", HOOK),
    Shown(
        cause="job-failed",
        objects=(FAILED_JOB, NO_JOB),
        entity="job/shop/report-1",
        twin={"0/status/conditions/0/status": "False"},
        alarm={"1": GOOD_JOB},
    ),
    Shown(
        cause="job-deadline-exceeded",
        objects=(LATE_JOB, NO_JOB),
        entity="job/shop/report-1",
        twin={"0/status/conditions/0/reason": "BackoffLimitExceeded"},
        alarm={"1": GOOD_JOB},
    ),
    Shown(
        cause="cronjob-suspended",
        objects=(obj("CronJob", "report", spec={"suspend": True, "schedule": "0 3 * * *"}),),
        entity="cronjob/shop/report",
        twin={"0/spec/suspend": False},
    ),
    Shown(
        cause="job-suspended",
        objects=(obj("Job", "report", spec={"suspend": True}),),
        entity="job/shop/report",
        twin={"0/spec/suspend": False},
    ),
    Shown(
        cause="cronjob-schedule-invalid",
        objects=(obj("CronJob", "report", spec={"schedule": "0 3 * *"}),),
        entity="cronjob/shop/report",
        twin={"0/spec/schedule": "0 3 * * *"},
        alarm={"0/spec/schedule": "@daily"},
    ),
    Shown(
        cause="endpoints-empty",
        objects=(service(), deployment()),
        entity=SERVICE,
        twin={"0/spec/selector": {}},
        alarm={"1/spec/replicas": 0},
    ),
    Shown(
        cause="endpoints-not-ready",
        objects=(service(), endpoints("cart", False)),
        entity=SERVICE,
        twin={"1/endpoints/0/conditions/ready": True},
        alarm={"0/spec/publishNotReadyAddresses": True},
    ),
    Shown(
        cause="selector-mismatch",
        objects=(service(spec={"selector": {"app": "cartt"}}), deployment(), pod(ready=True)),
        entity=SERVICE,
        twin={"0/spec/selector/app": "cart"},
        # Nothing here is like it: it may be for pods that come later.
        alarm={"0/spec/selector": {"tier": "batch"}, "0/metadata/name": "batch"},
    ),
    Shown(
        cause="service-port-mismatch",
        objects=(service(ports=[{"port": 80, "targetPort": "web"}]), pod(ready=True)),
        entity=SERVICE,
        twin={"0/spec/ports/0/targetPort": "http"},
        # Legal: a port need not be declared.
        alarm={"0/spec/ports/0/targetPort": 9000, "1/spec/containers/0/ports": []},
    ),
    Shown(
        cause="loadbalancer-pending",
        objects=(service(spec={"type": "LoadBalancer"}),),
        entity=SERVICE,
        twin={"0/spec/type": "ClusterIP"},
        alarm={"0/metadata/creationTimestamp": ago(2)},
    ),
    Shown(
        cause="ingress-class-missing",
        objects=(ingress(), obj("IngressClass", "traefik", "")),
        entity="ingress/shop/web",
        twin={"1/metadata/name": "nginx"},
        alarm={"0/spec/ingressClassName": "gce"},
    ),
    Shown(
        cause="ingress-backend-missing",
        objects=(ingress("carts"), service()),
        entity="ingress/shop/web",
        twin={"1/metadata/name": "carts"},
        alarm={"0/spec/rules/0/http/paths/0/backend": {"resource": {"kind": "Bucket", "name": "static"}}},
    ),
    Shown(
        cause="ingress-port-mismatch",
        objects=(ingress("cart", 8080), service()),
        entity="ingress/shop/web",
        twin={"0/spec/rules/0/http/paths/0/backend/service/port/number": 80},
    ),
    Shown(
        cause="ingress-tls-missing",
        objects=(ingress(tls=[{"secretName": "web-tls"}]), obj("Secret", "web-tls-old")),
        entity="ingress/shop/web",
        twin={"1/metadata/name": "web-tls"},
        alarm={"0/spec/tls/0/secretName": ""},
    ),
    Shown(
        cause="network-policy-blocks",
        objects=(DENY, service(), pod(ready=True)),
        entity="networkpolicy/shop/closed",
        twin={"0/spec/ingress": [{}]},
        alarm={"0/spec/policyTypes": ["Egress"]},
    ),
    Shown(
        cause="dns-egress-blocked",
        objects=(OUTGOING, pod(ready=True)),
        entity="networkpolicy/shop/closed",
        twin={"0/spec/egress/0/ports/0/port": 53},
        alarm={"0/spec/egress": [{}]},
    ),
    Shown(
        cause="network-policy-no-pods",
        objects=(obj("NetworkPolicy", "carts", spec={"podSelector": {"matchLabels": {"app": "carts"}}}), pod()),
        entity="networkpolicy/shop/carts",
        twin={"0/spec/podSelector/matchLabels/app": "cart"},
        # An empty selector selects everything.
        alarm={"0/spec/podSelector": {}},
    ),
    Shown(
        cause="hpa-metrics-missing",
        objects=(scaler(condition("ScalingActive", False, reason="FailedGetResourceMetric")),),
        entity="horizontalpodautoscaler/shop/cart",
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(1)},
    ),
    Shown(
        cause="hpa-target-missing",
        objects=(scaler(target="carts"), deployment()),
        entity="horizontalpodautoscaler/shop/cart",
        twin={"0/spec/scaleTargetRef/name": "cart"},
        # Other kinds may be scaled too, and were not listed.
        alarm={"0/spec/scaleTargetRef/kind": "Rollout"},
    ),
    Shown(
        cause="hpa-no-requests",
        objects=(
            obj(
                "HorizontalPodAutoscaler",
                "cart",
                spec={
                    "scaleTargetRef": {"kind": "Deployment", "name": "cart"},
                    "metrics": [{"resource": {"name": "cpu", "target": {"averageUtilization": 80}}}],
                },
            ),
            deployment(),
        ),
        entity="horizontalpodautoscaler/shop/cart",
        twin={"1/spec/template/spec/containers/0/resources": {"requests": {"cpu": "1"}}},
        alarm={"0/spec/metrics/0": {"external": {"metric": {"name": "queue_depth"}}}},
    ),
    Shown(
        cause="hpa-at-max",
        objects=(scaler(condition("ScalingLimited", reason="TooManyReplicas")),),
        entity="horizontalpodautoscaler/shop/cart",
        twin={"0/status/currentReplicas": 2},
        alarm={"0/status/conditions/0/reason": "TooFewReplicas"},
    ),
    Shown(
        cause="pdb-blocks",
        objects=(
            obj(
                "PodDisruptionBudget",
                "cart",
                spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "cart"}}},
                status={"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1},
            ),
            pod(ready=True),
            node(unschedulable=True),
        ),
        entity="poddisruptionbudget/shop/cart",
        twin={"2/spec/unschedulable": False},
        alarm={"0/status/currentHealthy": 0},
    ),
    Shown(
        cause="pdb-no-pods",
        objects=(obj("PodDisruptionBudget", "cart", spec={"selector": {"matchLabels": {"app": "carts"}}}), pod()),
        entity="poddisruptionbudget/shop/cart",
        twin={"0/spec/selector/matchLabels/app": "cart"},
    ),
)
