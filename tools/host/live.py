"""The machine that Locum runs on."""

import asyncio
import contextlib
import heapq
import os
import socket
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from tools.errors import ToolUnavailable

INTERVAL_S = 0.5
"""How long CPU shares are measured."""
TOP = 5
_PRESSURE = Path("/proc/pressure")


class LiveHost:
    """This machine; implements the port `Host` of `tools.world`."""

    async def usage(self) -> Mapping[str, Any]:
        """See `Host.usage`; the shape stands in `tools.host.usage`."""
        try:
            return await asyncio.to_thread(_usage)
        except (psutil.Error, OSError) as error:
            raise ToolUnavailable(f"the kernel does not tell about this host: {error}") from error


def _usage() -> dict[str, Any]:
    # The first reading starts the measurement of every process, the second one ends it.
    processes = _started()
    ratio = psutil.cpu_percent(interval=INTERVAL_S) / 100
    top_cpu, top_memory = _top(processes)
    cores = psutil.cpu_count() or 1
    load_1m, load_5m, load_15m = os.getloadavg()
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "entity": f"host//{socket.gethostname()}",
        "cpu": {
            "ratio": ratio,
            "cores": cores,
            "load_1m": load_1m,
            "load_5m": load_5m,
            "load_15m": load_15m,
            "load_per_core": load_1m / cores,
        },
        "memory": {
            "total_bytes": memory.total,
            "available_bytes": memory.available,
            "ratio": 1 - memory.available / memory.total if memory.total else 0.0,
        },
        "swap": {"total_bytes": swap.total, "ratio": swap.percent / 100},
        "filesystems": _filesystems(),
        "pressure": _pressure(),
        "top_cpu": top_cpu,
        "top_memory": top_memory,
    }


def _started() -> list[psutil.Process]:
    processes: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            process.cpu_percent()
        except psutil.Error:
            continue
        processes.append(process)
    return processes


def _top(processes: list[psutil.Process]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Names only: command lines hold passwords."""
    cpu, memory = defaultdict[str, float](float), defaultdict[str, float](float)
    for process in processes:
        try:
            with process.oneshot():
                name = process.name()
                cpu[name] += process.cpu_percent() / 100
                memory[name] += process.memory_info().rss
        except psutil.Error:
            # It ended while we measured, or it is not ours to look at.
            continue
    return (
        [{"name": name, "ratio": ratio} for name, ratio in _largest(cpu)],
        [{"name": name, "bytes": int(size)} for name, size in _largest(memory)],
    )


def _largest(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    used = ((name, share) for name, share in shares.items() if share > 0)
    return heapq.nlargest(TOP, used, key=lambda pair: pair[1])


def _filesystems() -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    partitions = psutil.disk_partitions(all=False)
    # The root of a container lies on no device of its own, yet it is the disk that fills.
    partitions += [one for one in psutil.disk_partitions(all=True) if (one.mountpoint, one.fstype) == ("/", "overlay")]
    for partition in partitions:
        # A read-only image is always full; a bind mount shows its device again.
        if "ro" not in partition.opts.split(",") and partition.device not in found:
            with contextlib.suppress(OSError):
                found[partition.device] = _filled(partition.mountpoint, partition.fstype)
    return sorted((one for one in found.values() if one["total_bytes"]), key=lambda one: -one["ratio"])


def _filled(mountpoint: str, filesystem: str) -> dict[str, Any]:
    seen = os.statvfs(mountpoint)
    # As df counts: what is reserved for root is neither used nor free.
    usable = seen.f_bavail + seen.f_blocks - seen.f_bfree
    return {
        "mountpoint": mountpoint,
        "filesystem": filesystem,
        "total_bytes": seen.f_blocks * seen.f_frsize,
        "free_bytes": seen.f_bavail * seen.f_frsize,
        "ratio": 1 - seen.f_bavail / usable if usable else 0.0,
        "inode_ratio": 1 - seen.f_favail / seen.f_files if seen.f_files else None,
    }


def _pressure() -> dict[str, dict[str, float]] | None:
    """Shares of time in which somebody, or everybody, waited for a resource; `None` on kernels without PSI."""
    found: dict[str, dict[str, float]] = {}
    for name in ("cpu", "memory", "io"):
        try:
            text = (_PRESSURE / name).read_text()
        except OSError:
            continue
        stalls: dict[str, float] = {}
        for line in text.splitlines():
            kind, *fields = line.split()
            averages = (field.partition("=") for field in fields if field.startswith("avg"))
            stalls.update({f"{kind}_{key}": float(value) / 100 for key, _, value in averages})
        if "some_avg10" in stalls:
            found[name] = stalls
    return found or None
