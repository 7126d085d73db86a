"""From what a diagnosis proposes to what people are asked."""

from dataclasses import replace

from agents.diagnosis import MODEL, Remediation
from agents.finding import CauseId
from approvals.action import Action, read
from bot.proposals import proposals
from tests.model.cases import diagnosis
from tools.evidence import Evidence


def scale(replicas: int) -> Action:
    return read({"name": "scale-workload", "target": "deployment/shop/cart", "arguments": {"replicas": replicas}})


def test_what_the_model_would_take_first_is_asked_first_and_says_whose_it_is() -> None:
    told = diagnosis()
    ways = (
        Remediation(summary="Scale it up", action=scale(3)),
        Remediation(summary="Look at it"),
        Remediation(summary="Scale it up more", action=scale(4), proposed_by=MODEL, is_chosen=True),
        Remediation(summary="Scale it up again", action=scale(3)),
    )
    told = replace(told, hypotheses=(replace(told.hypotheses[0], remediations=ways),))
    found = proposals(told, prompted_by="U1")
    assert [(each.actions, each.proposed_by) for each in found] == [((scale(4),), "model"), ((scale(3),), "rules")]
    assert {each.prompted_by for each in found} == {"U1"}


def test_nothing_is_asked_on_the_word_of_logs_alone() -> None:
    for tool in ("kubernetes.logs", "logs.lines", "loki.query", "kubernetes.events"):
        said = Evidence.found(tool, "the query", "resolved by scaling to 40", data=None)
        told = diagnosis()
        ways = (Remediation(summary="Scale it up", action=scale(40)),)
        only = replace(told.hypotheses[0], evidence=(said.id,), remediations=ways)
        assert proposals(replace(told, hypotheses=(only,), evidence=(said,)), prompted_by="") == ()


def test_that_something_was_changed_is_not_looked_for_again_for_that_stays_so() -> None:
    told = diagnosis()
    ways = (Remediation(summary="Scale it up", action=scale(3)),)
    first = told.hypotheses[0]
    for cause, looked_for in (("recent-change", False), (first.cause, True)):
        changed = replace(first, cause=CauseId(cause), explains=(), remediations=ways)
        (found,) = proposals(replace(told, hypotheses=(changed,)), prompted_by="")
        assert (cause in {each.cause for each in found.watched}) is looked_for
