"""How one answer is judged."""

from dataclasses import replace

import pytest

from agents.causes import catalogue
from agents.diagnosis import Confidence, Diagnosis
from agents.finding import CauseId
from agents.health import Verdict
from agents.report import Citation, Claim
from bot.evals.naming import category, names
from bot.evals.recorded import AnswerRule, Truth
from bot.evals.scoring import culprit, score, unsupported, words
from tests.model.cases import GAP, LOGS, OBJECTS, POD, diagnosis, hypothesis
from tools.entity import Entity


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("Deployment/shop/Cart", "service/shop/cart"),
        ("statefulset/db/redis", "service/db/redis"),
        ("function//PetSearch", "function//petsearch"),
    ],
)
def test_two_names_of_one_culprit_are_equal(given: str, same: str) -> None:
    assert culprit(given) == culprit(same)


@pytest.mark.parametrize(
    ("given", "other"),
    [("deployment/shop/cart", "service/prod/cart"), ("pod/shop/cart", "service/shop/cart"), ("node//a", "host//a")],
)
def test_other_namespaces_and_other_kinds_are_other_culprits(given: str, other: str) -> None:
    assert culprit(given) != culprit(other)


def test_a_rank_is_that_of_the_first_right_hypothesis() -> None:
    wrong = replace(hypothesis(), entity=Entity.of("pod", "shop", "other"), confidence=Confidence.LIKELY)
    found = replace(diagnosis(), hypotheses=(wrong, replace(hypothesis(), cause=CauseId("app-exits")), hypothesis()))
    judged = score(found, Truth(entities=(str(POD).upper(),), cause="oom-killed"))
    assert (judged.rank, judged.cause_rank) == (2, 3)


@pytest.mark.parametrize(
    ("verdict", "right"),
    [(Verdict.FAILING, True), (Verdict.DEGRADED, True), (Verdict.UNKNOWN, False), (Verdict.HEALTHY, False)],
)
def test_a_fault_is_seen_when_the_state_says_so_and_unknown_is_not_seen(verdict: Verdict, *, right: bool) -> None:
    found = replace(diagnosis(), verdict=verdict)
    assert score(found, Truth(entities=(str(POD),))).state_right is right


@pytest.mark.parametrize(
    ("verdict", "accuses", "is_alarm"),
    [
        (Verdict.HEALTHY, True, False),
        (Verdict.RECOVERED, False, False),
        (Verdict.UNKNOWN, False, False),
        (Verdict.FAILING, True, True),
        (Verdict.UNKNOWN, True, True),
    ],
)
def test_a_healthy_case_is_right_when_the_verdict_is_good_or_nobody_is_accused(
    verdict: Verdict, *, accuses: bool, is_alarm: bool
) -> None:
    found = replace(diagnosis(), verdict=verdict, hypotheses=(hypothesis(),) if accuses else ())
    judged = score(found, Truth(healthy=True))
    assert (judged.false_alarm, judged.state_right) == (is_alarm, not is_alarm)


def judged(rule: AnswerRule, found: Diagnosis | None = None, *, healthy: bool = False) -> tuple[str, ...] | None:
    return score(found or diagnosis(), Truth(answer=rule, healthy=healthy)).answer_faults


def test_an_answer_is_right_when_it_says_what_is_required_and_nothing_forbidden() -> None:
    rule = AnswerRule(
        category="resource_exhaustion",
        required_keywords=("Memory  Limit", "cart-5d9f7c6b8"),
        forbidden_keywords=("network",),
        forbidden_categories=("healthy", "infrastructure"),
    )
    assert judged(rule) == ()


def test_what_makes_an_answer_wrong_is_told() -> None:
    rule = AnswerRule(
        required_keywords=("failover",), forbidden_keywords=("memory",), forbidden_categories=("resource_exhaustion",)
    )
    faults = ("does not say 'failover'", "says 'memory'", "is of category 'resource_exhaustion'")
    assert judged(rule) == faults


def test_to_call_a_fault_healthy_or_the_healthy_faulty_is_wrong_whatever_the_words() -> None:
    well = replace(diagnosis(), verdict=Verdict.HEALTHY)
    assert judged(AnswerRule(), well) == ("is of category 'healthy'",)
    assert judged(AnswerRule(), well, healthy=True) == ()
    assert judged(AnswerRule(), healthy=True) == ("is of category 'resource_exhaustion'",)


def test_raw_excerpts_are_no_words_of_the_answer() -> None:
    assert "allocating 310 mib" in LOGS.excerpt.lower()
    assert "allocating 310 mib" not in words(diagnosis())


def test_claims_that_their_evidence_does_not_carry_are_counted() -> None:
    assert unsupported(diagnosis()) == 0
    elsewhere = replace(diagnosis(), evidence=(LOGS,))
    assert unsupported(elsewhere) == 1
    gap = replace(diagnosis(), evidence=(GAP,), hypotheses=(replace(hypothesis(), evidence=(GAP.id,)),))
    assert unsupported(gap) == 1
    true = Claim(text="t", citations=(Citation(evidence=LOGS.id, quote="allocating 310 MiB"),))
    invented = Claim(text="t", citations=(Citation(evidence=OBJECTS.id, quote="NotReady"),))
    assert unsupported(replace(diagnosis(), claims=(true, invented))) == 1


def test_the_table_of_names_speaks_of_causes_and_areas_that_exist() -> None:
    known = catalogue()
    table = names()
    mapped = {cause for causes in table.same_as.values() for cause in causes} | set(table.category_of_cause)
    assert mapped <= set(known)
    assert {each.area for each in known.values()} <= set(table.category_of_area) | {"standing"}
    assert category("oom-killed") == "resource_exhaustion"
    assert category("image-not-found") == "configuration_error"
    assert category("no-such-cause") == "unknown"
