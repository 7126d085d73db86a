"""More rights than are needed. All of it is advice: nothing here is ever the cause of an incident.

One finding a namespace, or one for the cluster: what almost everybody lacks must not bury what is wrong today.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, Resource, items, mapping, text, words
from agents.scene import Scene
from agents.topology import WORKLOADS, containers, pod_spec
from tools.entity import Entity

SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""Namespaces of the cluster's own agents, which need the rights that they have."""
MOST_NAMED = 5
_DEFAULT = "default"


def _advice(
    scene: Scene, of: Rule, is_so: Callable[[Fields], bool], *, path: str, what: str, remedy: str
) -> Iterator[Finding]:
    for namespace, several in _top_workloads(scene).items():
        found = [each for each in several if is_so(pod_spec(each))]
        if found:
            yield of.finding(
                Entity.of("namespace", "", namespace),
                f"namespace {namespace}: {_named(found)} {what}",
                [scene.cite(found[0], path)],
                severity=Severity.INFO,
                remedy=f"{remedy} {found[0].where}",
            )


def _named(resources: Sequence[Resource]) -> str:
    names = [each.name for each in resources[:MOST_NAMED]]
    more = len(resources) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _top_workloads(scene: Scene) -> Mapping[str, Sequence[Resource]]:
    """What people wrote, by namespace: neither what controllers made from it nor the cluster's own."""
    return scene.once(_grouped)


def _grouped(scene: Scene) -> Mapping[str, Sequence[Resource]]:
    found: dict[str, list[Resource]] = {}
    for each in scene.cluster.all("Pod", *WORKLOADS):
        if each.namespace not in SYSTEM and not items(each.raw, "metadata", "ownerReferences"):
            found.setdefault(each.namespace, []).append(each)
    return found


@rule(
    id="default-account",
    area="configuration",
    role=Role.CONTEXT,
    title="Workloads run as the namespace's default account",
    meaning="Whatever is granted to it, all of them get. Fine where it has no rights and no token is mounted.",
    remediation="Give each an account of its own, or mount no token.",
)
def default_account(scene: Scene) -> Iterator[Finding]:
    yield from _advice(
        scene,
        default_account,
        lambda spec: (
            (text(spec, "serviceAccountName") or _DEFAULT) == _DEFAULT
            and spec.get("automountServiceAccountToken") is not False
        ),
        path="spec.template.spec.serviceAccountName",
        what="run as its default account",
        remedy="Set serviceAccountName, or automountServiceAccountToken: false, in",
    )


@rule(
    id="privileged-container",
    area="configuration",
    role=Role.CONTEXT,
    title="Containers are privileged",
    meaning="They can do on the node what root can. Agents of the cluster itself are left out.",
    remediation="Grant the single capability that is needed instead.",
)
def privileged_container(scene: Scene) -> Iterator[Finding]:
    yield from _advice(
        scene,
        privileged_container,
        lambda spec: any(mapping(each, "securityContext").get("privileged") is True for each in containers(spec)),
        path="spec.template.spec.containers",
        what="have privileged containers",
        remedy="Remove privileged: true from",
    )


@rule(
    id="no-security-context",
    area="configuration",
    role=Role.CONTEXT,
    title="Workloads say nothing of their privileges",
    meaning="Neither pod nor container has a securityContext: the image decides, often for root.",
    remediation="Set runAsNonRoot, and drop capabilities.",
)
def no_security_context(scene: Scene) -> Iterator[Finding]:
    yield from _advice(
        scene,
        no_security_context,
        lambda spec: (
            not mapping(spec, "securityContext")
            and any(not mapping(each, "securityContext") for each in containers(spec))
        ),
        path="spec.template.spec.containers",
        what="have no securityContext",
        remedy="Set securityContext in",
    )


@rule(
    id="wildcard-role",
    area="configuration",
    role=Role.CONTEXT,
    title="A role grants everything",
    meaning="A star among verbs or resources. The cluster's own roles are left out.",
    remediation="Name the verbs and resources that are used.",
)
def wildcard_role(scene: Scene) -> Iterator[Finding]:
    wide = [each for each in scene.cluster.all("Role", "ClusterRole") if _is_wide(each)]
    for each in wide[:MOST_NAMED]:
        yield wildcard_role.finding(
            each.entity,
            f"{each.entity} grants {'every verb' if _has_star(each, 'verbs') else 'every resource'}",
            [scene.cite(each, "rules")],
            severity=Severity.INFO,
            remedy=f"Name verbs and resources in {each.where}",
        )


def _is_wide(role: Resource) -> bool:
    own = role.namespace in SYSTEM or role.name.startswith("system:") or role.name in ("admin", "cluster-admin")
    return not own and (_has_star(role, "verbs") or _has_star(role, "resources"))


def _has_star(role: Resource, field: str) -> bool:
    return any("*" in words(one, field) for one in items(role.raw, "rules"))
