"""A whole recorded cluster in memory: objects as `kubectl get -o json` shows them, events, logs, signals.

Faults change specifications and pods; `controllers.settle` then makes the rest follow, as a real control plane would.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from whenever import Instant, TimeDelta

Json = dict[str, Any]

NOW = Instant.from_utc(2026, 3, 10, 12, 0)
DAY = 24 * 60
CLUSTER_SCOPED = frozenset(
    {
        "Node",
        "Namespace",
        "PersistentVolume",
        "StorageClass",
        "IngressClass",
        "PriorityClass",
        "APIService",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "GatewayClass",
        "ClusterRole",
        "ClusterRoleBinding",
    }
)
_VERSIONS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Ingress": "networking.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "StorageClass": "storage.k8s.io/v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "APIService": "apiregistration.k8s.io/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "GatewayClass": "gateway.networking.k8s.io/v1",
    "Gateway": "gateway.networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}


@cache
def at(minutes: float) -> str:
    """So many minutes before the capture, as the API writes times."""
    return (NOW - TimeDelta(seconds=round(minutes * 60))).format_iso(unit="second")


@cache
def digest(text: str, length: int = 10) -> str:
    """Letters and digits that look like those of a template hash, the same each time."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:12])
    return "".join(alphabet[number // 27**place % 27] for place in range(length))


def copied(fields: Json) -> Json:
    """The same once more; faster than `copy.deepcopy` for what is only JSON."""
    return orjson.loads(orjson.dumps(fields))


class Cluster:
    """What was recorded."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Json] = {}
        self.events: list[Json] = []
        self.logs: dict[str, list[str]] = {}
        """`namespace/pod/container.log`, lines."""
        self.series: dict[tuple[str, str], Callable[[float], float]] = {}
        """Entity and signal: the value so many minutes before the capture."""
        self.alerts: list[Json] = []
        self.calls: set[tuple[str, str]] = set()
        """Names of caller and callee, in namespace shop."""
        self.listed: set[str] = set()
        """Kinds that were listed and of which there may be none."""
        self._addresses = 0

    # Objects

    def put(self, kind: str, namespace: str, name: str, *, age: float = 30 * DAY, **fields: Any) -> Json:
        """Adds an object; `fields` are what stands beside its metadata."""
        metadata: Json = {
            "name": name,
            "uid": f"{digest(kind + namespace + name, 8)}-{digest(name + namespace + kind, 4)}-4000-8000-000000000000",
            "resourceVersion": str(100_000 + len(self.objects)),
            "creationTimestamp": at(age),
        }
        if namespace:
            metadata["namespace"] = namespace
        metadata |= fields.pop("metadata", {})
        made: Json = {"apiVersion": _VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata, **fields}
        self.objects[kind, namespace, name] = made
        return made

    def get(self, kind: str, name: str, namespace: str = "shop") -> Json:
        """An object that must be there."""
        return self.objects[kind, "" if kind in CLUSTER_SCOPED else namespace, name]

    def drop(self, kind: str, name: str, namespace: str = "shop") -> None:
        """Deletes an object."""
        del self.objects[kind, "" if kind in CLUSTER_SCOPED else namespace, name]

    def all(self, kind: str, namespace: str | None = None) -> list[Json]:
        """Objects of a kind, in one namespace or all."""
        found = [each for (known, _, _), each in self.objects.items() if known == kind]
        return [each for each in found if namespace is None or each["metadata"].get("namespace", "") == namespace]

    def pods_of(self, workload: str, namespace: str = "shop") -> list[Json]:
        """The pods of a workload by its label `app`, the newest last."""
        pods = [each for each in self.all("Pod", namespace) if each["metadata"]["labels"].get("app") == workload]
        return sorted(pods, key=lambda each: each["metadata"]["creationTimestamp"])

    def address(self) -> str:
        """A pod address that nobody has yet."""
        self._addresses += 1
        return f"10.244.{self._addresses // 200 + 1}.{self._addresses % 200 + 10}"

    def cluster_ip(self, name: str) -> str:
        """The stable address of a Service."""
        return f"10.96.{int(hashlib.sha256(name.encode()).hexdigest()[:2], 16)}.{len(name) + 20}"

    # What happened

    def event(
        self,
        about: Json,
        reason: str,
        message: str,
        *,
        last: float = 1,
        first: float | None = None,
        count: int = 1,
        kind: str = "Warning",
        source: str = "kubelet",
    ) -> None:
        """Something that was recorded about an object."""
        meta = about["metadata"]
        namespace = meta.get("namespace", "default")
        name = f"{meta['name']}.{digest(f'{reason}{message}{len(self.events)}', 16)}"
        known = {key: meta[key] for key in ("name", "namespace", "uid") if key in meta}
        self.events.append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace, "creationTimestamp": at(first or last)},
                "involvedObject": {"kind": about["kind"], "apiVersion": about["apiVersion"], **known},
                "reason": reason,
                "message": message,
                "type": kind,
                "count": count,
                "firstTimestamp": at(first or last),
                "lastTimestamp": at(last),
                "source": {"component": source},
                "reportingComponent": source,
            }
        )

    def log(self, pod: Json, *lines: str, container: str = "", previous: bool = False, since: float = 20) -> None:
        """Adds lines to a container's log, spread over the last `since` minutes."""
        name = container or pod["spec"]["containers"][0]["name"]
        meta = pod["metadata"]
        path = f"{meta['namespace']}/{meta['name']}/{name}{'.previous' if previous else ''}.log"
        step = since / max(1, len(lines))
        known = self.logs.setdefault(path, [])
        known += [f"{at(since - step * place - 0.5)} {line}" for place, line in enumerate(lines)]

    def signal(self, entity: str, name: str, value: Callable[[float], float]) -> None:
        """A series of the last three hours."""
        self.series[entity, name] = value

    def alert(self, name: str, *, started: float, summary: str, status: str = "firing", **labels: str) -> None:
        """An alert as Alertmanager's webhook sends it."""
        self.alerts.append(
            {
                "status": status,
                "labels": {"alertname": name, **labels},
                "annotations": {"summary": summary},
                "startsAt": at(started),
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": digest(name + str(labels), 16),
            }
        )

    # On disk

    def write(self, folder: Path, *, without: Iterable[str] = ()) -> None:
        """Writes the snapshot; `without` names kinds that were not captured."""
        left_out = frozenset(without)
        (folder / "kubernetes").mkdir(parents=True)
        (folder / "snapshot.yaml").write_text(f'version: 1\ncaptured_at: "{at(0)}"\n')
        kinds: dict[str, list[Json]] = {kind: [] for kind in self.listed} | {"Event": self.events}
        for (kind, _, _), each in self.objects.items():
            kinds.setdefault(kind, []).append(each)
        lists = [
            {"apiVersion": "v1", "kind": f"{kind}List" if not several else "List", "items": several}
            for kind, several in kinds.items()
            if kind not in left_out
        ]
        (folder / "kubernetes" / "all.json").write_bytes(orjson.dumps(lists))
        self._write_logs(folder / "logs", left_out)
        self._write_signals(folder / "signals")
        if self.alerts:
            (folder / "alerts").mkdir()
            payload = {"version": "4", "status": "firing", "receiver": "locum", "alerts": self.alerts}
            (folder / "alerts" / "1.json").write_text(json.dumps(payload))

    def _write_logs(self, folder: Path, left_out: frozenset[str]) -> None:
        if "logs" in left_out:
            return
        folder.mkdir()
        for path, lines in self.logs.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text("\n".join(lines) + "\n")

    def _write_signals(self, folder: Path) -> None:
        if not self.series:
            return
        folder.mkdir()
        rows = [
            f"{at(minutes)},{entity},{name},{value(minutes):.6g}"
            for (entity, name), value in self.series.items()
            for minutes in range(180, -1, -2)
        ]
        (folder / "all.csv").write_text("\n".join(["time,entity,signal,value", *rows]) + "\n")


def steady(level: float, spread: float = 0.05) -> Callable[[float], float]:
    """A value with a small regular unrest."""
    return lambda minutes: level * (1 + spread * ((minutes * 7919) % 13 - 6) / 6)


def since(minutes: float, before: float, after: float) -> Callable[[float], float]:
    """One level until so many minutes ago, another from then on."""
    return lambda now: steady(before if now > minutes else after)(now)


def condition(kind: str, *, status: bool | str, reason: str = "", message: str = "", changed: float = 20) -> Json:
    """One condition of a status."""
    said = status if isinstance(status, str) else str(status)
    made: Json = {"type": kind, "status": said, "lastTransitionTime": at(changed)}
    return made | {key: value for key, value in (("reason", reason), ("message", message)) if value}


def names(objects: Sequence[Json]) -> list[str]:
    """The objects' names."""
    return [each["metadata"]["name"] for each in objects]
