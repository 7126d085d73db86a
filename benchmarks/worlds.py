"""Writes synthetic worlds as snapshots: the recorded incidents that ship with the demo, and big ones for measuring.

python -m benchmarks.worlds incidents bot/demo/incidents     writes the shipped incidents again
python -m benchmarks.worlds big 1000 DIR                     a healthy cluster of 1,000 pods with one fault in it
"""

import csv
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from whenever import Instant, TimeDelta

Json = dict[str, Any]
CAPTURED = Instant.parse_iso("2026-03-14T10:20:00Z")
ALSO_CAPTURED = (
    "StatefulSet", "DaemonSet", "Job", "CronJob", "ConfigMap", "HorizontalPodAutoscaler", "PodDisruptionBudget",
    "Ingress", "IngressClass", "NetworkPolicy", "PersistentVolume", "PersistentVolumeClaim", "StorageClass",
    "ResourceQuota", "LimitRange", "PriorityClass", "ServiceAccount", "Secret", "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration", "APIService", "Namespace", "Endpoints", "ReplicationController",
)  # fmt: skip
"""Kinds that were listed too, and of which there is none."""
CALLS = (("frontend", "checkout"), ("frontend", "catalog"), ("checkout", "payments"), ("checkout", "cart"))
SERVICES = ("frontend", "checkout", "catalog", "cart", "payments")


def at(minutes: float) -> str:
    """So many minutes before the capture, as Kubernetes writes times."""
    return str((CAPTURED - TimeDelta(minutes=minutes)).round("second"))


def uid(*parts: str) -> str:
    """The same thing has the same uid in every run."""
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def meta(kind: str, namespace: str, name: str, *, created: float, **more: Any) -> Json:
    """Metadata of an object created so many minutes before the capture."""
    made: Json = {"name": name, "uid": uid(kind, namespace, name), "creationTimestamp": at(created), **more}
    return made | ({"namespace": namespace} if namespace else {})


def owned(kind: str, namespace: str, name: str) -> list[Json]:
    """The owner reference to a controller."""
    return [
        {
            "apiVersion": "apps/v1",
            "kind": kind,
            "name": name,
            "uid": uid(kind, namespace, name),
            "controller": True,
        }
    ]


