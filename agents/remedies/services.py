"""Services that miss their pods, or the right port of them."""

from collections.abc import Iterator, Mapping

from agents.finding import Finding
from agents.objects import Fields, Resource, items, labels_at, mapping, matches, number, text
from agents.remedy import remedy
from agents.rules.kubernetes.readings import is_leaving
from agents.rules.kubernetes.services import selector_of
from agents.scene import Scene
from approvals.action import Action
from approvals.actions.patch_service_port import ServicePortArgs, patch_service_port
from approvals.actions.patch_service_selector import ServiceSelectorArgs, patch_service_selector


@remedy("selector-mismatch")
def mend_selector(finding: Finding, scene: Scene) -> Iterator[Action]:
    """The selector with the labels of the one workload that it nearly matches; it must match that one alone."""
    service = scene.cluster.at(finding.entity)
    if service is None or not scene.cluster.knows("Pod", service.namespace):
        return
    mended = {_key(each) for each in _candidates(scene, service)}
    if len(mended) == 1:
        yield patch_service_selector.on(service.entity, ServiceSelectorArgs(selector=dict(next(iter(mended)))))


def _candidates(scene: Scene, service: Resource) -> Iterator[Mapping[str, str]]:
    """Selectors that keep what is right of the present one and select one workload."""
    selector = selector_of(service)
    workloads = [
        (each, labels_at(each.raw, "spec", "template", "metadata", "labels"))
        for each in scene.cluster.all("Deployment", "StatefulSet", "DaemonSet")
        if each.namespace == service.namespace
    ]
    for workload, labels in workloads:
        kept = {key for key, value in selector.items() if labels.get(key) == value}
        mended = {key: labels[key] for key in selector if key in labels}
        # Either something of it was right, or the name says whose Service it is.
        if not mended or not (kept or workload.name == service.name):
            continue
        if [each for each, other in workloads if matches({"matchLabels": mended}, other)] == [workload]:
            yield mended


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


@remedy("service-port-mismatch")
def mend_port(finding: Finding, scene: Scene) -> Iterator[Action]:
    """The port that all pods behind the Service declare and no other port of it leads to."""
    service = scene.cluster.at(finding.entity)
    if service is None:
        return
    pods = [pod for pod in scene.cluster.pods_behind(service) if not is_leaving(pod)]
    declared = [_declared(pod) for pod in pods]
    ports = items(service.raw, "spec", "ports")
    if not declared or any(each != declared[0] for each in declared):
        return
    wrong = [each for each in ports if not _leads(each, declared[0])]
    used = {_number(each, declared[0]) for each in ports if _leads(each, declared[0])}
    free = {name: value for name, value in declared[0].items() if value not in used}
    named = {text(each, "name") for each in wrong} & set(free)
    if len(wrong) != 1 or not (own := number(wrong[0], "port")):
        return
    right = free[named.pop()] if named else next(iter(free.values())) if len(free) == 1 else None
    if right is not None:
        yield patch_service_port.on(service.entity, ServicePortArgs(port=own, target_port=right))


def _declared(pod: Resource) -> dict[str, int]:
    """The pod's TCP ports by name, or by number where they have none."""
    found: dict[str, int] = {}
    for container in items(pod.raw, "spec", "containers"):
        for port in items(container, "ports"):
            value = number(port, "containerPort")
            if value and text(port, "protocol") in ("", "TCP"):
                found[text(port, "name") or str(value)] = value
    return found


def _number(port: Fields, declared: Mapping[str, int]) -> int | None:
    wanted = port.get("targetPort", port.get("port"))
    return declared.get(wanted) if isinstance(wanted, str) else number({"at": wanted}, "at")


def _leads(port: Fields, declared: Mapping[str, int]) -> bool:
    return _number(port, declared) in set(declared.values())


def ports_into(scene: Scene, workload: Resource) -> set[int]:
    """The numbers of the ports that Services send to on a workload's pods."""
    labels = labels_at(workload.raw, "spec", "template", "metadata", "labels")
    found: set[int] = set()
    for service in scene.cluster.all("Service"):
        selector = mapping(service.raw, "spec", "selector")
        if service.namespace == workload.namespace and selector and matches({"matchLabels": selector}, labels):
            targets = (number(port, "targetPort") for port in items(service.raw, "spec", "ports"))
            found |= {each for each in targets if each}
    return found
