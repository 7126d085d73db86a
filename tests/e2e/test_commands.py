"""The commands as a person or a script runs them: what they print, and how they end."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.demo.show import INCIDENTS, incidents
from tests.e2e.processes import Ended, ran

TOP = {
    "session_id", "verdict", "state", "question", "mode", "routing", "hypotheses", "findings", "evidence", "timeline",
    "summary", "usage",
}  # fmt: skip
NESTED = {
    "hypotheses": {
        "rank", "cause", "entity", "title", "confidence", "score", "evidence", "contradicted_by", "explains",
        "remediations",
    },
    "findings": {"id", "cause", "entity", "severity", "summary", "evidence"},
    "evidence": {"id", "tool", "query", "window", "outcome", "excerpt"},
    "timeline": {"at", "entity", "what", "evidence"},
}  # fmt: skip
USAGE = {"seconds", "tool_calls", "model_calls", "input_tokens", "output_tokens", "usd"}


async def diagnosed(snapshot: Path, folder: Path, question: str = "") -> dict[str, Any]:
    """The one object that `locum diagnose` prints."""
    ended = await ran("diagnose", question, "--snapshot", snapshot, "--format", "json", folder=folder)
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


def is_one_line(ended: Ended) -> bool:
    return ended.out == "" and ended.err.count("\n") == 1 and ended.err.startswith("locum: ")


async def test_the_demo_fires_once_prints_the_verdict_and_leaves_nothing(tmp_path: Path) -> None:
    ended = await ran("demo", "--once", "--incident", "memory-exhaustion", folder=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "oom-killed" in ended.out
    assert "rules: decided and worded by rules" in ended.out
    assert not os.listdir(tmp_path)  # noqa: PTH208 - blocking, but of one empty folder


async def test_the_demo_of_an_incident_that_is_not_there_says_which_are(tmp_path: Path) -> None:
    ended = await ran("demo", "--once", "--incident", "zanzibar", folder=tmp_path)
    assert ended.code == 2
    assert is_one_line(ended)
    assert all(name in ended.err for name in incidents())


@pytest.mark.parametrize("incident", incidents())
async def test_a_diagnosis_is_one_object_with_exactly_the_published_keys(tmp_path: Path, incident: str) -> None:
    found = await diagnosed(INCIDENTS / incident, tmp_path)
    assert set(found) == TOP
    for name, keys in NESTED.items():
        assert {frozenset(each) for each in found[name]} <= {frozenset(keys)}
    assert set(found["usage"]) == USAGE
    assert set(found["routing"]) == {"specialists", "abstained"}
    assert {frozenset(each) for each in found["routing"]["specialists"]} <= {frozenset({"name", "score", "why"})}
    assert {frozenset(each) for one in found["hypotheses"] for each in one["remediations"]} <= {
        frozenset({"summary", "action"})
    }
    known = {each["id"] for each in found["evidence"]}
    cited = [ref for one in (*found["hypotheses"], *found["findings"]) for ref in one["evidence"]]
    assert cited
    assert set(cited) | {each["evidence"] for each in found["timeline"]} <= known
    assert found["mode"] == "rules"


async def test_a_missing_or_empty_snapshot_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("missing", "empty", "file"):
        ended = await ran("diagnose", "why", "--snapshot", tmp_path / name, "--format", "json", folder=tmp_path)
        assert ended.code == 2, name
        assert is_one_line(ended), ended
        assert name in ended.err


async def test_a_snapshot_of_another_version_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "snapshot.yaml").write_text("version: 99\n")
    ended = await ran("diagnose", "why", "--snapshot", tmp_path / "later", folder=tmp_path)
    assert ended.code == 2
    assert is_one_line(ended), ended


async def test_one_broken_file_in_a_snapshot_is_named_and_the_rest_is_answered(tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot"
    shutil.copytree(INCIDENTS / "dependency-down", snapshot)
    (snapshot / "kubernetes" / "more.yaml").write_text("kind: Pod\nmetadata: {name: [\n")
    ended = await ran("diagnose", "", "--snapshot", snapshot, folder=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("FAILING (critical)\n")
    assert "service/shop/payments" in ended.out
    assert "more.yaml line 3" in ended.out.partition("Not checked")[2]


async def test_a_snapshot_that_is_broken_throughout_is_unknown_and_never_healthy(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "kubernetes").mkdir(parents=True)
    (broken / "snapshot.yaml").write_text("version: [1\n")
    (broken / "kubernetes" / "pods.yaml").write_text("kind: {\n")
    ended = await ran("diagnose", "why", "--snapshot", broken, folder=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("UNKNOWN (unknown)\n")
    unchecked = ended.out.partition("Not checked")[2]
    assert "snapshot.yaml line 2" in unchecked
    assert "pods.yaml line 2" in unchecked


async def test_a_format_that_is_not_there_and_no_question_end_with_one_line_and_code_2(tmp_path: Path) -> None:
    for words in (("diagnose", "why", "--format", "xml"), ("diagnose", "")):
        ended = await ran(*words, folder=tmp_path)
        assert ended.code == 2
        assert is_one_line(ended), ended
