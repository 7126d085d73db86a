"""Why controllers cannot create pods: quota, admission rules, accounts, webhooks."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from whenever import Instant

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import items, moment, number, text
from agents.rules.kubernetes.readings import first, severity, short, target
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence

_QUOTA = re.compile(r"exceeded quota: (?P<name>[\w.-]+)(?P<rest>.*)", re.DOTALL)
_MUST = re.compile(r"failed quota: (?P<name>[\w.-]+): must specify")
_LIMITS = re.compile(
    r"(?:maximum|minimum) [\w./-]+ usage per (?:Container|Pod|PersistentVolumeClaim)|limit to request ratio",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"serviceaccount \"?(?P<name>[\w./-]+?)\"? not found|error looking up service account")
_PRIORITY = re.compile(r"no PriorityClass with name (?P<name>[\w.-]+)")
_SECURITY = re.compile(r"violates PodSecurity|unable to validate against any (?:pod )?security")
WEBHOOK = re.compile(r"failed calling (?:admission )?webhook \"(?P<name>[^\"]+)\"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A controller that was not allowed to create what it wanted."""

    workload: Entity
    message: str
    evidence: Evidence
    first_at: Instant | None
    last_at: Instant | None


def refusals(scene: Scene) -> Sequence[Refused]:
    """The creations that failed, the newest for each workload last; sets that want no pods any more are left out."""
    return scene.once(_refusals)


def _refusals(scene: Scene) -> Sequence[Refused]:
    found: list[Refused] = []
    for event in scene.cluster.events_with("FailedCreate"):
        owner = scene.cluster.at(event.entity)
        if owner and owner.kind == "ReplicaSet" and number(owner.raw, "spec", "replicas") == 0:
            continue
        workload = scene.cluster.topmost(event.entity)
        if _is_complete(scene, workload):
            continue
        found.append(
            Refused(
                workload=workload,
                message=event.message,
                evidence=scene.cite_event(event),
                first_at=event.first_at,
                last_at=event.last_at,
            )
        )
    for each in scene.cluster.all("Deployment", "ReplicaSet"):
        failure = each.condition("ReplicaFailure")
        wanted = number(each.raw, "spec", "replicas")
        if failure.get("status") == "True" and wanted != 0:
            at = moment(failure, "lastTransitionTime")
            found.append(
                Refused(
                    workload=scene.cluster.workload(each),
                    message=text(failure, "message"),
                    evidence=scene.cite(each, "spec.replicas", "status.conditions"),
                    first_at=at,
                    last_at=None,
                )
            )
    return found


def _is_complete(scene: Scene, workload: Entity) -> bool:
    """Whether it got its pods in the end: then the refusal is history."""
    known = scene.cluster.at(workload)
    wanted = number(known.raw, "spec", "replicas") if known else None
    return bool(known and wanted and (number(known.raw, "status", "readyReplicas") or 0) >= wanted)


def refused_findings(
    scene: Scene, of: Rule, shape: re.Pattern[str] | None, advise: Callable[[Entity, str], str]
) -> Iterator[Finding]:
    """One finding a workload for refusals whose message has this shape; every one where there is no shape."""
    groups: dict[Entity, list[Refused]] = {}
    for each in refusals(scene):
        if shape is None or shape.search(each.message):
            groups.setdefault(each.workload, []).append(each)
    for workload, several in groups.items():
        newest = several[-1]
        yield of.finding(
            workload,
            f"{workload} cannot create its pods: {short(newest.message)}",
            [each.evidence for each in several[-2:]],
            severity=severity(scene, workload),
            first_seen=first(each.first_at for each in several),
            last_seen=max((each.last_at for each in several if each.last_at), default=None),
            remedy=advise(workload, newest.message),
        )


@rule(
    id="replica-create-failed",
    area="workloads",
    role=Role.SYMPTOM,
    title="Pods cannot be created",
    meaning="Quota, admission or a missing account stops the controller. Sets that are scaled down are left out.",
    remediation="The message names who refused.",
)
def replica_create_failed(scene: Scene) -> Iterator[Finding]:
    yield from refused_findings(scene, replica_create_failed, None, lambda each, _: f"kubectl describe {target(each)}")


