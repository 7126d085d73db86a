"""Gateways and routes that lead nowhere."""

from collections.abc import Iterator

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, Resource, items, mapping, matches, moment, number, text
from agents.rules.kubernetes.readings import older_than, short
from agents.scene import Scene

ACCEPTING = TimeDelta(minutes=2)
"""A new object waits for its controller, and a load balancer behind it for the cloud."""
_ROUTES = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute")


@rule(
    id="gateway-class-missing",
    area="ingress",
    role=Role.CAUSE,
    title="No controller takes the Gateway",
    meaning="It names a GatewayClass that does not exist.",
    remediation="Name a class that exists, or install its controller.",
)
def gateway_class_missing(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Gateway"):
        name = text(each.raw, "spec", "gatewayClassName")
        if scene.cluster.lacks("GatewayClass", "", name):
            have = ", ".join(one.name for one in scene.cluster.all("GatewayClass")) or "none"
            yield gateway_class_missing.finding(
                each.entity,
                f"{each.entity} names the class {name!r}, which does not exist (there are: {have})",
                [scene.cite(each, "spec.gatewayClassName", "status.conditions")],
                severity=Severity.CRITICAL,
                first_seen=each.created_at,
                remedy=f"Set spec.gatewayClassName of {each.where} to one of: {have}",
            )


@rule(
    id="gateway-class-not-accepted",
    area="ingress",
    role=Role.CAUSE,
    title="A GatewayClass is not accepted",
    meaning="Its controller is not there, or refuses the parameters. A class that was just created is left out.",
    remediation="Look at the controller that it names.",
)
def gateway_class_not_accepted(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("GatewayClass"):
        state = each.condition("Accepted")
        if state.get("status") == "True" or not older_than(scene, each.created_at, ACCEPTING):
            continue
        controller = text(each.raw, "spec", "controllerName") or "its controller"
        yield gateway_class_not_accepted.finding(
            each.entity,
            f"{each.entity} is not accepted: {short(text(state, 'message')) or f'{controller} has said nothing'}",
            [scene.cite(each, "spec.controllerName", "status")],
            severity=Severity.WARNING,
            first_seen=moment(state, "lastTransitionTime") or each.created_at,
            remedy=f"Look at the pods of {controller}, which must accept {each.name}",
        )


@rule(
    id="gateway-not-programmed",
    area="ingress",
    role=Role.CAUSE,
    title="A Gateway is not in effect",
    meaning="It is not accepted or not programmed: a listener, an address, a certificate. Provisioning has two "
    "minutes.",
    remediation="Its conditions say why.",
)
def gateway_not_programmed(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Gateway"):
        if scene.cluster.lacks("GatewayClass", "", text(each.raw, "spec", "gatewayClassName")):
            continue
        states = [*items(each.status, "conditions"), *_listeners(each)]
        # By type and wherever it stands in the list.
        wrong = [
            one for one in states if one.get("type") in ("Accepted", "Programmed") and one.get("status") == "False"
        ]
        lasting = [one for one in wrong if older_than(scene, moment(one, "lastTransitionTime"), ACCEPTING)]
        if lasting:
            one = lasting[-1]
            said = short(text(one, "message") or text(one, "reason") or "no message")
            yield gateway_not_programmed.finding(
                each.entity,
                f"{each.entity} is not {text(one, 'type').lower()}: {said}",
                [scene.cite(each, "spec.listeners", "status")],
                severity=Severity.CRITICAL,
                first_seen=moment(one, "lastTransitionTime"),
                remedy=f"Correct the listeners of {each.where} as the condition says",
            )


def _listeners(gateway: Resource) -> list[Fields]:
    return [one for listener in items(gateway.status, "listeners") for one in items(listener, "conditions")]


def _parents(route: Resource) -> list[tuple[Fields, str, str]]:
    """The Gateways that a route names, each with namespace and name."""
    found: list[tuple[Fields, str, str]] = []
    for each in items(route.raw, "spec", "parentRefs"):
        if (text(each, "kind") or "Gateway") == "Gateway" and text(each, "name"):
            found.append((each, text(each, "namespace") or route.namespace, text(each, "name")))
    return found


@rule(
    id="route-parent-missing",
    area="ingress",
    role=Role.CAUSE,
    title="A route names a Gateway that does not exist",
    meaning="The Gateway was renamed, deleted, or lies in another namespace, which the route must then name.",
    remediation="Correct the reference.",
)
def route_parent_missing(scene: Scene) -> Iterator[Finding]:
    for route in scene.cluster.all(*_ROUTES):
        for _, namespace, name in _parents(route):
            if scene.cluster.lacks("Gateway", namespace, name):
                have = ", ".join(one.name for one in scene.cluster.all("Gateway")) or "none"
                yield route_parent_missing.finding(
                    route.entity,
                    f"{route.entity} names gateway {namespace}/{name}, which does not exist (there are: {have})",
                    [scene.cite(route, "spec.parentRefs", "status")],
                    severity=Severity.CRITICAL,
                    first_seen=route.created_at,
                    remedy=f"Set parentRefs of {route.where} to a Gateway that exists: {have}",
                )


@rule(
    id="route-not-allowed",
    area="ingress",
    role=Role.CAUSE,
    title="A Gateway does not let a route in",
    meaning="No listener of the Gateway admits routes of this namespace. Its selector reads the labels of namespaces.",
    remediation="Widen allowedRoutes, or label the namespace.",
)
def route_not_allowed(scene: Scene) -> Iterator[Finding]:
    for route in scene.cluster.all(*_ROUTES):
        for reference, namespace, name in _parents(route):
            gateway = scene.cluster.get("Gateway", namespace, name)
            listeners = items(gateway.raw, "spec", "listeners") if gateway else ()
            wanted = text(reference, "sectionName")
            chosen = [each for each in listeners if not wanted or text(each, "name") == wanted]
            if gateway and listeners and not any(_admits(scene, each, gateway, route) for each in chosen):
                yield route_not_allowed.finding(
                    route.entity,
                    f"{route.entity} is not let in by {gateway.entity}: no listener admits namespace "
                    f"{route.namespace!r}",
                    [scene.cite(route, "spec.parentRefs", "status"), scene.cite(gateway, "spec.listeners")],
                    severity=Severity.CRITICAL,
                    first_seen=route.created_at,
                    remedy=f"Widen allowedRoutes of {gateway.where}, or label namespace {route.namespace} as it asks",
                )


def _admits(scene: Scene, listener: Fields, gateway: Resource, route: Resource) -> bool:
    allowed = mapping(listener, "allowedRoutes", "namespaces")
    match text(allowed, "from") or "Same":
        case "All":
            return True
        case "Selector":
            known = scene.cluster.get("Namespace", "", route.namespace)
            # The API server puts this label on every namespace; others of one that was not listed may well match.
            labels = {"kubernetes.io/metadata.name": route.namespace, **(known.labels if known else {})}
            return known is None or matches(mapping(allowed, "selector"), labels)
        case _:
            return gateway.namespace == route.namespace


def _backends(route: Resource) -> Iterator[tuple[Fields, str, str]]:
    """The Services that a route leads to; other kinds of backends are somebody else's."""
    for line in items(route.raw, "spec", "rules"):
        for each in items(line, "backendRefs"):
            if (text(each, "kind") or "Service") == "Service" and text(each, "name"):
                yield each, text(each, "namespace") or route.namespace, text(each, "name")


@rule(
    id="route-backend-missing",
    area="ingress",
    role=Role.CAUSE,
    title="A route leads to a Service that does not exist",
    meaning="The Service was renamed, deleted, or lies in another namespace. Other kinds of backends are left out.",
    remediation="Align the route and the Service.",
)
def route_backend_missing(scene: Scene) -> Iterator[Finding]:
    for route in scene.cluster.all(*_ROUTES):
        for _, namespace, name in _backends(route):
            if scene.cluster.lacks("Service", namespace, name):
                yield route_backend_missing.finding(
                    route.entity,
                    f"{route.entity} leads to {name!r}, which is no Service of {namespace}",
                    [scene.cite(route, "spec.rules")],
                    severity=Severity.CRITICAL,
                    remedy=f"Create Service {name} in {namespace}, or correct backendRefs of {route.where}",
                )


@rule(
    id="route-port-mismatch",
    area="ingress",
    role=Role.CAUSE,
    title="A route leads to a port that the Service lacks",
    meaning="The Service exists and has no such port.",
    remediation="Align the port of route and Service.",
)
def route_port_mismatch(scene: Scene) -> Iterator[Finding]:
    for route in scene.cluster.all(*_ROUTES):
        for backend, namespace, name in _backends(route):
            service, wanted = scene.cluster.get("Service", namespace, name), number(backend, "port")
            ports = [number(one, "port") for one in items(service.raw, "spec", "ports")] if service else []
            if service and wanted is not None and ports and wanted not in ports:
                have = ", ".join(map(str, ports))
                yield route_port_mismatch.finding(
                    route.entity,
                    f"{route.entity} leads to port {wanted} of {service.entity}, which has {have}",
                    [scene.cite(route, "spec.rules"), scene.cite(service, "spec.ports")],
                    severity=Severity.CRITICAL,
                    remedy=f"Set the port for {name} in {route.where} to one of: {have}",
                )
