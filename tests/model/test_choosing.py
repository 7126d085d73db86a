"""The model chooses among the actions that rules propose, and widens nothing."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.diagnosis import Diagnosis, Remediation
from agents.model.choosing import Choice, applied, proposed, read_choices
from agents.model.client import connect
from agents.model.explain import explain
from approvals.action import Action, read
from tests.anthropic_emulator.script import Call, Say, claim
from tests.anthropic_emulator.server import serve
from tests.model.cases import OBJECTS, config, diagnosis


def action(name: str, target: str, **arguments: Any) -> Action:
    return read({"name": name, "target": target, "arguments": arguments})


ROLLBACK = action("rollback-workload", "deployment/shop/cart", revision=7)
SCALE = action("scale-workload", "deployment/shop/cart", replicas=3)
MEMORY = action("set-resources", "deployment/shop/cart", container="cart", memory_limit="384Mi")
IMAGE = action("set-image", "deployment/shop/cart", container="cart", image="registry.test/cart:1")
SELECTOR = action("patch-service-selector", "service/shop/cart", selector={"app": "cart"})
ALL = (ROLLBACK, SCALE, MEMORY, IMAGE, SELECTOR)


def proposing(*actions: Action) -> Diagnosis:
    told = diagnosis()
    remediations = tuple(Remediation(summary=each.sentence, action=each) for each in actions)
    return replace(told, hypotheses=(replace(told.hypotheses[0], remediations=remediations),))


def test_an_action_may_be_chosen_as_it_is() -> None:
    assert read_choices([{"action": 2}, {"action": 1}], ALL) == (Choice(of=SCALE), Choice(of=ROLLBACK))


@pytest.mark.parametrize(
    ("place", "arguments", "becomes"),
    [
        (1, {"revision": 6}, {"revision": 6}),
        (2, {"replicas": 6}, {"replicas": 6}),
        (3, {"memory_limit": "768Mi"}, {"memory_limit": "768Mi"}),
        (3, {"container": "cart", "memory_limit": "300Mi"}, {"memory_limit": "300Mi"}),
    ],
    ids=["revision", "replicas", "memory", "same-container"],
)
def test_other_numbers_may_be_proposed_for_it(place: int, arguments: dict[str, Any], becomes: dict[str, Any]) -> None:
    (choice,) = read_choices([{"action": place, "arguments": arguments}], ALL)
    assert choice.of == ALL[place - 1]
    assert choice.instead == replace(choice.of, arguments={**choice.of.arguments, **becomes})


@pytest.mark.parametrize(
    "wish",
    [
        {"action": 0},
        {"action": 6},
        {"action": -1},
        {"action": True},
        {"action": "1"},
        {"action": {"name": "delete-pod", "target": "pod/shop/x"}},
        {"name": "cordon-node", "target": "node//a", "arguments": {}},
        {"action": 1, "arguments": {"revision": "6"}},
        {"action": 1, "arguments": {"revision": True}},
        {"action": 1, "arguments": {"revision": 0}},
        {"action": 1, "arguments": {"revision": 6, "force": True}},
        {"action": 1, "arguments": {"target": "deployment/kube-system/coredns"}},
        {"action": 1, "arguments": ["revision", 6]},
        {"action": 2, "arguments": {"replicas": 7}},
        {"action": 2, "arguments": {"replicas": 0}},
        {"action": 3, "arguments": {"memory_limit": "769Mi"}},
        {"action": 3, "arguments": {"memory_limit": "none"}},
        {"action": 3, "arguments": {"cpu_limit": "100m"}},
        {"action": 3, "arguments": {"container": "proxy"}},
        {"action": 4, "arguments": {"image": "evil.test/cart:1"}},
        {"action": 4, "arguments": {"image": "registry.test/cart:2"}},
        {"action": 4, "arguments": {"other_repository": True}},
        {"action": 5, "arguments": {"selector": {"app": "evil"}}},
        "restart everything",
        None,
    ],
    ids=str,
)
def test_a27_a_wish_that_would_widen_is_dropped_as_a_whole(wish: Any) -> None:
    assert read_choices([wish], ALL) == ()


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10) | st.text(max_size=8) | st.sampled_from(["768Mi", "evil.test/x:1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["action", "arguments", "revision", "replicas", "memory_limit", "image", "name", "target"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(written=anything)
def test_a27_whatever_the_model_writes_kind_target_and_cluster_stay_the_rules_own(written: Any) -> None:
    for choice in read_choices(written, ALL):
        assert choice.of in ALL
        if choice.instead is not None:
            same = (choice.instead.name, choice.instead.target, choice.instead.cluster)
            assert same == (choice.of.name, choice.of.target, choice.of.cluster)
            differs = {key for key, value in choice.instead.arguments.items() if choice.of.arguments[key] != value}
            assert differs <= {"revision", "replicas", "memory_limit"}


def test_choices_are_marked_beside_what_rules_propose_and_take_nothing_away() -> None:
    told = proposing(ROLLBACK, SCALE)
    assert applied(told, ()) is told
    more = action("scale-workload", "deployment/shop/cart", replicas=5)
    found = applied(told, (Choice(of=SCALE, instead=more), Choice(of=ROLLBACK)))
    (hypothesis,) = found.hypotheses
    assert [(each.action, each.proposed_by, each.is_chosen) for each in hypothesis.remediations] == [
        (ROLLBACK, "rules", True),
        (SCALE, "rules", False),
        (more, "model", True),
    ]
    assert proposed(told) == (ROLLBACK, SCALE)


async def test_the_model_is_told_the_actions_and_its_choice_comes_back() -> None:
    proof = claim("cart is failing", (OBJECTS.id, "0/1 CrashLoopBackOff"))
    wishes = [{"action": 2, "arguments": {"replicas": 4}}, {"action": 9}]
    say = Say(calls=(Call("conclude", {"claims": [proof], "actions": wishes}),))
    async with serve([say]) as emulator, connect(config(emulator)) as model:
        explanation = await explain(proposing(ROLLBACK, SCALE), model=model)
    (choice,) = explanation.choices
    assert (choice.of, choice.instead) == (SCALE, action("scale-workload", "deployment/shop/cart", replicas=4))
    asked = str(emulator.requests[0])
    assert "Roll deployment shop/cart back to revision 7." in asked
    assert "actions" in emulator.requests[0]["tools"][0]["input_schema"]["properties"]


async def test_a_model_that_proves_nothing_has_no_say_in_what_is_done() -> None:
    invented = claim("all is well", (OBJECTS.id, "1/1 Running"))
    say = Say(calls=(Call("conclude", {"claims": [invented], "actions": [{"action": 1}]}),))
    async with serve([say]) as emulator, connect(config(emulator)) as model:
        explanation = await explain(proposing(ROLLBACK), model=model)
    assert explanation.choices == ()


async def test_without_a_proposed_action_nothing_is_said_of_actions() -> None:
    proof = claim("cart is failing", (OBJECTS.id, "0/1 CrashLoopBackOff"))
    say = Say(calls=(Call("conclude", {"claims": [proof], "actions": [{"action": 1}]}),))
    async with serve([say]) as emulator, connect(config(emulator)) as model:
        explanation = await explain(diagnosis(), model=model)
    assert explanation.choices == ()
    assert "actions" not in emulator.requests[0]["tools"][0]["input_schema"]["properties"]
