"""Recorded cases of others, where they are at hand: an answer for each, and nobody accused where nothing is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import Settings
from bot.terminal import diagnose

OPENSRE = Path(__file__).parents[2].parent / "shared" / "evals" / "rca" / "opensre"
CASES = sorted(each.parent for each in OPENSRE.glob("*/snapshot.yaml"))
WELL = {"healthy", "recovered", "stale", "expected"}


@pytest.mark.parametrize("case", CASES or [None], ids=lambda case: case.name if case else "none")
async def test_a_case_is_answered_and_a_healthy_one_accuses_nobody(case: Path | None) -> None:
    if case is None:
        pytest.skip(f"no recorded cases at {OPENSRE}")
    found = await diagnose((case / "query.txt").read_text(), Settings(snapshot=case))
    answer: dict[str, Any] = json.loads(json.dumps(found.to_json()))
    expected = yaml.safe_load((case / "expected.yaml").read_text())
    assert (answer["verdict"] in WELL) is expected["healthy"]
    known = {each["id"] for each in answer["evidence"]}
    for hypothesis in answer["hypotheses"]:
        assert hypothesis["evidence"]
        assert set(hypothesis["evidence"]) <= known
