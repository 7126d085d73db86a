"""What a diagnosis asks for: its proposed actions, each with the reason and the evidence that it rests on. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from agents.diagnosis import Diagnosis, Hypothesis
from agents.finding import CauseId
from approvals.action import Action
from approvals.actions.use_credentials import UseCredentials, for_session, use_credentials
from approvals.request import ApprovalRequest, Cited, Proposal, Watched
from tools.evidence import Evidence, EvidenceId

RULES = "rules"
PAST = CauseId("recent-change")
"""What tells of the past alone: that something was changed stays so, whatever is done about it."""
_WORDS = ("kubernetes.logs", "kubernetes.events", "logs.", "loki.", "history.", "alerts.")
"""Tools whose answers may hold words that outsiders wrote; everything else is measured by the systems themselves."""


def proposals(diagnosis: Diagnosis, *, prompted_by: str) -> tuple[Proposal, ...]:
    """What people should be asked for, likeliest cause first; the same action is asked for once.

    Args:
        diagnosis: the conclusion.
        prompted_by: who asked the question that led to it; empty when an alert did.
    """
    found: dict[str, Proposal] = {}
    seen = {each.id: each for each in diagnosis.evidence}
    ways = [(each, way) for each in diagnosis.hypotheses for way in each.remediations]
    # The model's choice comes first where there is one; the order is all that it decides.
    for hypothesis, way in sorted(ways, key=lambda each: not each[1].is_chosen):
        if way.action is None:
            continue
        proposal = _proposal(diagnosis, hypothesis, way.action, seen, prompted_by)
        if proposal is not None:
            by = replace(proposal, proposed_by=way.proposed_by)
            found.setdefault(proposal.merge_key(""), by)
    return tuple(found.values())


def way_back(request: ApprovalRequest) -> Proposal | None:
    """What takes an executed request back; `None` where something of it cannot be taken back."""
    undone = tuple(item.undo for item in reversed(request.items) if item.undo is not None)
    if request.proposal.is_way_back or len(undone) != len(request.items):
        return None
    return Proposal(
        actions=undone,
        title=f"The way back: {request.proposal.title}",
        reason="It puts back what was changed a moment ago. Approve it only if the change did harm or did not help.",
        proposed_by=RULES,
        evidence=request.proposal.evidence,
        rests_on_alert=False,
        is_way_back=True,
    )


def credentials(session_id: str, purposes: Mapping[str, str], *, minutes: int, prompted_by: str) -> Proposal:
    """Asks to read with credentials, by reference, for one investigation."""
    args = UseCredentials(references=tuple(purposes), minutes=minutes)
    return Proposal(
        actions=(use_credentials.on(for_session(session_id), args),),
        title="Systems that need a login",
        reason="They are closed to this investigation. Denied, it goes on without them and says what it left out.",
        proposed_by=RULES,
        prompted_by=prompted_by,
        evidence=(),
        rests_on_alert=False,
        purposes=purposes,
    )


def _proposal(
    diagnosis: Diagnosis,
    hypothesis: Hypothesis,
    action: Action,
    seen: Mapping[EvidenceId, Evidence],
    prompted_by: str,
) -> Proposal | None:
    cited = tuple(_cited(seen[each]) for each in hypothesis.evidence if each in seen)
    if not any(each.is_measured for each in cited):
        # Whoever can make an application log a plausible cause must not be able to have something changed for it.
        return None
    explained = {each.id: each for each in diagnosis.findings}
    found = [(hypothesis.cause, hypothesis.entity)]
    found += [(explained[each].cause, explained[each].entity) for each in hypothesis.explains if each in explained]
    watched = [Watched(cause=cause, entity=entity) for cause, entity in found if cause != PAST]
    return Proposal(
        actions=(action,),
        title=hypothesis.title,
        reason=diagnosis.headline,
        proposed_by=RULES,
        prompted_by=prompted_by,
        evidence=cited,
        watched=tuple(dict.fromkeys(watched)),
    )


def _cited(evidence: Evidence) -> Cited:
    return Cited(
        id=evidence.id,
        tool=evidence.tool,
        query=evidence.query,
        excerpt=evidence.excerpt,
        is_measured=not evidence.tool.startswith(_WORDS),
    )
