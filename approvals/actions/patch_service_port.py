"""Change where a Service's port leads."""

from typing import Annotated

from pydantic import Field

from approvals.action import ActionArgs, ActionName, Effect
from approvals.actions.objects import RUNNER, ObjectKind, Port, PortNumber, named


class ServicePortArgs(ActionArgs):
    """Which port leads where."""

    port: Annotated[PortNumber, Field(description="The Service's own port, as its callers use it")]
    target_port: Annotated[Port, Field(description="Number or name of the pods' port that it is to lead to")]


patch_service_port = ObjectKind(
    name=ActionName("patch-service-port"),
    title="Change where a Service's port leads",
    meaning="Changes the target port of one port of a Service. Its callers and its own port stay as they are.",
    effect=Effect.WRITE,
    args=ServicePortArgs,
    targets=frozenset({"service"}),
    runner=RUNNER,
    sentence=lambda target, args: f"Let port {args.port} of {named(target)} lead to the pods' port {args.target_port}.",
)
