"""Network policies that stop traffic that somebody needs.

Inferred: objects show what is forbidden, and neither that anybody tried nor that the network plug-in enforces it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, Resource, items, labels_at, mapping, matches, number, text, words
from agents.scene import Scene
from tools.entity import Entity

DNS_PORT = 53
DNS_NAMESPACE = "kube-system"
"""Where the cluster's DNS runs, save on OpenShift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy, beside the pods that it isolates."""

    resource: Resource
    pods: Sequence[Resource]

    def guards(self, direction: str) -> bool:
        """Whether it isolates its pods in that direction (`Ingress`, `Egress`)."""
        kinds = words(self.resource.raw, "spec", "policyTypes")
        # Without types: always incoming, and outgoing when it has such rules.
        return direction in kinds if kinds else direction == "Ingress" or "egress" in self.resource.spec

    def rules(self, direction: str) -> Sequence[Fields]:
        return items(self.resource.raw, "spec", direction.lower())


def _policies(scene: Scene) -> Mapping[int, list[Policy]]:
    """Policies by the pod that they select."""
    found: dict[int, list[Policy]] = {}
    for each in scene.cluster.all("NetworkPolicy"):
        pods = scene.cluster.pods_selected(each.namespace, mapping(each.raw, "spec", "podSelector"))
        policy = Policy(resource=each, pods=pods)
        for pod in pods:
            found.setdefault(id(pod), []).append(policy)
    return found


def _namespace_labels(scene: Scene, namespace: str) -> Mapping[str, str]:
    known = scene.cluster.get("Namespace", "", namespace)
    # The API server puts this label on every namespace.
    return {"kubernetes.io/metadata.name": namespace, **(known.labels if known else {})}


def _admits(scene: Scene, policy: Policy, rule_: Fields, peer: Resource) -> bool:
    peers = items(rule_, "from")
    if not peers:
        return True
    for each in peers:
        if "ipBlock" in each:
            # Whether an address lies in it is not asked: it may.
            return True
        same = peer.namespace == policy.resource.namespace
        place = (
            matches(mapping(each, "namespaceSelector"), _namespace_labels(scene, peer.namespace))
            if "namespaceSelector" in each
            else same
        )
        if place and ("podSelector" not in each or matches(mapping(each, "podSelector"), peer.labels)):
            return True
    return False


@rule(
    id="network-policy-blocks",
    area="network",
    role=Role.CAUSE,
    title="A network policy keeps callers out",
    meaning="No rule lets a known caller in, or none lets anybody in to pods behind a Service. Inferred from objects.",
    remediation="Allow the pair that is needed.",
)
def network_policy_blocks(scene: Scene) -> Iterator[Finding]:
    by_pod = scene.once(_policies)
    if not by_pod:
        return
    callers = scene.once(_callers)
    for service in scene.cluster.all("Service"):
        pods = scene.cluster.pods_behind(service)
        guarding = [each for each in by_pod.get(id(pods[0]), []) if each.guards("Ingress")] if pods else []
        if not guarding:
            continue
        rules = [(each, one) for each in guarding for one in each.rules("Ingress")]
        shut_out = [
            caller
            for caller in callers.get(service.entity, ())
            if not any(_admits(scene, policy, one, caller) for policy, one in rules)
        ]
        if rules and not shut_out:
            continue
        policy = guarding[0].resource
        who = str(scene.cluster.workload(shut_out[0])) if shut_out else "anybody"
        yield network_policy_blocks.finding(
            policy.entity,
            f"{policy.entity} lets {'nobody' if not rules else f'not {who}'} in to the pods of {service.entity}"
            + (f", which {who} calls" if shut_out else ""),
            [scene.cite(policy, "spec"), scene.cite(service, "spec.selector")],
            severity=Severity.CRITICAL if shut_out else Severity.WARNING,
            direct=False,
            first_seen=policy.created_at,
            remedy=f"Add an ingress rule to {policy.where} that allows {who} to reach {service.name}",
        )


def _callers(scene: Scene) -> Mapping[Entity, list[Resource]]:
    """One pod of each workload that calls a Service."""
    found: dict[Entity, list[Resource]] = {}
    for edge in sorted(scene.edges(), key=lambda each: (each.upstream, each.downstream)):
        if edge.relation == "calls" and (pods := scene.cluster.pods_of(edge.downstream)):
            found.setdefault(edge.upstream, []).append(pods[0])
    return found


