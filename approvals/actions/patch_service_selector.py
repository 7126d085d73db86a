"""Change which pods a Service selects."""

from typing import Annotated

from pydantic import Field

from approvals.action import ActionArgs, ActionName, Effect
from approvals.actions.objects import RUNNER, LabelKey, LabelValue, ObjectKind, named
from tools.entity import Entity


class ServiceSelectorArgs(ActionArgs):
    """The whole selector."""

    selector: Annotated[
        dict[LabelKey, LabelValue],
        Field(min_length=1, max_length=16, description="The whole new selector: labels that are not in it are dropped"),
    ]


def _sentence(target: Entity, args: ServiceSelectorArgs) -> str:
    labels = " and ".join(f"{key}={value}" for key, value in sorted(args.selector.items()))
    return f"Let {named(target)} select the pods with {labels}, and no other label."


patch_service_selector = ObjectKind(
    name=ActionName("patch-service-selector"),
    title="Change which pods a Service selects",
    meaning="Replaces the selector of a Service: from then on its traffic goes to the ready pods with these labels.",
    effect=Effect.WRITE,
    args=ServiceSelectorArgs,
    targets=frozenset({"service"}),
    runner=RUNNER,
    sentence=_sentence,
)
