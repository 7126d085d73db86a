"""The rca scoreboard over recorded cases: right ones, wrong ones, healthy ones and broken ones."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli.outcome import BadInput
from bot.demo.show import INCIDENTS
from bot.evals.recorded import cases
from bot.evals.running import scoreboard
from bot.settings import load
from tests.anthropic_emulator.script import Refuse, Step
from tests.anthropic_emulator.server import serve
from tests.evals.commands import SHARED, run

FAULT = "dependency-down"
"""A Service whose selector misses its pods; the clearest of the demo's incidents."""
RIGHT = {"entities": ["Deployment/shop/PAYMENTS"], "cause": "selector-mismatch", "taxonomy": "service"}
"""The workload stands for the Service in front of it, however it is written."""


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    load.cache_clear()


def recorded(folder: Path, truth: object, *, incident: str = FAULT) -> Path:
    shutil.copytree(INCIDENTS / incident, folder, ignore=shutil.ignore_patterns("after-*"))
    (folder / "expected.yaml").write_text(truth if isinstance(truth, str) else yaml.safe_dump(truth))
    (folder / "query.txt").write_text("Why does payments in shop not answer?\n")
    return folder


def figures(folder: Path, *words: str) -> dict[str, Any]:
    """The one object that the command prints."""
    return json.loads(run("eval", "rca", "--data", str(folder), "--format", "json", "--workers", "1", *words))


def test_a_right_answer_counts_by_entity_and_by_cause(tmp_path: Path) -> None:
    recorded(tmp_path / "one", RIGHT)
    found = figures(tmp_path)
    assert found["cases"] == 1
    assert found["object"] == found["object_cause"] == {"a1": 1.0, "a3": 1.0, "a5": 1.0}
    assert found["by_category"]["service"]["object"]["a1"] == 1
    assert (found["state_accuracy"], found["false_alarms"], found["unsupported_claims"]) == (1, 0, 0)
    assert found["seconds_median"] > 0
    assert "tokens_per_case" not in found


def test_a_right_entity_with_a_wrong_cause_is_half_right_and_another_entity_is_wrong(tmp_path: Path) -> None:
    recorded(tmp_path / "cause", {**RIGHT, "cause": "oom-killed"})
    assert (figures(tmp_path)["object"]["a1"], figures(tmp_path)["object_cause"]["a5"]) == (1, 0)
    (tmp_path / "cause" / "expected.yaml").write_text(yaml.safe_dump({**RIGHT, "entities": ["service/shop/nobody"]}))
    found = figures(tmp_path)
    assert (found["object"]["a5"], found["object_cause"]["a5"]) == (0, 0)
    assert found["confirmed_wrong"] == 1


def test_a_data_sets_own_name_of_a_cause_is_mapped_and_one_without_a_mapping_is_named(tmp_path: Path) -> None:
    recorded(tmp_path / "one", {"entities": ["service/shop/payments"], "cause_dataset": "gremlins"})
    found = figures(tmp_path)
    assert found["object_cause"]["a5"] == 0
    assert found["unmapped_causes"] == ["gremlins"]


def test_a_near_miss_counts_for_the_lenient_score_alone(tmp_path: Path) -> None:
    recorded(tmp_path / "one", {"entities": ["pod/shop/other"], "also": ["service/shop/payments"]})
    found = figures(tmp_path)
    assert (found["object"]["a5"], found["object_lenient"]["a1"]) == (0, 1)


def test_who_is_accused_where_nothing_is_wrong_is_a_false_alarm(tmp_path: Path) -> None:
    recorded(tmp_path / "well", {"healthy": True})
    found = figures(tmp_path)
    assert (found["healthy"], found["false_alarms"], found["state_accuracy"]) == (1, 1, 0)
    assert found["object"] == {"a1": None, "a3": None, "a5": None}


def test_a_broken_case_is_named_and_counted_and_does_not_stop_the_others(tmp_path: Path) -> None:
    recorded(tmp_path / "right", RIGHT)
    recorded(tmp_path / "no-snapshot", RIGHT)
    (tmp_path / "no-snapshot" / "snapshot.yaml").unlink()
    recorded(tmp_path / "no-truth", RIGHT)
    (tmp_path / "no-truth" / "expected.yaml").unlink()
    recorded(tmp_path / "truth-unreadable", "entities: [")
    recorded(tmp_path / "truth-empty", {"taxonomy": "service"})
    recorded(tmp_path / "not-a-snapshot", RIGHT)
    (tmp_path / "not-a-snapshot" / "snapshot.yaml").write_text("version: 99\n")
    found = figures(tmp_path)
    why = {each["case"]: each["why"] for each in found["broken"]}
    assert set(why) == {"no-snapshot", "no-truth", "truth-unreadable", "truth-empty", "not-a-snapshot"}
    assert "no snapshot.yaml" in why["no-snapshot"]
    assert "No such file" in why["no-truth"]
    assert "not YAML" in why["truth-unreadable"]
    assert "nothing can be scored" in why["truth-empty"]
    assert "SnapshotError" in why["not-a-snapshot"]
    assert found["cases"] == 6
    assert found["object"]["a1"] == round(1 / 6, 4)


