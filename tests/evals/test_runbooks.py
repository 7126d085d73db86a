"""`locum eval runbooks`: recall over a collection, the masked name, bad data."""

import json
from pathlib import Path

import pytest

from bot.cli.outcome import BadInput
from bot.evals.runbooks import without
from tests.evals.commands import SHARED, run
from tests.runbooks.shelves import written

ROWS = (
    {"query": "QueueGrows: Messages pile up", "relevant": ["queues/QueueGrows.markdown"], "alertname": "QueueGrows"},
    {
        "query": "Messages pile up",
        "relevant": ["queues/QueueGrows.markdown"],
        "alertname": "QueueGrows",
        "masked": True,
    },
    {"query": "QueueGrows", "relevant": ["tls.md"], "alertname": "QueueGrows"},
)


def data(folder: Path, *rows: object) -> str:
    written(folder / "docs")
    (folder / "queries.dev.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return str(folder)


def test_recall_and_reciprocal_rank_are_counted(tmp_path: Path) -> None:
    found = json.loads(run("eval", "runbooks", "--data", data(tmp_path, *ROWS), "--format", "json"))
    assert found == {"r1": 0.6667, "r3": 0.6667, "r5": 0.6667, "mrr": 0.6667, "queries": 3, "documents": 5}


def test_masked_the_name_is_in_no_question_and_in_no_runbook(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run("eval", "runbooks", "--data", data(tmp_path, *ROWS), "--mask-names", "--out", str(out))
    first, second, third = (json.loads(line) for line in out.read_bytes().splitlines())
    assert first["rank"] == second["rank"] == 1
    # Its name was all that this question had.
    assert (third["rank"], third["found"]) == (None, [])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("KubePodNotReady.md", ".md"),
        ("see kubepodnotready", "see"),
        ("the kube pod not ready alert", "the kube pod not ready alert"),
    ],
)
def test_a_name_is_taken_out_in_one_word_and_its_words_in_a_sentence_are_left(text: str, left: str) -> None:
    assert " ".join(without("KubePodNotReady", text).split()) == left


def test_a_longer_name_is_another_name() -> None:
    assert without("KubePod", "KubePodNotReady") == "KubePodNotReady"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("", "no questions"),
        ("{", "line 1: not JSON"),
        ('{"query": "x", "relevant": []}', "line 1: relevant"),
        ('{"relevant": ["a"]}', "line 1: query"),
    ],
)
def test_questions_that_cannot_be_used_are_named(tmp_path: Path, lines: str, why: str) -> None:
    data(tmp_path)
    (tmp_path / "queries.dev.jsonl").write_text(lines)
    with pytest.raises(BadInput, match=why):
        run("eval", "runbooks", "--data", str(tmp_path))


def test_a_folder_without_runbooks_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no runbook can be read"):
        run("eval", "runbooks", "--data", str(tmp_path))


@pytest.mark.skipif(not (SHARED / "runbooks").is_dir(), reason="the recorded runbooks are not at hand")
def test_the_recorded_collection_is_answered_better_than_by_plain_tf_idf() -> None:
    found = json.loads(run("eval", "runbooks", "--data", str(SHARED / "runbooks"), "--format", "json"))
    assert found["r1"] >= 0.87
    assert found["r3"] >= 0.95
