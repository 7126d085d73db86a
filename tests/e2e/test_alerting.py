"""The way of a real alert, and its end: an exporter, a Prometheus, an Alertmanager, Locum, a thread."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from bot.setting_groups import Prometheus
from tests.e2e.house import PATIENCE_S, House, at_work, mode, said
from tests.e2e.processes import ran
from tests.servers import answers, free_port, need, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

Server = tuple[list[str | Path], Path, Callable[[], bool]]
CLAIM = "data-orders-0"
CAPACITY = 10_000_000_000


@dataclass(slots=True)
class Volume:
    """A volume as the kubelet's metrics tell of it."""

    used: float = 0.2
    url: str = ""

    async def metrics(self, _: web.Request) -> web.Response:
        labels = f'namespace="shop",persistentvolumeclaim="{CLAIM}"'
        lines = [
            f"kubelet_volume_stats_used_bytes{{{labels}}} {self.used * CAPACITY}",
            f"kubelet_volume_stats_capacity_bytes{{{labels}}} {CAPACITY}",
        ]
        return web.Response(text="\n".join([*lines, ""]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def volume() -> AsyncGenerator[Volume]:
    found, app = Volume(), web.Application()
    app.router.add_get("/metrics", found.metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = "{}:{}".format(*runner.addresses[0][:2])
        yield found
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class Alerting:
    """Servers and the Locum that they alert."""

    house: House
    prometheus: str
    room: str

    async def fires(self) -> None:
        """Until Prometheus says that the alert fires."""
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{self.prometheus}/api/v1/alerts") as answer:
                    alerts = (await answer.json())["data"]["alerts"]
                if any(each["state"] == "firing" for each in alerts):
                    return
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alerting(tmp_path_factory: pytest.TempPathFactory, volume: Volume) -> AsyncGenerator[Alerting]:
    folder = tmp_path_factory.mktemp("alerting")
    manager, room = f"127.0.0.1:{free_port()}", "room-0"
    with running(*_prometheus(folder, volume, manager=manager, room=room)):
        url = _url(folder)
        async with at_work(folder / "locum", snapshot=None, prometheus=Prometheus(url=url)) as house:
            with running(*_alertmanager(folder, manager, house)):
                yield Alerting(house, url, house.new())


async def test_an_alert_gets_a_verdict_from_live_metrics_and_its_end_another(
    alerting: Alerting, volume: Volume
) -> None:
    house, room = alerting.house, alerting.room
    volume.used = 0.97
    root = await house.root(room)
    first = await house.concluded(room, root)
    assert mode(first) == "rules"
    assert "🔴 failing" in first["text"] or "🟠 degraded" in first["text"]
    assert f"persistentvolumeclaim/shop/{CLAIM}" in said(first)
    assert "97" in said(first)
    words = house.everything(room, root)
    assert "metrics.signals" in words
    assert "firing VolumeFull" in words
    assert "🔥 firing" in said(house.roots(room)[0])
    volume.used = 0.2
    second = await house.concluded(room, root, times=2)
    assert "🟢" in second["text"]
    assert "97% full" not in second["text"]
    await house.workspace.until(lambda: "✅ resolved" in said(house.roots(room)[0]), timeout_s=20)
    assert len(house.roots(room)) == 1
    assert any("stopped firing" in said(each) for each in house.workspace.thread(room, root))


async def test_a_recorded_world_is_diagnosed_like_the_live_one(
    alerting: Alerting, volume: Volume, tmp_path: Path
) -> None:
    volume.used = 0.97
    live = {"LOCUM_PROMETHEUS__URL": alerting.prometheus}
    await alerting.fires()
    question = f"the volume {CLAIM} in namespace shop"
    now = await ran("diagnose", question, "--format", "json", folder=tmp_path, **live)
    assert now.code == 0, now.err
    recorded = await ran("snapshot", "--out", tmp_path / "recorded", folder=tmp_path, **live)
    assert (recorded.code, recorded.err) == (0, "")
    then = await ran("diagnose", question, "--snapshot", tmp_path / "recorded", "--format", "json", folder=tmp_path)
    assert then.code == 0, then.err
    first, second = json.loads(now.out), json.loads(then.out)
    assert first["hypotheses"][0]["entity"] == f"persistentvolumeclaim/shop/{CLAIM}"
    for name in ("verdict", "state"):
        assert first[name] == second[name]
    causes = [[(each["cause"], each["entity"]) for each in one["hypotheses"][:1]] for one in (first, second)]
    assert causes[0] == causes[1]


def _prometheus(folder: Path, volume: Volume, *, manager: str, room: str) -> Server:
    rule = {
        "alert": "VolumeFull",
        "expr": "kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes > 0.9",
        "for": "1s",
        "labels": {"severity": "critical", "room": room},
        "annotations": {"summary": "a volume is nearly full"},
    }
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "volumes", "rules": [rule]}]}))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "kubelet", "static_configs": [{"targets": [volume.url]}]}],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [manager]}]}]},
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    address = f"127.0.0.1:{free_port()}"
    (folder / "address").write_text(address)
    argv: list[str | Path] = [
        need("prometheus", "prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}",
    ]
    return argv, folder / "prometheus.log", lambda: answers(f"http://{address}/-/ready")


def _url(folder: Path) -> str:
    return f"http://{(folder / 'address').read_text()}"


def _alertmanager(folder: Path, address: str, house: House) -> Server:
    webhook = {
        "url": f"{house.url}/alerts/alertmanager",
        "send_resolved": True,
        "http_config": {"authorization": {"type": "Bearer", "credentials": house.token}},
    }
    route = {"receiver": "locum", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "1s"}
    config = {"route": route, "receivers": [{"name": "locum", "webhook_configs": [webhook]}]}
    (folder / "alertmanager.yml").write_text(json.dumps(config))
    argv: list[str | Path] = [
        need("prometheus-alertmanager", "prometheus-alertmanager"),
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}",
        "--cluster.listen-address=",
    ]
    return argv, folder / "alertmanager.log", lambda: answers(f"http://{address}/-/ready")