def test_several_sets_are_told_apart_and_two_processes_say_the_same_as_one(tmp_path: Path) -> None:
    recorded(tmp_path / "first" / "a", RIGHT)
    recorded(tmp_path / "second" / "b", {**RIGHT, "entities": ["service/shop/nobody"]})
    alone = figures(tmp_path)
    assert {name: each["object"]["a1"] for name, each in alone["by_set"].items()} == {"first": 1, "second": 0}
    together = figures(tmp_path, "--workers", "2")
    assert together["by_set"]["first"]["object"] == alone["by_set"]["first"]["object"]
    assert together["object_cause"] == alone["object_cause"]


def test_the_halves_are_the_same_everywhere_and_together_they_are_all(tmp_path: Path) -> None:
    names = [f"case-{number}" for number in range(40)]
    for place in ("here", "there/deeper"):
        for name in names:
            (tmp_path / place / name).mkdir(parents=True)
            (tmp_path / place / name / "query.txt").write_text("?")
    here = {each.folder.name: each.half for each in cases(tmp_path / "here")}
    there = {each.folder.name: each.half for each in cases(tmp_path / "there")}
    assert here == there
    assert set(here) == set(names)
    assert 10 <= sum(half == "even" for half in here.values()) <= 30


def test_lines_for_analysis_hold_rank_hypotheses_and_verdict(tmp_path: Path) -> None:
    recorded(tmp_path / "set" / "one", RIGHT)
    out = tmp_path / "lines.jsonl"
    figures(tmp_path / "set", "--out", str(out), "--limit", "1")
    (line,) = map(json.loads, out.read_text().splitlines())
    assert (line["case"], line["rank"], line["cause_rank"], line["mode"]) == ("one", 1, 1, "rules")
    assert line["half"] in ("even", "odd")
    assert line["verdict"] == "failing"
    assert line["hypotheses"][0]["cause"] == "selector-mismatch"
    assert len(line["hypotheses"]) <= 5


def test_a_text_shows_the_same_and_a_single_case_is_a_set_of_one(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "one", RIGHT)
    text = run("eval", "rca", "--data", str(folder))
    assert "1 cases (0 broken), rules" in text
    assert "object + cause  1.000" in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--data", "nowhere"), "nowhere: no such folder"),
        (("--data", "."), "no case in it"),
        (("--data", ".", "--split", "third"), "--split 'third': expected even or odd"),
        (("--data", ".", "--format", "xml"), "--format 'xml': expected text or json"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], expected: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(BadInput, match=expected):
        run("eval", "rca", *words)


async def test_with_a_key_the_rules_figures_stand_beside_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path / "one", RIGHT)

    def overloaded(body: Mapping[str, Any]) -> Step:
        return Refuse(400, "invalid_request_error", f"not today, {body['model']}")

    async with serve(overloaded) as emulator:
        monkeypatch.setenv("ANTHROPIC_API_KEY", emulator.key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.url)
        load.cache_clear()
        found = await asyncio.to_thread(scoreboard, cases(tmp_path), load(), workers=1, lines=None)
    assert (found["mode"], found["rules"]["object"]["a1"], found["object"]["a1"]) == ("model", 1, 1)
    assert found["answered_by_model"] == 0
    assert found["model_calls_per_case"] >= 1
    assert set(found["tokens_per_case"]) == {"input", "output"}
    assert "usd_per_case" in found


@pytest.mark.parametrize(("name", "least"), [("petshop", 0.5), ("nezha-boutique", 0.3)])
def test_a_sample_of_recorded_cases_is_answered_better_than_by_plain_scoring(name: str, least: float) -> None:
    folder = SHARED / "rca" / name
    if not folder.is_dir():
        pytest.skip(f"no recorded cases at {folder}")
    found = figures(folder, "--limit", "12")
    assert not found["broken"]
    assert not found["unmapped_causes"]
    assert found["object"]["a3"] >= least
    assert found["unsupported_claims"] == 0
