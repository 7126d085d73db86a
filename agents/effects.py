"""What each kind of cause can show as: the table that every explanation must be allowed by. Pure data.

Patterns are as in file names, separated by spaces. A row says what is possible; topology and time say what is so.
"""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache


class Reach(StrEnum):
    """How far the trouble of a cause goes."""

    JOINED = "joined"
    """Along the topology."""
    CALLEES = "callees"
    """To what it calls, and on: who fails calls less, who is flooded calls more."""
    NAMESPACE = "namespace"
    """To everything in its namespace, besides."""
    CLUSTER = "cluster"
    """To everything, besides."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of cause and what it can show as."""

    causes: str
    effects: str
    reach: Reach = Reach.JOINED


_BAD_REQUESTS = (
    "error-ratio-high latency-high callee-slow dependency-failing saturation circuit-open retry-storm auth-failing "
)
_NOT_SERVING = (
    "endpoints-empty endpoints-not-ready ingress-* tcp-refused tcp-timeout scrape-target-down " + _BAD_REQUESTS
)
_NOT_READY = (
    "readiness-failing replicas-unavailable progress-deadline-exceeded old-set-serving statefulset-stuck-ordinal "
    "daemonset-not-ready job-failed sidecar-not-ready hpa-* probe-checks-dependency " + _NOT_SERVING
)
_ENDING = "crash-loop restart-storm app-exits crash-signature init-failing " + _NOT_READY
_WAITING = "container-config-error container-create-error pod-pending claim-pending volume-mount-failed " + _NOT_READY

