"""Services, names, policies and the ways in."""

from tests.incidents.cluster import Cluster, Json
from tests.incidents.controllers import REFUSED, TIMED_OUT, callers_notice, set_replicas
from tests.incidents.fault import fault
from tests.incidents.kubelet import crash
from tests.incidents.rolling import replace
from tests.incidents.workloads import policy, service


@fault("users report the shop is failing in namespace shop; what is wrong?", "service/payment", "selector-mismatch")
def a_selector_with_one_label_too_many(c: Cluster, *, sick: bool) -> None:
    c.get("Service", "payment")["spec"]["selector"] = {"app": "payment"} | ({"tier": "backend"} if sick else {})
    if sick:
        callers_notice(c, "payment", REFUSED)


@fault("checkout says that carts cannot be read", "service/cart", "selector-mismatch", ("EndpointSlice",))
def a_selector_with_a_typing_error(c: Cluster, *, sick: bool) -> None:
    c.get("Service", "cart")["spec"]["selector"] = {"app": "carts" if sick else "cart"}
    if sick:
        callers_notice(c, "cart", REFUSED)


@fault("the front page has no products", "service/catalog", "service-port-mismatch")
def a_target_port_where_nobody_listens(c: Cluster, *, sick: bool) -> None:
    c.get("Service", "catalog")["spec"]["ports"][0]["targetPort"] = 3551 if sick else "main"
    if sick:
        callers_notice(c, "catalog", REFUSED)


@fault("shipping costs cannot be computed", "service/shipping", "service-port-mismatch")
def a_port_name_that_no_pod_has(c: Cluster, *, sick: bool) -> None:
    c.get("Service", "shipping")["spec"]["ports"][0]["targetPort"] = "grpc" if sick else "main"
    if sick:
        callers_notice(c, "shipping", REFUSED)


@fault("emails are not sent, namespace shop", ("service/email",), ("service-port-missing", "callee-port-mismatch"))
def a_service_port_that_callers_do_not_know(c: Cluster, *, sick: bool) -> None:
    port = c.get("Service", "email")["spec"]["ports"][0]
    port |= {"port": 5000 if sick else 8080, "targetPort": 8080}
    for pod in c.pods_of("checkout") if sick else []:
        ip = c.cluster_ip("email")
        c.log(pod, *[f'ERROR request failed: email: Post "http://email:8080": dial tcp {ip}:8080: i/o timeout'] * 6)


@fault("currency conversion fails", "service/currency", ("service-port-mismatch", "service-protocol-mismatch"))
def a_service_of_another_protocol(c: Cluster, *, sick: bool) -> None:
    c.get("Service", "currency")["spec"]["ports"][0]["protocol"] = "UDP" if sick else "TCP"
    if sick:
        callers_notice(c, "currency", REFUSED)


def _policy_of(c: Cluster, name: str, **spec: object) -> Json:
    return c.put("NetworkPolicy", "shop", name, age=18, spec=spec)


@fault(
    "orders fails since half an hour",
    ("networkpolicy/orders-db-callers", "statefulset/orders-db"),
    "network-policy-blocks",
)
def a_policy_without_the_caller(c: Cluster, *, sick: bool) -> None:
    c.drop("NetworkPolicy", "orders-db-callers")
    policy(c, "orders-db", callers=["order" if sick else "orders"], port=5432)
    if sick:
        callers_notice(c, "orders-db", TIMED_OUT)


@fault(
    "users report the shop is failing in namespace shop; what is wrong?",
    ("networkpolicy/lockdown", "deployment/payment"),
    "network-policy-blocks",
)
def a_policy_that_denies_everybody(c: Cluster, *, sick: bool) -> None:
    peers: list[Json] = [] if sick else [{"from": [{"podSelector": {}}]}]
    _policy_of(c, "lockdown", podSelector={"matchLabels": {"app": "payment"}}, policyTypes=["Ingress"], ingress=peers)
    if sick:
        callers_notice(c, "payment", TIMED_OUT)


