"""Addresses in settings, held against the Services that they mean."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, number
from agents.scene import Scene
from agents.topology import containers, place_of, pod_spec, settings
from tools.entity import Entity

LATELY = TimeDelta(hours=1)
"""A caller that was rolled out within this time before the window may be what changed."""
_HOST_PORT = re.compile(r"(?<![\w./-])(?P<host>[a-z][a-z0-9.-]*[a-z0-9]):(?P<port>\d{2,5})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a workload is told to find a Service."""

    caller: Resource
    service: Resource
    port: int


def _addresses(scene: Scene) -> Sequence[Address]:
    found: dict[tuple[Entity, Entity, int], Address] = {}
    for each in scene.cluster.all("Deployment", "StatefulSet", "DaemonSet"):
        for container in containers(pod_spec(each)):
            for _, value in settings(scene.cluster, each.namespace, container):
                for said in _HOST_PORT.finditer(value):
                    service = scene.cluster.get("Service", *place_of(said["host"], each.namespace))
                    if service and service.entity.name != each.name:
                        one = Address(caller=each, service=service, port=int(said["port"]))
                        found.setdefault((each.entity, service.entity, one.port), one)
    return tuple(found.values())


@rule(
    id="service-port-missing",
    area="services",
    role=Role.CAUSE,
    title="A Service lacks the port that its callers use",
    meaning="All that are set up to call it name a port that it does not list, and its pods listen there. A caller "
    "that was "
    "rolled out lately may be what is wrong, and then nothing is said.",
    remediation="Give the Service the port that its callers use, or correct all of them.",
)
def service_port_missing(scene: Scene) -> Iterator[Finding]:
    told: defaultdict[Entity, list[Address]] = defaultdict(list)
    for each in scene.once(_addresses):
        told[each.service.entity].append(each)
    for several in told.values():
        service = several[0].service
        listed = {number(port, "port") for port in items(service.raw, "spec", "ports")}
        wrong = {each.port for each in several} - listed
        if not listed or any(each.port in listed for each in several) or len(wrong) != 1:
            continue
        port = next(iter(wrong))
        if not _listens(scene, service, port) or any(_is_new(scene, each.caller) for each in several):
            continue
        who = ", ".join(str(each.caller.entity) for each in several[:3])
        have = ", ".join(str(each) for each in sorted(filter(None, listed)))
        yield service_port_missing.finding(
            service.entity,
            f"{who} call port {port} of {service.entity}, which has {have}",
            [scene.cite(service, "spec.ports"), scene.cite(several[0].caller, "spec.template.spec.containers[*].name")],
            severity=Severity.CRITICAL,
            remedy=f"Add port {port} to {service.where}, or let its callers use {have}",
        )


def _listens(scene: Scene, service: Resource, port: int) -> bool:
    return any(
        number(one, "containerPort") == port
        for pod in scene.cluster.pods_behind(service)
        for container in items(pod.raw, "spec", "containers")
        for one in items(container, "ports")
    )


def _is_new(scene: Scene, caller: Resource) -> bool:
    sets = scene.cluster.replica_sets(caller.entity)
    began = sets[0].created_at if sets else caller.created_at
    return began is not None and began >= scene.window.start - LATELY
