"""The ways into a cluster: ingresses without address or in each other's way, and what controllers complain of."""

from collections import defaultdict
from collections.abc import Iterator

from whenever import Instant, TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, text
from agents.rules.kubernetes.ingress import CLASS
from agents.rules.kubernetes.readings import older_than, short
from agents.scene import Scene

ADDRESS_WAIT = TimeDelta(minutes=5)
LATELY = TimeDelta(minutes=10)
REPEATS = 2
_CANARY = "nginx.ingress.kubernetes.io/canary"


def _class(ingress: Resource) -> str:
    return text(ingress.raw, "spec", "ingressClassName") or ingress.annotations.get(CLASS, "")


def _addresses(ingress: Resource) -> bool:
    return bool(items(ingress.raw, "status", "loadBalancer", "ingress"))


@rule(
    id="ingress-no-address",
    area="ingress",
    role=Role.CAUSE,
    title="An Ingress gets no address",
    meaning="For over five minutes, while its controller gave one to another Ingress of the class. Controllers that "
    "never "
    "publish addresses are left out.",
    remediation="Look at the controller's log for this Ingress.",
)
def ingress_no_address(scene: Scene) -> Iterator[Finding]:
    served = {_class(each) for each in scene.cluster.all("Ingress") if _addresses(each)}
    for each in scene.cluster.all("Ingress"):
        if _addresses(each) or _class(each) not in served or not older_than(scene, each.created_at, ADDRESS_WAIT):
            continue
        yield ingress_no_address.finding(
            each.entity,
            f"{each.entity} of class {_class(each)!r} has no address since {each.created_at}; others of the class "
            f"have one",
            [scene.cite(each, "spec.ingressClassName", "spec.rules", "status")],
            severity=Severity.WARNING,
            direct=False,
            first_seen=each.created_at,
            remedy=f"kubectl describe {each.where}; then the log of the controller of class {_class(each)}",
        )


@rule(
    id="ingress-host-conflict",
    area="ingress",
    role=Role.CAUSE,
    title="Two Ingresses claim the same host and path",
    meaning="The older one wins, or none can say which. Canaries are meant so.",
    remediation="Leave one, or split the paths.",
)
def ingress_host_conflict(scene: Scene) -> Iterator[Finding]:
    claimed: defaultdict[tuple[str, str, str], list[Resource]] = defaultdict(list)
    for each in scene.cluster.all("Ingress"):
        if each.annotations.get(_CANARY) == "true":
            continue
        for line in items(each.raw, "spec", "rules"):
            for path in items(line, "http", "paths"):
                claimed[_class(each), text(line, "host"), text(path, "path")].append(each)
    told: set[str] = set()
    for (_, host, path), several in claimed.items():
        rivals = sorted({each.where: each for each in several}.values(), key=_age)
        if len(rivals) < 2 or rivals[-1].where in told:
            continue
        newest, oldest = rivals[-1], rivals[0]
        told.add(newest.where)
        yield ingress_host_conflict.finding(
            newest.entity,
            f"{newest.entity} and {oldest.entity} both claim {host or 'every host'}{path}",
            [scene.cite(newest, "spec.rules"), scene.cite(oldest, "spec.rules")],
            severity=Severity.WARNING,
            first_seen=newest.created_at,
            remedy=f"Take {host}{path} out of {newest.where} or of {oldest.where}",
        )


def _age(ingress: Resource) -> tuple[Instant, str]:
    return ingress.created_at or Instant.MIN, ingress.where


@rule(
    id="service-warning",
    area="services",
    role=Role.CAUSE,
    title="A controller complains about a Service",
    meaning="A warning about the Service itself, repeated and within the last ten minutes.",
    remediation="The message says what could not be done.",
)
def service_warning(scene: Scene) -> Iterator[Finding]:
    for service in scene.cluster.all("Service"):
        # A load balancer without address has a cause of its own, which shows the same event.
        if service.spec.get("type") == "LoadBalancer" and not _addresses(service):
            continue
        recent = [
            event
            for event in scene.cluster.events_about(service.entity)
            if event.is_warning and event.count >= REPEATS and event.last_at and scene.now - event.last_at <= LATELY
        ]
        if recent:
            event = recent[-1]
            yield service_warning.finding(
                service.entity,
                f"{service.entity}: {event.reason}, {event.count} times: {short(event.message)}",
                [scene.cite_event(event)],
                severity=Severity.WARNING,
                first_seen=event.first_at,
                last_seen=event.last_at,
                remedy=f"kubectl describe {service.where}",
            )
