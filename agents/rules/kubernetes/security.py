"""Specifications that rules about security refuse."""

import re
from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role
from agents.objects import text
from agents.rules.kubernetes.admission import refused_findings
from agents.rules.kubernetes.readings import by_workload, containers, counted, first, severity, short, since, target
from agents.scene import Scene
from tools.entity import Entity

_DENIED = re.compile(
    r"admission webhook \"[^\"]+\" denied the request|ValidatingAdmissionPolicy .* denied request", re.IGNORECASE
)
_ROOT = re.compile(r"runAsNonRoot|will run as root|non-numeric user", re.IGNORECASE)


@rule(
    id="runs-as-root",
    area="configuration",
    role=Role.CAUSE,
    title="The image runs as root where that is forbidden",
    meaning="runAsNonRoot is set, and the image's user is root or a name that cannot be checked.",
    remediation="Set runAsUser to a number, or build the image with one.",
)
def runs_as_root(scene: Scene) -> Iterator[Finding]:
    found = [
        each
        for each in containers(scene)
        if text(each.waiting, "reason") == "CreateContainerConfigError" and _ROOT.search(text(each.waiting, "message"))
    ]
    for workload, several in by_workload(scene, found).items():
        each = several[0]
        yield runs_as_root.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))}: container {each.name!r} may not start:"
            f" {short(text(each.waiting, 'message'))}",
            [scene.cite(each.pod, each.path, "spec.securityContext", "spec.containers[*].securityContext")],
            severity=severity(scene, workload),
            first_seen=first(since(scene, one) for one in several),
            remedy=f"Set runAsUser of container {each.name} in {target(workload)} to the number of a user that is "
            f"not root",
        )


@rule(
    id="policy-violation",
    area="configuration",
    role=Role.CAUSE,
    title="A policy refuses the pod",
    meaning="An admission webhook or policy that works says no, with its reason. One that does not answer is another "
    "cause; "
    "reports of policies that only audit are left out.",
    remediation="Change what the policy names, or grant an exception.",
)
def policy_violation(scene: Scene) -> Iterator[Finding]:
    def advise(workload: Entity, message: str) -> str:
        return f"Change {target(workload)} as the policy says: {short(message, 120)}"

    yield from refused_findings(scene, policy_violation, _DENIED, advise)
