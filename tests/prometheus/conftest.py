"""A real Prometheus with an hour of a small shop in it, recorded before it started, and one rule that fires."""

import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from whenever import Instant, TimeDelta

from tests.servers import answers, free_port, need, running
from tools.prometheus.live import LivePrometheus
from tools.world import World

# The server must not be given blocks of its own last three hours.
ENDS_AGO_S = 4 * 3600
STEP_S = 15
HALF = 120


@pytest.fixture(scope="session")
def ends_at() -> Instant:
    return Instant.from_timestamp(int(time.time()) - ENDS_AGO_S)


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory, ends_at: Instant) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "past.om").write_text(_past(ends_at))
    promtool = need("promtool", "prometheus")
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", folder / "past.om", folder / "tsdb"],
        check=True,
        capture_output=True,
    )
    rule = {
        "alert": "AlwaysHere",
        "expr": "vector(1)",
        "labels": {"severity": "critical", "namespace": "shop"},
        "annotations": {"summary": "it is here"},
    }
    waiting = {"alert": "NotYet", "expr": "vector(1)", "for": "1h"}
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [rule, waiting]}]}))
    config = {"global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yml"]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    argv: list[str | Path] = [
        need("prometheus", "prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        "--storage.tsdb.retention.time=365d",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url=http://127.0.0.1:{port}",
    ]
    base = f"http://127.0.0.1:{port}"
    with running(argv, folder / "log", lambda: answers(f"{base}/-/ready")):
        yield base


@pytest.fixture
async def prometheus(url: str) -> AsyncIterator[LivePrometheus]:
    source = LivePrometheus(url)
    yield source
    await source.aclose()


@pytest.fixture
def world(prometheus: LivePrometheus, ends_at: Instant) -> World:
    """The shop, seen at the end of the recorded hour."""
    return World(name="recorded", captured_at=ends_at, metrics=prometheus, alerts=prometheus)


def _past(ends_at: Instant) -> str:
    """Two pods, a node, a service that begins to fail at half time, and a volume."""
    start = ends_at - TimeDelta(seconds=2 * HALF * STEP_S)
    lines: list[str] = []
    for name, kind, samples in _SERIES:
        lines.append(f"# TYPE {name} {kind}")
        for labels, value in samples:
            for index in range(2 * HALF + 1):
                at, sample = start.timestamp() + index * STEP_S, value(index)
                if sample is not None:
                    lines.append(f"{name}{'_total' if kind == 'counter' else ''}{{{labels}}} {sample} {at}")
    return "\n".join([*lines, "# EOF", ""])


_CART = 'namespace="shop",pod="cart-1",container="cart"'
_IDLE = 'namespace="shop",pod="idle-1",container="idle"'
_API = 'namespace="shop",service="api",job="api"'
_DISK = 'instance="node-a:9100",device="/dev/sda1",mountpoint="/",fstype="ext4"'
_IMAGE = 'instance="node-a:9100",device="/dev/loop1",mountpoint="/image",fstype="ext4"'
_VOLUME = 'namespace="shop",persistentvolumeclaim="data-db-0"'


Course = Callable[[int], float | None]


def _flat(value: float) -> Course:
    return lambda index: value


def _rising(step: float) -> Course:
    return lambda index: index * step


def _young(step: float) -> Course:
    """Counts only in the last two minutes."""
    return lambda index: index * step if index >= 2 * HALF - 8 else None


def _grows(index: int) -> float:
    return 100e6 if index < HALF else 190e6


def _fails(index: int) -> float:
    return max(0, index - HALF) * 10.0


def _odd(index: int) -> float:
    return float("inf") if index % 2 else 1.0


_SERIES: tuple[tuple[str, str, tuple[tuple[str, Course], ...]], ...] = (
    ("container_memory_working_set_bytes", "gauge", ((_CART, _grows), (_IDLE, _flat(50e6)))),
    (
        "kube_pod_container_resource_limits",
        "gauge",
        (
            (f'{_CART},resource="memory"', _flat(200e6)),
            (f'{_IDLE},resource="memory"', _flat(200e6)),
            (f'{_CART},resource="cpu"', _flat(2.0)),
        ),
    ),
    ("container_cpu_usage_seconds", "counter", ((_CART, _rising(STEP_S * 0.5)),)),
    ("container_cpu_cfs_throttled_periods", "counter", ((_CART, _rising(3)),)),
    ("container_cpu_cfs_periods", "counter", ((_CART, _rising(10)), (_IDLE, _flat(5.0)))),
    ("node_filesystem_avail_bytes", "gauge", ((_DISK, _flat(5e9)), (_IMAGE, _flat(0.0)))),
    ("node_filesystem_size_bytes", "gauge", ((_DISK, _flat(100e9)), (_IMAGE, _flat(1e9)))),
    ("node_filesystem_readonly", "gauge", ((_DISK, _flat(0.0)), (_IMAGE, _flat(1.0)))),
    ("node_filesystem_free_bytes", "gauge", ((_DISK, _flat(5e9)), (_IMAGE, _flat(0.0)))),
    (
        "node_cpu_seconds",
        "counter",
        (
            ('instance="node-b:9100",mode="idle"', _young(0.75 * STEP_S)),
            ('instance="node-b:9100",mode="user"', _young(0.25 * STEP_S)),
        ),
    ),
    ("kubelet_volume_stats_used_bytes", "gauge", ((_VOLUME, _flat(9e9)),)),
    ("kubelet_volume_stats_capacity_bytes", "gauge", ((_VOLUME, _flat(10e9)),)),
    (
        "http_requests",
        "counter",
        (
            (f'{_API},code="200"', _rising(90)),
            (f'{_API},code="500"', _fails),
            ('namespace="shop",service="web",job="web",code="200"', _rising(30)),
        ),
    ),
    ("kube_deployment_status_replicas_ready", "gauge", (('namespace="shop",deployment="cart"', _flat(1.0)),)),
    ("kube_deployment_spec_replicas", "gauge", (('namespace="shop",deployment="cart"', _flat(2.0)),)),
    ("kube_pod_container_status_restarts", "counter", (('namespace="other",pod="x-1",container="x"', _flat(4.0)),)),
    ("odd_ratio", "gauge", (('a="1"', _odd), ('a="2"', _flat(float("nan"))))),
)
