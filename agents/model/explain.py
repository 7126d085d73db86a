"""The model puts a diagnosis into words; it may refute, order equals and propose, and decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agents import causes
from agents.diagnosis import Diagnosis
from agents.model import choosing, citations, prompts, schemas
from agents.model.answers import Answer, digest
from agents.model.asking import Model, Request
from agents.model.failures import ModelError, Reason
from agents.model.replies import Reply
from agents.report import Claim, Quality, Usage
from approvals.action import Action

SECONDS = 45.0
"""For the one request, retries included: people already wait, and the rules' summary is ready."""


async def explain(diagnosis: Diagnosis, claims: Sequence[Claim] = (), *, model: Model) -> Answer:
    """One request, no looks. Never raises for the model's or the service's sake: see `Answer.failure`.

    Args:
        diagnosis: by rules, with the evidence that claims cite.
        claims: what the specialists' models found out, checked.
        model: who is asked.
    """
    if not model.is_configured:
        return Answer(failure=Reason.NO_KEY)
    actions = choosing.proposed(diagnosis)
    system, tools = prompts.system(""), [schemas.conclude(with_proposals=True, with_actions=bool(actions))]
    told = prompts.conclusion(diagnosis, claims, room=prompts.room_beside(system, tools))
    request = Request(
        system=system,
        tools=tools,
        messages=[{"role": "user", "content": [{"type": "text", "text": told}]}],
        forced=schemas.CONCLUDE,
        known=digest(diagnosis.findings, diagnosis.evidence, diagnosis.hypotheses),
    )
    try:
        reply, cost = await model.ask(
            request, within_s=SECONDS, is_good=lambda reply: bool(_read(reply, diagnosis, actions).claims)
        )
    except ModelError as error:
        return Answer(usage=error.cost, failure=error.reason)
    answer = _read(reply, diagnosis, actions)
    return replace(answer, usage=answer.usage + cost)


def _read(reply: Reply, diagnosis: Diagnosis, actions: Sequence[Action]) -> Answer:
    """What of a reply holds."""
    if reply.stop == "max_tokens":
        return Answer(failure=Reason.TRUNCATED)
    last = next((call for call in reply.calls if call.name == schemas.CONCLUDE), None)
    given: Mapping[str, Any] = (last.args if last else None) or {}
    known = frozenset(causes.catalogue())
    said, guessed = citations.read(given.get("claims")), citations.read(given.get("proposals"))
    claims, dropped = citations.verified(said, diagnosis.evidence, causes=known)
    proposals, doubted = citations.verified(guessed, diagnosis.evidence, causes=known)
    # Who proves nothing has no say in what is done either.
    choices = choosing.read_choices(given.get("actions"), actions) if claims else ()
    failure = None
    if not claims:
        failure = Reason.NOT_BORNE_OUT if dropped else Reason.NO_CONCLUSION
    quality = Quality(claims=len(said) + len(guessed), held=len(claims) + len(proposals))
    return Answer(
        claims=claims,
        proposals=proposals,
        choices=choices,
        dropped=dropped + doubted,
        usage=Usage(quality=quality),
        failure=failure,
    )
