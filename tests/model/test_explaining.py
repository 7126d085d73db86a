"""The model's words about a diagnosis: cited or not shown, and without power over it."""

from agents.model.client import connect
from agents.model.explain import explain
from agents.model.failures import Reason
from tests.anthropic_emulator.script import BreakOff, Call, Say, claim, concluding
from tests.anthropic_emulator.server import serve
from tests.model.cases import LOGS, OBJECTS, OOM, config, diagnosis

VERDICT = claim("cart is failing", (OBJECTS.id, "0/1 CrashLoopBackOff"))
WHY = claim("its container exceeds 256Mi", (LOGS.id, "allocating 310 MiB"), cause=OOM)


async def test_a_diagnosis_is_explained_in_one_request_without_looks() -> None:
    proposal = claim("the catalogue may have grown", (LOGS.id, "loading catalogue"))
    invented = claim("a node failed", ("ev_1", "NotReady"))
    say = Say(calls=(Call("conclude", {"claims": [VERDICT, WHY, invented], "proposals": [proposal, invented]}),))
    async with serve([say]) as emulator, connect(config(emulator)) as model:
        explanation = await explain(diagnosis(), model=model)
    assert [each.text for each in explanation.claims] == [VERDICT["text"], WHY["text"]]
    assert [each.text for each in explanation.proposals] == [proposal["text"]]
    assert len(explanation.dropped) == 2
    assert explanation.failure is None
    assert explanation.usage.model_calls == 1
    assert [tool["name"] for tool in emulator.requests[0]["tools"]] == ["conclude"]
    assert emulator.sizes[0] < 10_000
    assert not emulator.refusals


async def test_an_explanation_that_breaks_off_leaves_a_sentence_and_what_it_cost() -> None:
    async with serve([BreakOff(Say("x" * 200), 5)] * 3) as emulator, connect(config(emulator)) as model:
        explanation = await explain(diagnosis(), model=model)
    assert explanation.claims == ()
    assert explanation.failure is Reason.CUT_STREAM
    assert "broke off" in explanation.sentence
    assert explanation.usage.model_calls == 3


async def test_an_explanation_without_proof_is_not_shown() -> None:
    unproven = concluding(claim("all is well", (LOGS.id, "healthy")))
    async with serve([unproven]) as emulator, connect(config(emulator)) as model:
        explanation = await explain(diagnosis(), model=model)
    assert explanation.failure is Reason.NOT_BORNE_OUT
