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
    return _service_of("sum", metrics)


def _service_of(operator: str, metrics: tuple[str, ...]) -> Query:
    def of_namespace(metric: str) -> str:
        return metric.replace("}", ",$namespace}") if metric.endswith("}") else f"{metric}{{$namespace}}"

    return _service(_first([f"{operator} by (namespace, service, job) ({of_namespace(each)})" for each in metrics]))


def _service_max(*metrics: str) -> Query:
    return _service_of("max", metrics)


def _service_min(*metrics: str) -> Query:
    return _service_of("min", metrics)


def _rds(metric: str) -> Query:
    """Of a managed database; the exporters of CloudWatch name its label differently."""
    labels = ("dbinstance_identifier", "dimension_DBInstanceIdentifier")
    return Query(kind="database", labels=labels, promql=f"max by ({', '.join(labels)}) ({metric})")


def _temporal_p95(metric: str) -> Query:
    """A histogram that some SDKs write in seconds and say so in its name, others in milliseconds."""
    rate = "sum by (namespace, pod, le) (rate({}_bucket{{$namespace}}[$range]))"
    seconds, millis = rate.format(f"{metric}_seconds"), rate.format(metric)
    return _pod(f"(histogram_quantile(0.95, {seconds})) or (histogram_quantile(0.95, {millis}) / 1000)")


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
    ("disk_await_seconds", "s", (_node(
        "max by (instance, node) ((rate(node_disk_read_time_seconds_total[$range])"
        " + rate(node_disk_write_time_seconds_total[$range])) / (rate(node_disk_reads_completed_total[$range])"
        " + rate(node_disk_writes_completed_total[$range])))"
    ),)),
    ("conntrack_utilization_ratio", "ratio", (_node(
        "max by (instance, node) (node_nf_conntrack_entries / node_nf_conntrack_entries_limit)"
    ),)),
    ("fds_utilization_ratio", "ratio", (_node(
        "max by (instance, node) (node_filefd_allocated / node_filefd_maximum)"
    ), _pod("max by (namespace, pod) (process_open_fds{$namespace} / process_max_fds{$namespace})"))),
    ("pids_utilization_ratio", "ratio", (_node(
        "max by (instance, node) (node_processes_pids / node_processes_max_processes)"
    ),)),
    ("inode_utilization_ratio", "ratio", (Query(
        kind="persistentvolumeclaim", labels=("persistentvolumeclaim",),
        promql="max by (namespace, persistentvolumeclaim)"
        " (kubelet_volume_stats_inodes_used{$namespace} / kubelet_volume_stats_inodes{$namespace})",
    ),)),
    ("api_error_ratio", "ratio", (_service(
        f'{_BY} (rate(apiserver_request_total{{code=~"5..",$namespace}}[$range]))'
        f" / {_BY} (rate(apiserver_request_total{{$namespace}}[$range]))"
    ),)),
    ("api_throttled_ratio", "ratio", (_service(
        f'{_BY} (rate(apiserver_request_total{{code="429",$namespace}}[$range]))'
        f" / {_BY} (rate(apiserver_request_total{{$namespace}}[$range]))"
    ),)),
    ("circuit_breakers_open", "breakers", (_service(
        f'({_BY} (resilience4j_circuitbreaker_state{{state="open",$namespace}}))'
        f" or ({_BY} (envoy_cluster_circuit_breakers_default_rq_open{{$namespace}}))"
    ),)),
    ("attempts_per_request", "attempts", (_service(
        f"1 + {_BY} (rate(envoy_cluster_upstream_rq_retry{{$namespace}}[$range]))"
        f" / {_BY} (rate(envoy_cluster_upstream_rq_total{{$namespace}}[$range]))"
    ),)),
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
    )), _rds("aws_rds_database_connections_average"))),
    ("connections_max", "connections", (_service_sum((
        "pg_settings_max_connections", "mysql_global_variables_max_connections",
        "redis_config_maxclients", "hikaricp_connections_max",
    )),)),
    ("queue_depth", "items", (_service_sum((
        "rabbitmq_queue_messages_ready", "kafka_consumergroup_lag", "hikaricp_connections_pending",
    )), _rds("aws_rds_disk_queue_depth_average"))),
    # Databases and their exporters: postgres_exporter, percona's mongodb_exporter, redis_exporter, RDS by CloudWatch.
    ("connections_idle_in_transaction", "connections", (_service_sum((
        'pg_stat_activity_count{state=~"idle in transaction.*"}',
    )),)),
    ("oldest_transaction_seconds", "s", (_service_max("pg_stat_activity_max_tx_duration"),)),
    ("replication_lag_seconds", "s", (
        _service_max("pg_replication_lag_seconds", "mongodb_mongod_replset_member_replication_lag"),
        _rds("aws_rds_replica_lag_average"),
    )),
    ("deadlocks_per_second", "1/s", (_service(f"{_BY} (rate(pg_stat_database_deadlocks{{$namespace}}[$range]))"),)),
    ("evictions_per_second", "1/s", (_service(f"{_BY} (rate(redis_evicted_keys_total{{$namespace}}[$range]))"),)),
    ("rejected_connections_per_second", "1/s", (
        _service(f"{_BY} (rate(redis_rejected_connections_total{{$namespace}}[$range]))"),
    )),
    ("oom_errors_per_second", "1/s", (
        _service(f'{_BY} (rate(redis_errors_total{{err="OOM",$namespace}}[$range]))'),
    )),
    ("cache_hit_ratio", "ratio", (_service(
        f"{_BY} (rate(redis_keyspace_hits_total{{$namespace}}[$range])) / ({_BY} (rate(redis_keyspace_hits_total"
        f"{{$namespace}}[$range])) + {_BY} (rate(redis_keyspace_misses_total{{$namespace}}[$range])))"
    ),)),
    ("replication_link_up", "ratio", (_service_min("redis_master_link_up"),)),
    ("last_save_ok", "ratio", (_service_min("redis_rdb_last_bgsave_status", "redis_aof_last_write_status"),)),
    ("lock_queue", "operations", (_service_max('mongodb_ss_globalLock_currentQueue{count_type="total"}'),)),
    ("storage_tickets_available", "tickets", (_service_min(
        "mongodb_ss_wt_concurrentTransactions_available", "mongodb_ss_queues_execution_available",
    ),)),
    ("cpu_credit_balance", "credits", (_rds("aws_rds_cpucredit_balance_average"),)),
    ("free_storage_bytes", "bytes", (_rds("aws_rds_free_storage_space_average"),)),
    ("commit_latency_seconds", "s", (_rds("aws_rds_commit_latency_average / 1000"),)),
    ("read_latency_seconds", "s", (_rds("aws_rds_read_latency_average"),)),
    ("write_latency_seconds", "s", (_rds("aws_rds_write_latency_average"),)),
    ("write_operations_per_second", "1/s", (_rds("aws_rds_write_iops_average"),)),
    ("transaction_log_bytes_per_second", "bytes/s", (_rds("aws_rds_transaction_logs_generation_average"),)),
    ("database_load_active_sessions", "sessions", (_rds("aws_rds_dbload_average"),)),
    # Temporal's SDK, as its metrics reference names them; Core-based SDKs and others write the same names.
    ("temporal_activity_schedule_to_start_p95_seconds", "s", (
        _temporal_p95("temporal_activity_schedule_to_start_latency"),
    )),
    ("temporal_workflow_task_schedule_to_start_p95_seconds", "s", (
        _temporal_p95("temporal_workflow_task_schedule_to_start_latency"),
    )),
    ("temporal_replay_latency_p95_seconds", "s", (_temporal_p95("temporal_workflow_task_replay_latency"),)),
    ("temporal_slots_available", "slots", (
        _pod("min by (namespace, pod) (temporal_worker_task_slots_available{$namespace})"),
    )),
    ("temporal_pollers", "pollers", (_pod("sum by (namespace, pod) (temporal_num_pollers{$namespace})"),)),
    ("temporal_sticky_evictions_per_second", "1/s", (_pod_rate("temporal_sticky_cache_total_forced_eviction"),)),
    ("temporal_nondeterminism_per_second", "1/s", (
        _pod_rate("temporal_workflow_task_execution_failed", '{failure_reason="NonDeterminismError",$namespace}'),
    )),
    ("temporal_resource_exhausted_per_second", "1/s", (
        _pod_rate("temporal_request_failure", '{status_code="RESOURCE_EXHAUSTED",$namespace}'),
    )),
)  # fmt: skip

SIGNALS: Mapping[str, Signal] = {name: Signal(name=name, unit=unit, queries=queries) for name, unit, queries in _TABLE}
