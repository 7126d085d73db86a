"""What would be changed: one catalogued action with every argument. Pure; nothing here can run.

A rule fills an action in, the model may choose among those and propose arguments; neither can add a kind of action,
and whatever does not fit the kind's schema cannot be built.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Generic, NewType, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.entity import Entity
from tools.redaction import redact

ACTIONS = "approvals.actions"

ActionName = NewType("ActionName", str)
"""An id of the catalogue of actions, such as `restart-workload`."""


class ActionError(ValueError):
    """This is no action that could be proposed; the message says what was expected."""


class Effect(StrEnum):
    """What an action does to the world."""

    READ = "read"
    """Looks at what needs a credential or a sandbox; changes nothing."""
    WRITE = "write"


class ActionArgs(BaseModel):
    """Arguments of an action: whole numbers, booleans and text; unknown keys and near-misses are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


A = TypeVar("A", bound=ActionArgs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action on one target. Build it with `ActionKind.on` or `read`, which check the arguments."""

    name: ActionName
    target: Entity
    arguments: Mapping[str, Any]
    """Plain JSON values, as the kind's schema writes them; no argument is left to a default that could change."""
    cluster: str = ""
    """The world that the target is in; empty = the live one."""

    def to_json(self) -> dict[str, Any]:
        """As the digest, the store and the published diagnosis have it."""
        return {
            "name": self.name,
            "target": str(self.target),
            "arguments": dict(self.arguments),
            "cluster": self.cluster,
        }

    @property
    def sentence(self) -> str:
        """What it does, for people: from the catalogue and the arguments, never from anyone's prose."""
        kind = kinds()[self.name]
        return redact(kind.sentence(self.target, kind.args.model_validate_json(_dump(self.arguments))))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionKind(Generic[A]):
    """One entry of the catalogue; stands as a value in its own module under `approvals.actions`."""

    name: ActionName
    title: str
    """A few words: `Restart a workload`."""
    meaning: str
    """What it does and what it does not, for people and for the model."""
    effect: Effect
    args: type[A]
    targets: frozenset[str]
    """Kinds of entities that it can be about."""
    runner: str
    """Who carries it out: `kubernetes`, `sandbox`; empty = nobody, the approval itself is the effect (a grant)."""
    sentence: Callable[[Entity, A], str]

    def on(self, target: Entity, args: A, *, cluster: str = "") -> Action:
        """This action on a target.

        Raises:
            ActionError: when the target is of a kind that the action is not for.
        """
        if target.kind not in self.targets:
            raise ActionError(f"{self.name!r} is for {', '.join(sorted(self.targets))}, not for {str(target)[:200]!r}")
        return Action(name=self.name, target=target, arguments=args.model_dump(mode="json"), cluster=cluster)

    def arguments(self, action: Action) -> A:
        """The typed arguments of an action of this kind."""
        return self.args.model_validate_json(_dump(action.arguments))


@cache
def kinds() -> Mapping[str, ActionKind[Any]]:
    """All kinds of actions by name, found by walking the package.

    Raises:
        ValueError: when two have one name.
    """
    found: dict[str, ActionKind[Any]] = {}
    package = importlib.import_module(ACTIONS)
    for module in pkgutil.iter_modules(package.__path__, f"{ACTIONS}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, ActionKind):
                kind = cast("ActionKind[Any]", value)
                if found.setdefault(kind.name, kind) is not kind:
                    raise ValueError(f"two kinds of actions are named {kind.name!r}")
    return found


def read(data: Mapping[str, Any]) -> Action:
    """An action from plain JSON values: what the model proposed, or what the store kept.

    Raises:
        ActionError: when there is no such action, or target or arguments do not fit it.
    """
    unknown = sorted(set(data) - {"name", "target", "arguments", "cluster"})
    if unknown:
        raise ActionError(f"an action has no {unknown[0][:80]!r}; it has name, target, arguments and cluster")
    kind = kinds().get(str(data.get("name")))
    if kind is None:
        raise ActionError(f"there is no action {str(data.get('name'))[:80]!r}; there are: {', '.join(sorted(kinds()))}")
    try:
        target = Entity.parse(str(data.get("target")))
        args = kind.args.model_validate_json(_dump(data.get("arguments", {})))
    except ValidationError as wrong:
        raise ActionError(f"{kind.name}: {_why(wrong)}") from None
    except (ValueError, TypeError) as wrong:
        raise ActionError(f"{kind.name}: {str(wrong)[:300]}") from None
    return kind.on(target, args, cluster=str(data.get("cluster", "")))


def _dump(arguments: object) -> bytes:
    # JSON, and not the values themselves: strict validation takes a list for a tuple and a string for an enum only so.
    import orjson

    return orjson.dumps(dict(cast("Mapping[str, Any]", arguments)))


def _why(wrong: ValidationError) -> str:
    # Places and reasons, without the values: those may be an outsider's.
    parts = [
        f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}"
        for each in wrong.errors(include_url=False, include_context=False, include_input=False)[:5]
    ]
    return redact("; ".join(parts))
