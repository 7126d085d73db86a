"""The shipped incidents: what is proposed at the end of each, through the whole investigation."""

from pathlib import Path
from typing import Any

import pytest

from agents.diagnosis import Confidence, Diagnosis
from approvals.action import read
from bot.settings import Settings
from bot.terminal import diagnose

INCIDENTS = Path(__file__).parents[2] / "bot/demo/incidents"
EXPECTED: dict[str, dict[str, Any] | None] = {
    "bad-rollout": {"name": "rollback-workload", "target": "deployment/shop/checkout", "arguments": {"revision": 7}},
    "dependency-down": {
        "name": "patch-service-selector",
        "target": "service/shop/payments",
        "arguments": {"selector": {"app": "payments"}},
    },
    "memory-exhaustion": {
        "name": "set-resources",
        "target": "deployment/shop/catalog",
        "arguments": {
            "container": "catalog",
            "cpu_request": None,
            "memory_request": None,
            "cpu_limit": None,
            "memory_limit": "384Mi",
        },
    },
    "healthy-alert": None,
}


async def _diagnosed(incident: str) -> Diagnosis:
    return await diagnose("", Settings(snapshot=INCIDENTS / incident))


def test_every_shipped_incident_is_expected_to_end_somehow() -> None:
    assert set(EXPECTED) == {each.name for each in INCIDENTS.iterdir() if each.is_dir()}


@pytest.mark.parametrize("incident", sorted(EXPECTED))
async def test_the_action_that_a_shipped_incident_needs_is_proposed_first(incident: str) -> None:
    published = (await _diagnosed(incident)).to_json()
    actions = [each["action"] for one in published["hypotheses"] for each in one["remediations"] if each["action"]]
    wanted = EXPECTED[incident]
    if wanted is None:
        assert actions == []
        return
    assert actions[0] == {**wanted, "cluster": incident}
    assert actions[0] == published["hypotheses"][0]["remediations"][0]["action"]
    # Nothing that acts on anything else is proposed beside it.
    assert {each["target"] for each in actions} == {wanted["target"]}


@pytest.mark.parametrize("incident", sorted(EXPECTED))
async def test_what_is_published_can_be_read_as_an_action_again(incident: str) -> None:
    told = await _diagnosed(incident)
    for hypothesis in told.hypotheses:
        for remediation in hypothesis.remediations:
            assert remediation.summary
            if remediation.action is not None:
                assert hypothesis.confidence is not Confidence.INCONCLUSIVE
                assert read(remediation.action.to_json()) == remediation.action
