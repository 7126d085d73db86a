"""This host, really read; and recorded ones."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from psutil._ntuples import sdiskpart
from whenever import Instant

from tools.caching import MemoryCache
from tools.errors import ToolUnavailable
from tools.evidence import Evidence, Outcome
from tools.host.live import LiveHost
from tools.looking import Looker
from tools.world import Host, World


async def look(host: Host | None) -> Evidence:
    world = World(name="test", captured_at=Instant.now(), host=host)
    return await Looker(world, cache=MemoryCache()).look("host.usage", {})


async def test_this_host_is_read_with_shares_between_none_and_all() -> None:
    evidence = await look(LiveHost())
    assert evidence.outcome is Outcome.FOUND
    seen = evidence.data
    assert 0 <= seen["cpu"]["ratio"] <= 1
    assert seen["cpu"]["cores"] == os.cpu_count()
    assert 0 < seen["memory"]["ratio"] < 1
    assert seen["memory"]["available_bytes"] < seen["memory"]["total_bytes"]
    assert 0 <= seen["swap"]["ratio"] <= 1
    assert seen["top_memory"]
    pressure: Mapping[str, Mapping[str, float]] = seen["pressure"] or {}
    assert all(0 <= share <= 1 for stall in pressure.values() for share in stall.values())
    json.dumps(seen)
    assert "memory " in evidence.excerpt


async def test_filesystems_are_the_writable_real_ones_and_agree_with_the_system() -> None:
    filesystems = (await look(LiveHost())).data["filesystems"]
    assert not {one["filesystem"] for one in filesystems} & {"proc", "sysfs", "tmpfs", "devtmpfs", "squashfs"}
    for one in filesystems:
        assert one["total_bytes"] == shutil.disk_usage(one["mountpoint"]).total
        assert 0 <= one["ratio"] <= 1


async def test_read_only_images_and_second_mounts_of_a_device_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = str(tmp_path)
    mounts = [
        sdiskpart("/dev/image", place, "ext4", "ro,relatime"),
        sdiskpart("/dev/data", place, "ext4", "rw,errors=remount-ro"),
        sdiskpart("/dev/data", "/mnt/again", "ext4", "rw"),
        sdiskpart("/dev/gone", "/nonexistent/place", "ext4", "rw"),
        sdiskpart("overlay", "/", "overlay", "rw"),
        sdiskpart("overlay", "/var/lib/containers/x", "overlay", "rw"),
    ]
    devices = [one for one in mounts if one.fstype != "overlay"]

    def partitions(*, all: bool) -> list[sdiskpart]:  # noqa: A002 - psutil's own name
        return mounts if all else list(devices)

    monkeypatch.setattr(psutil, "disk_partitions", partitions)
    filesystems = (await look(LiveHost())).data["filesystems"]
    assert {one["mountpoint"] for one in filesystems} == {place, "/"}


async def test_processes_are_told_by_name_only() -> None:
    evidence = await look(LiveHost())
    names = {one["name"] for one in (*evidence.data["top_cpu"], *evidence.data["top_memory"])}
    assert names
    assert not any("/" in name and " " in name for name in names)
    assert "--" not in evidence.excerpt
    assert all(set(one) == {"name", "bytes"} for one in evidence.data["top_memory"])


class Recorded:
    def __init__(self, answer: Mapping[str, Any] | Exception) -> None:
        self.answer = answer

    async def usage(self) -> Mapping[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


GIB = 1 << 30
FULL: Mapping[str, Any] = {
    "entity": "host//db-1",
    "cpu": {"ratio": 0.2, "cores": 4, "load_1m": 8.0, "load_5m": 4.0, "load_15m": 2.0, "load_per_core": 2.0},
    "memory": {"total_bytes": 8 * GIB, "available_bytes": 4 * GIB, "ratio": 0.5},
    "swap": {"total_bytes": 0, "ratio": 0.0},
    "filesystems": [
        {
            "mountpoint": "/",
            "filesystem": "ext4",
            "total_bytes": 100,
            "free_bytes": 90,
            "ratio": 0.1,
            "inode_ratio": 0.97,
        },
        {"mountpoint": "/d", "filesystem": "xfs", "total_bytes": 9, "free_bytes": 1, "ratio": 0.9, "inode_ratio": None},
    ],
    "pressure": {"io": {"some_avg10": 0.8, "some_avg60": 0.6, "some_avg300": 0.3}},
    "top_cpu": [{"name": "mongod", "ratio": 1.5}],
    "top_memory": [{"name": "mongod", "bytes": 3 * GIB}],
}


async def test_the_fullest_resource_stands_first() -> None:
    lines = (await look(Recorded(FULL))).excerpt.splitlines()
    assert lines == [
        "filesystem / 10% used, 90 B free, inodes 97% used",
        "filesystem /d 90% used, 1 B free",
        "pressure io some 80% (10 s) 30% (5 min)",
        "memory 50% used, 4 GiB of 8 GiB available",
        "cpu 20% used of 4 cores, load 8.00 (2.00 a core)",
        "most CPU: mongod 150%",
        "most memory: mongod 3 GiB",
    ]


@pytest.mark.parametrize(
    ("host", "outcome"),
    [
        (None, Outcome.NO_SOURCE),
        (Recorded({}), Outcome.EMPTY),
        (Recorded({"memory": FULL["memory"]}), Outcome.FOUND),
        (Recorded(ToolUnavailable("the kernel does not tell")), Outcome.ERROR),
    ],
    ids=["none", "empty", "part", "silent"],
)
async def test_every_outcome_is_told_apart(host: Host | None, outcome: Outcome) -> None:
    assert (await look(host)).outcome is outcome
