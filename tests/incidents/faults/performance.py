"""Things that run, and too slowly or too full: told by signals, or by what the platform says of nodes and versions."""

from tests.incidents.cluster import Cluster, at, since, steady
from tests.incidents.fault import fault
from tests.incidents.kubelet import WORKERS
from tests.incidents.rolling import replace, set_fields

LIMIT = 256 * 1024 * 1024


@fault("cart is slow", "deployment/cart", "cpu-throttled")
def a_cpu_limit_that_is_too_low(c: Cluster, *, sick: bool) -> None:
    for pod in replace(
        c, "cart", set_fields(resources={"limits": {"cpu": "50m" if sick else "2"}, "requests": {"cpu": "50m"}}), age=25
    ):
        entity = f"pod/shop/{pod['metadata']['name']}"
        c.signal(entity, "cpu_throttled_ratio", since(24, 0.01, 0.72) if sick else steady(0.01))
        c.signal(entity, "cpu_utilization_ratio", since(24, 0.3, 0.99) if sick else steady(0.1))
    for name in ("cart", "frontend") if sick else ():
        c.signal(f"service/shop/{name}", "latency_p95_seconds", since(24, 0.08, 1.4 if name == "cart" else 0.9))


@fault("orders needs more and more memory", "deployment/orders", ("memory-leak", "memory-near-limit"))
def a_process_that_forgets_nothing(c: Cluster, *, sick: bool) -> None:
    for pod in c.pods_of("orders"):
        entity = f"pod/shop/{pod['metadata']['name']}"
        c.signal(entity, "memory_bytes", (lambda m: LIMIT * (0.96 - m / 180 * 0.6)) if sick else steady(LIMIT * 0.4))
        c.signal(entity, "memory_utilization_ratio", (lambda m: 0.96 - m / 180 * 0.6) if sick else steady(0.4))


@fault(
    "users report the shop is slow in namespace shop; what is wrong?",
    "node//worker-3",
    ("packet-loss", "retransmits-high"),
)
def a_node_that_loses_packets(c: Cluster, *, sick: bool) -> None:
    for name in WORKERS:
        is_sick = sick and name == "worker-3"
        c.signal(f"node//{name}", "packet_drop_ratio", since(22, 0.0001, 0.09) if is_sick else steady(0.0001))
        c.signal(f"node//{name}", "tcp_retransmit_ratio", since(22, 0.002, 0.14) if is_sick else steady(0.002))
    for name in ("frontend", "cart", "checkout") if sick else ():
        c.signal(f"service/shop/{name}", "latency_p95_seconds", since(22, 0.08, 0.9))


@fault("pods fail on one node with TLS errors about certificates not yet valid", "node//worker-2", "clock-skew")
def a_node_whose_clock_is_wrong(c: Cluster, *, sick: bool) -> None:
    node = c.get("Node", "worker-2")
    if sick:
        node["status"]["conditions"].append(
            {
                "type": "NTPProblem",
                "status": "True",
                "reason": "NTPIsDown",
                "lastTransitionTime": at(50),
                "message": "NTP service is not running, clock is off by 312 s",
            }
        )


@fault("node worker-3 behaves oddly since the upgrade", "node//worker-3", "version-skew")
def a_node_that_missed_the_upgrades(c: Cluster, *, sick: bool) -> None:
    c.get("Node", "worker-3")["status"]["nodeInfo"] |= {"kubeletVersion": "v1.26.3" if sick else "v1.30.8"}


@fault("worker-1 reports problems", "node//worker-1", "node-pid-pressure")
def a_node_without_process_ids(c: Cluster, *, sick: bool) -> None:
    for each in c.get("Node", "worker-1")["status"]["conditions"]:
        if each["type"] == "PIDPressure" and sick:
            each |= {
                "status": "True",
                "reason": "KubeletHasInsufficientPID",
                "message": "kubelet has insufficient PID available",
                "lastTransitionTime": at(12),
            }


@fault("worker-2 has a problem with its disk", "node//worker-2", "node-custom-condition")
def a_node_whose_kernel_complains(c: Cluster, *, sick: bool) -> None:
    c.get("Node", "worker-2")["status"]["conditions"] += [
        {
            "type": "ReadonlyFilesystem",
            "status": str(sick),
            "reason": "FilesystemIsReadOnly" if sick else "FilesystemIsNotReadOnly",
            "message": "Remounting filesystem read-only" if sick else "Filesystem is not read-only",
            "lastTransitionTime": at(30),
        },
        {"type": "EtcdIsVoter", "status": "True", "reason": "MemberNotLearner", "lastTransitionTime": at(9000)},
    ]
