"""The tool that reads the machine Locum runs on, the fullest resources first.

Data is `{"entity": "host//name", "cpu": {"ratio", "cores", "load_1m", "load_5m", "load_15m", "load_per_core"},
"memory": {"total_bytes", "available_bytes", "ratio"}, "swap": {"total_bytes", "ratio"}, "filesystems": [{"mountpoint",
"filesystem", "total_bytes", "free_bytes", "ratio", "inode_ratio"}], "pressure": {"cpu" | "memory" | "io":
{"some_avg10", "some_avg60", "some_avg300", "full_avg10", …}}, "top_cpu": [{"name", "ratio"}], "top_memory": [{"name",
"bytes"}]}`.
`pressure` is `null` where the kernel does not measure it; ratios are 0..1, pressure too.
"""

from collections.abc import Mapping
from typing import Any

from tools.catalogue import Args, Reading, tool
from tools.world import World, need


class UsageArgs(Args):
    pass


@tool("host.usage", UsageArgs, timeout_s=8, ttl_s=10)
async def usage(world: World, args: UsageArgs) -> Reading:
    """CPU, memory, swap, filesystems, load and pressure of the machine that Locum itself runs on, at this moment.

    It says nothing about other machines: for the nodes of a cluster ask metrics.signals.
    """
    host = need(world.host, "host", "this world has no view of the machine itself")
    data = await host.usage()
    return Reading(query="host usage", text="\n".join(_lines(data)), data=dict(data))


def _lines(data: Mapping[str, Any]) -> list[str]:
    cpu, memory, swap = (_part(data, name) for name in ("cpu", "memory", "swap"))
    ranked: list[tuple[float, str]] = []
    if cpu:
        ranked.append((cpu["ratio"], _cpu(cpu)))
    if memory:
        free = f"{_size(memory['available_bytes'])} of {_size(memory['total_bytes'])} available"
        ranked.append((memory["ratio"], f"memory {memory['ratio']:.0%} used, {free}"))
    if swap.get("total_bytes"):
        ranked.append((swap["ratio"], f"swap {swap['ratio']:.0%} used of {_size(swap['total_bytes'])}"))
    for disk in data.get("filesystems") or ():
        inodes = disk.get("inode_ratio")
        text = f"filesystem {disk['mountpoint']} {disk['ratio']:.0%} used, {_size(disk['free_bytes'])} free"
        ranked.append((max(disk["ratio"], inodes or 0.0), text + (f", inodes {inodes:.0%} used" if inodes else "")))
    for name, stall in _part(data, "pressure").items():
        text = f"pressure {name} some {stall['some_avg10']:.0%} (10 s) {stall['some_avg300']:.0%} (5 min)"
        ranked.append((stall["some_avg60"], text))
    lines = [text for _, text in sorted(ranked, key=lambda pair: -pair[0])]
    if top := data.get("top_cpu"):
        lines.append("most CPU: " + ", ".join(f"{one['name']} {one['ratio']:.0%}" for one in top))
    if top := data.get("top_memory"):
        lines.append("most memory: " + ", ".join(f"{one['name']} {_size(one['bytes'])}" for one in top))
    return lines


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    # A recorded host may lack any of them.
    return data.get(name) or dict[str, Any]()


def _cpu(cpu: Mapping[str, Any]) -> str:
    text = f"cpu {cpu['ratio']:.0%} used of {cpu['cores']} cores"
    return f"{text}, load {cpu['load_1m']:.2f} ({cpu['load_per_core']:.2f} a core)" if "load_1m" in cpu else text


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} GiB"
