"""Time, size and tokens of a diagnosis with a model: a cold `locum diagnose` beside a model that answers at once."""

import json
import statistics
import time
from typing import Any

from benchmarks.processes import LOCUM, child, helper
from benchmarks.rules import COLD_RUNS, INCIDENT, is_right


async def measured() -> dict[str, float]:
    """Medians of cold runs: in all, and without the time in which the model was busy; the first request's bytes.

    And what the diagnosis cost: tokens as the emulator counts them, four characters to each, and dollars for these.
    """
    totals, around, sizes = list[float](), list[float](), list[int]()
    spent: dict[str, float] = {}
    async with helper("benchmarks.emulator") as emulator:
        place = await emulator.heard()
        for _ in range(COLD_RUNS):
            began = time.perf_counter()
            diagnosis = await _diagnosed(place["url"], place["key"])
            totals.append(time.perf_counter() - began)
            told = await emulator.asked()
            _check(diagnosis, told["refusals"])
            around.append(totals[-1] - told["busy_s"])
            sizes.append(told["sizes"][0])
            # Of the first: the later ones read from the service's cache what it wrote.
            spent = spent or diagnosis["usage"]
    return {
        "model_cold_s": round(statistics.median(totals), 3),
        "around_model_s": round(statistics.median(around), 3),
        "first_request_bytes": max(sizes),
        "model_tokens": spent["input_tokens"] + spent["output_tokens"],
        "model_usd": spent["usd"],
    }


async def _diagnosed(url: str, key: str) -> dict[str, Any]:
    settings = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": key}
    argv = (LOCUM, "diagnose", "", "--snapshot", str(INCIDENT), "--format", "json")
    async with child(*argv, **settings) as process:
        written, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"locum diagnose ended with {process.returncode}")
    return json.loads(written)


def _check(diagnosis: dict[str, Any], refusals: list[str]) -> None:
    """A fast wrong answer, or one in which the model had no part, is no figure."""
    found = is_right(diagnosis)
    if refusals or diagnosis["mode"] != "model" or not found:
        raise SystemExit(f"no figure: mode {diagnosis['mode']}, refused requests {refusals}, right answer {found}")