@fault(
    "checkout has time-outs when it looks up names",
    ("networkpolicy/checkout-egress", "deployment/checkout"),
    "dns-egress-blocked",
)
def a_policy_that_forgets_dns(c: Cluster, *, sick: bool) -> None:
    allowed: list[Json] = [{"to": [{"podSelector": {}}]}]
    if not sick:
        allowed.append(
            {
                "to": [{"namespaceSelector": {}}],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            }
        )
    _policy_of(
        c, "checkout-egress", podSelector={"matchLabels": {"app": "checkout"}}, policyTypes=["Egress"], egress=allowed
    )
    for pod in c.pods_of("checkout") if sick else []:
        c.log(
            pod, *["ERROR lookup payment on 10.96.0.10:53: read udp 10.244.1.17:41112->10.96.0.10:53: i/o timeout"] * 8
        )


@fault("names do not resolve in recommendation", "deployment/recommendation", ("dns-policy-wrong", "dns-errors"))
def a_pod_that_asks_another_resolver(c: Cluster, *, sick: bool) -> None:
    dns: Json = (
        {"dnsPolicy": "Default"}
        if sick
        else {"dnsPolicy": "ClusterFirst", "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]}}
    )
    for pod in replace(c, "recommendation", lambda spec: spec.update(dns)):
        if sick:
            c.log(pod, *["ERROR could not list products: lookup catalog on 10.0.0.2:53: no such host"] * 8)


def _unresolved(c: Cluster) -> None:
    for name in ("frontend", "checkout", "recommendation", "orders"):
        for pod in c.pods_of(name):
            c.log(
                pod,
                *[
                    "ERROR lookup catalog.shop.svc.cluster.local on 10.96.0.10:53: read udp 10.244.1.9:40122->"
                    "10.96.0.10:53: i/o timeout"
                ]
                * 6,
            )


@fault(
    "many services in namespace shop cannot resolve names",
    "deployment/kube-system/coredns",
    ("coredns-down", "app-exits"),
)
def a_resolver_with_a_broken_file(c: Cluster, *, sick: bool) -> None:
    corefile = c.get("ConfigMap", "coredns", "kube-system")["data"]
    corefile["Corefile"] = corefile["Corefile"].replace("forward", "forwrd" if sick else "forward")
    for pod in c.pods_of("coredns", "kube-system") if sick else []:
        crash(c, pod, "/etc/coredns/Corefile:6 - Error during parsing: Unknown directive 'forwrd'")
    if sick:
        _unresolved(c)


@fault(
    "users report the shop is failing in namespace shop; what is wrong?",
    "deployment/kube-system/coredns",
    ("coredns-down", "scaled-to-zero"),
)
def a_resolver_that_was_scaled_to_zero(c: Cluster, *, sick: bool) -> None:
    coredns = c.get("Deployment", "coredns", "kube-system")
    keep = 0 if sick else 1
    coredns["spec"]["replicas"] = keep
    for pod in c.pods_of("coredns", "kube-system")[keep:]:
        c.drop("Pod", pod["metadata"]["name"], "kube-system")
    for each in c.all("ReplicaSet", "kube-system"):
        if each["metadata"]["labels"].get("app") == "coredns" and each["spec"]["replicas"]:
            each["spec"]["replicas"] = keep
    if sick:
        _unresolved(c)


@fault("services cannot be reached from some nodes", ("daemonset/kube-system/kube-proxy",), ("kube-proxy-down",))
def a_proxy_that_crashes(c: Cluster, *, sick: bool) -> None:
    for pod in c.pods_of("kube-proxy", "kube-system")[1:] if sick else []:
        crash(
            c,
            pod,
            'E0310 server.go:466] "Error running ProxyServer" err="invalid configuration: mode: Invalid value: '
            '\\"iptable\\""',
        )
    if sick:
        callers_notice(c, "catalog", TIMED_OUT)


@fault("https://shop.example.com answers 503", "ingress/shop", "ingress-backend-missing")
def an_ingress_to_a_service_that_is_gone(c: Cluster, *, sick: bool) -> None:
    backend = c.get("Ingress", "shop")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    backend["name"] = "storefront" if sick else "frontend"


@fault("the shop's web page is down", "ingress/shop", "ingress-port-mismatch")
def an_ingress_to_a_port_that_is_not_there(c: Cluster, *, sick: bool) -> None:
    backend = c.get("Ingress", "shop")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    backend["port"] = {"number": 80} if sick else {"name": "main"}


@fault("ingress shop has no effect", "ingress/shop", "ingress-class-missing")
def an_ingress_that_no_controller_takes(c: Cluster, *, sick: bool) -> None:
    ingress = c.get("Ingress", "shop")
    ingress["spec"]["ingressClassName"] = "ngnix" if sick else "nginx"
    if sick:
        ingress["status"] = {"loadBalancer": {}}


@fault("browsers warn about the certificate of shop.example.com", "ingress/shop", "ingress-tls-missing")
def an_ingress_without_its_certificate(c: Cluster, *, sick: bool) -> None:
    c.get("Ingress", "shop")["spec"]["tls"][0]["secretName"] = "shop-tls-2026" if sick else "shop-tls"


@fault("the new load balancer in shop has no address", "service/partners", "loadbalancer-pending")
def a_load_balancer_without_address(c: Cluster, *, sick: bool) -> None:
    made = service(c, "shop", "partners", 8080, type="LoadBalancer", selector={"app": "frontend"})
    if sick:
        c.event(
            made,
            "SyncLoadBalancerFailed",
            "Error syncing load balancer: failed to ensure load balancer: quota exceeded",
            first=40,
            last=3,
            count=8,
            source="service-controller",
        )
    else:
        made["status"] = {"loadBalancer": {"ingress": [{"ip": "203.0.113.20"}]}}


@fault("checkout fails for all users", "deployment/payment", "scaled-to-zero")
def a_callee_that_was_scaled_to_zero(c: Cluster, *, sick: bool) -> None:
    set_replicas(c, "payment", 0 if sick else 1)
    if sick:
        callers_notice(c, "payment", REFUSED)


def _gateway(c: Cluster, *, listener: bool = True, gateway_class: str = "example") -> Json:
    accepted = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "lastTransitionTime": "2026-02-10T12:00:00Z",
    }
    c.put(
        "GatewayClass", "", "example", spec={"controllerName": "example.com/gateway"}, status={"conditions": [accepted]}
    )
    programmed = accepted | {
        "type": "Programmed",
        "status": str(listener),
        "reason": "Programmed" if listener else "Invalid",
    }
    return c.put(
        "Gateway",
        "shop",
        "edge",
        spec={
            "gatewayClassName": gateway_class,
            "listeners": [
                {"name": "web", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "Same"}}}
            ],
        },
        status={"conditions": [accepted, programmed], "addresses": [{"type": "IPAddress", "value": "203.0.113.30"}]},
    )


