"""Change a container's probe."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from approvals.action import ActionArgs, ActionName, Effect
from approvals.actions.objects import RUNNER, WORKLOADS, ContainerName, HttpPath, ObjectKind, Port, named
from tools.entity import Entity

Seconds = Annotated[int, Field(ge=1, le=3600)]
Times = Annotated[int, Field(ge=1, le=1000)]


class ProbeArgs(ActionArgs):
    """Which probe, and what becomes different; what is null stays."""

    container: ContainerName
    probe: Literal["liveness", "readiness", "startup"]
    port: Port | None = None
    path: HttpPath | None = None
    initial_delay_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    timeout_seconds: Seconds | None = None
    period_seconds: Seconds | None = None
    failure_threshold: Times | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.changed:
            raise ValueError("nothing of the probe would change; give port, path, a number of seconds or a threshold")
        return self

    @property
    def changed(self) -> dict[str, int | str]:
        """What becomes different, by the names of the arguments."""
        return self.model_dump(exclude={"container", "probe"}, exclude_none=True)


def _sentence(target: Entity, args: ProbeArgs) -> str:
    changes = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in args.changed.items())
    return f"Change the {args.probe} probe of container {args.container} of {named(target)}: {changes}."


patch_probe = ObjectKind(
    name=ActionName("patch-probe"),
    title="Change a probe",
    meaning="Changes where or how patiently one container is probed, and rolls that out. It cannot add a probe, remove "
    "one, or make one run a command.",
    effect=Effect.WRITE,
    args=ProbeArgs,
    targets=WORKLOADS,
    runner=RUNNER,
    sentence=_sentence,
)