@dataclass
class Revision:
    """One pod template of a workload."""

    image: str
    created: float
    """Minutes before the capture."""
    replicas: int
    ready: bool = True
    number: int = 1
    env: tuple[tuple[str, str], ...] = ()
    memory: str = "256Mi"
    labels: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class World:
    """A cluster on its way to a folder."""

    namespace: str = "shop"
    until: float = 0
    """Minutes before the usual capture at which this one was taken; negative = after it."""
    objects: list[Json] = field(default_factory=list[Json])
    events: list[Json] = field(default_factory=list[Json])
    logs: dict[str, str] = field(default_factory=dict[str, str])
    series: list[tuple[str, str, list[tuple[float, float]]]] = field(
        default_factory=list[tuple[str, str, list[tuple[float, float]]]]
    )
    alerts: list[Json] = field(default_factory=list[Json])
    changes: list[Json] = field(default_factory=list[Json])
    calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    probes: list[Json] = field(default_factory=list[Json])

    def node(self, name: str) -> None:
        """A healthy node."""
        conditions = [
            ("Ready", "True"),
            ("MemoryPressure", "False"),
            ("DiskPressure", "False"),
            ("PIDPressure", "False"),
        ]
        self.objects.append(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": meta("Node", "", name, created=40_000, labels={"kubernetes.io/hostname": name}),
                "spec": {},
                "status": {
                    "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110"},
                    "allocatable": {"cpu": "7900m", "memory": "30Gi", "pods": "110"},
                    "conditions": [
                        {"type": kind, "status": status, "lastTransitionTime": at(40_000), "reason": "KubeletReady"}
                        for kind, status in conditions
                    ],
                },
            }
        )

    def workload(self, name: str, *revisions: Revision) -> list[str]:
        """A Deployment with its ReplicaSets and pods; gives the pods' names, newest revision last."""
        ns, newest = self.namespace, revisions[-1]
        pods = [pod for revision in revisions for pod in self._replica_set(name, revision)]
        desired = max(revision.replicas for revision in revisions)
        ready = sum(revision.replicas for revision in revisions if revision.ready)
        conditions = [
            {
                "type": "Available",
                "status": "True" if ready >= desired - 1 else "False",
                "lastTransitionTime": at(newest.created),
                "reason": "MinimumReplicasAvailable" if ready >= desired - 1 else "MinimumReplicasUnavailable",
            },
            {
                "type": "Progressing",
                "status": "True",
                "lastTransitionTime": at(newest.created),
                "reason": "NewReplicaSetAvailable" if newest.ready else "ReplicaSetUpdated",
            },
        ]
        self.objects.append(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": meta(
                    "Deployment",
                    ns,
                    name,
                    created=30_000,
                    generation=newest.number,
                    labels={"app": name},
                    annotations={"deployment.kubernetes.io/revision": str(newest.number)},
                ),
                "spec": {
                    "replicas": desired,
                    "progressDeadlineSeconds": 600,
                    "selector": {"matchLabels": {"app": name}},
                    "template": template(name, newest),
                    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                },
                "status": {
                    "observedGeneration": newest.number,
                    "replicas": sum(revision.replicas for revision in revisions),
                    "updatedReplicas": newest.replicas,
                    "readyReplicas": ready,
                    "availableReplicas": ready,
                    "unavailableReplicas": max(0, sum(r.replicas for r in revisions) - ready),
                    "conditions": conditions,
                },
            }
        )
        return pods

    def service(self, name: str, *, pods: list[str], selector: Json | None = None) -> None:
        """A Service and its EndpointSlice over the given ready pods."""
        ns = self.namespace
        self.objects += [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": meta("Service", ns, name, created=30_000, labels={"app": name}),
                "spec": {
                    "type": "ClusterIP",
                    "selector": selector or {"app": name},
                    "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
                },
                "status": {"loadBalancer": {}},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": meta(
                    "EndpointSlice", ns, f"{name}-abcde", created=30_000, labels={"kubernetes.io/service-name": name}
                ),
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                "endpoints": [
                    {
                        "addresses": [address(pod)],
                        "conditions": {"ready": True},
                        "targetRef": {"kind": "Pod", "namespace": ns, "name": pod, "uid": uid("Pod", ns, pod)},
                    }
                    for pod in pods
                ],
            },
        ]

    def event(
        self, kind: str, name: str, reason: str, message: str, *, first: float, last: float, count: int = 1
    ) -> None:
        """A Warning about an object of the namespace, or of the cluster for nodes."""
        ns = self.namespace
        self.events.append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": meta("Event", ns, f"{name}.{uid(name, reason)[:12]}", created=first),
                "involvedObject": {"kind": kind, "namespace": ns, "name": name, "uid": uid(kind, ns, name)},
                "type": "Normal" if reason in ("ScalingReplicaSet", "Pulled", "Killing") else "Warning",
                "reason": reason,
                "message": message,
                "count": count,
                "firstTimestamp": at(first),
                "lastTimestamp": at(last),
                "source": {"component": "kubelet" if kind == "Pod" else "deployment-controller"},
            }
        )

    def signal(self, entity: str, name: str, value: Callable[[float], float], *, jitter: float = 0.03) -> None:
        """A series over two hours, a point each minute; `value` is asked with the minutes before the capture."""
        noise = random.Random(entity + name)
        points = [
            (float((CAPTURED - TimeDelta(minutes=m)).timestamp()), max(0.0, value(m) * noise.gauss(1, jitter)))
            for m in range(120, int(self.until) - 1, -1)
        ]
        self.series.append((entity, name, points))

    def probe(self, service: str, *, ok: bool) -> None:
        """A TCP connection to a Service, taken at the capture."""
        self.probes.append(
            {
                "probe": "tcp",
                "entity": f"service/{self.namespace}/{service}",
                "target": f"{service}.{self.namespace}.svc:80",
                "ok": ok,
                "detail": "connected" if ok else "connection refused",
                "latency_ms": 1.2,
                "at": at(self.until),
            }
        )

    def alert(
        self, name: str, cluster: str, *, started: float, labels: Json, summary: str, description: str,
        ended: float | None = None,
    ) -> None:  # fmt: skip
        """An Alertmanager webhook payload of one alert that fires, or that ended."""
        status = "firing" if ended is None else "resolved"
        all_labels = {"alertname": name, "cluster": cluster, "namespace": self.namespace, **labels}
        self.alerts.append(
            {
                "version": "4",
                "groupKey": f'{{}}:{{alertname="{name}", cluster="{cluster}"}}',
                "truncatedAlerts": 0,
                "status": status,
                "receiver": "locum",
                "groupLabels": {"alertname": name, "cluster": cluster},
                "commonLabels": all_labels,
                "commonAnnotations": {"summary": summary, "description": description},
                "externalURL": "http://alertmanager.example",
                "alerts": [
                    {
                        "status": status,
                        "labels": all_labels,
                        "annotations": {"summary": summary, "description": description},
                        "startsAt": at(started),
                        "endsAt": "0001-01-01T00:00:00Z" if ended is None else at(ended),
                        "generatorURL": "http://prometheus.example/graph?g0.expr=up&g0.tab=1",
                        "fingerprint": uid(name, cluster).replace("-", "")[:16],
                    }
                ],
            }
        )

    def write(self, folder: Path) -> None:
        """The snapshot folder, as `locum snapshot` lays it out."""
        (folder / "kubernetes").mkdir(parents=True)
        description = {
            "version": 1,
            "captured_at": at(self.until),
            "window": {"start": at(60 + self.until), "end": at(self.until)},
            "default_namespace": self.namespace,
        }
        (folder / "snapshot.yaml").write_text(yaml.safe_dump(description, sort_keys=False))
        found: dict[str, list[Json]] = {kind: [] for kind in ALSO_CAPTURED}
        for each in self.objects:
            found.setdefault(each["kind"], []).append(each)
        for kind, items in found.items():
            _write_list(folder / "kubernetes" / f"{kind}.json", items)
        _write_list(folder / "kubernetes" / "events.json", self.events)
        for path, text in self.logs.items():
            target = folder / "logs" / self.namespace / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        if self.series:
            (folder / "signals").mkdir()
            with (folder / "signals" / "metrics.csv").open("w", newline="") as out:
                writer = csv.writer(out)
                writer.writerow(["time", "entity", "signal", "value"])
                for entity, name, points in self.series:
                    writer.writerows((int(t), entity, name, f"{value:.6g}") for t, value in points)
        if self.alerts:
            (folder / "alerts").mkdir()
            for number, payload in enumerate(self.alerts, 1):
                (folder / "alerts" / f"{number:02}.json").write_text(json.dumps(payload, indent=1) + "\n")
        if self.calls:
            rows = [f"service/{self.namespace}/{a},service/{self.namespace}/{b}" for a, b in self.calls]
            (folder / "topology.csv").write_text("caller,callee\n" + "\n".join(rows) + "\n")
        for area, records in (("changes", self.changes), ("probes", self.probes)):
            (folder / area).mkdir()
            (folder / area / f"{area}.json").write_text(json.dumps(records, indent=1) + "\n")

    def _replica_set(self, name: str, revision: Revision) -> list[str]:
        ns = self.namespace
        digest = hashlib.sha256(f"{name}{revision.number}".encode()).hexdigest()[:10]
        set_name, hash_label = f"{name}-{digest}", {"pod-template-hash": digest}
        self.objects.append(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": meta(
                    "ReplicaSet",
                    ns,
                    set_name,
                    created=revision.created,
                    labels={"app": name, **hash_label},
                    annotations={"deployment.kubernetes.io/revision": str(revision.number)},
                    ownerReferences=owned("Deployment", ns, name),
                ),
                "spec": {
                    "replicas": revision.replicas,
                    "selector": {"matchLabels": {"app": name, **hash_label}},
                    "template": template(name, revision, hash_label),
                },
                "status": {
                    "replicas": revision.replicas,
                    "readyReplicas": revision.replicas if revision.ready else 0,
                    "observedGeneration": 1,
                },
            }
        )
        names = [f"{set_name}-{uid(set_name, str(n))[:5]}" for n in range(revision.replicas)]
        for number, pod in enumerate(names):
            self.objects.append(
                self._pod(
                    name, pod, owner=set_name, revision=revision, labels=hash_label, node=f"worker-{number % 2 + 1:02}"
                )
            )
        return names

    def _pod(self, app: str, pod: str, *, owner: str, revision: Revision, labels: Json, node: str) -> Json:
        ns, made = self.namespace, template(app, revision, labels)
        started = at(revision.created - 0.2)
        state: Json = {
            "name": app,
            "image": revision.image,
            "imageID": f"registry.example/{app}@sha256:{hashlib.sha256(revision.image.encode()).hexdigest()}",
            "ready": revision.ready,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": started}},
            "lastState": {},
        }
        conditions = [
            {"type": kind, "status": "True" if revision.ready else "False", "lastTransitionTime": started}
            for kind in ("Ready", "ContainersReady")
        ]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta(
                "Pod",
                ns,
                pod,
                created=revision.created,
                labels=made["metadata"]["labels"],
                ownerReferences=owned("ReplicaSet", ns, owner),
            ),
            "spec": {**made["spec"], "nodeName": node},
            "status": {
                "phase": "Running",
                "podIP": address(pod),
                "startTime": at(revision.created),
                "qosClass": "Burstable",
                "conditions": [
                    {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(revision.created)},
                    *conditions,
                ],
                "containerStatuses": [state],
            },
        }

    def pod(self, name: str) -> Json:
        """A pod by name, to break it."""
        return next(each for each in self.objects if each["kind"] == "Pod" and each["metadata"]["name"] == name)

    def deployment(self, name: str) -> Json:
        """A Deployment by name, to break it."""
        return next(e for e in self.objects if e["kind"] == "Deployment" and e["metadata"]["name"] == name)


