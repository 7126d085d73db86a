"""What everything in a cluster depends on: names, aggregated APIs, webhooks, namespaces that do not end."""

from collections.abc import Callable, Iterator

from whenever import TimeDelta

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, mapping, moment, text
from agents.rules.kubernetes.readings import STARTING, first, is_ready, older_than, short, unready_since
from agents.rules.kubernetes.services import backings
from agents.rules.kubernetes.workloads import ready, wanted
from agents.scene import Scene

SYSTEM = "kube-system"
DNS_NAMES = frozenset({"coredns", "kube-dns"})
ENDING = TimeDelta(minutes=10)
"""A large namespace takes minutes to empty."""


def _is_dns(workload: Resource) -> bool:
    labelled = workload.labels.get("k8s-app") == "kube-dns"
    return workload.namespace == SYSTEM and (labelled or workload.name in DNS_NAMES)


@rule(
    id="coredns-down",
    area="control-plane",
    role=Role.CAUSE,
    title="The cluster's DNS is down",
    meaning="No DNS pod is ready, or fewer than wanted: names fail everywhere at once.",
    remediation="Look at the DNS pods and their configuration.",
)
def coredns_down(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Deployment", "DaemonSet"):
        if not _is_dns(each) or (ready(each) >= wanted(each) and wanted(each)):
            continue
        unready = [pod for pod in scene.cluster.pods_of(each.entity) if not is_ready(pod)]
        since = first(unready_since(pod) for pod in unready)
        if ready(each) and not older_than(scene, since, STARTING):
            continue
        yield coredns_down.finding(
            each.entity,
            f"{each.entity} has {ready(each)} of {wanted(each)} DNS pods ready",
            [scene.cite(each, "spec.replicas", "status"), *(scene.cite(pod, "status") for pod in unready[:1])],
            severity=Severity.WARNING if ready(each) else Severity.CRITICAL,
            first_seen=since,
            remedy=f"kubectl logs -n {each.namespace} -l k8s-app=kube-dns --previous",
        )


@rule(
    id="apiservice-unavailable",
    area="control-plane",
    role=Role.CAUSE,
    title="An aggregated API does not answer",
    meaning="The metrics server or another extension is down; namespaces may not end. Rollouts have two minutes.",
    remediation="Look at the Service behind it.",
)
def apiservice_unavailable(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("APIService"):
        state = each.condition("Available")
        at = moment(state, "lastTransitionTime")
        if state.get("status") == "False" and older_than(scene, at, STARTING):
            place = f"{text(each.raw, 'spec', 'service', 'namespace')}/{text(each.raw, 'spec', 'service', 'name')}"
            yield apiservice_unavailable.finding(
                each.entity,
                f"{each.entity} (service {place}) does not answer: {short(text(state, 'message'))}",
                [scene.cite(each, "spec.service", "status")],
                severity=Severity.WARNING,
                first_seen=at,
                remedy=f"Look at the pods behind service {place}",
            )


def _webhooks(scene: Scene) -> Iterator[tuple[Resource, str, str, str]]:
    """Webhooks that must answer and have a Service: the configuration, their name, and where they are."""
    for each in scene.cluster.all("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for webhook in items(each.raw, "webhooks"):
            service = mapping(webhook, "clientConfig", "service")
            namespace, name = text(service, "namespace"), text(service, "name")
            if name and text(webhook, "failurePolicy") != "Ignore":
                yield each, text(webhook, "name"), namespace, name


def _webhook_findings(scene: Scene, of: Rule, holds: Callable[[str, str], bool], what: str) -> Iterator[Finding]:
    for each, webhook, namespace, name in _webhooks(scene):
        if holds(namespace, name):
            yield of.finding(
                each.entity,
                f"webhook {webhook!r} of {each.entity} needs service {namespace}/{name}, which {what}",
                [scene.cite(each, "webhooks[*].clientConfig.service", "webhooks[*].failurePolicy")],
                severity=Severity.CRITICAL,
                remedy=f"Restore service {name} in {namespace}, or set failurePolicy: Ignore for now",
            )


@rule(
    id="webhook-service-missing",
    area="control-plane",
    role=Role.CAUSE,
    title="An admission webhook's Service does not exist",
    meaning="Writes that it must see are refused. Webhooks by URL, and those that may fail, are left out.",
    remediation="Restore the Service, or set failurePolicy to Ignore.",
)
def webhook_service_missing(scene: Scene) -> Iterator[Finding]:
    def gone(namespace: str, name: str) -> bool:
        return scene.cluster.lacks("Service", namespace, name)

    yield from _webhook_findings(scene, webhook_service_missing, gone, "does not exist")


@rule(
    id="webhook-no-pods",
    area="control-plane",
    role=Role.CAUSE,
    title="No pod answers for an admission webhook",
    meaning="Its Service has no ready pod: writes that it must see are refused. Those that may fail are left out.",
    remediation="Look at its pods, or set failurePolicy to Ignore for now.",
)
def webhook_no_pods(scene: Scene) -> Iterator[Finding]:
    empty = {
        (each.service.namespace, each.service.name) for each in backings(scene) if each.is_known and not each.ready
    }
    yield from _webhook_findings(
        scene, webhook_no_pods, lambda namespace, name: (namespace, name) in empty, "has no ready pod"
    )


@rule(
    id="namespace-terminating",
    area="control-plane",
    role=Role.CAUSE,
    title="A namespace does not end",
    meaning="Terminating for over ten minutes: a finalizer, or an API that does not answer. Nothing new fits in.",
    remediation="Its conditions name what is left.",
)
def namespace_terminating(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Namespace"):
        asked_at = moment(each.raw, "metadata", "deletionTimestamp")
        if each.status.get("phase") != "Terminating" or not older_than(scene, asked_at, ENDING):
            continue
        held = [text(one, "message") for one in items(each.status, "conditions") if one.get("status") == "True"]
        yield namespace_terminating.finding(
            each.entity,
            f"{each.entity} has been ending since {asked_at}: {short(' '.join(held)) or 'it does not say why'}",
            [scene.cite(each, "metadata.deletionTimestamp", "status")],
            severity=Severity.WARNING,
            first_seen=asked_at,
            remedy=f"kubectl get namespace {each.name} -o yaml: find whose finalizer holds it",
        )
