"""The model puts a diagnosis into words; it may order, explain and propose, and changes nothing."""

from collections.abc import Mapping
from typing import Any

from agents import causes
from agents.diagnosis import Diagnosis
from agents.model import choosing, citations, prompts, schemas
from agents.model.answers import Explanation
from agents.model.asking import Model, Request
from agents.model.failures import ModelError, Reason

SECONDS = 45.0
"""For the one request, retries included: people already wait, and the rules' summary is ready."""


async def explain(diagnosis: Diagnosis, *, model: Model) -> Explanation:
    """One request, no looks. Never raises for the model's or the service's sake: see `Explanation.failure`."""
    if not model.is_configured:
        return Explanation(failure=Reason.NO_KEY)
    actions = choosing.proposed(diagnosis)
    system, tools = prompts.system(""), [schemas.conclude(with_proposals=True, with_actions=bool(actions))]
    told = prompts.conclusion(diagnosis, room=prompts.room_beside(system, tools))
    request = Request(
        system=system,
        tools=tools,
        messages=[{"role": "user", "content": [{"type": "text", "text": told}]}],
        forced=schemas.CONCLUDE,
    )
    try:
        reply, cost = await model.ask(request, within_s=SECONDS)
    except ModelError as error:
        return Explanation(usage=error.cost, failure=error.reason)
    if reply.stop == "max_tokens":
        return Explanation(usage=cost, failure=Reason.TRUNCATED)
    last = next((call for call in reply.calls if call.name == schemas.CONCLUDE), None)
    given: Mapping[str, Any] = (last.args if last else None) or {}
    known = frozenset(causes.catalogue())
    claims, dropped = citations.verified(citations.read(given.get("claims")), diagnosis.evidence, causes=known)
    proposals, doubted = citations.verified(citations.read(given.get("proposals")), diagnosis.evidence, causes=known)
    # Who proves nothing has no say in what is done either.
    choices = choosing.read_choices(given.get("actions"), actions) if claims else ()
    failure = None
    if not claims:
        failure = Reason.NOT_BORNE_OUT if dropped else Reason.NO_CONCLUSION
    return Explanation(
        claims=claims,
        proposals=proposals,
        choices=choices,
        dropped=dropped + doubted,
        usage=cost,
        failure=failure,
    )