TABLE: tuple[Row, ...] = (
    # Services, ingress and readiness
    Row("selector-mismatch service-port-mismatch readiness-failing network-policy-blocks", _NOT_SERVING),
    Row("readiness-failing probe-* sidecar-not-ready", _NOT_READY),
    Row("endpoints-empty endpoints-not-ready scaled-to-zero", _NOT_SERVING),
    Row("ingress-* gateway-* route-* service-* loadbalancer-pending", _NOT_SERVING),
    # Workloads, quota, admission
    Row("replicas-unavailable statefulset-stuck-ordinal daemonset-not-ready rollout-paused", _NOT_READY),
    Row("quota-exceeded limit-range-violation", "replica-create-failed " + _NOT_READY, Reach.NAMESPACE),
    Row(
        "service-account-missing priority-class-missing pod-security-rejected policy-violation replica-create-failed",
        "replica-create-failed " + _NOT_READY,
    ),
    # Scheduling and storage
    Row(
        "insufficient-* node-selector-mismatch taint-* *-unsatisfiable volume-zone-conflict host-port-conflict "
        "node-pods-full scheduling-gated all-nodes-cordoned autoscaler-not-scaling scheduler-* pod-pending",
        "pod-pending " + _NOT_READY,
    ),
    Row("node-cordoned all-nodes-cordoned", "insufficient-* taint-* node-selector-mismatch", Reach.CLUSTER),
    Row(
        "storage-class-missing no-default-class several-default-classes provisioning-failed claim-* pv-* csi-*",
        "claim-pending pod-pending insufficient-* volume-mount-failed " + _NOT_READY,
    ),
    Row("volume-*", "volume-* crash-loop app-exits disk-full crash-signature " + _WAITING),
    # Images, configuration, references
    Row("image-* pull-secret-missing invalid-image-name", "image-* " + _WAITING),
    Row("registry-unreachable image-rate-limited", "image-* " + _WAITING, Reach.CLUSTER),
    Row(
        "configmap-* secret-missing config-key-missing container-config-error container-create-error",
        "crash-loop app-exits crash-signature " + _WAITING,
    ),
    Row("sandbox-create-failed post-start-hook-failed", _WAITING),
    # Processes that end
    Row(
        "liveness-killing startup-too-short oom-killed app-exits command-not-found main-process-ends segfault "
        "exec-format-error slow-shutdown init-failing crash-loop restart-storm crash-signature "
        "config-changed-not-loaded ephemeral-storage-exceeded pod-evicted rbac-denied",
        _ENDING,
    ),
    Row("probe-*", "liveness-killing readiness-failing " + _ENDING),
    # Resources and nodes
    Row("memory-leak memory-near-limit", "oom-killed memory-near-limit pod-evicted " + _ENDING),
    Row(
        "cpu-throttled cpu-saturated disk-slow pressure-stall",
        "probe-timeout liveness-killing startup-too-short pressure-stall cpu-saturated crash-loop " + _NOT_READY,
    ),
    Row(
        "node-* cni-down kube-proxy-down csi-driver-missing disk-full inodes-full clock-skew",
        "node-* pod-evicted pod-pending volume-mount-failed sandbox-create-failed stuck-terminating oom-killed "
        "probe-timeout liveness-killing taint-* mongo-* db-* ephemeral-storage-exceeded image-store-broken "
        "pressure-stall packet-loss retransmits-high " + _ENDING,
    ),
    # Names, admission, the control plane: far-reaching
    Row("coredns-down", "dns-errors readiness-failing crash-signature " + _BAD_REQUESTS, Reach.CLUSTER),
    Row("dns-*", "dns-errors app-exits crash-signature readiness-failing " + _BAD_REQUESTS),
    Row(
        "webhook-* apiservice-unavailable api-server-errors etcd-slow controller-down",
        "replica-create-failed hpa-metrics-missing namespace-terminating pod-pending",
        Reach.CLUSTER,
    ),
    # Databases
    Row(
        "mongo-* pg-* redis-* db-* replication-lag connections-exhausted no-space-left",
        "mongo-* replication-lag readiness-failing crash-signature app-exits probe-checks-dependency " + _NOT_SERVING,
    ),
    Row(
        "pg-idle-in-transaction pg-long-transaction pg-prepared-forgotten pg-blocked pg-sync-standby-missing",
        "pg-blocked pg-connections-high pg-slow-query pg-bloat pg-wraparound pg-deadlocks",
    ),
    Row("pg-connection-leak pg-slow-query", "pg-connections-high"),
    Row("pg-replay-paused pg-replica-disconnected pg-slot-lost", "pg-replication-lag pg-slot-retains-wal"),
    Row("pg-slot-retains-wal", "db-disk-filling disk-full volume-full no-space-left"),
    Row(
        "db-disk-filling disk-full volume-full no-space-left",
        "mongo-* pg-replica-disconnected pg-slot-lost db-* no-space-left app-exits crash-signature saturation "
        "crash-loop",
    ),
    # The way between things
    Row(
        "tls-* certificate-not-ready secret-missing clock-skew",
        "tls-* ingress-tls-missing scrape-target-down readiness-failing crash-signature " + _BAD_REQUESTS,
    ),
    Row("connections-exhausted saturation", "saturation connections-exhausted readiness-failing " + _BAD_REQUESTS),
    Row("auth-failing rbac-denied", "crash-signature app-exits readiness-failing " + _BAD_REQUESTS),
    Row("tcp-* packet-loss retransmits-high network-* conntrack-full latency-path-high", _NOT_SERVING),
    Row("dependency-failing", "readiness-failing probe-checks-dependency app-exits crash-signature " + _BAD_REQUESTS),
    # Load
    Row("saturation traffic-surge hpa-at-max", "cpu-saturated cpu-throttled memory-near-limit hpa-* " + _BAD_REQUESTS),
    Row(
        "latency-high",
        "latency-high callee-slow saturation traffic-drop readiness-failing probe-timeout dependency-failing",
    ),
    Row("error-ratio-high crash-signature", _NOT_SERVING),
    Row("hpa-metrics-missing hpa-target-* hpa-no-requests", "cpu-saturated cpu-throttled " + _BAD_REQUESTS),
    Row("callee-slow", "latency-high callee-slow saturation readiness-failing"),
    Row(
        "latency-high error-ratio-high traffic-* crash-loop crash-signature replicas-unavailable readiness-failing "
        "oom-killed app-exits cpu-* callee-slow endpoints-* ingress-* dependency-failing",
        "traffic-*",
        Reach.CALLEES,
    ),
    # A change explains the first new symptom on what was changed; the causes it brought stand beside it, not under it.
    Row("recent-change", "crash-loop restart-storm cpu-saturated replicas-unavailable " + _BAD_REQUESTS),
)


@cache
def reach(cause: str, effect: str) -> Reach | None:
    """How far `cause` reaches when it shows as `effect`; `None` when it cannot."""
    allowed = [row.reach for row in TABLE if _matches(cause, row.causes) and _matches(effect, row.effects)]
    return max(allowed, key=list(Reach).index, default=None)


@cache
def reaches(cause: str, how: Reach) -> bool:
    """Whether `cause` can reach that far at all."""
    return any(row.reach is how and _matches(cause, row.causes) for row in TABLE)


def _matches(name: str, patterns: str) -> bool:
    return any(fnmatchcase(name, each) for each in patterns.split())
