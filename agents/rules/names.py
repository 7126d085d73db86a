"""Names that nobody can resolve: asked of the wrong resolver, or gone outside."""

import re
from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, mapping, text, words
from agents.rules.kubernetes.readings import counted, grouped, is_leaving, severity, target
from agents.rules.network import NO_NAME
from agents.scene import Scene
from tools.evidence import Evidence


@rule(
    id="dns-policy-wrong",
    area="network",
    role=Role.CAUSE,
    title="Pods ask a resolver that does not know the cluster",
    meaning="Their DNS policy is Default or None, their log says that names do not resolve, and they call Services by "
    "name. Pods that call only outside may well use it, as the cluster's DNS itself does.",
    remediation="Set dnsPolicy to ClusterFirst.",
    needs=("kubernetes", "logs"),
)
def dns_policy_wrong(scene: Scene) -> Iterator[Finding]:
    callers = {edge.downstream for edge in scene.edges() if edge.relation == "calls"}
    found = [
        (pod, (pod, line))
        for pod in scene.cluster.all("Pod")
        if _asks_elsewhere(pod) and not is_leaving(pod) and scene.cluster.workload(pod) in callers
        for line in _unresolved(scene, pod)[:1]
    ]
    for workload, several in grouped(scene, found).items():
        pod, line = several[0]
        policy = text(pod.raw, "spec", "dnsPolicy")
        yield dns_policy_wrong.finding(
            workload,
            f"{counted(scene, workload, (one for one, _ in several))} have dnsPolicy {policy} and cannot resolve names",
            [scene.cite(pod, "spec.dnsPolicy", "spec.dnsConfig"), line],
            severity=severity(scene, workload),
            remedy=f"Set dnsPolicy of {target(workload)} to ClusterFirst",
        )


def _asks_elsewhere(pod: Resource) -> bool:
    policy = text(pod.raw, "spec", "dnsPolicy")
    if policy == "None":
        return bool(words(mapping(pod.raw, "spec", "dnsConfig"), "nameservers"))
    # On the host's network the policy of that name means the host's resolver, too.
    return policy == "Default" or (policy == "ClusterFirst" and pod.spec.get("hostNetwork") is True)


def _unresolved(scene: Scene, pod: Resource) -> list[Evidence]:
    return [
        scene.cite_log(log, place)
        for log in scene.logs_of(pod)
        for place, line in enumerate(log.lines)
        if NO_NAME.search(line)
    ][-1:]


@rule(
    id="external-name-unresolvable",
    area="services",
    role=Role.CAUSE,
    title="A Service stands for a name outside that does not resolve",
    meaning="Its externalName is not known to the resolver that was asked, or to callers by their logs.",
    remediation="Correct the name.",
)
def external_name_unresolvable(scene: Scene) -> Iterator[Finding]:
    for service in scene.cluster.all("Service"):
        name = text(service.raw, "spec", "externalName").rstrip(".")
        if service.spec.get("type") != "ExternalName" or not name:
            continue
        shown = [
            look.narrowed(f"dns {name}", f"FAILED dns {name}: {text(record, 'detail')}")
            for record, look in scene.records("network")
            if text(record, "probe") == "dns"
            and text(record, "target").rstrip(".") == name
            and record.get("ok") is False
        ]
        unknown = re.compile(rf"(?:lookup|resolve|getaddrinfo)\b.{{0,40}}\b{re.escape(name)}\b.{{0,80}}no such host|"
                             rf"(?:ENOTFOUND|NXDOMAIN)\b.{{0,40}}\b{re.escape(name)}\b", re.IGNORECASE)  # fmt: skip
        for log in scene.logs if not shown else ():
            place = next((at for at, line in enumerate(log.lines) if name in line and unknown.search(line)), None)
            if place is not None:
                shown.append(scene.cite_log(log, place))
                break
        if shown:
            yield external_name_unresolvable.finding(
                service.entity,
                f"{service.entity} stands for {name!r}, which does not resolve",
                [scene.cite(service, "spec.type", "spec.externalName"), *shown[:1]],
                severity=Severity.CRITICAL,
                remedy=f"Correct spec.externalName of {service.where}",
            )
