"""The document for administrators says what the schema says."""

import re
from pathlib import Path

from approvals.policy_schema import ActionRule, Limits, Policy

DOCUMENT = (Path(__file__).parents[2] / "docs/approvals.md").read_text()


def _section(title: str) -> str:
    return re.split(r"\n#+ ", DOCUMENT.split(f" {title}\n", 1)[1], maxsplit=1)[0]


def _keys(title: str) -> set[str]:
    firsts = (row.split("|")[1] for row in _section(title).splitlines() if row.startswith("| `"))
    return {key for first in firsts for key in re.findall(r"`(\w+)`", first)}


def test_every_key_of_a_policy_is_explained() -> None:
    assert _keys("The file") == set(Policy.model_fields)
    assert _keys("Limits") == set(Limits.model_fields)
    assert _keys("Actions") == set(ActionRule.model_fields)
