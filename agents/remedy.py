"""The catalogue of remedies: which action addresses a cause, with every argument taken from what was seen. Pure.

A remedy is a value in its module, found by walking `agents.remedies`. It reads objects of the cluster and numbers,
never words that an application wrote. Where these do not determine an argument, it proposes nothing.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from pydantic import ValidationError

from agents.finding import CauseId, Finding
from agents.scene import Scene
from approvals.action import Action, ActionError, read

REMEDIES = "agents.remedies"
MOST = 3
"""Actions proposed for one finding; more would not be decided with care."""

Propose = Callable[[Finding, Scene], Iterator[Action]]


@dataclass(frozen=True, slots=True)
class Remedy:
    """What addresses some causes."""

    causes: frozenset[CauseId]
    propose: Propose


def remedy(*causes: str) -> Callable[[Propose], Remedy]:
    """Turns a pure function of a finding and its scene into a `Remedy` of these causes."""

    def made(propose: Propose) -> Remedy:
        return Remedy(frozenset(map(CauseId, causes)), propose)

    return made


@cache
def catalogue() -> Mapping[CauseId, tuple[Remedy, ...]]:
    """The remedies of each cause; the first one that has something to propose is taken."""
    found: dict[CauseId, tuple[Remedy, ...]] = {}
    package = importlib.import_module(REMEDIES)
    for module in pkgutil.iter_modules(package.__path__, f"{REMEDIES}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Remedy):
                for cause in value.causes:
                    found[cause] = (*found.get(cause, ()), value)
    return MappingProxyType(found)


def remedied(findings: Iterable[Finding], scene: Scene, *, cluster: str) -> tuple[Finding, ...]:
    """The findings with the actions that address them.

    Args:
        findings: of the scene.
        scene: what was seen.
        cluster: the world that the actions are about, as `Action.cluster` has it.
    """
    return tuple(replace(each, actions=_actions(each, scene, cluster)) for each in findings)


def _actions(finding: Finding, scene: Scene, cluster: str) -> tuple[Action, ...]:
    for each in catalogue().get(finding.cause, ()):
        try:
            proposed = _checked(each.propose(finding, scene), cluster)
        except Exception as bug:  # noqa: BLE001 - the outer edge of all remedies: without one, the diagnosis still stands
            _report(finding.cause, bug)
            continue
        if proposed:
            return proposed
    return ()


def _report(cause: CauseId, bug: Exception) -> None:
    # Imported late: it costs more than everything else here, and remedies that work never need it.
    import structlog

    structlog.get_logger(__name__).error("remedy_failed", cause=cause, exc_info=bug)


def _checked(proposed: Iterator[Action], cluster: str) -> tuple[Action, ...]:
    """What is proposed, read once more as a whole; an object whose names fit no action gets none."""
    try:
        made: Sequence[Action] = [read({**each.to_json(), "cluster": cluster}) for each in proposed]
    except (ActionError, ValidationError):
        return ()
    return tuple(made[:MOST])
