"""Set a container's requests and limits."""

from typing import Self

from pydantic import model_validator

from approvals.action import ActionArgs, ActionName, Effect
from approvals.actions.objects import RUNNER, WORKLOADS, ContainerName, Cpu, Memory, NoLimit, ObjectKind, named
from tools.entity import Entity


class ResourcesArgs(ActionArgs):
    """What becomes different: a quantity, or `none` to take it away; what is null stays."""

    container: ContainerName
    cpu_request: Cpu | NoLimit | None = None
    memory_request: Memory | NoLimit | None = None
    cpu_limit: Cpu | NoLimit | None = None
    memory_limit: Memory | NoLimit | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.changed:
            raise ValueError("nothing would change; give a request or a limit of cpu or memory")
        return self

    @property
    def changed(self) -> dict[str, str]:
        """What becomes different, by the names of the arguments."""
        return self.model_dump(exclude={"container"}, exclude_none=True)


def _sentence(target: Entity, args: ResourcesArgs) -> str:
    changes = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in args.changed.items())
    return f"Set resources of container {args.container} of {named(target)}: {changes}."


set_resources = ObjectKind(
    name=ActionName("set-resources"),
    title="Set requests and limits",
    meaning="Changes what one container asks for and may use of processor and memory, and rolls that out. More memory "
    "postpones what a leak does, and pods that ask for more than a node has free do not start.",
    effect=Effect.WRITE,
    args=ResourcesArgs,
    targets=WORKLOADS,
    runner=RUNNER,
    sentence=_sentence,
)
