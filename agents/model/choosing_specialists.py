"""The model says who should look first, where the rules are sure of nobody. It chooses among specialists that exist.

One small request, and its answer is kept: the same alert does not ask twice. Whatever goes wrong, nobody is chosen and
the generalist leads, as it does without a model.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from agents.case import Case
from agents.model import prompts
from agents.model.asking import Model, Request
from agents.model.failures import ModelError
from agents.report import Usage
from agents.specialist import GENERALIST, Specialist
from tools.caching import Cache, CacheError

CHOOSE = "choose"
MOST = 2
"""Specialists that may be chosen: more would be the generalist with extra steps."""
SECONDS = 10.0
"""For the one request, retries included: nobody has looked at anything yet."""
KEPT_S = 86_400.0
"""How long a choice is kept. What an alert is about does not change; specialists' files may, and then the key does."""
_TOLD = 1_500
"""Characters of the question that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Whom the model chose; nobody when it did not know, or could not be asked."""

    names: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


async def choose(case: Case, specialists: Sequence[Specialist], *, model: Model, cache: Cache) -> Chosen:
    """The model's choice among the specialists but the generalist. Never raises for the model's or the cache's sake."""
    candidates = {each.name: each.description for each in specialists if each.name != GENERALIST}
    told = prompts.fenced("question", _question(case))
    key = "chosen/" + hashlib.sha256(json.dumps([candidates, told], sort_keys=True).encode()).hexdigest()
    if (kept := await _kept(cache, key)) is not None:
        return Chosen(names=_known(kept, candidates))
    try:
        reply, cost = await model.ask(_request(candidates, told), within_s=SECONDS)
    except ModelError as error:
        return Chosen(usage=error.cost)
    call = next((each for each in reply.calls if each.name == CHOOSE), None)
    names = _known(call.args.get("specialists") if call and call.args else None, candidates)
    if call:
        await _keep(cache, key, names)
    return Chosen(names=names, usage=cost)


def _question(case: Case) -> str:
    labels = sorted({f"{name}={value}" for alert in case.alerts for name, value in alert.labels.items()})
    return " ".join((case.question[:_TOLD], *labels))[: 2 * _TOLD]


def _request(candidates: dict[str, str], told: str) -> Request:
    listed = "\n".join(f"- {name}: {description}" for name, description in candidates.items())
    text = f"Who should look into this first? Call `{CHOOSE}`; an empty list when you do not know.\n{listed}\n{told}"
    tool = {
        "name": CHOOSE,
        "description": "Name the one or two specialists whose subject this is, best first.",
        "input_schema": {
            "type": "object",
            "properties": {"specialists": {"type": "array", "items": {"type": "string", "enum": list(candidates)}}},
            "required": ["specialists"],
        },
    }
    message = {"role": "user", "content": [{"type": "text", "text": text}]}
    return Request(system=prompts.system(""), tools=[tool], messages=[message], forced=CHOOSE)


def _known(given: object, candidates: dict[str, str]) -> tuple[str, ...]:
    named = cast("list[object]", given) if isinstance(given, list) else []
    return tuple(dict.fromkeys(each for each in named if isinstance(each, str) and each in candidates))[:MOST]


async def _kept(cache: Cache, key: str) -> object:
    try:
        found = await cache.get(key)
        return json.loads(found[0]) if found else None
    except (CacheError, ValueError):
        # A choice that cannot be read is asked for again.
        return None


async def _keep(cache: Cache, key: str, names: tuple[str, ...]) -> None:
    try:
        await cache.put(key, json.dumps(names).encode(), KEPT_S)
    except CacheError:
        # Asking again is dearer, never wrong.
        return
