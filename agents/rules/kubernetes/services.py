"""Services that reach no pod, or the wrong port of one."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from whenever import Instant, TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, Resource, items, labels_at, mapping, matches, moment, number, text
from agents.rules.kubernetes.readings import STARTING, first, is_leaving, is_ready, older_than, unready_since
from agents.rules.kubernetes.workloads import wanted
from agents.scene import Scene
from tools.evidence import Evidence

NEAR = 0.7
"""Likeness of two label values from which one is taken for a slip of the other: a letter or a suffix apart."""
ADDRESS_WAIT = TimeDelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """What stands behind a Service."""

    service: Resource
    ready: int
    unready: int
    slices: Sequence[Resource]
    pods: Sequence[Resource]
    is_known: bool
    """Whether anything was listed that tells."""


def backings(scene: Scene) -> Sequence[Backing]:
    """What stands behind each Service that selects pods; those without a selector are kept by somebody else."""
    return scene.once(_backings)


def _backings(scene: Scene) -> Sequence[Backing]:
    slices: dict[tuple[str, str], list[Resource]] = {}
    for each in scene.cluster.all("EndpointSlice"):
        slices.setdefault((each.namespace, each.labels.get("kubernetes.io/service-name", "")), []).append(each)
    for each in scene.cluster.all("Endpoints"):
        slices.setdefault((each.namespace, each.name), slices.get((each.namespace, each.name)) or [each])
    found: list[Backing] = []
    for service in scene.cluster.all("Service"):
        if not selector_of(service) or service.spec.get("type") == "ExternalName":
            continue
        own = slices.get((service.namespace, service.name), [])
        pods = [
            pod
            for pod in scene.cluster.pods_behind(service)
            if not is_leaving(pod) and pod.status.get("phase") not in ("Succeeded", "Failed")
        ]
        counts = [_counted(each) for each in own]
        knows_slices = any(scene.cluster.knows(kind, service.namespace) for kind in ("EndpointSlice", "Endpoints"))
        if own or knows_slices:
            good, bad = sum(each[0] for each in counts), sum(each[1] for each in counts)
        else:
            good = sum(is_ready(pod) for pod in pods)
            bad = len(pods) - good
        known = bool(own) or knows_slices or scene.cluster.knows("Pod", service.namespace)
        found.append(Backing(service=service, ready=good, unready=bad, slices=own, pods=pods, is_known=known))
    return found


def _counted(each: Resource) -> tuple[int, int]:
    if each.kind == "EndpointSlice":
        # An absent `ready` means ready.
        states = [mapping(each, "conditions").get("ready") for each in items(each.raw, "endpoints")]
        good = sum(state is not False for state in states)
        return good, len(states) - good
    subsets = items(each.raw, "subsets")
    good = sum(len(items(subset, "addresses")) for subset in subsets)
    return good, sum(len(items(subset, "notReadyAddresses")) for subset in subsets)


def selector_of(service: Resource) -> Mapping[str, str]:
    """The labels that a Service selects."""
    return labels_at(service.raw, "spec", "selector")


def _templates(scene: Scene, namespace: str) -> Sequence[tuple[Resource, Mapping[str, str]]]:
    return scene.once(_all_templates).get(namespace, ())


def _all_templates(scene: Scene) -> dict[str, list[tuple[Resource, Mapping[str, str]]]]:
    """Workloads and bare pods with their pods' labels, by namespace."""
    found: dict[str, list[tuple[Resource, Mapping[str, str]]]] = {}
    for each in scene.cluster.all("Deployment", "StatefulSet", "DaemonSet"):
        labels = labels_at(each.raw, "spec", "template", "metadata", "labels")
        found.setdefault(each.namespace, []).append((each, labels))
    for pod in scene.cluster.all("Pod"):
        if scene.cluster.at(scene.cluster.workload(pod)) in (None, pod):
            found.setdefault(pod.namespace, []).append((pod, pod.labels))
    return found


def _matching(scene: Scene, service: Resource) -> list[Resource]:
    selector = {"matchLabels": selector_of(service)}
    return [each for each, labels in _templates(scene, service.namespace) if matches(selector, labels)]


def _shown(scene: Scene, each: Backing) -> list[Evidence]:
    slices = [scene.cite(one, "endpoints", "subsets") for one in each.slices[:2]]
    return [scene.cite(each.service, "spec.selector", "spec.ports"), *slices]


