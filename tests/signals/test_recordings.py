"""Recordings of series alone, from the folder to the answer: the culprit first, never certain; nobody if all well."""

import gzip
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from whenever import Instant

from agents.diagnosis import Confidence, Diagnosis
from agents.health import HealthState, Verdict
from bot.settings import Settings
from bot.terminal import diagnose

END = Instant.parse_iso("2026-01-01T12:00:00Z")
STEP_S = 15
PAST, WINDOW = 80, 40
SERVICES = ("web", "cart", "orders", "pay", "stock")
USUAL = {"cpu_cores": 0.2, "memory_bytes": 2e8, "requests_per_second": 20.0, "latency_p90_seconds": 0.05}


def recording(folder: Path, faults: Mapping[tuple[str, str], float], *, alert: bool, graph: str = "") -> Path:
    """Half an hour of five services; in the last ten minutes the faults multiply what is usual."""
    chance = random.Random(7)
    (folder / "signals").mkdir(parents=True)
    start = END.timestamp() - (PAST + WINDOW - 1) * STEP_S
    with gzip.open(folder / "signals" / "all.csv.gz", "wt") as file:
        file.write("time,entity,signal,value\n")
        for place in range(PAST + WINDOW):
            for service in SERVICES:
                for signal, usual in USUAL.items():
                    factor = faults.get((service, signal), 1.0) if place >= PAST else 1.0
                    value = usual * factor * chance.gauss(1, 0.03)
                    file.write(f"{start + place * STEP_S},service/shop/{service},{signal},{value}\n")
    window_start = Instant.from_timestamp(int(start + PAST * STEP_S))
    window = f"window: {{start: '{window_start}', end: '{END}'}}\n"
    (folder / "snapshot.yaml").write_text(f"version: 1\ncaptured_at: '{END}'\ndefault_namespace: shop\n{window}")
    if graph:
        (folder / "topology.csv").write_text("caller,callee\n" + graph)
    if alert:
        labels = {"alertname": "LatencyHigh", "service": "web", "namespace": "shop"}
        fired: dict[str, Any] = {"status": "firing", "labels": labels, "startsAt": str(window_start), "annotations": {}}
        (folder / "alerts").mkdir()
        (folder / "alerts" / "a.json").write_text(json.dumps({"version": "4", "alerts": [fired]}))
    return folder


async def answer(folder: Path, question: str = "") -> Diagnosis:
    return await diagnose(question, Settings(snapshot=folder))


CALLS = "".join(f"service/shop/{caller},service/shop/{callee}\n" for caller, callee in (
    ("web", "cart"), ("web", "orders"), ("orders", "pay"), ("orders", "stock"), ("cart", "stock"),
))  # fmt: skip
SLOW_ABOVE = {("web", "latency_p90_seconds"): 8.0, ("orders", "latency_p90_seconds"): 8.0}


@pytest.mark.parametrize("graph", [CALLS, ""], ids=["with a call graph", "without one"])
@pytest.mark.parametrize(
    ("fault", "causes"),
    [
        ({("pay", "cpu_cores"): 9.0, ("pay", "latency_p90_seconds"): 9.0}, {"cpu-surge", "self-time-high"}),
        ({("pay", "memory_bytes"): 4.0, ("pay", "latency_p90_seconds"): 9.0}, {"memory-surge", "self-time-high"}),
        ({("pay", "latency_p90_seconds"): 14.0}, {"self-time-high"}),
    ],
)
async def test_the_culprit_below_the_page_comes_first_and_is_never_certain(
    tmp_path: Path, fault: dict[tuple[str, str], float], causes: set[str], graph: str
) -> None:
    found = await answer(recording(tmp_path / "case", {**SLOW_ABOVE, **fault}, alert=True, graph=graph))
    assert found.state in (HealthState.STRESSED, HealthState.CRITICAL)
    assert str(found.hypotheses[0].entity) == "service/shop/pay"
    assert found.hypotheses[0].cause in causes
    assert not any(each.confidence is Confidence.CONFIRMED for each in found.hypotheses)


async def test_where_all_is_well_nobody_is_accused(tmp_path: Path) -> None:
    found = await answer(recording(tmp_path / "case", {}, alert=False, graph=CALLS), "How is service web?")
    assert (found.verdict, found.hypotheses) == (Verdict.HEALTHY, ())


async def test_an_alert_of_a_namespace_that_the_series_do_not_bear_out_is_not_called_healthy(tmp_path: Path) -> None:
    folder = recording(tmp_path / "case", {}, alert=True, graph=CALLS)
    path = folder / "alerts" / "a.json"
    path.write_text(path.read_text().replace('"service": "web", ', ""))
    found = await answer(folder)
    assert (found.verdict, found.hypotheses) == (Verdict.UNKNOWN, ())
