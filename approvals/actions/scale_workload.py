"""Scale a workload."""

from typing import Annotated

from pydantic import Field

from approvals.action import ActionArgs, ActionName, Effect
from approvals.actions.objects import RUNNER, ObjectKind, named
from tools.entity import Entity


class ScaleArgs(ActionArgs):
    """To how many."""

    replicas: Annotated[int, Field(ge=0, le=1000, description="Pods that are wanted from then on")]


def _sentence(target: Entity, args: ScaleArgs) -> str:
    if args.replicas == 0:
        return f"Scale {named(target)} to 0 replicas: stop it."
    return f"Scale {named(target)} to {args.replicas} {'replica' if args.replicas == 1 else 'replicas'}."


scale_workload = ObjectKind(
    name=ActionName("scale-workload"),
    title="Scale a workload",
    meaning="Sets how many pods a workload is to have. Where an autoscaler owns the number, it sets its own again.",
    effect=Effect.WRITE,
    args=ScaleArgs,
    targets=frozenset({"deployment", "statefulset"}),
    runner=RUNNER,
    sentence=_sentence,
)