@rule(
    id="endpoints-empty",
    area="services",
    role=Role.SYMPTOM,
    title="A Service has no endpoints",
    meaning="Nothing answers behind it. Services without selector, and those of workloads at zero, are left out.",
    remediation="See whether its selector finds pods and whether they run.",
)
def endpoints_empty(scene: Scene) -> Iterator[Finding]:
    for each in backings(scene):
        if not each.is_known or each.ready or each.unready or _is_asleep(scene, each.service):
            continue
        if not older_than(scene, each.service.created_at, STARTING):
            continue
        service = each.service
        selects = ",".join(f"{key}={value}" for key, value in selector_of(service).items())
        yield endpoints_empty.finding(
            service.entity,
            f"{service.entity} has no endpoints; its selector {selects} finds {len(each.pods)} pods",
            _shown(scene, each),
            severity=Severity.CRITICAL,
            first_seen=first(unready_since(pod) for pod in each.pods),
            remedy=f"kubectl get pods -n {service.namespace} -l {selects}",
        )


def _is_asleep(scene: Scene, service: Resource) -> bool:
    """Whether all that it selects is scaled to zero, and nobody asked about it."""
    sets = [each for each in _matching(scene, service) if each.kind != "Pod"]
    return bool(sets) and all(wanted(each) == 0 for each in sets) and service.entity not in scene.case.scope.entities


@rule(
    id="endpoints-not-ready",
    area="services",
    role=Role.SYMPTOM,
    title="A Service's endpoints are not ready",
    meaning="Its pods exist and fail their readiness. Services that publish unready pods on purpose are left out.",
    remediation="Look at the pods' readiness.",
)
def endpoints_not_ready(scene: Scene) -> Iterator[Finding]:
    for each in backings(scene):
        if not each.unready or each.service.spec.get("publishNotReadyAddresses") is True:
            continue
        times = [at for pod in each.pods if (at := unready_since(pod))]
        if times and not older_than(scene, min(times), STARTING):
            continue
        service = each.service
        yield endpoints_not_ready.finding(
            service.entity,
            f"{service.entity} has {each.ready} ready endpoints and {each.unready} that are not ready",
            _shown(scene, each),
            severity=Severity.WARNING if each.ready else Severity.CRITICAL,
            first_seen=min(times, default=None),
            remedy=f"kubectl describe pods -n {service.namespace}, those that {service.name} selects",
        )


@rule(
    id="selector-mismatch",
    area="services",
    role=Role.CAUSE,
    title="A Service's selector misses the pods it is meant for",
    meaning="It selects no pod, while a workload has nearly those labels. Workloads at zero still count as found.",
    remediation="Align the selector and the pods' labels.",
)
def selector_mismatch(scene: Scene) -> Iterator[Finding]:
    for each in backings(scene):
        service = each.service
        if each.pods or each.ready or not scene.cluster.knows("Pod", service.namespace) or _matching(scene, service):
            continue
        near = _nearest(scene, service)
        if near is None:
            continue
        workload, labels = near
        selector = selector_of(service)
        wrong = {key: value for key, value in selector.items() if labels.get(key) != value}
        differs = "; ".join(
            f"{key}={value}, but the pods have {labels[key]!r}" if key in labels else f"no pod has {key}={value}"
            for key, value in wrong.items()
        )
        path = "metadata.labels" if workload.kind == "Pod" else "spec.template.metadata.labels"
        right = ",".join(f'"{key}":"{labels[key]}"' for key in wrong if key in labels)
        fix = (
            f'kubectl patch service {service.name} -n {service.namespace} -p \'{{"spec":{{"selector":{{{right}}}}}}}\''
        )
        yield selector_mismatch.finding(
            service.entity,
            f"{service.entity} selects no pod; {workload.entity} nearly matches: {differs}",
            [scene.cite(service, "spec.selector"), scene.cite(workload, path)],
            severity=Severity.CRITICAL,
            remedy=fix if right else f"Add {', '.join(wrong)} to the pod labels of {workload.entity}, or drop it here",
        )


def _nearest(scene: Scene, service: Resource) -> tuple[Resource, Mapping[str, str]] | None:
    scored = [
        (_likeness(service, workload, labels), str(workload.entity), workload, labels)
        for workload, labels in _templates(scene, service.namespace)
    ]
    best = max(scored, key=lambda each: each[:2], default=None)
    return (best[2], best[3]) if best and best[0] > 0 else None


