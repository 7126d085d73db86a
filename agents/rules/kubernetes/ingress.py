"""Ingresses that lead nowhere."""

from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, Resource, items, mapping, number, text
from agents.scene import Scene
from agents.topology import backends

CLASS = "kubernetes.io/ingress.class"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
BUILT_IN = frozenset({"gce", "gce-internal", "alb", "azure/application-gateway"})
"""Classes that clouds serve without an IngressClass object."""


@rule(
    id="ingress-class-missing",
    area="ingress",
    role=Role.CAUSE,
    title="No controller takes the Ingress",
    meaning="It names an unknown class, or none while there is no default. Classes that clouds build in are fine.",
    remediation="Set a class that exists.",
)
def ingress_class_missing(scene: Scene) -> Iterator[Finding]:
    if not scene.cluster.knows("IngressClass"):
        return
    classes = scene.cluster.all("IngressClass")
    has_default = any(each.annotations.get(DEFAULT_CLASS) == "true" for each in classes)
    have = ", ".join(each.name for each in classes) or "none"
    for each in scene.cluster.all("Ingress"):
        named = text(each.raw, "spec", "ingressClassName")
        written = named or each.annotations.get(CLASS, "")
        if written in BUILT_IN or (has_default if not written else scene.cluster.get("IngressClass", "", written)):
            continue
        # A controller may take an annotation without any object; an address shows that it did.
        if not named and items(each.raw, "status", "loadBalancer", "ingress"):
            continue
        asks = f"names the class {written!r}, which does not exist" if written else "names no class and none is default"
        name = classes[0].name if classes else "<class>"
        yield ingress_class_missing.finding(
            each.entity,
            f"{each.entity} {asks} (there are: {have})",
            [
                scene.cite(
                    each, "spec.ingressClassName", r"metadata.annotations.kubernetes\.io/ingress\.class", "status"
                )
            ],
            severity=Severity.CRITICAL,
            direct=bool(named),
            first_seen=each.created_at,
            remedy=f'kubectl patch {each.where} -p \'{{"spec":{{"ingressClassName":"{name}"}}}}\'',
        )


def _services(ingress: Resource) -> list[Fields]:
    """The backends that are Services; other kinds of backends are somebody else's."""
    found = [mapping(each, "service") for each in backends(ingress)]
    return [each for each in found if text(each, "name")]


@rule(
    id="ingress-backend-missing",
    area="ingress",
    role=Role.CAUSE,
    title="An Ingress leads to a Service that does not exist",
    meaning="The Service was renamed, deleted, or lies in another namespace.",
    remediation="Align the Ingress and the Service.",
)
def ingress_backend_missing(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Ingress"):
        names = sorted({text(backend, "name") for backend in _services(each)})
        lacking = [name for name in names if scene.cluster.lacks("Service", each.namespace, name)]
        if lacking:
            yield ingress_backend_missing.finding(
                each.entity,
                f"{each.entity} leads to {', '.join(map(repr, lacking))}, which is no Service of {each.namespace}",
                [scene.cite(each, "spec.rules", "spec.defaultBackend")],
                severity=Severity.CRITICAL,
                remedy=f"Create Service {lacking[0]} in {each.namespace}, or correct the backend of {each.where}",
            )


@rule(
    id="ingress-port-mismatch",
    area="ingress",
    role=Role.CAUSE,
    title="An Ingress leads to a port that the Service lacks",
    meaning="The Service exists and has no such port, by number or by name.",
    remediation="Align the port of Ingress and Service.",
)
def ingress_port_mismatch(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Ingress"):
        for backend in _services(each):
            service = scene.cluster.get("Service", each.namespace, text(backend, "name"))
            ports = items(service.raw if service else None, "spec", "ports")
            wanted = number(backend, "port", "number") or text(backend, "port", "name")
            if not service or not wanted or any(wanted in (one.get("port"), one.get("name")) for one in ports):
                continue
            have = ", ".join(f"{one.get('port')} {text(one, 'name')}".strip() for one in ports)
            yield ingress_port_mismatch.finding(
                each.entity,
                f"{each.entity} leads to port {wanted} of {service.entity}, which has {have or 'no ports'}",
                [scene.cite(each, "spec.rules", "spec.defaultBackend"), scene.cite(service, "spec.ports")],
                severity=Severity.CRITICAL,
                remedy=f"Set the backend port for {service.name} in {each.where} to one of: {have}",
            )


@rule(
    id="ingress-tls-missing",
    area="ingress",
    role=Role.CAUSE,
    title="An Ingress names a certificate that is not there",
    meaning="The TLS secret does not exist: not issued, or not copied. An empty name means the default certificate.",
    remediation="Issue the certificate, or correct the name.",
)
def ingress_tls_missing(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Ingress"):
        names = sorted({text(one, "secretName") for one in items(each.raw, "spec", "tls")} - {""})
        lacking = [name for name in names if scene.cluster.lacks("Secret", each.namespace, name)]
        if lacking:
            yield ingress_tls_missing.finding(
                each.entity,
                f"{each.entity} wants the certificate of secret {lacking[0]!r}, which does not exist",
                [scene.cite(each, "spec.tls")],
                severity=Severity.WARNING,
                remedy=f"kubectl create secret tls {lacking[0]} -n {each.namespace} …, or look at its Certificate",
            )
