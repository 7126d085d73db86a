"""Certificates and operators: what their own objects say of themselves."""

from collections import defaultdict
from collections.abc import Iterator

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, moment, text
from agents.rules.kubernetes.readings import older_than, short
from agents.scene import Scene

ISSUING = TimeDelta(minutes=5)
"""A challenge by DNS takes minutes to be seen."""
INSTALLING = TimeDelta(minutes=10)
APPROVAL = "RequiresApproval"


@rule(
    id="certificate-not-ready",
    area="configuration",
    role=Role.CAUSE,
    title="A certificate is not issued",
    meaning="cert-manager's Certificate is not Ready for over five minutes: the issuer or the challenge.",
    remediation="Read the message of its order.",
)
def certificate_not_ready(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Certificate"):
        state = each.condition("Ready")
        at = moment(state, "lastTransitionTime") or each.created_at
        if state.get("status") != "False" or not older_than(scene, at, ISSUING):
            continue
        orders = [
            one
            for one in scene.cluster.all("Order")
            if one.namespace == each.namespace and one.name.startswith(f"{each.name}-") and text(one.status, "reason")
        ]
        said = short(text(orders[-1].status, "reason") if orders else text(state, "message"))
        yield certificate_not_ready.finding(
            each.entity,
            f"{each.entity} is not ready: {said or 'it does not say why'}",
            [
                scene.cite(each, "spec.issuerRef", "spec.secretName", "status"),
                *(scene.cite(one) for one in orders[-1:]),
            ],
            severity=Severity.WARNING,
            first_seen=at,
            remedy=f"kubectl describe {each.where}, then its CertificateRequest and Order",
        )


def _worst(each: Resource) -> str:
    """What an operator's object says is wrong; empty when nothing is."""
    match each.kind:
        case "ClusterServiceVersion":
            phase = text(each.status, "phase")
            bad = phase and phase not in ("Succeeded", "Replacing", "Deleting")
            return f"phase {phase}: {text(each.status, 'message') or text(each.status, 'reason')}" if bad else ""
        case "InstallPlan":
            phase = text(each.status, "phase")
            return f"phase {phase}" if phase not in ("", "Complete") else ""
        case "Subscription":
            wrong = {"ResolutionFailed", "CatalogSourcesUnhealthy", "BundleUnpackFailed", "InstallPlanFailed"}
            states = [one for one in items(each.status, "conditions") if text(one, "type") in wrong]
            return next((text(one, "message") for one in states if one.get("status") == "True"), "")
        case _:
            states = [
                one for one in items(each.status, "conditions") if text(one, "type") in ("Installed", "Progressing")
            ]
            return next((text(one, "message") for one in states if one.get("status") == "False"), "")


@rule(
    id="operator-not-installed",
    area="configuration",
    role=Role.CAUSE,
    title="An operator is not installed",
    meaning="Its own object says so for over ten minutes: resolution, unpacking, a failed install. A plan that "
    "waits for "
    "somebody's approval was asked for, and is said for what it is.",
    remediation="The worst condition says what.",
)
def operator_not_installed(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("ClusterServiceVersion", "Subscription", "InstallPlan", "ClusterExtension"):
        if (said := _worst(each)) and older_than(scene, each.created_at, INSTALLING):
            yield operator_not_installed.finding(
                each.entity,
                f"{each.entity} is not installed: {short(said)}",
                [scene.cite(each, "status")],
                severity=Severity.INFO if said.endswith(APPROVAL) else Severity.WARNING,
                first_seen=each.created_at,
                remedy=f"kubectl describe {each.where}",
            )


@rule(
    id="catalog-unhealthy",
    area="configuration",
    role=Role.CAUSE,
    title="A catalogue of operators does not answer",
    meaning="Its registry is not ready, or it does not serve. A new one is given ten minutes.",
    remediation="Look at its registry pod.",
)
def catalog_unhealthy(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("CatalogSource", "ClusterCatalog"):
        state = text(each.status, "connectionState", "lastObservedState")
        serving = each.condition("Serving")
        wrong = (state and state != "READY") or serving.get("status") == "False"
        tried_at = moment(each.status, "connectionState", "lastConnect") or each.created_at
        if wrong and older_than(scene, tried_at, ISSUING) and older_than(scene, each.created_at, INSTALLING):
            yield catalog_unhealthy.finding(
                each.entity,
                f"{each.entity} does not serve: {state or short(text(serving, 'message'))}",
                [scene.cite(each, "status")],
                severity=Severity.WARNING,
                first_seen=moment(serving, "lastTransitionTime"),
                remedy=f"Look at the registry pod of {each.name}",
            )


@rule(
    id="several-operator-groups",
    area="configuration",
    role=Role.CAUSE,
    title="A namespace has several operator groups",
    meaning="Nothing is installed in a namespace that has more than one.",
    remediation="Delete all but one.",
)
def several_operator_groups(scene: Scene) -> Iterator[Finding]:
    groups: defaultdict[str, list[Resource]] = defaultdict(list)
    for each in scene.cluster.all("OperatorGroup"):
        groups[each.namespace].append(each)
    for namespace, several in groups.items():
        if len(several) > 1:
            yield several_operator_groups.finding(
                several[-1].entity,
                f"{namespace} has {len(several)} operator groups: {', '.join(each.name for each in several)}",
                [scene.cite(each, "spec", "status") for each in several[:2]],
                severity=Severity.WARNING,
                remedy=f"kubectl delete {several[-1].where}, or the other one",
            )