def template(app: str, revision: Revision, more: Json | None = None) -> Json:
    """A pod template."""
    return {
        "metadata": {"labels": {"app": app, **revision.labels, **(more or {})}},
        "spec": {
            "serviceAccountName": "default",
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "containers": [
                {
                    "name": app,
                    "image": revision.image,
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "env": [{"name": name, "value": value} for name, value in revision.env],
                    "resources": {
                        "requests": {"cpu": "100m", "memory": revision.memory},
                        "limits": {"memory": revision.memory},
                    },
                    "readinessProbe": {
                        "httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"},
                        "periodSeconds": 10,
                        "timeoutSeconds": 1,
                        "failureThreshold": 3,
                    },
                }
            ],
        },
    }


def address(pod: str) -> str:
    """An address that stays the same for the same pod."""
    digest = hashlib.sha256(pod.encode()).digest()
    return f"10.42.{digest[0]}.{digest[1]}"


def shop(*, leave_out: tuple[str, ...] = (), until: float = 0) -> World:
    """The healthy shop: five services that call each other, on two nodes."""
    world = World(calls=list(CALLS), until=until)
    world.objects += [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": meta("Namespace", "", "shop", created=50_000)},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": meta("ServiceAccount", "shop", "default", created=50_000),
        },
    ]
    for node in ("worker-01", "worker-02"):
        world.node(node)
    for name in SERVICES:
        if name not in leave_out:
            revision = Revision(image=f"registry.example/{name}:2.4.0", created=8_000, replicas=2, env=env_of(name))
            world.service(name, pods=world.workload(name, revision))
            traffic(world, name)
            for entity in (f"service/shop/{name}",):
                world.signal(entity, "error_ratio", lambda _: 0.002, jitter=0.3)
                world.signal(entity, "latency_p95_seconds", lambda _: 0.12)
    return world