def _route(c: Cluster, *, parent: str = "edge", backend: str = "frontend", port: int = 8080) -> Json:
    return c.put(
        "HTTPRoute",
        "shop",
        "shop",
        spec={
            "parentRefs": [{"name": parent}],
            "hostnames": ["m.example.com"],
            "rules": [{"backendRefs": [{"name": backend, "port": port}]}],
        },
        status={"parents": []},
    )


@fault("m.example.com answers 500", "httproute/shop", "route-backend-missing")
def a_route_to_a_service_that_is_gone(c: Cluster, *, sick: bool) -> None:
    _gateway(c)
    _route(c, backend="mobile" if sick else "frontend")


@fault("m.example.com does not answer through the gateway", "httproute/shop", "route-parent-missing")
def a_route_of_a_gateway_that_is_gone(c: Cluster, *, sick: bool) -> None:
    _gateway(c)
    _route(c, parent="edge-old" if sick else "edge")


@fault("the gateway edge in shop does not work", "gateway/edge", "gateway-class-missing")
def a_gateway_of_an_unknown_class(c: Cluster, *, sick: bool) -> None:
    gateway = _gateway(c, gateway_class="exmaple" if sick else "example")
    _route(c)
    if sick:
        gateway["status"] = {
            "conditions": [
                {
                    "type": "Accepted",
                    "status": "Unknown",
                    "reason": "Pending",
                    "message": "Waiting for controller",
                    "lastTransitionTime": "2026-03-10T11:00:00Z",
                }
            ]
        }


@fault("m.example.com refuses connections", "gateway/edge", "gateway-not-programmed")
def a_gateway_that_is_not_programmed(c: Cluster, *, sick: bool) -> None:
    gateway = _gateway(c, listener=not sick)
    _route(c)
    if sick:
        gateway["status"]["conditions"][1]["message"] = "listener web: certificate shop/edge-tls not found"
