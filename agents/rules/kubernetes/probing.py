"""Probes that cannot succeed whatever the application does, that ask too much, or that are not there."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, text, words
from agents.rules.kubernetes.probes import Failure, failures, probe_findings
from agents.rules.kubernetes.readings import is_leaving, is_ready, severity, short, target, unready_since
from agents.rules.kubernetes.services import backings
from agents.scene import Scene
from agents.topology import pod_spec
from tools.entity import Entity

_PROTOCOL = re.compile(
    r"server gave HTTP response to HTTPS client|malformed HTTP (?:response|status|version)|HTTP/1\.x transport "
    r"connection broken"
    r"|first record does not look like a TLS handshake|frame too large|unexpected EOF.*grpc|http2: .*(?:preface|frame)"
    r"|error reading server preface|HTTP request to an HTTPS server|does not implement the grpc health",
    re.IGNORECASE,
)
_NO_COMMAND = re.compile(
    r"executable file not found|no such file or directory|exec: .* not found|stat .*: no such", re.IGNORECASE
)
ALL_AT_ONCE_S = 120
"""Pods that become unready within two probe periods of each other fall for the same reason."""


@rule(
    id="probe-protocol-wrong",
    area="probes",
    role=Role.CAUSE,
    title="The probe speaks another protocol than the port",
    meaning="HTTPS where HTTP answers, or HTTP where gRPC or something else listens: the answer itself says so.",
    remediation="Set the probe's scheme, or use a gRPC or TCP probe.",
)
def probe_protocol_wrong(scene: Scene) -> Iterator[Finding]:
    found = [each for each in failures(scene) if _PROTOCOL.search(each.event.message)]

    def say(each: Failure) -> tuple[str, str]:
        way = next((name for name in ("httpGet", "tcpSocket", "grpc") if name in each.probe), "exec")
        scheme = text(each.probe, "httpGet", "scheme")
        remedy = f"Set the {each.kind} probe of {{target}} to what port {each.port} speaks (now {way} {scheme})"
        return f"the {each.kind} probe asks port {each.port} by {way} {scheme}: {short(each.event.message)}", remedy

    yield from probe_findings(scene, probe_protocol_wrong, found, say)


@rule(
    id="probe-command-missing",
    area="probes",
    role=Role.CAUSE,
    title="The probe's command is not in the image",
    meaning="The runtime finds no such program in the container: the probe fails however well the application is.",
    remediation="Use an HTTP or TCP probe, or a program that the image has.",
)
def probe_command_missing(scene: Scene) -> Iterator[Finding]:
    found = [each for each in failures(scene) if "exec" in each.probe and _NO_COMMAND.search(each.event.message)]

    def say(each: Failure) -> tuple[str, str]:
        program = next(iter(words(each.probe, "exec", "command")), "its command")
        remedy = f"Replace the {each.kind} probe of {{target}}: its image has no {program!r}"
        return f"the {each.kind} probe runs {program!r}, which the image does not have", remedy

    yield from probe_findings(scene, probe_command_missing, found, say)


@rule(
    id="probe-checks-dependency",
    area="probes",
    role=Role.CAUSE,
    title="The readiness probe asks what the application depends on",
    meaning="All pods became unready at the same moment, while what they call was down: the check takes the whole "
    "service "
    "away when one callee fails. Inferred, and itself explained by the callee.",
    remediation="Let readiness speak of the pod itself, and report dependencies elsewhere.",
)
def probe_checks_dependency(scene: Scene) -> Iterator[Finding]:
    down = {each.service.entity for each in backings(scene) if each.is_known and not each.ready}
    callees: defaultdict[Entity, set[Entity]] = defaultdict(set)
    for edge in scene.edges():
        if edge.relation == "calls" and edge.upstream in down:
            callees[edge.downstream].add(edge.upstream)
    for workload, called in callees.items():
        pods = [pod for pod in scene.cluster.pods_of(workload) if not is_leaving(pod)]
        asked = [each for each in failures(scene) if each.kind == "readiness" and each.pod in pods]
        if len(pods) < 2 or not asked or not _fell_together(pods):
            continue
        callee = min(called)
        yield probe_checks_dependency.finding(
            workload,
            f"all {len(pods)} pods of {workload} became unready together, while {callee}, which they call, was down",
            [scene.cite(pods[0], "status.conditions"), scene.cite_event(asked[-1].event)],
            severity=severity(scene, workload),
            direct=False,
            first_seen=unready_since(pods[0]),
            remedy=f"Let the readiness probe of {target(workload)} speak of the pod alone, not of {callee}",
        )


def _fell_together(pods: Sequence[Resource]) -> bool:
    times = [unready_since(pod) for pod in pods if not is_ready(pod)]
    known = [at for at in times if at]
    if len(known) < len(pods):
        return False
    return (max(known) - min(known)).total("seconds") <= ALL_AT_ONCE_S


@rule(
    id="no-readiness-probe",
    area="probes",
    role=Role.CONTEXT,
    title="Pods behind a Service have no readiness probe",
    meaning="They get requests before they can answer. Workers that no Service leads to need none.",
    remediation="Add a readiness probe.",
)
def no_readiness_probe(scene: Scene) -> Iterator[Finding]:
    served = {scene.cluster.workload(each.pods[0]) for each in backings(scene) if each.pods}
    lacking: defaultdict[str, list[Resource]] = defaultdict(list)
    for each in scene.cluster.all("Deployment", "StatefulSet"):
        main = items(pod_spec(each), "containers")
        if each.entity in served and main and not any("readinessProbe" in one for one in main):
            lacking[each.namespace].append(each)
    # One for a namespace: advice about many is one piece of advice.
    for namespace, several in lacking.items():
        names = ", ".join(each.name for each in several[:5])
        yield no_readiness_probe.finding(
            Entity.of("namespace", "", namespace),
            f"{len(several)} workloads behind Services of {namespace} have no readiness probe: {names}",
            [scene.cite(several[0], "spec.template.spec.containers[*].readinessProbe", "metadata.name")],
            severity=Severity.INFO,
            remedy=f"Add a readinessProbe to {target(several[0].entity)}",
        )
