"""One kind of change of a Kubernetes object: what it makes of the object, how to take it back, who feels it. Pure."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from approvals.action import Action, ActionArgs, ActionError, ActionKind
from approvals.runners.kubernetes.seen import Seen
from tools.entity import Entity
from tools.kubernetes.fields import number, text
from tools.world import Object

A = TypeVar("A", bound=ActionArgs)
Counts = Mapping[str, str | int]

_HISTORY = {"ReplicaSet": frozenset({"deployment"}), "ControllerRevision": frozenset({"statefulset", "daemonset"})}
"""Where the rollout history of a kind of workload is kept."""
PODS_AND_WHO_USES_THEM = frozenset({"Pod", "Service", "PodDisruptionBudget"})


def no_counts(_seen: Seen, _args: ActionArgs) -> Counts:
    """The object itself is all that the reason rests on."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Generic[A]):
    """How the actions of one kind change their target."""

    kind: ActionKind[A]
    related: frozenset[str] = frozenset()
    """Kinds that are listed for it, beside the target: in its namespace, or in the cluster where it has none."""
    after: Callable[[Seen, A], Object | None]
    """The target as it is to be; `None` = deleted. Raises `NotPossible` where it makes no sense (any more)."""
    undo: Callable[[Seen, A], Action | None]
    """The action that makes the target what it was."""
    counts: Callable[[Seen, A], Counts] = no_counts
    """What the reason rests on beyond the object itself."""
    reach: Callable[[Seen, A], str]
    """Who feels it, in sentences with numbers."""
    is_narrow: bool
    """Whether the precondition leaves the status out: uid, generation and the whole spec instead of `resourceVersion`.

    For objects whose status changes all the time, above all while they are in trouble: an approval that takes minutes
    would always be void. The write itself still carries the `resourceVersion` of the object read just before.
    """

    def related_to(self, target: Entity) -> Sequence[str]:
        """The kinds that are listed for one target."""
        return sorted(each for each in self.related if target.kind in _HISTORY.get(each, {target.kind}))

    def fingerprint(self, seen: Seen) -> Counts:
        """What must still hold when the change is made."""
        target = seen.target
        found: dict[str, str | int] = {"uid": text(target, "metadata", "uid")}
        version = text(target, "metadata", "resourceVersion")
        # Of a recorded object no version may be known.
        if self.is_narrow or not version:
            # Nodes and Services have no generation; the spec tells as much.
            found |= {"generation": number(target, "metadata", "generation"), "spec": hashed(target.get("spec"))}
        else:
            found["resourceVersion"] = version
        return found | dict(self.counts(seen, self.kind.arguments(seen.action)))


def hashed(value: Any) -> str:
    """The same for equal JSON values."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:32]


def way_back(kind: ActionKind[A], seen: Seen, **arguments: Any) -> Action | None:
    """The action on the same target with what it was before; `None` where that cannot be said in its arguments."""
    try:
        args = kind.args.model_validate_json(json.dumps(arguments))
        return kind.on(seen.action.target, args, cluster=seen.action.cluster)
    except (ValidationError, ActionError):
        return None
