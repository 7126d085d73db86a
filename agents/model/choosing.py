"""What the model makes of the actions that rules propose: which it would take first, and other numbers for them. Pure.

It adds no kind of action, no target and no text; whatever else it asks for is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from agents.diagnosis import MODEL, Diagnosis, Hypothesis, Remediation
from agents.objects import quantity
from approvals.action import Action, ActionError, read

MOST = 5
FREE = frozenset({"revision", "port", "target_port"})
"""Arguments that the model may choose among what the runner finds to exist."""
BOUNDED = frozenset({"replicas", "memory_limit", "cpu_limit"})
"""Arguments that it may choose, up to twice what rules propose."""
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One action that the model would take."""

    of: Action
    """As rules propose it."""
    instead: Action | None = None
    """The same with other numbers; `None` = as it is."""


def proposed(diagnosis: Diagnosis) -> tuple[Action, ...]:
    """What rules propose, each once; the model names them by their place, from 1 on."""
    found: list[Action] = []
    for hypothesis in diagnosis.hypotheses:
        found += [each.action for each in hypothesis.remediations if each.action and each.action not in found]
    return tuple(found)


def described(action: Action) -> str:
    """One action in a line: its sentence and the arguments that it has."""
    given = {name: value for name, value in action.arguments.items() if value is not None}
    return f"{action.sentence} {orjson.dumps(given).decode()}"


def read_choices(written: object, actions: Sequence[Action]) -> tuple[Choice, ...]:
    """The choices among these actions, in the model's order; what is none of them is dropped."""
    found: list[Choice] = []
    for each in cast("list[object]", written)[:MOST] if isinstance(written, list) else []:
        said = _mapping(each)
        place = said.get("action")
        if isinstance(place, bool) or not isinstance(place, int) or not 1 <= place <= len(actions):
            continue
        action = actions[place - 1]
        instead = _varied(action, said["arguments"]) if said.get("arguments") else None
        # One that asks for what it may not is no choice of the action as it is.
        if (instead is not None or not said.get("arguments")) and action not in [one.of for one in found]:
            found.append(Choice(of=action, instead=instead))
    return tuple(found)


def applied(diagnosis: Diagnosis, choices: Sequence[Choice]) -> Diagnosis:
    """The diagnosis with the chosen actions marked, and those with other numbers beside the rules' own."""
    if not choices:
        return diagnosis
    return replace(diagnosis, hypotheses=tuple(_marked(each, choices) for each in diagnosis.hypotheses))


def _marked(hypothesis: Hypothesis, choices: Sequence[Choice]) -> Hypothesis:
    found: list[Remediation] = []
    for each in hypothesis.remediations:
        choice = next((one for one in choices if one.of == each.action), None)
        found.append(replace(each, is_chosen=choice is not None and choice.instead is None))
        if choice is not None and choice.instead is not None:
            summary = choice.instead.sentence
            found.append(Remediation(summary=summary, action=choice.instead, proposed_by=MODEL, is_chosen=True))
    return replace(hypothesis, remediations=tuple(found))


def _varied(action: Action, wanted: object) -> Action | None:
    """The same action with other numbers where rules filled some in; `None` for anything else."""
    other = {name: value for name, value in _mapping(wanted).items() if action.arguments.get(name) != value}
    if not other or not all(_may(action.arguments.get(name), value, name) for name, value in other.items()):
        return None
    try:
        return read({**action.to_json(), "arguments": {**action.arguments, **other}})
    except ActionError:
        return None


def _may(before: object, after: object, name: str) -> bool:
    if before is None or type(before) is not type(after):
        return False
    if name in FREE:
        return isinstance(after, int)
    most, wanted = quantity(before), quantity(after)
    return name in BOUNDED and most is not None and wanted is not None and most / 2 <= wanted <= 2 * most


def _mapping(written: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", written) if isinstance(written, dict) else _NOTHING