def traffic(world: World, name: str) -> None:
    """Steady requests to a service that can be reached."""
    world.probe(name, ok=True)
    world.signal(f"service/shop/{name}", "requests_per_second", lambda _: 80.0, jitter=0.05)


def env_of(name: str) -> tuple[tuple[str, str], ...]:
    """How a service finds those that it calls."""
    return tuple(
        (f"{callee.upper()}_URL", f"http://{callee}.shop.svc:80") for caller, callee in CALLS if caller == name
    )


def since(minutes: float, before: float, after: float) -> Callable[[float], float]:
    """One value up to so many minutes before the capture, another from then on."""
    return lambda m: before if m > minutes else after


def bad_rollout() -> World:
    """checkout 2.5.0 wants a setting that its new template no longer has, and exits at start."""
    world = shop(leave_out=("checkout",))
    good = Revision(
        image="registry.example/checkout:2.4.0", created=8_000, replicas=2, number=7, env=env_of("checkout")
    )
    new = Revision(
        image="registry.example/checkout:2.5.0",
        created=18,
        replicas=1,
        ready=False,
        number=8,
        env=tuple(pair for pair in env_of("checkout") if pair[0] != "PAYMENTS_URL"),
    )
    pods = world.workload("checkout", good, new)
    world.service("checkout", pods=pods[:2])
    broken = pods[-1]
    fatal = "FATAL checkout/config: required setting PAYMENTS_URL is not set"
    crash(world, broken, code=1, reason="Error", restarts=8, first=17.5, message="")
    status = world.deployment("checkout")["status"]
    status["conditions"][1] |= {
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": 'ReplicaSet "checkout" has timed out progressing.',
        "lastTransitionTime": at(8),
    }
    world.event(
        "Pod", broken, "BackOff", f"Back-off restarting failed container checkout in pod {broken}",
        first=17, last=1, count=74,
    )  # fmt: skip
    world.event("Deployment", "checkout", "ScalingReplicaSet", "Scaled up replica set checkout to 1", first=18, last=18)
    log = [f"{at(2)} INFO checkout/main: checkout 2.5.0 starting", f"{at(2)} {fatal}"]
    log.append(f"{at(2)} ERROR checkout/main: exiting with code 1")
    world.logs[f"{broken}/checkout.log"] = world.logs[f"{broken}/checkout.previous.log"] = "\n".join(log) + "\n"
    traffic(world, "checkout")
    world.signal("service/shop/checkout", "error_ratio", lambda _: 0.002, jitter=0.3)
    world.signal("service/shop/checkout", "latency_p95_seconds", lambda _: 0.12)
    world.changes.append(
        {
            "at": at(18),
            "kind": "deploy",
            "entity": "deployment/shop/checkout",
            "who": "deploy-bot",
            "summary": "checkout 2.4.0 -> 2.5.0 (revision 8)",
            "diff": "-image: checkout:2.4.0\n+image: checkout:2.5.0\n-env PAYMENTS_URL",
        }
    )
    world.alert(
        "KubeDeploymentRolloutStuck",
        "bad-rollout",
        started=7,
        labels={"deployment": "checkout", "severity": "critical"},
        summary="Deployment rollout is not progressing.",
        description="Rollout of deployment shop/checkout is not progressing for longer than 10 minutes.",
    )
    return world


