"""Cases about gateways, routes, ingresses, Services and what controllers complain of."""

from typing import Any

from tests.rules.builders import ago, condition, container, deployment, event, obj, pod, service
from tests.rules.kubernetes.cases import DROP, Shown
from tests.rules.kubernetes.object_cases import ingress

ROUTE = "httproute/shop/web"


def gateway(*, accepted: bool = True, programmed: bool = True, **fields: Any) -> dict[str, Any]:
    """A Gateway with one listener."""
    listener = {"name": "web", "port": 80, "allowedRoutes": {"namespaces": {"from": "Same"}}}
    spec = {"gatewayClassName": "edge", "listeners": [listener]}
    # The one that matters is not the first.
    states = [condition("Accepted", accepted), condition("Programmed", programmed, message="no certificate")]
    return obj("Gateway", "edge", spec=spec, status={"conditions": states}, **fields)


def gateway_class(*, accepted: bool = True) -> dict[str, Any]:
    """A GatewayClass."""
    spec = {"controllerName": "edge.test/controller"}
    return obj("GatewayClass", "edge", "", spec=spec, status={"conditions": [condition("Accepted", accepted)]})


def route(*, parent: str = "edge", backend: str = "cart", port: int = 80, **fields: Any) -> dict[str, Any]:
    """A route of the Gateway to a Service."""
    spec = {"parentRefs": [{"name": parent}], "rules": [{"backendRefs": [{"name": backend, "port": port}]}]}
    return obj("HTTPRoute", "web", spec=spec, **fields)


def addressed(name: str, **fields: Any) -> dict[str, Any]:
    """An Ingress that its controller has taken."""
    given = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}
    return ingress() | obj("Ingress", name, spec=ingress()["spec"], status=given, **fields)


CALLER = deployment("web", spec={"template": {"spec": {"containers": [container("web", env=[
    {"name": "CART_ADDR", "value": "cart:8080"}])]}}})  # fmt: skip
COMPLAINED = service()

CASES: tuple[Shown, ...] = (
    Shown(
        cause="gateway-class-missing",
        objects=(gateway(),),
        entity="gateway/shop/edge",
        twin={"0/spec/gatewayClassName": ""},
    ),
    Shown(
        cause="gateway-class-not-accepted",
        objects=(gateway_class(accepted=False),),
        entity="gatewayclass//edge",
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/metadata/creationTimestamp": ago(1)},
    ),
    Shown(
        cause="gateway-not-programmed",
        objects=(gateway(programmed=False), gateway_class()),
        entity="gateway/shop/edge",
        twin={"0/status/conditions/1/status": "True"},
        alarm={"0/status/conditions/1/lastTransitionTime": ago(1)},
    ),
    Shown(
        cause="route-parent-missing",
        objects=(route(parent="gone"), gateway()),
        entity=ROUTE,
        twin={"0/spec/parentRefs/0/name": "edge"},
        # A mesh attaches routes to Services.
        alarm={"0/spec/parentRefs/0/kind": "Service"},
    ),
    Shown(
        cause="route-not-allowed",
        objects=(
            route()
            | {
                "metadata": {**route()["metadata"], "namespace": "web"},
                "spec": {"parentRefs": [{"name": "edge", "namespace": "shop"}]},
            },
            gateway(),
            obj("Namespace", "web", "", metadata={"labels": {"team": "web"}}),
        ),
        entity="httproute/web/web",
        twin={"1/spec/listeners/0/allowedRoutes/namespaces/from": "All"},
        # The selector reads the labels of the namespace, not those of the route.
        alarm={
            "1/spec/listeners/0/allowedRoutes/namespaces": {
                "from": "Selector",
                "selector": {"matchLabels": {"team": "web"}},
            }
        },
    ),
    Shown(
        cause="route-backend-missing",
        objects=(route(backend="gone"), gateway()),
        entity=ROUTE,
        twin={"0/spec/rules/0/backendRefs/0/kind": "ServiceImport"},
        alarm={"0/spec/rules": []},
    ),
    Shown(
        cause="route-port-mismatch",
        objects=(route(port=81), gateway(), service()),
        entity=ROUTE,
        twin={"0/spec/rules/0/backendRefs/0/port": 80},
        alarm={"0/spec/rules/0/backendRefs/0/port": DROP},
    ),
    Shown(
        cause="ingress-no-address",
        objects=(ingress(), addressed("other")),
        entity="ingress/shop/web",
        twin={"0/status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.2"}]}}},
        # A controller on the host's network gives addresses to nobody.
        alarm={"1/status": {}},
    ),
    Shown(
        cause="ingress-host-conflict",
        objects=(addressed("old", age=900), addressed("young", age=60)),
        entity="ingress/shop/young",
        twin={"1/spec/rules/0/host": "other.test"},
        alarm={"1/metadata/annotations": {"nginx.ingress.kubernetes.io/canary": "true"}},
    ),
    Shown(
        cause="service-warning",
        objects=(COMPLAINED, event("FailedToUpdateEndpointSlices", "Error updating", COMPLAINED)),
        entity="service/shop/cart",
        twin={"1/type": "Normal"},
        alarm={"1/count": 1},
    ),
    Shown(
        cause="service-port-missing",
        objects=(service(), pod(), deployment(), CALLER),
        entity="service/shop/cart",
        twin={"0/spec/ports/0/port": 8080},
        # The caller was rolled out a moment ago: it may be what is wrong.
        alarm={"3/metadata/creationTimestamp": ago(5)},
    ),
    Shown(
        cause="network-policy-open",
        objects=(obj("NetworkPolicy", "open", spec={"podSelector": {}, "ingress": [{}]}),),
        entity="networkpolicy/shop/open",
        twin={"0/spec/ingress/0": {"from": [{"podSelector": {}}]}},
        # Selecting everything without any rule denies everything.
        alarm={"0/spec/ingress": []},
    ),
)