@rule(
    id="quota-exceeded",
    area="scheduling",
    role=Role.CAUSE,
    title="The namespace's quota is used up",
    meaning="The quota leaves no room for the pods that are wanted, or demands requests and limits that they lack.",
    remediation="Free some of it, or raise the quota.",
)
def quota_exceeded(scene: Scene) -> Iterator[Finding]:
    def advise(workload: Entity, message: str) -> str:
        if must := _MUST.search(message):
            return f"Quota {must['name']!r} demands it: set requests and limits in {target(workload)}"
        said = _QUOTA.search(message)
        name = said["name"] if said else "of the namespace"
        return f"Free or raise the quota: kubectl describe resourcequota {name} -n {workload.namespace}"

    yield from refused_findings(scene, quota_exceeded, re.compile(f"{_QUOTA.pattern}|failed quota:", re.DOTALL), advise)


@rule(
    id="limit-range-violation",
    area="scheduling",
    role=Role.CAUSE,
    title="The namespace's limit range refuses the pod",
    meaning="A request or limit lies outside what the LimitRange of the namespace allows.",
    remediation="Adjust the pod's resources, or the LimitRange.",
)
def limit_range_violation(scene: Scene) -> Iterator[Finding]:
    def advise(workload: Entity, _: str) -> str:
        ranges = f"kubectl describe limitrange -n {workload.namespace}"
        return f"Bring the resources of {target(workload)} into the LimitRange: {ranges}"

    yield from refused_findings(scene, limit_range_violation, _LIMITS, advise)


@rule(
    id="priority-class-missing",
    area="scheduling",
    role=Role.CAUSE,
    title="The priority class does not exist",
    meaning="The pod names a PriorityClass that the cluster does not have.",
    remediation="Create it, or remove the name.",
)
def priority_class_missing(scene: Scene) -> Iterator[Finding]:
    def advise(workload: Entity, message: str) -> str:
        said = _PRIORITY.search(message)
        return f"Create the PriorityClass {said['name'] if said else ''!r}, or take it out of {target(workload)}"

    yield from refused_findings(scene, priority_class_missing, _PRIORITY, advise)


@rule(
    id="pod-security-rejected",
    area="configuration",
    role=Role.CAUSE,
    title="Pod security refuses the pod",
    meaning="The namespace enforces a security level that the pod does not meet.",
    remediation="Change the pod's security context, or the namespace's level.",
)
def pod_security_rejected(scene: Scene) -> Iterator[Finding]:
    def advise(workload: Entity, _: str) -> str:
        return f"Set the securityContext that the message asks for in {target(workload)}"

    yield from refused_findings(scene, pod_security_rejected, _SECURITY, advise)


@rule(
    id="service-account-missing",
    area="configuration",
    role=Role.CAUSE,
    title="The service account does not exist",
    meaning="The workload names a ServiceAccount that is not in its namespace.",
    remediation="Create the account, or correct the name.",
)
def service_account_missing(scene: Scene) -> Iterator[Finding]:
    def advise(workload: Entity, message: str) -> str:
        said = _ACCOUNT.search(message)
        name = (said["name"] or "<name>").rpartition("/")[2] if said else "<name>"
        return f"kubectl create serviceaccount {name} -n {workload.namespace}"

    yield from refused_findings(scene, service_account_missing, _ACCOUNT, advise)


@rule(
    id="webhook-failing",
    area="control-plane",
    role=Role.CAUSE,
    title="An admission webhook does not answer",
    meaning="Writes are refused because a webhook times out, has no pods, or shows a wrong certificate.",
    remediation="Look at the webhook's Service and pods, then at its failurePolicy.",
)
def webhook_failing(scene: Scene) -> Iterator[Finding]:
    known = {
        text(webhook, "name"): configuration
        for configuration in scene.cluster.all("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
        for webhook in items(configuration.raw, "webhooks")
    }
    hits: dict[str, list[Refused]] = {}
    for each in refusals(scene):
        if said := WEBHOOK.search(each.message):
            hits.setdefault(said["name"], []).append(each)
    for name, several in hits.items():
        configuration = known.get(name)
        newest = several[-1]
        workloads = sorted({str(each.workload) for each in several})
        place = f" ({configuration.entity})" if configuration else ""
        yield webhook_failing.finding(
            configuration.entity if configuration else newest.workload,
            f"webhook {name!r}{place} does not answer and stops {', '.join(workloads[:3])}: {short(newest.message)}",
            [each.evidence for each in several[-2:]],
            severity=Severity.CRITICAL,
            first_seen=first(each.first_at for each in several),
            last_seen=max((each.last_at for each in several if each.last_at), default=None),
            remedy=f"Restore the Service behind webhook {name!r}, or set its failurePolicy to Ignore for now",
        )
