"""Probes that ask the wrong thing, too early, or in the wrong language."""

from typing import Any

from tests.incidents.cluster import Cluster
from tests.incidents.controllers import REFUSED, callers_notice
from tests.incidents.fault import fault
from tests.incidents.kubelet import crash, killed, status_of, unready
from tests.incidents.rolling import Edit, replace, set_fields
from tests.incidents.workloads import probe


def _readiness(**fields: Any) -> Edit:
    return set_fields(readinessProbe=fields)


def _unready(c: Cluster, name: str, edit: Edit, message: str, *, sick: bool) -> None:
    for pod in replace(c, name, edit):
        if sick:
            unready(c, pod, message=message.format(ip=pod["status"]["podIP"]))
            c.log(pod, f"INFO {name} listening")
    if sick:
        callers_notice(c, name, REFUSED)


@fault(
    "users report the shop is failing in namespace shop; what is wrong?", "deployment/payment", "probe-port-mismatch"
)
def a_readiness_port_where_nobody_listens(c: Cluster, *, sick: bool) -> None:
    port = 8081 if sick else 50051
    _unready(
        c,
        "payment",
        set_fields(readinessProbe=probe(port, "/ready")),
        'Get "http://{ip}:8081/ready": dial tcp {ip}:8081: connect: connection refused',
        sick=sick,
    )


@fault("catalog restarts again and again", "deployment/catalog", ("probe-port-mismatch", "liveness-killing"))
def a_liveness_port_where_nobody_listens(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "catalog", set_fields(livenessProbe=probe(9999 if sick else 3550))):
        if sick:
            killed(c, pod, 'Get "http://{ip}:9999/healthz": dial tcp {ip}:9999: connect: connection refused')


@fault("cart is not ready", "deployment/cart", "probe-path-wrong")
def a_readiness_path_that_does_not_exist(c: Cluster, *, sick: bool) -> None:
    _unready(
        c,
        "cart",
        set_fields(readinessProbe=probe(7070, "/redy" if sick else "/ready")),
        "HTTP probe failed with statuscode: 404",
        sick=sick,
    )


@fault("orders flaps", "deployment/orders", ("probe-path-wrong", "liveness-killing"))
def a_liveness_path_that_does_not_exist(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "orders", set_fields(livenessProbe=probe(8080, "/health" if sick else "/healthz"))):
        if sick:
            killed(c, pod, "HTTP probe failed with statuscode: 404")


@fault("recommendation is restarting", "deployment/recommendation", ("probe-protocol-wrong", "liveness-killing"))
def a_liveness_probe_that_speaks_tls(c: Cluster, *, sick: bool) -> None:
    wanted = probe(8080)
    wanted["httpGet"]["scheme"] = "HTTPS" if sick else "HTTP"
    for pod in replace(c, "recommendation", set_fields(livenessProbe=wanted)):
        if sick:
            killed(c, pod, 'Get "https://{ip}:8080/healthz": http: server gave HTTP response to HTTPS client')


@fault("what is wrong with shipping in shop", "deployment/shipping", "probe-protocol-wrong")
def an_http_probe_of_a_grpc_port(c: Cluster, *, sick: bool) -> None:
    wanted = probe(50051, "/") if sick else {"grpc": {"port": 50051}, "periodSeconds": 10, "failureThreshold": 3}
    _unready(
        c,
        "shipping",
        set_fields(readinessProbe=wanted),
        'Get "http://{ip}:50051/": net/http: HTTP/1.x transport connection broken: malformed HTTP response '
        '"\\x00\\x00\\x06\\x04\\x00\\x00\\x00\\x00\\x00\\x00\\x05\\x00\\x00@\\x00"',
        sick=sick,
    )


