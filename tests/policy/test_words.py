"""`locum approvals policy`: every rule that speaks, in order, and who decides."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from approvals.policy import Freeze
from approvals.policy_schema import Policy, Unusable
from approvals.policy_words import explain
from bot.cli.outcome import BadInput
from bot.cli.policy import run
from tests.policy.builders import NOW, SOUND, changed, policy_of, rule


def _told(policy: Policy, action: str, environment: str, *freezes: Freeze) -> str:
    lines = explain(action, environment, policy, freezes, NOW)
    return "\n".join(f"{'x' if each.refuses else '-'} {each.rule}: {each.says}" for each in lines)


def test_every_rule_that_speaks_is_told_in_order_and_ends_with_who_decides(tmp_path: Path) -> None:
    policy = policy_of(changed(actions={"scale-workload": rule(**_everything())}), tmp_path)
    assert _told(policy, "scale-workload", "production").splitlines()[2:] == [
        "- environments: production is production: clusters *, namespaces *, unless one above claims it",
        "- autonomy.production: production has production-writes, the action needs production-writes",
        "- kill_switch, freeze: neither a freeze nor the kill switch is on",
        "- actions.scale-workload.namespaces: only in shop or web-*",
        "- actions.scale-workload.arguments.replicas: replicas at least 1, at most 20, one of 1, 2",
        "- limits: waits 600 s for a decision, may run 120 s; at most 3 open in a thread and 20 in an hour",
        "- actions.scale-workload.credential: runs with vault:kubernetes/creds/scale#token",
        "- actions.scale-workload.self_approval: whoever asked may not approve, only deny; Locum never may",
        "- actions.scale-workload.groups: 1 different member(s) of oncall (ada, grace)",
    ]


def _everything() -> dict[str, Any]:
    return {
        "namespaces": ["shop", "web-*"],
        "arguments": {"replicas": {"min": 1, "max": 20, "one_of": [1, 2]}},
        "ttl": "10m",
        "credential": "vault:kubernetes/creds/scale#token",
    }


def test_who_decides_is_told_for_each_kind_of_group(tmp_path: Path) -> None:
    groups: dict[str, Any] = {**SOUND["groups"], "empty": {"members": []}}
    rules = {"restart-workload": rule(groups=["oncall", "slack", "empty"])}
    policy = policy_of(changed(groups=groups, actions=rules), tmp_path)
    assert _told(policy, "restart-workload", "staging").splitlines()[-1] == (
        "- actions.restart-workload.groups: 1 different member(s) of oncall (ada, grace);"
        " slack (Slack user group S1, asked for at each click); empty (nobody)"
    )


def test_an_image_bound_and_a_read_are_told(tmp_path: Path) -> None:
    policy = policy_of(SOUND, tmp_path)
    assert "image from registry.test/shop or docker.io/library" in _told(policy, "set-image", "production")
    assert "whoever asked may approve as well" in _told(policy, "use-credentials", "production")


@pytest.mark.parametrize(
    ("sections", "action", "environment", "refusal"),
    [
        ({}, "cordon-node", "production", "x default: cordon-node: the policy does not name it: refused"),
        ({}, "drop-database", "production", "x default: drop-database: there is no such action: refused"),
        ({}, "restart-workload", "lab", "x actions.restart-workload.environments: not for 'lab', only for staging"),
        ({}, "restart-workload", "mars", "x actions.restart-workload.environments: not for 'mars'"),
        ({"autonomy": {}}, "restart-workload", "staging", "x autonomy.staging: staging has read-only, the action"),
        ({"kill_switch": True}, "use-credentials", "staging", "x kill_switch, freeze: the kill switch is on"),
    ],
    ids=["unnamed", "unknown", "elsewhere", "nowhere", "autonomy", "kill"],
)
def test_the_rule_that_refuses_is_marked(
    tmp_path: Path, sections: dict[str, Any], action: str, environment: str, refusal: str
) -> None:
    told = _told(policy_of(changed(**sections), tmp_path), action, environment).splitlines()
    assert next(line for line in told if line.startswith("x ")).startswith(refusal)


def test_a_freeze_that_a_person_set_is_told(tmp_path: Path) -> None:
    freeze = Freeze(scope="*", reason="migration", by="ada", until=None)
    assert "frozen by ada until somebody ends it: migration" in _told(
        policy_of(SOUND, tmp_path), "restart-workload", "production", freeze
    )


def test_without_a_policy_the_reason_is_the_explanation() -> None:
    (line,) = explain("restart-workload", "production", Unusable(why="policy.yaml: missing"), (), NOW)
    assert (line.says, line.refuses) == ("policy.yaml: missing", True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    policy_of(SOUND, tmp_path)
    return tmp_path / "policy.yaml"


def test_the_command_tells_the_rules_of_each_environment(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(file, action="restart-workload", environment=None, freezes=(), output="text")
    said = capsys.readouterr().out
    assert "restart-workload in staging: may be asked for" in said
    assert "restart-workload in production: may be asked for" in said
    assert said.rstrip().endswith("1 different member(s) of oncall (ada, grace)")


def test_the_command_says_why_an_action_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(file, action="cordon-node", environment=None, freezes=(), output="text")
    assert "cordon-node in production: is refused" in capsys.readouterr().out


def test_the_command_answers_in_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(file, action="scale-workload", environment="staging", freezes=(), output="json")
    answer = orjson.loads(capsys.readouterr().out)
    (told,) = answer["rules"]
    assert (told["action"], told["environment"], told["may_be_asked"]) == ("scale-workload", "staging", True)
    assert answer["policy"].startswith("7-")
    assert told["lines"][0].keys() == {"rule", "says", "refuses"}


def test_the_command_without_an_action_lists_all_that_the_policy_has(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(file, action=None, environment=None, freezes=(), output="text")
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("policy 7-")
    assert len(rest) == 8
    assert rest[0].split()[:2] == ["restart-workload", "staging"]


@pytest.mark.parametrize(
    ("action", "environment", "why"),
    [("drop-database", None, "there is no action 'drop-database'"), (None, "mars", "has no environment 'mars'")],
    ids=["action", "environment"],
)
def test_what_there_is_not_is_bad_input(file: Path, action: str | None, environment: str | None, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        run(file, action=action, environment=environment, freezes=(), output="text")


def test_a_policy_that_cannot_be_used_is_bad_input(file: Path) -> None:
    file.write_text("version: 1\n")
    with pytest.raises(BadInput, match="default: it is missing"):
        run(file, action=None, environment=None, freezes=(), output="text")
