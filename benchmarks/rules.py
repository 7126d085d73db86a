"""Time and memory of a diagnosis by rules: warm over big snapshots, and cold for a shipped incident."""

import json
import resource
import statistics
import tempfile
import time
from typing import Any

from benchmarks.processes import LOCUM, ROOT, python, run

INCIDENT = ROOT / "bot" / "demo" / "incidents" / "dependency-down"
COLD_RUNS = 5
WARM_RUNS = 3

_WARM = """
import asyncio, json, resource, sys, time
from pathlib import Path
from bot.settings import Settings
from bot.terminal import diagnose
settings = Settings(snapshot=Path(sys.argv[1]))
times = []
for _ in range({runs} + 1):
    began = time.perf_counter()
    found = asyncio.run(diagnose("what is wrong", settings))
    times.append(time.perf_counter() - began)
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
top = found.hypotheses[0]
print(json.dumps({{"s": min(times[1:]), "mb": peak_mb, "cause": top.cause, "entity": str(top.entity)}}))
"""


def warm(pods: int) -> dict[str, float]:
    """Seconds from folder to verdict in a process that has done it once, and the peak of its memory."""
    with tempfile.TemporaryDirectory() as folder:
        python("-m", "benchmarks.worlds", "big", str(pods), f"{folder}/world")
        found = json.loads(python("-c", _WARM.format(runs=WARM_RUNS), f"{folder}/world"))
    if (found["cause"], found["entity"]) != ("image-not-found", "deployment/shop/service-0003"):
        raise SystemExit(f"a fast wrong answer is no figure: {found}")
    return {f"rules_{pods}_pods_s": round(found["s"], 3), f"rules_{pods}_pods_mb": round(found["mb"], 1)}


def cold() -> dict[str, float]:
    """Median seconds and peak memory of `locum diagnose --snapshot` as a person calls it."""
    times: list[float] = []
    for _ in range(COLD_RUNS):
        began = time.perf_counter()
        written = run([LOCUM, "diagnose", "", "--snapshot", str(INCIDENT), "--format", "json"])
        times.append(time.perf_counter() - began)
        if not is_right(json.loads(written)):
            raise SystemExit("a fast wrong answer is no figure")
    # Of all children so far the largest: run before anything bigger.
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"cold_s": round(statistics.median(times), 3), "cold_mb": round(peak_mb, 1)}


def is_right(diagnosis: dict[str, Any]) -> bool:
    """Whether a diagnosis of the shipped incident names what is the matter there."""
    top = diagnosis["hypotheses"][0]
    return (top["cause"], top["entity"]) == ("selector-mismatch", "service/shop/payments")
