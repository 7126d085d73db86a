"""Each Kubernetes rule: it sees its signs, not those of its healthy twin, nor what is often mistaken for them."""

import pytest

from agents.causes import Checked, catalogue, rules, run
from agents.rules import kubernetes
from agents.scene import Scene
from tests.rules.builders import ago, scene
from tests.rules.kubernetes.advice_cases import CASES as ADVICE
from tests.rules.kubernetes.cases import Change, Shown, changed
from tests.rules.kubernetes.machine_cases import CASES as MACHINES
from tests.rules.kubernetes.object_cases import CASES as OBJECTS
from tests.rules.kubernetes.operator_cases import CASES as OPERATORS
from tests.rules.kubernetes.platform_cases import CASES as PLATFORM
from tests.rules.kubernetes.pod_cases import CASES as PODS
from tests.rules.kubernetes.route_cases import CASES as ROUTES
from tools.evidence import Evidence, Outcome

ALL = {each.cause: each for each in (*PODS, *OBJECTS, *PLATFORM, *OPERATORS, *MACHINES, *ROUTES, *ADVICE)}
EVERY = pytest.mark.parametrize("shown", ALL.values(), ids=list(ALL))


def found(shown: Shown, in_scene: Scene) -> list[str]:
    checked = run([each for each in rules() if each.cause.id == shown.cause], in_scene)
    assert checked.failures == ()
    return [str(each.entity) for each in checked.findings]


def looked(shown: Shown, change: Change | None = None) -> Scene:
    return scene(*changed(shown.objects, change or {}))


@EVERY
def test_a_cause_is_seen_at_what_a_person_would_fix(shown: Shown) -> None:
    assert found(shown, looked(shown)) == [shown.entity]


@EVERY
def test_a_twin_that_differs_in_one_place_is_well(shown: Shown) -> None:
    assert found(shown, looked(shown, shown.twin)) == []


@pytest.mark.parametrize(
    "shown", [each for each in ALL.values() if each.alarm], ids=[name for name, each in ALL.items() if each.alarm]
)
def test_what_is_often_mistaken_for_it_is_left_alone(shown: Shown) -> None:
    assert found(shown, looked(shown, shown.alarm)) == []


@pytest.mark.parametrize(
    "shown",
    [each for each in ALL.values() if each.rests_on_events],
    ids=[name for name, each in ALL.items() if each.rests_on_events],
)
def test_an_event_of_yesterday_says_nothing_of_today(shown: Shown) -> None:
    old = {
        f"{place}/{field}": ago(26 * 60)
        for place, each in enumerate(shown.objects)
        if each.get("kind") == "Event"
        for field in ("firstTimestamp", "lastTimestamp")
    }
    assert found(shown, looked(shown, old)) == []


@pytest.mark.parametrize(
    "shown",
    [each for each in ALL.values() if each.rests_on_events],
    ids=[name for name, each in ALL.items() if each.rests_on_events],
)
def test_an_event_of_a_namesake_that_is_gone_says_nothing(shown: Shown) -> None:
    namesakes = {
        f"{place}/involvedObject/uid": "uid-of-one-that-was-replaced"
        for place, each in enumerate(shown.objects)
        if each.get("kind") == "Event"
    }
    assert found(shown, looked(shown, namesakes)) == []


@EVERY
def test_findings_cite_what_they_say_and_advise_with_names(shown: Shown) -> None:
    checked = run([each for each in rules() if each.cause.id == shown.cause], looked(shown))
    for finding in checked.findings:
        assert all(each.outcome is Outcome.FOUND and each.query.startswith("kubectl ") for each in finding.evidence)
        assert shown.entity.rpartition("/")[2] in finding.summary
        assert finding.remedy
        assert "{" not in finding.remedy.replace('{"', "")


def test_every_kubernetes_cause_has_a_case() -> None:
    modules = {each.cause.id for each in rules() if each.check.__module__.startswith(kubernetes.__name__)}
    assert modules == set(ALL)
    assert modules <= set(catalogue())


@EVERY
def test_a_cluster_that_did_not_answer_gives_no_finding(shown: Shown) -> None:
    silent = Evidence.gap("kubernetes.objects", "kubernetes.objects {}", Outcome.ERROR, "no answer within 10 s")
    blind = Scene.of(looked(shown).case, [silent])
    assert run([each for each in rules() if each.cause.id == shown.cause], blind) == Checked(findings=())