def _likeness(service: Resource, workload: Resource, labels: Mapping[str, str]) -> float:
    selector = selector_of(service)
    same = sum(labels.get(key) == value for key, value in selector.items())
    values = [(value, labels[key]) for key, value in selector.items() if key in labels and labels[key] != value]
    alike = sum(difflib.SequenceMatcher(None, mine, theirs).ratio() >= NEAR for mine, theirs in values)
    named = workload.name == service.name
    # One shared label such as part-of is no near miss: the rest must be alike, or the name the same.
    if named or (same and same + alike == len(selector)) or (alike and alike == len(selector)):
        return same + alike + named
    return 0.0


@rule(
    id="service-port-mismatch",
    area="services",
    role=Role.CAUSE,
    title="A Service sends to a port that its pods do not have",
    meaning="A named port that no pod has, or a number or protocol that none declares; the latter is legal, hence "
    "inferred.",
    remediation="Correct the target port.",
)
def service_port_mismatch(scene: Scene) -> Iterator[Finding]:
    for each in backings(scene):
        wrong = _wrong_ports(each)
        if not wrong:
            continue
        service, port = each.service, wrong[0]
        declared = sorted({_port_name(one) for pod in each.pods for one in _ports(pod)})
        named = isinstance(_target(port), str)
        yield service_port_mismatch.finding(
            service.entity,
            f"{service.entity} port {port.get('port')} sends {_protocol(port)} to {_target(port)!r}; its pods have"
            f" {', '.join(declared) or 'no declared port'}",
            [scene.cite(service, "spec.selector", "spec.ports"), scene.cite(each.pods[0], "spec.containers[*].ports")],
            severity=Severity.CRITICAL
            if named or len(wrong) == len(items(service.raw, "spec", "ports"))
            else Severity.WARNING,
            direct=named,
            remedy=f"Set targetPort of port {port.get('port')} of {service.where} to one of: {', '.join(declared)}",
        )


def _wrong_ports(each: Backing) -> list[Fields]:
    ports = items(each.service.raw, "spec", "ports")
    have = [one for pod in each.pods for one in _ports(pod)]
    if not each.pods:
        return []
    names = {(text(one, "name"), _protocol(one)) for one in have}
    numbers = {(number(one, "containerPort"), _protocol(one)) for one in have}
    lacking = [one for one in ports if isinstance(_target(one), str) and (_target(one), _protocol(one)) not in names]
    undeclared = [
        one for one in ports if isinstance(_target(one), int) and (_target(one), _protocol(one)) not in numbers
    ]
    # Undeclared ports are legal: only when all of them miss what is declared is it likely to be a slip.
    return lacking or (undeclared if numbers and len(undeclared) == len(ports) else [])


def _protocol(port: Fields) -> str:
    return text(port, "protocol") or "TCP"


def _target(port: Fields) -> int | str | None:
    found = port.get("targetPort", port.get("port"))
    return found if isinstance(found, int | str) else None


def _ports(pod: Resource) -> list[Fields]:
    return [port for container in items(pod.raw, "spec", "containers") for port in items(container, "ports")]


def _port_name(port: Fields) -> str:
    name = text(port, "name")
    protocol = "" if _protocol(port) == "TCP" else f"/{_protocol(port)}"
    return f"{number(port, 'containerPort')}{protocol}" + (f" ({name})" if name else "")


@rule(
    id="loadbalancer-pending",
    area="services",
    role=Role.CAUSE,
    title="A load balancer gets no address",
    meaning="For over five minutes: the cloud's quota, its controller, or a cluster that has none.",
    remediation="Read the Service's events.",
)
def loadbalancer_pending(scene: Scene) -> Iterator[Finding]:
    for service in scene.cluster.all("Service"):
        if service.spec.get("type") != "LoadBalancer" or items(service.raw, "status", "loadBalancer", "ingress"):
            continue
        if service.spec.get("externalIPs") or not older_than(scene, _created(service), ADDRESS_WAIT):
            continue
        events = [event for event in scene.cluster.events_about(service.entity) if event.is_warning]
        yield loadbalancer_pending.finding(
            service.entity,
            f"{service.entity} is of type LoadBalancer and has no address since {service.created_at}",
            [scene.cite(service, "spec.type", "status"), *map(scene.cite_event, events[-1:])],
            severity=Severity.WARNING,
            direct=bool(events),
            first_seen=service.created_at,
            remedy=f"kubectl describe service {service.name} -n {service.namespace}",
        )


def _created(service: Resource) -> Instant | None:
    return moment(service.raw, "metadata", "creationTimestamp")