def memory_exhaustion() -> World:
    """catalog keeps what it should forget, and is killed at its memory limit."""
    world = shop(leave_out=("catalog",))
    revision = Revision(image="registry.example/catalog:2.4.0", created=8_000, replicas=2, memory="256Mi")
    pods = world.workload("catalog", revision)
    world.service("catalog", pods=pods[1:])
    limit = 256 * 1024 * 1024
    for number, pod in enumerate(pods):
        crash(world, pod, code=137, reason="OOMKilled", restarts=4 + number, first=70, message="")
        period, offset = 17.0, 3.0 * number
        growth = sawtooth(period, offset, low=0.45, high=0.99)
        world.signal(f"pod/shop/{pod}", "memory_utilization_ratio", growth, jitter=0.004)
        world.signal(f"pod/shop/{pod}", "memory_bytes", lambda m, grown=growth: grown(m) * limit, jitter=0.004)
        world.event("Pod", pod, "BackOff", "Back-off restarting failed container catalog", first=65, last=2, count=19)
        world.logs[f"{pod}/catalog.previous.log"] = (
            f"{at(5)} INFO catalog/cache: 214000 products held\n{at(3)} WARN catalog/cache: heap at 96 % of 256 MiB\n"
        )
        world.logs[f"{pod}/catalog.log"] = f"{at(1)} INFO catalog/main: catalog 2.4.0 starting\n"
    world.deployment("catalog")["status"] |= {"readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1}
    traffic(world, "catalog")
    world.signal("service/shop/catalog", "error_ratio", since(66, 0.002, 0.14), jitter=0.2)
    world.signal("service/shop/catalog", "latency_p95_seconds", since(66, 0.12, 0.4), jitter=0.1)
    world.alert(
        "KubePodCrashLooping",
        "memory-exhaustion",
        started=55,
        labels={"pod": pods[0], "container": "catalog", "severity": "warning"},
        summary="Pod is crash looping.",
        description=f"Pod shop/{pods[0]} (catalog) is in waiting state (reason: CrashLoopBackOff).",
    )
    return world


def dependency_down() -> World:
    """Somebody changed the selector of payments' Service: it has no endpoints, and its callers fail."""
    world = shop(leave_out=("payments", "checkout", "frontend"))
    pods = {
        name: world.workload(
            name,
            Revision(image=f"registry.example/{name}:2.4.0", created=8_000, replicas=2, env=env_of(name)),
        )
        for name in ("payments", "checkout", "frontend")
    }
    world.service("payments", pods=[], selector={"app": "payments", "tier": "backend"})
    for name in ("checkout", "frontend"):
        world.service(name, pods=pods[name])
        traffic(world, name)
        world.signal(f"service/shop/{name}", "latency_p95_seconds", since(24, 0.12, 1.1), jitter=0.1)
    world.signal("service/shop/checkout", "error_ratio", since(24, 0.002, 0.62), jitter=0.1)
    world.signal("service/shop/frontend", "error_ratio", since(23, 0.003, 0.31), jitter=0.1)
    world.signal("service/shop/payments", "requests_per_second", since(24, 40.0, 0.0), jitter=0.05)
    world.probe("payments", ok=False)
    refused = "connect to payments.shop.svc:80 failed: connection refused"
    for name, text in (("checkout", refused), ("frontend", "POST /checkout answered 502 by checkout.shop.svc")):
        for pod in pods[name]:
            lines = [f"{at(m)} ERROR {name}/http: {text}" for m in (24, 18, 12, 6, 1)]
            world.logs[f"{pod}/{name}.log"] = "\n".join(lines) + "\n"
    for pod in pods["payments"]:
        world.logs[f"{pod}/payments.log"] = f"{at(25)} INFO payments/http: POST /charge 200\n"
    world.changes.append(
        {
            "at": at(25),
            "kind": "config",
            "entity": "service/shop/payments",
            "who": "ben",
            "summary": "selector of Service payments: added tier=backend",
            "diff": " selector:\n   app: payments\n+  tier: backend",
        }
    )
    world.alert(
        "CheckoutErrorRateHigh",
        "dependency-down",
        started=20,
        labels={"service": "checkout", "severity": "critical"},
        summary="checkout fails for its users",
        description="62 % of the requests to checkout end with a 5xx.",
    )
    return world


def healthy_alert() -> World:
    """frontend was slow for ten minutes during a batch, and is not any more."""
    world = shop(leave_out=("frontend",))
    revision = Revision(image="registry.example/frontend:2.4.0", created=8_000, replicas=2, env=env_of("frontend"))
    pods = world.workload("frontend", revision)
    world.service("frontend", pods=pods)
    traffic(world, "frontend")
    world.signal("service/shop/frontend", "error_ratio", lambda _: 0.002, jitter=0.3)
    world.signal("service/shop/frontend", "latency_p95_seconds", lambda m: 0.9 if 18 < m < 30 else 0.12)
    for pod in pods:
        world.logs[f"{pod}/frontend.log"] = f"{at(3)} INFO frontend/http: GET / 200 in 41 ms\n"
    world.alert(
        "FrontendLatencyHigh",
        "healthy-alert",
        started=26,
        labels={"service": "frontend", "severity": "warning"},
        summary="frontend answers slowly",
        description="The 95th percentile of frontend's latency is above 500 ms.",
    )
    return world


def crash(world: World, pod: str, *, code: int, reason: str, restarts: int, first: float, message: str) -> None:
    """Puts a pod's container into CrashLoopBackOff after its last end."""
    status = world.pod(pod)["status"]
    ended: Json = {"exitCode": code, "reason": reason, "startedAt": at(2.1), "finishedAt": at(2), "message": message}
    status["containerStatuses"][0] |= {
        "ready": False,
        "started": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
        "lastState": {"terminated": ended},
    }
    for condition in status["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition |= {"status": "False", "reason": "ContainersNotReady", "lastTransitionTime": at(first)}


def sawtooth(period: float, offset: float, *, low: float, high: float) -> Callable[[float], float]:
    """Grows from `low` to `high` again and again, for the last 70 minutes; steady before."""

    def value(minutes: float) -> float:
        if minutes > 70:
            return low
        return low + (high - low) * (((70 - minutes + offset) % period) / period)

    return value


INCIDENTS: dict[str, Callable[[], World]] = {
    "bad-rollout": bad_rollout,
    "memory-exhaustion": memory_exhaustion,
    "dependency-down": dependency_down,
    "healthy-alert": healthy_alert,
}


def big(pods: int) -> World:
    """A cluster of so many pods, five a Deployment, with one image that cannot be pulled."""
    world = World()
    for number in range(max(2, pods // 50)):
        world.node(f"worker-{number:03}")
    for name in _names(pods // 5):
        revision = Revision(image=f"registry.example/{name}:1.0.0", created=9_000, replicas=5, env=(("MODE", "live"),))
        world.service(name, pods=world.workload(name, revision))
    victim = "service-0003"
    state = [each for each in world.objects if each["kind"] == "Pod" and each["metadata"]["labels"]["app"] == victim]
    for pod in state:
        status, message = pod["status"], 'Back-off pulling image "registry.example/service-0003:1.0.0"'
        status["phase"] = "Pending"
        status["containerStatuses"][0] |= {
            "ready": False,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": message}},
        }
        status["conditions"][1]["status"] = status["conditions"][2]["status"] = "False"
        failed = 'Failed to pull image "registry.example/service-0003:1.0.0": manifest unknown: not found'
        world.event("Pod", pod["metadata"]["name"], "Failed", failed, first=30, last=1, count=12)
    return world


def _names(count: int) -> Iterator[str]:
    return (f"service-{number:04}" for number in range(count))


def _write_list(path: Path, items: list[Json]) -> None:
    body = ",\n".join(json.dumps(each, separators=(",", ":")) for each in items)
    path.write_text('{"apiVersion": "v1", "kind": "List", "items": [\n' + body + "\n]}\n")


def main(argv: list[str]) -> None:
    """The two commands of the module's docstring."""
    match argv:
        case ["incidents", folder]:
            # Imported only now: it builds on this module.
            from benchmarks.recoveries import write_recoveries

            for name, make in INCIDENTS.items():
                make().write(Path(folder) / name)
                write_recoveries(name, Path(folder) / name)
        case ["big", pods, folder]:
            big(int(pods)).write(Path(folder))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
