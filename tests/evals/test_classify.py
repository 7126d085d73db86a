"""The router's scoreboard: what it counts, and how it refuses what it cannot read."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.cli.outcome import BadInput
from bot.settings import load
from tests.anthropic_emulator.script import Call, Say
from tests.anthropic_emulator.server import serve
from tests.evals.commands import SHARED, run

ALERTS = SHARED / "alerts" / "dev.jsonl"


def rows(*alerts: tuple[str, str, str]) -> str:
    keys = ("alertname", "summary", "class")
    return "".join(json.dumps(dict(zip(keys, each, strict=True))) + "\n" for each in alerts)


def figures(file: Path, *words: str) -> dict[str, Any]:
    return json.loads(run("eval", "classify", "--data", str(file), "--format", "json", *words))


def test_accuracy_f1_confusion_and_abstentions_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_text(
        rows(
            ("MySQLDown", "MySQL is down", "database"),
            ("RedisDown", "Redis is down", "database"),
            ("NginxDown", "nginx is down", "database"),
            ("EnvoyDown", "Envoy is down", "network"),
            ("Bzzt", "it does the thing again", "network"),
        )
    )
    found = figures(file)
    assert (found["accuracy"], found["abstained"]) == (0.6, 1)
    assert found["confusion"]["database"] == {"database": 2, "network": 1}
    assert found["confusion"]["network"] == {"abstained": 1, "network": 1}
    # Database: precision 1, recall 2/3; network: precision 1/2, recall 1/2.
    assert found["per_class"]["database"]["f1"] == pytest.approx(0.8)
    assert found["macro_f1"] == pytest.approx((0.8 + 0.5) / 2)


def test_masked_names_are_not_seen(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_text('{"alertname": "MySQLDown", "expr": "mysql_up == 0", "summary": "It is down", "class": "database"}')
    assert figures(file)["accuracy"] == 1
    assert figures(file, "--mask-names")["abstained"] == 1


def test_calibration_compares_what_scores_say_with_what_is_right(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_text(rows(*[("MySQLDown", "MySQL is down", "database"), ("RedisDown", "Redis is down", "network")] * 2))
    calibration = figures(file)["calibration"]
    (only,) = calibration["bins"]
    assert (only["alerts"], only["right"]) == (4, 0.5)
    assert calibration["expected_error"] == pytest.approx(only["score"] - 0.5, abs=1e-3)


def test_a_text_shows_the_classes_and_lines_for_analysis_are_written(tmp_path: Path) -> None:
    file, out = tmp_path / "alerts.jsonl", tmp_path / "out.jsonl"
    file.write_text(rows(("MySQLDown", "MySQL is down", "database")))
    text = run("eval", "classify", "--data", str(file), "--out", str(out))
    assert "macro-F1 1.000" in text
    (line,) = map(json.loads, out.read_text().splitlines())
    assert (line["given"], line["is_right"]) == ("database", True)
    assert "'mysql' in the name" in line["specialists"][0]["why"]


async def test_with_a_key_the_model_is_asked_about_those_that_the_rules_know_nothing_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_text(rows(("MySQLDown", "MySQL is down", "database"), ("Bzzt", "it does the thing again", "network")))
    async with serve([Say(calls=(Call("choose", {"specialists": ["network"]}),))]) as emulator:
        monkeypatch.setenv("ANTHROPIC_API_KEY", emulator.key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.url)
        load.cache_clear()
        found = await asyncio.to_thread(figures, file)
        assert len(emulator.requests) == 1
    assert (found["mode"], found["accuracy"], found["abstained"]) == ("model", 1, 0)
    assert (found["rules"]["accuracy"], found["rules"]["abstained"]) == (0.5, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"alertname": "A", "class": "database"}\n{"alertname": \n', "line 2: not JSON"),
        ('{"alertname": "A"}\n', "line 1: class"),
        ("[1]\n", "line 1: the whole line"),
        ("\n", "no alert in it"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_number_of_the_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_text(text)
    with pytest.raises(BadInput, match=expected):
        run("eval", "classify", "--data", str(file))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.jsonl: No such file"):
        run("eval", "classify", "--data", str(tmp_path / "nowhere.jsonl"))


@pytest.mark.parametrize(("words", "least"), [((), 0.92), (("--mask-names",), 0.85)], ids=["names", "masked"])
def test_recorded_alerts_reach_their_class(words: tuple[str, ...], least: float) -> None:
    if not ALERTS.is_file():
        pytest.skip(f"no recorded alerts at {ALERTS}")
    found = figures(ALERTS, *words)
    assert found["macro_f1"] >= least
    assert found["calibration"]["expected_error"] < 0.05
