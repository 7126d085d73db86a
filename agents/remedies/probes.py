"""Probes that ask where nobody listens."""

from collections.abc import Iterator

from agents.finding import Finding
from agents.objects import items, mapping, number, text
from agents.remedies.services import ports_into
from agents.remedy import remedy
from agents.rules.kubernetes.probes import failures
from agents.scene import Scene
from approvals.action import Action
from approvals.actions.patch_probe import ProbeArgs, patch_probe

_PROBES = ("readiness", "liveness", "startup")


@remedy("probe-port-mismatch")
def mend_port(finding: Finding, scene: Scene) -> Iterator[Action]:
    """The port that the container declares, where it is the only one or the only one that Services use.

    What the log says it listens on is not taken: whoever writes into a log would choose the port.
    """
    workload = scene.cluster.at(finding.entity)
    if workload is None:
        return
    failing = {
        (each.kind, text(each.spec, "name"))
        for each in failures(scene)
        if scene.cluster.workload(each.pod) == finding.entity
    }
    for container in items(workload.raw, "spec", "template", "spec", "containers"):
        declared = {value for port in items(container, "ports") if (value := number(port, "containerPort"))}
        used = declared & ports_into(scene, workload)
        right = next(iter(declared if len(declared) == 1 else used), None)
        if right is None or (len(declared) > 1 and len(used) != 1):
            continue
        for kind in _PROBES:
            if (kind, text(container, "name")) in failing and _asks_elsewhere(container, kind, declared):
                args = ProbeArgs.model_validate({"container": text(container, "name"), "probe": kind, "port": right})
                yield patch_probe.on(workload.entity, args)


def _asks_elsewhere(container: object, kind: str, declared: set[int]) -> bool:
    """Whether a probe of the present template asks a port that the container does not declare."""
    probe = mapping(container, f"{kind}Probe")
    way = next((each for each in ("httpGet", "tcpSocket", "grpc") if each in probe), None)
    if way is None:
        return False
    port = mapping(probe, way).get("port")
    names = {text(each, "name") for each in items(container, "ports")}
    return port not in names if isinstance(port, str) else port not in declared