@rule(
    id="dns-egress-blocked",
    area="network",
    role=Role.CAUSE,
    title="A network policy keeps pods from asking DNS",
    meaning="Outgoing traffic is limited without port 53: every name fails, save by a node-local cache.",
    remediation="Allow UDP and TCP 53 to the cluster's DNS.",
)
def dns_egress_blocked(scene: Scene) -> Iterator[Finding]:
    seen: set[Entity] = set()
    for policies in scene.once(_policies).values():
        guarding = [each for each in policies if each.guards("Egress")]
        if not guarding or guarding[0].resource.entity in seen:
            continue
        if any(_allows_dns(scene, each, one) for each in guarding for one in each.rules("Egress")):
            continue
        policy = guarding[0]
        seen.add(policy.resource.entity)
        workloads = sorted({str(scene.cluster.workload(pod)) for pod in policy.pods})
        yield dns_egress_blocked.finding(
            policy.resource.entity,
            f"{policy.resource.entity} keeps {', '.join(workloads[:3])} from DNS: no rule allows port {DNS_PORT} to it",
            [scene.cite(policy.resource, "spec")],
            severity=Severity.WARNING,
            direct=False,
            first_seen=policy.resource.created_at,
            remedy=f"Add an egress rule for UDP and TCP {DNS_PORT} to {policy.resource.where}",
        )


def _allows_dns(scene: Scene, policy: Policy, rule_: Fields) -> bool:
    ports, peers = items(rule_, "ports"), items(rule_, "to")
    if ports and not any(_covers(port) for port in ports):
        return False
    return not peers or any(_reaches_dns(scene, policy, each) for each in peers)


def _reaches_dns(scene: Scene, policy: Policy, peer: Fields) -> bool:
    """Whether a peer may be the cluster's DNS; an address may well be that of a cache on the node."""
    if "ipBlock" in peer:
        return True
    if "namespaceSelector" in peer:
        return matches(mapping(peer, "namespaceSelector"), _namespace_labels(scene, DNS_NAMESPACE))
    # Pods alone are pods of the policy's own namespace.
    return policy.resource.namespace in (DNS_NAMESPACE, "openshift-dns") or not _is_dns_elsewhere(scene)


def _is_dns_elsewhere(scene: Scene) -> bool:
    """Whether the cluster's DNS is known to run in its usual place; where nobody looked, that is taken as so."""
    return not scene.cluster.knows("Service", DNS_NAMESPACE) or bool(
        scene.cluster.get("Service", DNS_NAMESPACE, "kube-dns")
        or scene.cluster.get("Service", DNS_NAMESPACE, "coredns")
    )


def _covers(port: Fields) -> bool:
    begin = number(port, "port")
    if begin is None:
        # A named port, or all of them.
        return "dns" in text(port, "port") or "port" not in port
    return begin <= DNS_PORT <= (number(port, "endPort") or begin)


@rule(
    id="network-policy-no-pods",
    area="network",
    role=Role.CONTEXT,
    title="A network policy selects nothing",
    meaning="A typing error, or pods that are gone: the protection that it promises is not there.",
    remediation="Correct the selector, or delete the policy.",
)
def network_policy_no_pods(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("NetworkPolicy"):
        selector = labels_at(each.raw, "spec", "podSelector", "matchLabels")
        if not selector or not scene.cluster.knows("Pod", each.namespace):
            continue
        if not scene.cluster.pods_selected(each.namespace, mapping(each.raw, "spec", "podSelector")):
            yield network_policy_no_pods.finding(
                each.entity,
                f"{each.entity} selects no pod of {each.namespace}",
                [scene.cite(each, "spec.podSelector")],
                severity=Severity.INFO,
                remedy=f"Correct the podSelector of {each.where}",
            )


@rule(
    id="network-policy-open",
    area="network",
    role=Role.CONTEXT,
    title="A network policy lets everybody in",
    meaning="A rule without peers and ports allows all. A policy without any rule denies, and is not meant here.",
    remediation="Name who may come in.",
)
def network_policy_open(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("NetworkPolicy"):
        rules = items(each.raw, "spec", "ingress")
        if any(not items(one, "from") and not items(one, "ports") for one in rules):
            yield network_policy_open.finding(
                each.entity,
                f"{each.entity} lets everybody in",
                [scene.cite(each, "spec")],
                severity=Severity.INFO,
                remedy=f"Name the callers in {each.where}",
            )
