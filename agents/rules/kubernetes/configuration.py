"""ConfigMaps, Secrets and keys that workloads want and do not get."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whenever import Instant

from agents.causes import Rule, rule
from agents.finding import Finding, Role
from agents.objects import Fields, Resource, items, labels_at, mapping, text
from agents.rules.kubernetes.readings import (
    containers,
    counted,
    first,
    grouped,
    is_leaving,
    is_ready,
    severity,
    short,
    target,
)
from agents.rules.kubernetes.starting import is_stuck
from agents.scene import Scene
from agents.topology import containers as all_containers
from tools.evidence import Evidence

_ABSENT = {
    "ConfigMap": re.compile(r"configmaps? \"(?P<name>[\w.-]+)\" not found", re.IGNORECASE),
    "Secret": re.compile(r"secrets? \"(?P<name>[\w.-]+)\" not found", re.IGNORECASE),
}
_KEYS = re.compile(
    r"couldn't find key (?P<key>\S+) in (?P<kind>ConfigMap|Secret) (?:[\w.-]+/)?(?P<name>[\w.-]+)"
    r"|references non-existent (?:config|secret) key: (?P<path>\S+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One thing that a pod refers to and that is not there."""

    pod: Resource
    name: str
    key: str
    says: str
    evidence: tuple[Evidence, ...]
    since: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One mandatory reference of a pod spec."""

    kind: str
    name: str
    keys: tuple[str, ...]
    path: str


def _told(scene: Scene) -> Sequence[tuple[Resource, str, Evidence, Instant | None]]:
    """What the kubelet says of references: messages of waiting containers and of events."""
    found: list[tuple[Resource, str, Evidence, Instant | None]] = [
        (each.pod, text(each.waiting, "message"), scene.cite(each.pod, each.path), each.pod.created_at)
        for each in containers(scene)
        if text(each.waiting, "reason") == "CreateContainerConfigError"
    ]
    for event in scene.cluster.events_with("FailedMount", "Failed"):
        pod = scene.cluster.at(event.entity)
        if pod and is_stuck(scene, pod) and not is_ready(pod):
            found.append((pod, event.message, scene.cite_event(event), event.first_at))
    return found


def _waits(scene: Scene) -> Sequence[Resource]:
    """Pods whose references are looked up: those that have not come up. Whoever runs has got what it needed."""
    return [
        pod
        for pod in scene.cluster.all("Pod")
        if pod.status.get("phase") == "Pending" and text(pod.raw, "spec", "nodeName") and not is_leaving(pod)
    ]


def _references(spec: Fields) -> Iterator[Reference]:
    for volume in items(spec, "volumes"):
        for kind, part, field in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            yield from _reference(mapping(volume, part), kind, field, "spec.volumes")
        for source in items(volume, "projected", "sources"):
            for kind, part in (("ConfigMap", "configMap"), ("Secret", "secret")):
                yield from _reference(mapping(source, part), kind, "name", "spec.volumes")
    for container in all_containers(spec):
        for source in items(container, "envFrom"):
            for kind, part in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                yield from _reference(mapping(source, part), kind, "name", "spec.containers[*].envFrom")
        for variable in items(container, "env"):
            for kind, part in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                yield from _reference(
                    mapping(variable, "valueFrom", part), kind, "name", "spec.containers[*].env[*].valueFrom"
                )


def _reference(place: Fields, kind: str, field: str, path: str) -> Iterator[Reference]:
    name = text(place, field)
    if name and place.get("optional") is not True:
        keys = [text(place, "key"), *(text(item, "key") for item in items(place, "items"))]
        yield Reference(kind=kind, name=name, keys=tuple(key for key in keys if key), path=path)


def _wants(scene: Scene, kind: str) -> Iterator[Want]:
    for pod, message, evidence, since in scene.once(_told):
        for said in _ABSENT[kind].finditer(message):
            yield Want(pod=pod, name=said["name"], key="", says=short(message), evidence=(evidence,), since=since)
    for pod in scene.once(_waits):
        for each in _references(pod.spec):
            if each.kind == kind and scene.cluster.lacks(kind, pod.namespace, each.name):
                shown = (scene.cite(pod, each.path, "status.phase"),)
                yield Want(pod=pod, name=each.name, key="", says="", evidence=shown, since=pod.created_at)


def _findings(scene: Scene, of: Rule, kind: str, wants: Iterator[Want]) -> Iterator[Finding]:
    for workload, several in grouped(scene, ((each.pod, each) for each in wants)).items():
        each = several[0]
        near = [one.name for one in scene.cluster.all(kind) if one.namespace == each.pod.namespace]
        like = f"; there are {', '.join(near[:5])}" if near else ""
        what = f"key {each.key!r} of {kind} {each.name!r}" if each.key else f"{kind} {each.name!r}"
        said = f": {each.says}" if each.says else like
        command = "configmap" if kind == "ConfigMap" else "secret generic"
        place = f"{each.name} -n {each.pod.namespace}"
        yield of.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))} need {what}, which does not exist{said}",
            [piece for one in several[:2] for piece in one.evidence],
            severity=severity(scene, workload),
            first_seen=first(one.since for one in several),
            remedy=f"Add the key: kubectl edit {kind.lower()} {place}"
            if each.key
            else f"kubectl create {command} {place} …, or correct the name in {target(workload)}",
        )


@rule(
    id="configmap-missing",
    area="configuration",
    role=Role.CAUSE,
    title="A ConfigMap does not exist",
    meaning="Renamed, not deployed, or in another namespace. Optional references are left out.",
    remediation="Create it, or correct the name.",
)
def configmap_missing(scene: Scene) -> Iterator[Finding]:
    yield from _findings(scene, configmap_missing, "ConfigMap", _wants(scene, "ConfigMap"))


@rule(
    id="secret-missing",
    area="configuration",
    role=Role.CAUSE,
    title="A Secret does not exist",
    meaning="Not synchronised, renamed, or in another namespace. Where Secrets cannot be listed, an event must say so.",
    remediation="Create it, or look at what synchronises it.",
)
def secret_missing(scene: Scene) -> Iterator[Finding]:
    yield from _findings(scene, secret_missing, "Secret", _wants(scene, "Secret"))


@rule(
    id="config-key-missing",
    area="configuration",
    role=Role.CAUSE,
    title="A ConfigMap or Secret lacks a key",
    meaning="The object exists without the key that a container or volume asks for.",
    remediation="Add the key, or correct its name.",
)
def config_key_missing(scene: Scene) -> Iterator[Finding]:
    for kind in ("ConfigMap", "Secret"):
        yield from _findings(scene, config_key_missing, kind, _lacking_keys(scene, kind))


def _lacking_keys(scene: Scene, kind: str) -> Iterator[Want]:
    for pod, message, evidence, since in scene.once(_told):
        for said in _KEYS.finditer(message):
            if (said["kind"] or kind) == kind and (name := said["name"] or _holder(pod, kind, said["path"])):
                key = said["key"] or said["path"]
                yield Want(pod=pod, name=name, key=key, says=short(message), evidence=(evidence,), since=since)
    for pod in scene.once(_waits) if kind == "ConfigMap" else ():
        for each in _references(pod.spec):
            holder = scene.cluster.get(kind, pod.namespace, each.name)
            have = {*labels_at(holder.raw, "data"), *labels_at(holder.raw, "binaryData")} if holder else set[str]()
            for key in each.keys:
                if holder and each.kind == kind and key not in have:
                    shown = (scene.cite(pod, each.path), scene.cite(holder, "metadata.name"))
                    yield Want(pod=pod, name=each.name, key=key, says="", evidence=shown, since=pod.created_at)


def _holder(pod: Resource, kind: str, key: str) -> str:
    """Which object of that kind the pod asks for this key."""
    return next((each.name for each in _references(pod.spec) if each.kind == kind and key in each.keys), "")
