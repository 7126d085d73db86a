"""Who depends on whom: the paths on which trouble travels. Read from objects, and from the names in container settings.

Pure. Values of settings are searched for host names and nothing of them is kept: they may hold secrets.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agents.inventory import Inventory
from agents.objects import Resource, labels_at, matches
from agents.report import Edge
from tools.entity import Entity
from tools.kubernetes.fields import Fields, items, mapping, text, words

DATABASES = frozenset({"database", "postgres", "mongodb", "redis"})
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")

_URL_HOSTS = re.compile(r"://(?:[^\s/@'\"]*@)?([A-Za-z0-9.,:_-]+)")
_HOST_PORT = re.compile(r"(?<![\w./@-])([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):\d{2,5}\b")
_LONG_NAME = re.compile(r"\b([a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9-]*\.svc)\b")
_WHOLE = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\Z")
_NAMES_A_HOST = re.compile(r"(?i)(?:host|addr|address|url|uri|endpoint|server|service|backend|upstream|broker|dsn)s?$")


def edges(cluster: Inventory, calls: Sequence[tuple[Entity, Entity]]) -> frozenset[Edge]:
    """All relations that the objects, their settings and recorded calls show."""
    return frozenset(
        (
            *_owned(cluster),
            *_placed(cluster),
            *_served(cluster),
            *_routed(cluster),
            *_scaled(cluster),
            *_guarded(cluster),
            *(Edge(callee, caller, "calls") for caller, callee in calls),
            *_called(cluster),
        )
    )


def replicas(found: Iterable[Entity]) -> frozenset[Edge]:
    """Databases and their replicas, which mostly carry the name of their source and something more."""
    databases = {each for each in found if each.kind in DATABASES}
    pairs = (
        (max((each for each in databases if copy.name.startswith(f"{each.name}-")), key=_length, default=None), copy)
        for copy in databases
    )
    return frozenset(Edge(source, copy, "copies") for source, copy in pairs if source)


def _length(entity: Entity) -> int:
    return len(entity.name)


def pod_spec(resource: Resource) -> Fields:
    """The pod template's spec of a workload, or the pod's own."""
    if resource.kind == "CronJob":
        return mapping(resource.raw, "spec", "jobTemplate", "spec", "template", "spec")
    return resource.spec if resource.kind == "Pod" else mapping(resource.raw, "spec", "template", "spec")


def containers(spec: Fields) -> list[Fields]:
    """Init containers, then containers."""
    return [*items(spec, "initContainers"), *items(spec, "containers")]


def references(spec: Fields) -> Iterator[tuple[str, str]]:
    """The (kind, name) of what a pod spec mounts or reads."""
    for volume in items(spec, "volumes"):
        for kind, name in (
            ("persistentvolumeclaim", text(volume, "persistentVolumeClaim", "claimName")),
            ("configmap", text(volume, "configMap", "name")),
            ("secret", text(volume, "secret", "secretName")),
        ):
            if name:
                yield kind, name
        for source in items(volume, "projected", "sources"):
            yield from (("configmap", name) for name in [text(source, "configMap", "name")] if name)
            yield from (("secret", name) for name in [text(source, "secret", "name")] if name)
    for container in containers(spec):
        for source in items(container, "envFrom"):
            yield from (("configmap", name) for name in [text(source, "configMapRef", "name")] if name)
            yield from (("secret", name) for name in [text(source, "secretRef", "name")] if name)
        for variable in items(container, "env"):
            yield from _keyed(mapping(variable, "valueFrom"))


def _keyed(value_from: Fields) -> Iterator[tuple[str, str]]:
    for kind, reference in (("configmap", "configMapKeyRef"), ("secret", "secretKeyRef")):
        if name := text(value_from, reference, "name"):
            yield kind, name


def _owned(cluster: Inventory) -> Iterator[Edge]:
    for each in cluster.all("Pod", *WORKLOADS):
        if (above := cluster.owner(each)) and above[0].kind != "node":
            yield Edge(each.entity, above[0], "owns")
            # A set that was not listed would cut the path from pod to Deployment.
            if above[1] is None and (top := cluster.workload(each)) != above[0]:
                yield Edge(each.entity, top, "owns")


def _placed(cluster: Inventory) -> Iterator[Edge]:
    for pod in cluster.all("Pod"):
        if node := text(pod.raw, "spec", "nodeName"):
            yield Edge(Entity.of("node", "", node), pod.entity, "runs-on")
    for each in cluster.all("Pod", *WORKLOADS):
        for kind, name in references(pod_spec(each)):
            yield Edge(Entity.of(kind, each.namespace, name), each.entity, "mounts")
    templates = {
        (each.namespace, f"{text(template, 'metadata', 'name')}-{each.name}"): each.entity
        for each in cluster.all("StatefulSet")
        for template in items(each.raw, "spec", "volumeClaimTemplates")
    }
    for claim in cluster.all("PersistentVolumeClaim"):
        # Named <template>-<set>-<ordinal>; it may wait while there is no pod yet.
        if owner := templates.get((claim.namespace, claim.name.rpartition("-")[0])):
            yield Edge(claim.entity, owner, "mounts")
        if storage_class := text(claim.raw, "spec", "storageClassName"):
            yield Edge(Entity.of("storageclass", "", storage_class), claim.entity, "mounts")


def _served(cluster: Inventory) -> Iterator[Edge]:
    templates = _by_label(cluster)
    for service in cluster.all("Service"):
        for pod in cluster.pods_behind(service):
            yield Edge(pod.entity, service.entity, "selects")
        selector = labels_at(service.raw, "spec", "selector")
        # A workload without any pod is the reason that its Service has none.
        groups = [templates.get((service.namespace, key, value), []) for key, value in selector.items()]
        for workload, labels in min(groups, key=len, default=list[tuple[Resource, Mapping[str, str]]]()):
            if matches({"matchLabels": selector}, labels):
                yield Edge(workload.entity, service.entity, "selects")


def _by_label(cluster: Inventory) -> Mapping[tuple[str, str, str], list[tuple[Resource, Mapping[str, str]]]]:
    found: dict[tuple[str, str, str], list[tuple[Resource, Mapping[str, str]]]] = {}
    for each in cluster.all("Deployment", "StatefulSet", "DaemonSet"):
        labels = labels_at(each.raw, "spec", "template", "metadata", "labels")
        for key, value in labels.items():
            found.setdefault((each.namespace, key, value), []).append((each, labels))
    return found


def backends(ingress: Resource) -> Iterator[Fields]:
    """Every backend of an Ingress, the default one included."""
    if default := mapping(ingress.raw, "spec", "defaultBackend"):
        yield default
    for line in items(ingress.raw, "spec", "rules"):
        for path in items(line, "http", "paths"):
            yield mapping(path, "backend")


def _routed(cluster: Inventory) -> Iterator[Edge]:
    for ingress in cluster.all("Ingress"):
        for backend in backends(ingress):
            if name := text(backend, "service", "name"):
                yield Edge(Entity.of("service", ingress.namespace, name), ingress.entity, "routes-to")


def _scaled(cluster: Inventory) -> Iterator[Edge]:
    for scaler in cluster.all("HorizontalPodAutoscaler"):
        kind, name = (text(scaler.raw, "spec", "scaleTargetRef", part) for part in ("kind", "name"))
        if kind and name and "/" not in kind:
            yield Edge(scaler.entity, Entity.of(kind, scaler.namespace, name), "scales")


def _guarded(cluster: Inventory) -> Iterator[Edge]:
    for policy in cluster.all("NetworkPolicy"):
        for pod in cluster.pods_selected(policy.namespace, mapping(policy.raw, "spec", "podSelector")):
            yield Edge(policy.entity, pod.entity, "selects")


def _called(cluster: Inventory) -> Iterator[Edge]:
    services = {(each.namespace, each.name): each.entity for each in cluster.all("Service")}
    if not services:
        return
    seen: set[Entity] = set()
    for each in (*cluster.all("Deployment", "StatefulSet", "DaemonSet", "CronJob"), *cluster.all("Pod")):
        caller = cluster.workload(each)
        # One pod stands for its workload: they share the template, and there may be thousands.
        if caller in seen:
            continue
        seen.add(caller)
        for namespace, name in _named_hosts(cluster, each):
            callee = services.get((namespace, name))
            if callee and (callee.namespace, callee.name) != (caller.namespace, caller.name):
                yield Edge(callee, caller, "calls")


def _named_hosts(cluster: Inventory, resource: Resource) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for container in containers(pod_spec(resource)):
        hosts: set[str] = set()
        for value in (*words(container, "command"), *words(container, "args")):
            hosts.update(_hosts(value))
        for variable, value in settings(cluster, resource.namespace, container):
            hosts.update(_hosts(value))
            if _NAMES_A_HOST.search(variable) and _WHOLE.match(value):
                hosts.add(value)
        found.update(place_of(host, resource.namespace) for host in hosts)
    return found


def settings(cluster: Inventory, namespace: str, container: Fields) -> Iterable[tuple[str, str]]:
    """The variables of a container as far as they can be read: name and value."""
    for variable in items(container, "env"):
        name, value = text(variable, "name"), text(variable, "value")
        reference = mapping(variable, "valueFrom", "configMapKeyRef")
        source = cluster.get("ConfigMap", namespace, text(reference, "name")) if reference else None
        yield name, text(source.raw, "data", text(reference, "key")) if source else value
    for reference in items(container, "envFrom"):
        if source := cluster.get("ConfigMap", namespace, text(reference, "configMapRef", "name")):
            yield from labels_at(source.raw, "data").items()


def _hosts(value: str) -> Iterator[str]:
    for group in _URL_HOSTS.findall(value):
        yield from (host.partition(":")[0] for host in str(group).split(","))
    yield from (str(host) for host in _HOST_PORT.findall(value))
    yield from (str(host) for host in _LONG_NAME.findall(value))


def place_of(host: str, namespace: str) -> tuple[str, str]:
    """(namespace, name) of the Service that a host name would mean; of a headless pod name, its Service."""
    labels = host.lower().rstrip(".").split(".")
    if "svc" in labels[2:]:
        labels = labels[max(0, labels.index("svc", 2) - 2) :]
    return (labels[1], labels[0]) if len(labels) > 1 else (namespace, labels[0])
