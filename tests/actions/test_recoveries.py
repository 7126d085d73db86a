"""The recorded incidents that can be put right: what the rules propose is what the recording has an outcome for."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.demo.show import INCIDENTS
from bot.settings import Settings
from bot.terminal import diagnose

WITH_OUTCOMES = sorted(each.parent for each in INCIDENTS.glob("*/outcomes.yaml"))


def outcomes(incident: Path) -> list[dict[str, Any]]:
    return yaml.safe_load((incident / "outcomes.yaml").read_text())


def proposed(answer: Any) -> list[dict[str, Any]]:
    """Every action in a diagnosis, wherever it stands."""
    inner = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()  # pyright: ignore[reportUnknownVariableType]
    found = [action for each in inner for action in proposed(each)]  # pyright: ignore[reportUnknownVariableType]
    own = answer.get("action") if isinstance(answer, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return [own, *found] if own else found


def test_two_incidents_can_be_put_right() -> None:
    assert [each.name for each in WITH_OUTCOMES] == ["bad-rollout", "dependency-down"]


@pytest.mark.parametrize("incident", WITH_OUTCOMES, ids=lambda each: each.name)
async def test_the_rules_propose_the_action_of_the_recording(incident: Path) -> None:
    answer = (await diagnose("", Settings(snapshot=incident))).to_json()
    actions = [{key: each[key] for key in ("name", "target", "arguments")} for each in proposed(answer)]
    for each in outcomes(incident):
        assert each["action"] in actions, json.dumps(actions)


@pytest.mark.parametrize("incident", WITH_OUTCOMES, ids=lambda each: each.name)
async def test_after_the_action_the_recorded_world_is_well_and_nothing_more_is_proposed(incident: Path) -> None:
    for each in outcomes(incident):
        for question in ("", "Is checkout well now?"):
            answer = (await diagnose(question, Settings(snapshot=incident / each["world"]))).to_json()
            assert answer["verdict"] in ("recovered", "healthy")
            assert proposed(answer) == []
