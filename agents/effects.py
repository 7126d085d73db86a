"""What each kind of cause can show as: the table that every explanation must be allowed by. Pure data.

Patterns are as in file names, separated by spaces. A row says what is possible; topology and time say what is so.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache


class Reach(StrEnum):
    """How far the trouble of a cause goes."""

    WITHIN = "within"
    """Within one workload, and from the machine to what runs on it: what begins in a thing has its reason there."""
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
    "error-ratio-high latency-high callee-slow dependency-failing saturation circuit-open retry-storm "
    "calls-failing upstream-errors log-errors-new "
)
_NOT_SERVING = (
    "endpoints-empty endpoints-not-ready ingress-* tcp-refused tcp-timeout scrape-target-down " + _BAD_REQUESTS
)
_NOT_READY = (
    "readiness-failing replicas-unavailable progress-deadline-exceeded old-set-serving statefulset-stuck-ordinal "
    "daemonset-not-ready job-failed sidecar-not-ready hpa-* probe-checks-dependency " + _NOT_SERVING
)
_PLATFORM = "coredns-down kube-proxy-down cni-down controller-down control-plane-pod-down csi-driver-missing "
"""Parts of the platform that are workloads themselves: what is wrong with the workload is wrong with the part."""
_ENDING = "crash-loop restart-storm app-exits crash-signature init-failing " + _NOT_READY
_WAITING = "container-config-error container-create-error pod-pending claim-pending volume-mount-failed " + _NOT_READY

TABLE: tuple[Row, ...] = (
    # The platform's own workloads: what they lack explains them, and their silence is the news, not how they ended
    Row(
        "image-* pull-secret-missing invalid-image-name registry-unreachable insufficient-* node-selector-mismatch "
        "taint-* *-unsatisfiable all-nodes-cordoned scaled-to-zero quota-exceeded configmap-missing secret-missing "
        "config-key-missing command-not-found oom-killed liveness-killing probe-* volume-* claim-* runs-as-root "
        "service-account-missing policy-violation pod-security-rejected webhook-* node-*",
        _PLATFORM + "webhook-no-pods apiservice-unavailable",
    ),
    Row(
        _PLATFORM,
        "app-exits segfault main-process-ends crash-signature config-invalid address-in-use log-errors-new "
        "dependency-failing calls-failing " + _ENDING,
    ),
    Row(
        "app-exits crash-loop endpoints-* readiness-failing replicas-unavailable",
        "webhook-no-pods apiservice-unavailable",
    ),
    Row(
        "kube-proxy-down cni-down",
        "sandbox-create-failed node-network-unavailable tcp-timeout tcp-refused dns-errors dependency-failing "
        "calls-failing webhook-failing apiservice-unavailable",
        Reach.CLUSTER,
    ),
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
        "node-pods-full scheduling-gated all-nodes-cordoned autoscaler-not-scaling scheduler-* pod-pending "
        "pod-preempted",
        "pod-pending " + _NOT_READY,
    ),
    Row(
        "insufficient-* node-selector-mismatch taint-* *-unsatisfiable volume-zone-conflict host-port-conflict "
        "claim-missing",
        "autoscaler-not-scaling",
    ),
    Row("pod-preempted", "insufficient-*"),
    Row("node-cordoned all-nodes-cordoned", "insufficient-* taint-* node-selector-mismatch", Reach.CLUSTER),
    Row(
        "storage-class-missing no-default-class several-default-classes provisioning-failed claim-* pv-* csi-* "
        "volume-claim-mismatch volume-resize-pending mount-refused",
        "claim-pending pod-pending insufficient-* volume-mount-failed " + _NOT_READY,
    ),
    Row("volume-*", "volume-* crash-loop app-exits disk-full crash-signature " + _WAITING),
    # Images, configuration, references
    Row("image-* pull-secret-missing invalid-image-name", "image-* " + _WAITING),
    Row("registry-unreachable image-rate-limited", "image-* " + _WAITING, Reach.CLUSTER),
    Row(
        "configmap-* secret-missing config-key-missing container-config-error container-create-error runs-as-root",
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
    # Who is killed before it can answer answers late: that its probe times out is how this shows.
    Row("startup-too-short", "probe-timeout"),
    # What a process lacks, by its own words: it says why it ended
    Row(
        "setting-missing config-invalid file-missing module-missing file-permission-denied volume-read-only "
        "address-in-use migration-failed schema-missing license-invalid heap-exhausted fds-exhausted ports-exhausted "
        "pids-exhausted resource-refused callee-missing callee-port-mismatch auth-failing rbac-denied tls-* "
        "dependency-failing",
        "crash-signature dns-errors probe-timeout liveness-killing " + _ENDING,
    ),
    Row(
        "configmap-* secret-missing config-key-missing volume-* no-space-left",
        "setting-missing config-invalid file-missing file-permission-denied migration-failed",
    ),
    Row("migration-failed", "schema-missing"),
    Row("callee-missing callee-port-mismatch", "dependency-failing calls-failing", Reach.CALLEES),
    Row("service-port-missing", "callee-port-mismatch"),
    Row("memory-leak memory-near-limit", "heap-exhausted"),
    Row("rate-limited lock-conflicts connections-exhausted", "crash-signature saturation " + _BAD_REQUESTS),
    Row("db-* pg-* mongo-* redis-*", "connections-exhausted lock-conflicts"),
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
    Row("coredns-down", "dns-errors readiness-failing crash-signature callee-missing " + _BAD_REQUESTS, Reach.CLUSTER),
    Row("dns-*", "dns-errors app-exits crash-signature readiness-failing " + _BAD_REQUESTS),
    # Whom a caller cannot look up it calls silent, and whoever it is has no part in that.
    Row("dns-*", "dependency-failing calls-failing callee-missing", Reach.CALLEES),
    Row(
        "webhook-* apiservice-unavailable api-server-errors api-throttled etcd-slow controller-down "
        "control-plane-pod-down",
        "replica-create-failed hpa-metrics-missing namespace-terminating pod-pending",
        Reach.CLUSTER,
    ),
    Row(
        "controller-down control-plane-pod-down etcd-slow",
        "scheduler-silent replicas-unavailable progress-deadline-exceeded daemonset-not-ready "
        "statefulset-stuck-ordinal "
        "endpoints-* cronjob-missed job-failed claim-pending node-not-ready controller-down control-plane-pod-down "
        "api-server-errors stuck-terminating recent-change",
        Reach.CLUSTER,
    ),
    Row("node-*", "controller-down control-plane-pod-down", Reach.CLUSTER),
    # What people wait for: a drain, an end, a report
    Row("pdb-blocks", "node-cordoned stuck-terminating replicas-unavailable pod-pending all-nodes-cordoned"),
    Row("namespace-terminating", "replica-create-failed stuck-terminating " + _NOT_READY, Reach.NAMESPACE),
    Row("job-deadline-exceeded cronjob-schedule-invalid cronjob-missed", "job-failed cronjob-missed"),
    Row("controller-down", "cronjob-missed"),
    Row(
        "statefulset-service-missing external-name-unresolvable",
        "dns-errors callee-missing app-exits crash-signature init-failing " + _NOT_READY,
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
    Row(
        "db-connection-leak redis-connection-leak",
        "db-connections-high redis-rejected connections-exhausted cpu-saturated db-sessions-above-cpus",
    ),
    Row("db-writes-outrun-replica db-replica-busy db-replay-held-back", "replication-lag db-commit-slow"),
    Row("db-disk-saturated db-cpu-credits-out", "db-commit-slow db-sessions-above-cpus db-replica-busy"),
    Row("db-cpu-credits-out", "cpu-saturated db-disk-saturated"),
    Row(
        "redis-memory-full redis-slow redis-fork-slow redis-output-buffer redis-persist-failed redis-rejected",
        "redis-blocked-clients redis-replication-lag redis-hit-ratio-low redis-evicting redis-replica-down "
        "redis-loading",
    ),
    Row("redis-evicting redis-loading", "redis-hit-ratio-low"),
    Row("pg-replay-paused pg-replica-disconnected pg-slot-lost", "pg-replication-lag pg-slot-retains-wal"),
    Row("pg-slot-retains-wal", "db-disk-filling disk-full volume-full no-space-left"),
    Row(
        "db-disk-filling disk-full volume-full no-space-left",
        "mongo-* pg-replica-disconnected pg-slot-lost db-* no-space-left app-exits crash-signature saturation "
        "crash-loop",
    ),
    # Temporal workers
    Row(
        "temporal-slots-out temporal-no-pollers temporal-server-limits temporal-nondeterminism",
        "temporal-schedule-to-start rate-limited crash-signature " + _BAD_REQUESTS,
    ),
    Row("cpu-saturated cpu-throttled replicas-unavailable crash-loop scaled-to-zero", "temporal-*"),
    # The way between things
    Row(
        "tls-* certificate-not-ready secret-missing clock-skew",
        "tls-* ingress-tls-missing scrape-target-down readiness-failing crash-signature auth-failing " + _BAD_REQUESTS,
    ),
    Row("connections-exhausted saturation", "saturation connections-exhausted readiness-failing " + _BAD_REQUESTS),
    Row("auth-failing rbac-denied", "crash-signature app-exits readiness-failing " + _BAD_REQUESTS),
    Row("tcp-* packet-loss retransmits-high network-* conntrack-full latency-path-high", _NOT_SERVING),
    Row("dependency-failing", "readiness-failing probe-checks-dependency app-exits crash-signature " + _BAD_REQUESTS),
    # What series suggest: where trouble begins, and what moved there
    Row(
        "cpu-* memory-* disk-* pressure-stall saturation traffic-surge oom-* app-exits crash-loop restart-storm pg-* "
        "mongo-* redis-* db-* node-* recent-change crash-signature no-space-left connections-exhausted volume-full "
        "inodes-full",
        "self-time-high errors-begin-here unusual-series network-shift went-silent",
        Reach.WITHIN,
    ),
    Row(
        "oom-* app-exits crash-loop restart-storm memory-leak saturation traffic-surge recent-change node-*",
        "cpu-surge memory-surge disk-surge memory-fell",
        Reach.WITHIN,
    ),
    Row(
        "self-time-high errors-begin-here latency-path-high",
        "unusual-series network-shift latency-path-high",
        Reach.WITHIN,
    ),
    Row(
        "self-time-high errors-begin-here latency-path-high cpu-surge memory-surge disk-surge memory-fell "
        "network-shift went-silent",
        "cpu-saturated cpu-throttled memory-near-limit probe-timeout " + _NOT_READY,
    ),
    # Load
    Row("saturation traffic-surge hpa-at-max", "cpu-saturated cpu-throttled memory-near-limit hpa-* " + _BAD_REQUESTS),
    Row(
        "latency-high",
        "latency-high callee-slow saturation traffic-drop readiness-failing probe-timeout dependency-failing",
    ),
    Row("error-ratio-high crash-signature", _NOT_SERVING),
    Row("hpa-no-requests hpa-target-*", "hpa-metrics-missing"),
    Row("hpa-metrics-missing hpa-target-* hpa-no-requests", "cpu-saturated cpu-throttled " + _BAD_REQUESTS),
    Row("callee-slow", "latency-high callee-slow saturation readiness-failing"),
    Row(
        "self-time-high errors-begin-here "
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
    allowed = [TABLE[each].reach for each in _as_cause(cause) & _as_effect(effect)]
    return max(allowed, key=list(Reach).index, default=None)


@cache
def reaches(cause: str, how: Reach) -> bool:
    """Whether `cause` can reach that far at all."""
    return any(TABLE[each].reach is how for each in _as_cause(cause))


def fits(name: str, pattern: str) -> bool:
    """Whether a cause is of this name; one `*` in it stands for anything."""
    head, star, tail = pattern.partition("*")
    if not star:
        return name == pattern
    return len(name) >= len(head) + len(tail) and name.startswith(head) and name.endswith(tail)


@cache
def _as_cause(name: str) -> frozenset[int]:
    """Places of the rows that it is a cause in."""
    return frozenset(place for place, row in enumerate(TABLE) if _matches(name, row.causes))


@cache
def _as_effect(name: str) -> frozenset[int]:
    return frozenset(place for place, row in enumerate(TABLE) if _matches(name, row.effects))


def _matches(name: str, patterns: str) -> bool:
    return any(fits(name, each) for each in patterns.split())
