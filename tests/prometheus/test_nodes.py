"""The signals of machines, against a real Prometheus that scrapes a real node_exporter."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import answers, free_port, need, running
from tools.caching import MemoryCache
from tools.looking import Looker
from tools.prometheus.live import LivePrometheus
from tools.prometheus.signals import SIGNALS
from tools.world import World

OF_NODES = tuple(name for name, signal in SIGNALS.items() if any(query.kind == "node" for query in signal.queries))
HARDWARE = ("disk", "packet", "tcp", "network", "conntrack")
"""What a container without devices and traffic of its own may not have."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nodes")
    exporter_port, port = free_port(), free_port()
    target = f"127.0.0.1:{exporter_port}"
    job = {"job_name": "node", "static_configs": [{"targets": [target], "labels": {"node": "worker-1"}}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    exporter: list[str | Path] = [
        need("prometheus-node-exporter", "prometheus-node-exporter"),
        f"--web.listen-address={target}",
        "--collector.processes",
    ]
    server: list[str | Path] = [
        need("prometheus", "prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (
        running(exporter, folder / "exporter.log", lambda: answers(f"http://{target}/metrics")),
        running(server, folder / "log", lambda: answers(f"http://127.0.0.1:{port}/-/ready")),
    ):
        yield f"http://127.0.0.1:{port}"


async def test_a_real_machine_has_its_signals_under_its_node_name(url: str) -> None:
    source = LivePrometheus(url)
    expected = {name for name in OF_NODES if not name.startswith(HARDWARE)}
    found: dict[str, float] = {}
    async with asyncio.timeout(20):
        while not expected <= set(found):
            await asyncio.sleep(0.5)
            looker = Looker(World(name="live", metrics=source), cache=MemoryCache())
            evidence = await looker.look("metrics.signals", {"signals": OF_NODES, "minutes": 1})
            series = [one for one in evidence.data or () if one["entity"] == "node//worker-1"]
            assert len(series) == len(evidence.data or ())
            found = {one["signal"]: one["points"][-1][1] for one in series}
    await source.aclose()
    assert expected >= {"cpu_cores", "cpu_utilization_ratio", "memory_bytes", "memory_utilization_ratio"}
    assert all(0 <= value <= 1 for name, value in found.items() if name.endswith("_ratio"))
    assert found["memory_bytes"] > 1e6
