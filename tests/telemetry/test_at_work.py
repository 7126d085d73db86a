"""What a Locum at work tells about itself: spans, figures, logs - and what it keeps to itself."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import structlog

from bot.demo.show import INCIDENTS
from bot.running import Running, running
from bot.settings import Settings
from bot.telemetry import traces
from tests.anthropic_emulator.script import concluding
from tests.anthropic_emulator.server import serve
from tests.telemetry.collector import Collector, collecting
from tests.web.house import bearer
from tests.web.test_asking import events

WORDS = "zanzibar"
SECRET = "the-secret-of-alertmanager"


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)
    structlog.reset_defaults()


async def test_an_alert_and_a_question_leave_spans_figures_and_logs_and_none_of_their_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with collecting() as collector, serve(lambda _: concluding()) as model:
        settings = Settings.model_validate(
            {
                "data_dir": tmp_path,
                "snapshot": INCIDENTS,
                "http": {"port": 0},
                "alerts": {"alertmanager": {"tokens": [SECRET]}},
                "model": {"api_key": model.key, "base_url": model.url},
                "telemetry": {"otlp_endpoint": collector.url, "log_level": "DEBUG"},
            }
        )
        async with running(settings, ("bot", "worker")) as locum:
            figures = await _at_work(locum)
        _spans(collector)
        assert model.refusals == []
    logged = capsys.readouterr().err
    lines = [json.loads(each) for each in logged.splitlines()]
    opened = [each for each in lines if each["event"] == "incident opened"]
    assert [each["incident_id"][:4] for each in opened] == ["inc_"]
    for secret in (WORDS, SECRET, model.key, "checkout"):
        assert secret not in logged
        assert secret.encode() not in collector.raw
    assert figures["locum_alerts_received_total"] == 1
    assert figures["locum_verdicts_total"] == figures["locum_session_seconds_count"] == 2
    assert figures["locum_tool_calls_total"] > 5
    assert figures["locum_model_calls_total"] >= 2
    assert figures["locum_model_tokens_total"] > 100
    assert figures["locum_model_usd_total"] > 0


async def _at_work(locum: Running) -> dict[str, float]:
    """An alert and a question from end to end; by how much each figure rose."""
    payload = json.loads((INCIDENTS / "dependency-down" / "alerts" / "01.json").read_text())
    payload["alerts"][0]["annotations"]["summary"] = f"{WORDS} burns"
    async with httpx2.AsyncClient(base_url=locum.url, timeout=60) as web:
        before = _figures((await web.get("/metrics")).text)
        assert (await web.post("/alerts/alertmanager", json=payload, headers=bearer(SECRET))).status_code == 202
        asked = await web.post("/diagnose", json={"problem": f"why does checkout fail in {WORDS}?"})
        session = asked.json()["session_id"]
        told = events((await web.get(f"/status/{session}/events")).text)
        assert json.loads(told[-1]["data"])["phase"] == "done"
        status = (await web.get(f"/status/{session}")).json()
        assert (status["status"], status["diagnosis"]["session_id"]) == ("done", session)
        health = (await web.get("/health")).json()
        assert {each["name"]: each["health"] for each in health["connectors"]}["temporal"] == "ok"
        async with asyncio.timeout(30):
            while True:
                now = _figures((await web.get("/metrics")).text)
                if now["locum_verdicts_total"] - before.get("locum_verdicts_total", 0) >= 2:
                    break
                await asyncio.sleep(0.1)
    return {name: value - before.get(name, 0) for name, value in now.items()}


def _spans(collector: Collector) -> None:
    assert [each["locum.source"] for each in collector.named("webhook")] == ["alertmanager"]
    assert collector.named("intake")
    specialists = collector.named("specialist")
    ids = {each["id"] for each in specialists}
    looks, asked = collector.named("look"), collector.named("model")
    assert {each["locum.tool"] for each in looks} >= {"kubernetes.objects"}
    assert {each["locum.outcome"] for each in looks} <= {"FOUND", "EMPTY", "NO_SOURCE", "ERROR"}
    assert {each["parent"] for each in looks} <= ids
    assert {each["locum.model"] for each in asked} == {"claude-sonnet-4-5"}
    assert all(each["locum.outcome"] == "replied" and each["locum.input_tokens"] > 0 for each in asked)
    assert all(each["locum.session_id"].startswith("ses_") for each in specialists)


def _figures(text: str) -> dict[str, float]:
    """The sums over the labels of each."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.partition("{")[0].partition(" ")[0], float(line.rpartition(" ")[2])
            found[name] = found.get(name, 0) + value
    return found


async def test_a_span_says_what_kind_of_error_ended_it_and_not_in_which_words() -> None:
    async with collecting() as collector:
        await _failing(collector.url)
        (span,) = collector.named("work")
        assert (span["locum.error"], span["status"]) == ("LookupError", 2)
        assert span["locum.incident_id"] == "inc_1"
        (look,) = collector.named("look")
        assert look["parent"] == span["id"]
        assert look["seconds"] == pytest.approx(0.25, abs=0.001)
        assert WORDS.encode() not in collector.raw


async def _failing(url: str) -> None:
    settings = Settings.model_validate({"telemetry": {"otlp_endpoint": f"{url}/"}})
    async with traces.sending(settings.telemetry):
        with pytest.raises(LookupError):
            _work()
    with traces.span("nobody listens any more"):
        pass


def _work() -> None:
    with traces.span("work", incident_id="inc_1"):
        traces.ended_span("look", seconds=0.25, tool="t")
        raise LookupError(WORDS)


async def test_a_collector_that_is_away_costs_nothing_but_spans() -> None:
    settings = Settings.model_validate({"telemetry": {"otlp_endpoint": "http://127.0.0.1:9"}})
    async with asyncio.timeout(15), traces.sending(settings.telemetry):
        with traces.span("work"):
            pass