@fault("search never gets up", "deployment/search", ("startup-too-short", "liveness-killing"))
def a_liveness_probe_that_begins_too_early(c: Cluster, *, sick: bool) -> None:
    timing = (
        {"initialDelaySeconds": 1, "periodSeconds": 2, "failureThreshold": 1} if sick else {"initialDelaySeconds": 60}
    )
    for pod in replace(c, "search", set_fields(livenessProbe=probe(8080) | timing)):
        if sick:
            killed(
                c, pod, 'Get "http://{ip}:8080/healthz": dial tcp {ip}:8080: connect: connection refused', lasted=0.06
            )
            path = f"shop/{pod['metadata']['name']}/server.log"
            c.logs[path] = c.logs[path.replace(".log", ".previous.log")] = [
                "2026-03-10T11:58:20Z INFO search loading index",
                "2026-03-10T11:58:22Z INFO received SIGTERM",
            ]


@fault("ads is flapping", "deployment/ads", ("probe-timeout", "liveness-killing"))
def a_probe_that_waits_too_short(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "ads", set_fields(livenessProbe=probe(9555, timeoutSeconds=1 if sick else 5))):
        if sick:
            killed(
                c,
                pod,
                'Get "http://{ip}:9555/healthz": context deadline exceeded (Client.Timeout exceeded while '
                "awaiting headers)",
            )


@fault("currency has no ready pods", "deployment/currency", "probe-command-missing")
def a_probe_command_that_the_image_lacks(c: Cluster, *, sick: bool) -> None:
    wanted = {"exec": {"command": ["curl", "-f", "localhost:7000"]}} if sick else {"tcpSocket": {"port": 7000}}
    for pod in replace(c, "currency", _readiness(**wanted, periodSeconds=10, failureThreshold=3)):
        if sick:
            unready(c, pod)
            text = (
                "Readiness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to "
                "exec "
                'in container: failed to start exec "c1": OCI runtime exec failed: exec failed: unable to start '
                'container process: exec: "curl": executable file not found in $PATH: unknown'
            )
            c.event(pod, "Unhealthy", text, first=18, last=0.2, count=100)
    if sick:
        callers_notice(c, "currency", REFUSED)


@fault("profiles is unavailable", "deployment/profiles", ("startup-too-short", "probe-path-wrong", "liveness-killing"))
def a_startup_probe_that_never_succeeds(c: Cluster, *, sick: bool) -> None:
    wanted = probe(8080, "/started" if sick else "/healthz", failureThreshold=6)
    for pod in replace(c, "profiles", set_fields(startupProbe=wanted)):
        if sick:
            crash(c, pod, "INFO profiles listening on :8080", code=137, lasted=1.1)
            c.event(
                pod,
                "Unhealthy",
                "Startup probe failed: HTTP probe failed with statuscode: 404",
                first=18,
                last=1.6,
                count=42,
            )
            c.event(
                pod,
                "Killing",
                "Container server failed startup probe, will be restarted",
                first=17,
                last=1.5,
                count=7,
                kind="Normal",
            )


@fault("checkout hangs", "deployment/checkout", ("liveness-killing", "probe-timeout"))
def an_application_that_hangs(c: Cluster, *, sick: bool) -> None:
    pods = c.pods_of("checkout")
    for pod in pods if sick else []:
        status = status_of(pod)
        ended = {
            "exitCode": 137,
            "reason": "Error",
            "startedAt": "2026-03-10T11:45:00Z",
            "finishedAt": "2026-03-10T11:57:00Z",
        }
        status |= {
            "restartCount": 5,
            "lastState": {"terminated": ended},
            "ready": False,
            "state": {"running": {"startedAt": "2026-03-10T11:57:01Z"}},
        }
        ip = pod["status"]["podIP"]
        text = f'Liveness probe failed: Get "http://{ip}:5050/healthz": context deadline exceeded'
        c.event(pod, "Unhealthy", text, first=50, last=3.2, count=17)
        c.event(
            pod,
            "Killing",
            "Container server failed liveness probe, will be restarted",
            first=50,
            last=3,
            count=5,
            kind="Normal",
        )
        unready(c, pod, since=3.5, message=f'Get "http://{ip}:5050/ready": context deadline exceeded')
