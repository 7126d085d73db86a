"""The named signals, and the PromQL that produces each from the exporters that most clusters run. Pure.

kube-state-metrics, cAdvisor, node_exporter, kubelet volume statistics, and the usual names of HTTP and pool metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tools.entity import Entity

NODE = ("node", "nodename", "instance")
SERVICE = ("service", "job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression whose series are about entities of one kind."""

    kind: str
    promql: str
    """With `$namespace`, a matcher, and `$range`, the length of rates."""
    labels: tuple[str, ...]
    """The labels that may name the entity, the best one first."""

    @property
    def is_namespaced(self) -> bool:
        return "$namespace" in self.promql

    def written(self, namespace: str | None, range_s: int) -> str:
        """The expression to send; without a namespace it also takes series that carry none."""
        matcher = f'namespace="{_quoted(namespace)}"' if namespace else 'namespace=~".*"'
        return self.promql.replace("$namespace", matcher).replace("$range", f"{range_s}s")

    def entity(self, labels: Mapping[str, str]) -> Entity | None:
        """What a series is about, or `None` when it does not say."""
        name = next((labels[label] for label in self.labels if labels.get(label)), "")
        if not name:
            return None
        if self.kind == "node":
            name = name.rsplit(":", 1)[0] if name.rsplit(":", 1)[-1].isdecimal() else name
        return Entity.of(self.kind, labels.get("namespace"), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A named time series of an entity; the unit is in the name too."""

    name: str
    unit: str
    queries: tuple[Query, ...]


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _pod(promql: str) -> Query:
    return Query(kind="pod", labels=("pod",), promql=promql)


def _node(promql: str) -> Query:
    return Query(kind="node", labels=NODE, promql=promql)


def _service(promql: str) -> Query:
    return Query(kind="service", labels=SERVICE, promql=promql)


def _workload(kind: str, metric: str) -> Query:
    return Query(kind=kind, labels=(kind,), promql=f"max by (namespace, {kind}) ({metric}{{$namespace}})")


_CONTAINERS = '{container!="",container!="POD",$namespace}'
_PODS = '{pod!="",$namespace}'
_NICS = '{device!~"lo|veth.*|cali.*|cni.*|cilium.*|docker.*|flannel.*|br-.*|tunl.*"}'
_FILESYSTEMS = '{fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|autofs|fuse.*|nsfs|proc|sysfs"}'
_BY = "sum by (namespace, service, job)"
_CODES = ("code", "status", "status_code", "http_status_code", "http_response_status_code")
_SERVER = ("http_requests_total", "http_server_requests_seconds_count", "http_server_request_duration_seconds_count")
_CLIENT = (
    "http_client_requests_total",
    "http_client_requests_seconds_count",
    "http_client_request_duration_seconds_count",
)
_SERVER_TIMES = (
    "http_request_duration_seconds",
    "http_server_requests_seconds",
    "http_server_request_duration_seconds",
)
_CLIENT_TIMES = ("http_client_requests_seconds", "http_client_request_duration_seconds")


def _pod_rate(metric: str, selector: str = _PODS) -> Query:
    return _pod(f"sum by (namespace, pod) (rate({metric}{selector}[$range]))")


def _node_rate(metric: str, selector: str = "") -> Query:
    return _node(f"sum by (instance, node) (rate({metric}{selector}[$range]))")


def _first(expressions: list[str]) -> str:
    """The first expression that has a series for a service wins; the others fill what it does not know."""
    return " or ".join(f"({expression})" for expression in expressions)


def _requests(metrics: tuple[str, ...]) -> str:
    return _first([f"{_BY} (rate({metric}{{$namespace}}[$range]))" for metric in metrics])


def _errors(metrics: tuple[str, ...]) -> str:
    def failed(metric: str) -> str:
        return " or ".join(f'rate({metric}{{{code}=~"5..",$namespace}}[$range])' for code in _CODES)

    # Without the second half a service that never failed would be unknown, and not at zero.
    return _first(
        [
            f"{_BY} ({failed(metric)}) / {_BY} (rate({metric}{{$namespace}}[$range]))"
            f" or {_BY} (rate({metric}{{$namespace}}[$range])) * 0"
            for metric in metrics
        ]
    )


def _quantile(share: float, metrics: tuple[str, ...]) -> Query:
    by = "sum by (namespace, service, job, le)"
    return _service(
        _first(
            [f"histogram_quantile({share}, {by} (rate({metric}_bucket{{$namespace}}[$range])))" for metric in metrics]
        )
    )


def _mean(metrics: tuple[str, ...]) -> Query:
    return _service(
        _first(
            [
                f"{_BY} (rate({metric}_sum{{$namespace}}[$range])) / {_BY} (rate({metric}_count{{$namespace}}[$range]))"
                for metric in metrics
            ]
        )
    )


def _of_limit(usage: str, resource: str) -> Query:
    # By container, for the fullest one is killed or throttled whatever room its neighbours have.
    limit = (
        f'max by (namespace, pod, container) (kube_pod_container_resource_limits{{resource="{resource}",$namespace}})'
    )
    return _pod(f"max by (namespace, pod) ({usage} / {limit})")


def _service_sum(metrics: tuple[str, ...]) -> Query:
    def of_namespace(metric: str) -> str:
        return metric.replace("}", ",$namespace}") if metric.endswith("}") else f"{metric}{{$namespace}}"

    return _service(_first([f"{_BY} ({of_namespace(metric)})" for metric in metrics]))


_CPU = "rate(container_cpu_usage_seconds_total" + _CONTAINERS + "[$range])"
_MEMORY = "max by (namespace, pod, container) (container_memory_working_set_bytes" + _CONTAINERS + ")"
# As df counts: what is reserved for root is neither used nor free.
_FREE = (
    f"node_filesystem_avail_bytes{_FILESYSTEMS} / (node_filesystem_size_bytes{_FILESYSTEMS}"
    f" - node_filesystem_free_bytes{_FILESYSTEMS} + node_filesystem_avail_bytes{_FILESYSTEMS})"
)
# Both parts are rates, for the rate of a young counter is too low: one minus it would call every new node busy.
_BUSY = (
    'sum by (instance, node) (rate(node_cpu_seconds_total{mode!~"idle|iowait"}[$range]))'
    " / sum by (instance, node) (rate(node_cpu_seconds_total[$range]))"
)

_TABLE: tuple[tuple[str, str, tuple[Query, ...]], ...] = (
    ("cpu_cores", "cores", (
        _pod(f"sum by (namespace, pod) ({_CPU})"),
        _node_rate("node_cpu_seconds_total", '{mode!~"idle|iowait"}'),
    )),
    ("cpu_utilization_ratio", "ratio", (
        _of_limit(f"sum by (namespace, pod, container) ({_CPU})", "cpu"),
        _node(_BUSY),
    )),
    ("cpu_throttled_ratio", "ratio", (_pod(
        f"sum by (namespace, pod) (rate(container_cpu_cfs_throttled_periods_total{_CONTAINERS}[$range]))"
        f" / sum by (namespace, pod) (rate(container_cpu_cfs_periods_total{_CONTAINERS}[$range]))"
    ),)),
    ("memory_bytes", "bytes", (
        _pod(f"sum by (namespace, pod) ({_MEMORY})"),
        _node("max by (instance, node) (node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes)"),
    )),
    ("memory_utilization_ratio", "ratio", (
        _of_limit(_MEMORY, "memory"),
        _node("max by (instance, node) (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"),
    )),
    ("disk_utilization_ratio", "ratio", (
        _node(
            f"max by (instance, node) (1 - ({_FREE})"
            " unless on (instance, device, mountpoint) node_filesystem_readonly == 1)"
        ),
        Query(
            kind="persistentvolumeclaim",
            labels=("persistentvolumeclaim",),
            promql="max by (namespace, persistentvolumeclaim)"
            " (kubelet_volume_stats_used_bytes{$namespace} / kubelet_volume_stats_capacity_bytes{$namespace})",
        ),
    )),
    ("disk_io_seconds_per_second", "ratio", (
        _node("max by (instance, node) (rate(node_disk_io_time_seconds_total[$range]))"),
    )),
    ("disk_read_bytes_per_second", "bytes/s", (
        _pod_rate("container_fs_reads_bytes_total", _CONTAINERS), _node_rate("node_disk_read_bytes_total"),
    )),
    ("disk_write_bytes_per_second", "bytes/s", (
        _pod_rate("container_fs_writes_bytes_total", _CONTAINERS), _node_rate("node_disk_written_bytes_total"),
    )),
    ("network_receive_bytes_per_second", "bytes/s", (
        _pod_rate("container_network_receive_bytes_total"), _node_rate("node_network_receive_bytes_total", _NICS),
    )),
    ("network_transmit_bytes_per_second", "bytes/s", (
        _pod_rate("container_network_transmit_bytes_total"), _node_rate("node_network_transmit_bytes_total", _NICS),
    )),
    ("tcp_retransmit_ratio", "ratio", (_node(
        "sum by (instance, node) (rate(node_netstat_Tcp_RetransSegs[$range]))"
        " / sum by (instance, node) (rate(node_netstat_Tcp_OutSegs[$range]))"
    ),)),
    ("packet_drop_ratio", "ratio", (
        _pod(
            f"sum by (namespace, pod) (rate(container_network_receive_packets_dropped_total{_PODS}[$range]))"
            f" / sum by (namespace, pod) (rate(container_network_receive_packets_total{_PODS}[$range]))"
        ),
        _node(
            f"sum by (instance, node) (rate(node_network_receive_drop_total{_NICS}[$range]))"
            f" / sum by (instance, node) (rate(node_network_receive_packets_total{_NICS}[$range]))"
        ),
    )),
    ("requests_per_second", "1/s", (_service(_requests(_SERVER)),)),
    ("error_ratio", "ratio", (_service(_errors(_SERVER)),)),
    ("success_ratio", "ratio", (_service(f"1 - ({_errors(_SERVER)})"),)),
    ("availability_ratio", "ratio", (_service("avg by (namespace, service, job) (up{$namespace})"),)),
    ("latency_p50_seconds", "s", (_quantile(0.5, _SERVER_TIMES),)),
    ("latency_p90_seconds", "s", (_quantile(0.9, _SERVER_TIMES),)),
    ("latency_p95_seconds", "s", (_quantile(0.95, _SERVER_TIMES),)),
    ("latency_p99_seconds", "s", (_quantile(0.99, _SERVER_TIMES),)),
    ("latency_mean_seconds", "s", (_mean(_SERVER_TIMES),)),
    ("client_latency_p90_seconds", "s", (_quantile(0.9, _CLIENT_TIMES),)),
    ("client_latency_p95_seconds", "s", (_quantile(0.95, _CLIENT_TIMES),)),
    ("client_error_ratio", "ratio", (_service(_errors(_CLIENT)),)),
    ("restarts_total", "restarts", (
        _pod("sum by (namespace, pod) (kube_pod_container_status_restarts_total{$namespace})"),
    )),
    ("replicas_ready", "replicas", (
        _workload("deployment", "kube_deployment_status_replicas_ready"),
        _workload("statefulset", "kube_statefulset_status_replicas_ready"),
        _workload("daemonset", "kube_daemonset_status_number_ready"),
    )),
    ("replicas_desired", "replicas", (
        _workload("deployment", "kube_deployment_spec_replicas"),
        _workload("statefulset", "kube_statefulset_replicas"),
        _workload("daemonset", "kube_daemonset_status_desired_number_scheduled"),
    )),
    ("connections_active", "connections", (_service_sum((
        "pg_stat_activity_count", 'mongodb_ss_connections{conn_type="current"}',
        "mysql_global_status_threads_connected", "redis_connected_clients", "hikaricp_connections_active",
    )),)),
    ("connections_max", "connections", (_service_sum((
        "pg_settings_max_connections", "mysql_global_variables_max_connections",
        "redis_config_maxclients", "hikaricp_connections_max",
    )),)),
    ("queue_depth", "items", (_service_sum((
        "rabbitmq_queue_messages_ready", "kafka_consumergroup_lag", "hikaricp_connections_pending",
    )),)),
)  # fmt: skip

SIGNALS: Mapping[str, Signal] = {name: Signal(name=name, unit=unit, queries=queries) for name, unit, queries in _TABLE}
