"""The catalogue of causes: published, complete, and not to be stopped by one broken rule."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.causes import Rule, catalogue, render, rule, rules, run
from agents.finding import Finding, Role
from agents.scene import Scene
from tests.rules.builders import pod, scene, status, waits
from tools.evidence import Evidence


@rule(
    id="broken",
    area="pods",
    role=Role.CAUSE,
    title="A rule with a bug",
    meaning="It divides by zero after its first finding.",
    remediation="Mend it.",
)
def broken(scene: Scene) -> Iterator[Finding]:
    found = scene.cluster.all("Pod")[0]
    yield broken.finding(found.entity, "seen before the bug", [scene.cite(found)])
    yield broken.finding(found.entity, str(1 // 0), [scene.cite(found)])


def looping() -> Rule:
    return next(each for each in rules() if each.cause.id == "crash-loop")


def crashing() -> Scene:
    return scene(pod("cart-7d4f-a", status(restarts=5, state=waits("CrashLoopBackOff"))))


def test_a_rule_that_raises_is_shown_and_takes_no_other_down(capsys: pytest.CaptureFixture[str]) -> None:
    checked = run([broken, looping()], crashing())
    assert [each.cause for each in checked.findings] == ["broken", "crash-loop"]
    assert [each.cause for each in checked.failures] == ["broken"]
    assert "ZeroDivisionError" in checked.failures[0].why
    assert "unknown" in checked.failures[0].why
    assert "rule_failed" in capsys.readouterr().out


@rule(
    id="hungry",
    area="pods",
    role=Role.CAUSE,
    title="A rule that needs a database",
    meaning="It would find every pod.",
    remediation="Nothing.",
    needs={"mongodb"},
)
def hungry(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Pod"):
        yield hungry.finding(each.entity, "seen", [scene.cite(each)])


def test_a_rule_runs_only_where_its_source_answered() -> None:
    assert run([hungry], crashing()).findings == ()
    answered = Evidence.found("mongodb.status", "serverStatus", "ok: 1", data={"ok": 1})
    asked = scene(pod(), looks=[answered])
    assert len(run([hungry], asked).findings) == 1


def test_rules_are_chosen_by_area() -> None:
    chosen = rules(frozenset({"images"}))
    assert {each.cause.area for each in chosen} == {"images"}
    assert len(chosen) < len(rules())
    assert rules(frozenset()) == ()


def test_every_cause_says_what_it_means_and_what_to_do() -> None:
    for each in catalogue().values():
        assert each.id == each.id.lower()
        assert each.title
        assert each.meaning.endswith(".")
        assert each.remediation.endswith(".")


def test_the_published_catalogue_is_that_of_the_rules() -> None:
    """`python -m agents.causes > docs/causes.md` writes it anew."""
    published = Path(__file__).parents[2] / "docs" / "causes.md"
    assert published.read_text() == render()
