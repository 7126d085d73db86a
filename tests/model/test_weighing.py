"""What a model's claims may do to the rules' causes, said by a helpful model and by a hostile one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.conclusion import explained
from agents.diagnosis import Confidence, Diagnosis, Hypothesis, Mode, Remediation
from agents.finding import CauseId
from agents.health import Verdict
from agents.investigation import concluded
from agents.model.client import connect
from agents.model.weighing import MOST_GUESSES, TIE, weighed
from agents.report import Citation, Claim, Report, Stance, Usage
from agents.routing import Routing
from approvals.action import read
from tests.anthropic_emulator.script import BreakOff, Call, Refuse, Say, Step, claim
from tests.anthropic_emulator.server import serve
from tests.model.cases import GAP, brief, config, diagnosis, finding
from tools.entity import Entity
from tools.evidence import Evidence, EvidenceId

CART = Entity.parse("deployment/shop/cart")
PAY = Entity.parse("deployment/shop/pay")
RESTS_ON = Evidence.found("kubernetes.objects", "kubectl get pods -n shop", "cart-1 OOMKilled\npay-1 Error")
WELL = Evidence.found("metrics.signals", "memory of deployment/shop/cart", "cart memory 40 MiB of 256 MiB all day")
ELSEWHERE = Evidence.found("metrics.signals", "memory of deployment/shop/mail", "mail memory 40 MiB all day")
OOM, EXITS, DISK = CauseId("oom-killed"), CauseId("app-exits"), CauseId("disk-full")
SCALE = read({"name": "scale-workload", "target": "deployment/shop/cart", "arguments": {"replicas": 3}})


def cause(name: CauseId, entity: Entity, score: float, confidence: Confidence = Confidence.CONFIRMED) -> Hypothesis:
    return Hypothesis(
        cause=name,
        entity=entity,
        title=f"{name} it is",
        confidence=confidence,
        score=score,
        evidence=(RESTS_ON.id,),
        remediations=(Remediation(summary="Do it.", action=SCALE),),
    )


def by_rules(*hypotheses: Hypothesis, verdict: Verdict = Verdict.FAILING) -> Diagnosis:
    told = hypotheses or (cause(OOM, CART, 0.9), cause(EXITS, PAY, 0.7, Confidence.LIKELY))
    summary = f"Failing: cart is down. Cause ({told[0].confidence}): {told[0].title}, {told[0].entity}. Nothing else."
    evidence = (RESTS_ON, WELL, ELSEWHERE, GAP)
    return replace(diagnosis(), verdict=verdict, hypotheses=told, findings=(), evidence=evidence, summary=summary)


def says(stance: Stance, name: CauseId, entity: Entity, *cited: Evidence) -> Claim:
    citations = tuple(Citation(evidence=each.id, quote="40 MiB") for each in cited)
    return Claim(text="It never used more than 40 MiB", citations=citations, cause=name, entity=entity, stance=stance)


AGAINST = says(Stance.AGAINST, OOM, CART, WELL)


def test_a_refutation_takes_one_step_off_and_says_why() -> None:
    before = by_rules()
    after = explained(before, [AGAINST], [AGAINST], Usage())
    first, second = after.hypotheses
    assert (first.confidence, first.contradicted_by, first.doubts) == (Confidence.LIKELY, (WELL.id,), (AGAINST.text,))
    assert second == before.hypotheses[1]
    assert "Cause (likely): oom-killed it is" in after.summary
    assert "confirmed" not in after.summary
    assert AGAINST.text in after.summary
    assert (after.verdict, after.mode, after.usage.quality.refutations) == (before.verdict, Mode.MODEL, 1)


@pytest.mark.parametrize(
    ("confidence", "becomes", "acts"),
    [
        (Confidence.CONFIRMED, Confidence.LIKELY, True),
        (Confidence.LIKELY, Confidence.INCONCLUSIVE, False),
        (Confidence.INCONCLUSIVE, Confidence.INCONCLUSIVE, False),
    ],
)
def test_however_often_a_cause_is_refuted_it_falls_one_step(
    confidence: Confidence, becomes: Confidence, acts: bool
) -> None:
    before = by_rules(cause(OOM, CART, 0.9, confidence))
    (after,) = weighed(before, [AGAINST] * 5).hypotheses
    assert after.confidence is becomes
    assert after.score == 0.9
    assert (after.remediations[0].action is not None) is acts
    assert after.remediations[0].summary == "Do it."


@pytest.mark.parametrize(
    "hostile",
    [
        says(Stance.AGAINST, OOM, CART, RESTS_ON),
        says(Stance.AGAINST, OOM, CART, ELSEWHERE),
        says(Stance.AGAINST, OOM, CART, GAP),
        says(Stance.AGAINST, OOM, CART),
        says(Stance.AGAINST, DISK, CART, WELL),
        says(Stance.AGAINST, OOM, PAY, WELL),
        says(Stance.FIRST, EXITS, PAY, RESTS_ON),
        says(Stance.FIRST, OOM, CART, WELL),
        says(Stance.FOR, OOM, CART, WELL),
        says(Stance.FOR, EXITS, PAY, RESTS_ON),
    ],
    ids=[
        *("by what it rests on", "by what is about another thing", "by a gap", "by nothing"),
        *("a cause nobody named", "of another thing", "first, far behind", "first, as it is", "for it", "for another"),
    ],
)
def test_what_is_no_reason_changes_nothing(hostile: Claim) -> None:
    before = by_rules()
    after = weighed(before, [hostile] * 9)
    assert (after.hypotheses, after.refutations, after.tie_breaks) == (before.hypotheses, 0, 0)


def test_of_causes_that_rules_cannot_tell_apart_the_model_puts_one_first() -> None:
    before = by_rules(cause(OOM, CART, 0.9), cause(EXITS, PAY, 0.9 - TIE / 2), cause(DISK, PAY, 0.6))
    after = weighed(before, [says(Stance.FIRST, EXITS, PAY, RESTS_ON)])
    assert [each.cause for each in after.hypotheses] == [EXITS, OOM, DISK]
    assert [each.score for each in after.hypotheses] == [each.score for each in before.hypotheses]
    assert after.tie_breaks == 1


def test_one_that_is_refuted_stands_last_among_equals() -> None:
    before = by_rules(cause(OOM, CART, 0.9), cause(EXITS, PAY, 0.899))
    assert [each.cause for each in weighed(before, [AGAINST]).hypotheses] == [EXITS, OOM]


def test_a_tie_is_of_one_confidence() -> None:
    before = by_rules(cause(OOM, CART, 0.9), cause(EXITS, PAY, 0.9, Confidence.LIKELY))
    after = weighed(before, [says(Stance.FIRST, EXITS, PAY, RESTS_ON)])
    assert (after.hypotheses, after.tie_breaks) == (before.hypotheses, 0)


def test_guesses_stand_at_the_end_and_are_few() -> None:
    before = by_rules()
    names = ("disk-full", "node-not-ready", "dns-errors", "tls-expired", "disk-slow")
    after = weighed(before, [says(Stance.FOR, CauseId(each), CART, WELL) for each in names])
    guesses = after.hypotheses[len(before.hypotheses) :]
    assert len(guesses) == MOST_GUESSES
    assert {each.confidence for each in guesses} == {Confidence.INCONCLUSIVE}
    assert all(not each.remediations for each in guesses)


@pytest.mark.parametrize("cited", [ELSEWHERE, GAP], ids=["of another thing", "a gap"])
def test_a_guess_about_a_thing_that_its_evidence_does_not_name_stays_words(cited: Evidence) -> None:
    before = by_rules()
    assert weighed(before, [says(Stance.FOR, DISK, CART, cited)]).hypotheses == before.hypotheses


@pytest.mark.parametrize("verdict", [each for each in Verdict if each not in (Verdict.FAILING, Verdict.DEGRADED)])
def test_where_rules_see_nothing_wrong_nobody_is_accused(verdict: Verdict) -> None:
    before = replace(by_rules(verdict=verdict), hypotheses=())
    assert weighed(before, [says(Stance.FOR, DISK, CART, WELL)]).hypotheses == ()


_STEPS = [Confidence.INCONCLUSIVE, Confidence.LIKELY, Confidence.CONFIRMED]
_claims = st.builds(
    says,
    st.sampled_from(Stance),
    st.sampled_from([OOM, EXITS, DISK]),
    st.sampled_from([CART, PAY]),
    st.sampled_from([RESTS_ON, WELL, ELSEWHERE, GAP]),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(_claims, max_size=12),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(Confidence)), min_size=1, max_size=6),
)
def test_whatever_is_claimed_the_rules_order_and_confidence_are_the_floor(
    claims: list[Claim], told: list[tuple[float, Confidence]]
) -> None:
    names = [(name, entity) for entity in (CART, PAY) for name in (OOM, EXITS, DISK)]
    scored = zip(names, sorted(told, key=lambda each: -each[0]), strict=False)
    before = by_rules(*(cause(name, entity, score, how) for (name, entity), (score, how) in scored))
    after = weighed(before, claims)
    were = {(each.cause, each.entity): each for each in before.hypotheses}
    kept = [each for each in after.hypotheses if (each.cause, each.entity) in were]
    assert len(kept) == len(before.hypotheses)
    assert [each.score for each in kept] == [each.score for each in before.hypotheses]
    for each in kept:
        was = were[each.cause, each.entity]
        assert 0 <= _STEPS.index(was.confidence) - _STEPS.index(each.confidence) <= 1
        assert abs(was.score - each.score) < TIE
        assert bool(each.doubts) == bool(each.contradicted_by)
    assert all(each.confidence is Confidence.INCONCLUSIVE for each in after.hypotheses[len(kept) :])


def _conclusion(**given: Any) -> Say:
    return Say(calls=(Call("conclude", given),))


async def _asked(step: Step) -> tuple[Diagnosis, Diagnosis, str]:
    """The conclusion by rules, the one with a model that says `step`, and what it was told."""
    told = brief()
    looks = Report(specialist="looks", evidence=(*told.evidence, _WELL))
    reports = [looks, Report(specialist="infrastructure", findings=(finding(),))]
    routing = Routing(specialists=(), abstained=False)
    async with serve(lambda _: step) as emulator:
        async with connect(config(emulator, names=("claude-sonnet-4-5",))) as model:
            after = await concluded(told.case, routing, reports, model)
        async with connect(config(emulator, api_key=None)) as nobody:
            before = await concluded(told.case, routing, reports, nobody)
    return before, after, str(emulator.requests[0]["messages"])


_POD = finding().entity
_WELL = Evidence.found("metrics.signals", f"memory of {_POD}", f"{_POD.name} used 40 MiB at most")
_SEEN = (finding().evidence[0].id, "last=OOMKilled exit=137")


async def test_a_helpful_model_words_the_answer_and_leaves_what_rules_decided() -> None:
    before, after, told = await _asked(
        _conclusion(claims=[claim("cart runs out of memory", _SEEN, cause="oom-killed")])
    )
    assert (after.verdict, after.hypotheses, after.mode) == (before.verdict, before.hypotheses, Mode.MODEL)
    assert after.summary == f"{before.summary} cart runs out of memory"
    assert "1. confirmed oom-killed" in told
    quality = after.usage.quality
    assert (quality.claims, quality.held) == (1, 1)


async def test_a_hostile_model_can_neither_raise_nor_reorder_nor_invent() -> None:
    hostile = _conclusion(
        verdict="healthy",
        confidence="confirmed",
        hypotheses=[],
        order=[3, 2, 1],
        claims=[
            claim("all is well", _SEEN),
            claim("it is DNS, confirmed", ("ev_0000000000", "NXDOMAIN"), cause="dns-errors", entity=str(_POD)),
            claim("no memory trouble", _SEEN, cause="oom-killed", entity=str(_POD), stance="against"),
            claim("a ghost", _SEEN, cause="disk-full", entity="node//ghost"),
            claim("first", _SEEN, cause="disk-full", entity=str(_POD), stance="first"),
        ],
    )
    before, after, _ = await _asked(hostile)
    assert (after.verdict, after.state, after.hypotheses) == (before.verdict, before.state, before.hypotheses)
    assert after.summary.startswith(before.summary)
    assert (after.usage.quality.claims, after.usage.quality.held) == (5, 4)


@pytest.mark.parametrize(
    "step",
    [
        Refuse(400, "invalid_request_error"),
        BreakOff(Say("It is the disk. " * 9), 5),
        Say("It is the disk."),
        Say(calls=(Call("conclude", '{"claims": [{"text": "the disk'),)),
        _conclusion(claims=[claim("the disk", ("ev_1", "no space left"), cause="disk-full", entity=str(_POD))]),
        _conclusion(claims={"text": "the disk"}),
        Say(stop="refusal"),
    ],
    ids=["refused", "cut", "only talk", "no JSON", "not borne out", "of another form", "declines"],
)
async def test_without_a_useful_answer_the_rules_verdict_stands_unchanged(step: Step) -> None:
    before, after, _ = await _asked(step)
    assert after.notes[: len(before.notes)] == before.notes
    assert replace(after, usage=before.usage, notes=before.notes) == before


async def test_when_only_the_specialist_s_claims_hold_the_rules_summary_stays_whole() -> None:
    told = brief()
    found = Claim(text="It was killed", citations=(Citation(evidence=EvidenceId(_SEEN[0]), quote=_SEEN[1]),))
    reports = [
        Report(specialist="looks", evidence=told.evidence),
        Report(specialist="infrastructure", findings=(finding(),), claims=(found,)),
    ]
    async with serve(lambda _: Say("hm")) as emulator, connect(config(emulator)) as model:
        after = await concluded(told.case, Routing(specialists=(), abstained=False), reports, model)
    assert after.claims == (found,)
    assert "Cause (confirmed)" in after.summary
    assert "It was killed" in str(emulator.requests[0]["messages"])


async def test_a_specialist_s_refutation_lowers_what_rules_conclude() -> None:
    told = brief()
    found = Claim(
        text="It used 40 MiB at most",
        citations=(Citation(evidence=_WELL.id, quote="used 40 MiB at most"),),
        cause=OOM,
        entity=_POD,
        stance=Stance.AGAINST,
    )
    reports = [
        Report(specialist="looks", evidence=told.evidence),
        Report(specialist="infrastructure", findings=(finding(),), claims=(found,), evidence=(_WELL,)),
    ]
    async with serve(lambda _: Say("hm")) as emulator, connect(config(emulator)) as model:
        after = await concluded(told.case, Routing(specialists=(), abstained=False), reports, model)
    top = after.hypotheses[0]
    assert (top.cause, top.confidence, top.contradicted_by) == (OOM, Confidence.LIKELY, (_WELL.id,))
    assert found.text in after.summary
    assert after.usage.quality.refutations == 1
