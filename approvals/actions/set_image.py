"""Set a container's image."""

from typing import Annotated

from pydantic import Field

from approvals.action import ActionArgs, ActionName, Effect
from approvals.actions.objects import (
    RUNNER,
    WORKLOADS,
    ContainerName,
    ImageReference,
    ObjectKind,
    named,
    repository,
)
from tools.entity import Entity


class ImageArgs(ActionArgs):
    """Which image for which container."""

    container: ContainerName
    image: ImageReference
    other_repository: Annotated[
        bool, Field(description="Whether the image may come from another repository than the present one")
    ] = False


def _sentence(target: Entity, args: ImageArgs) -> str:
    whence = f", which may be another repository ({repository(args.image)})" if args.other_repository else ""
    return f"Set the image of container {args.container} of {named(target)} to {args.image}{whence}."


set_image = ObjectKind(
    name=ActionName("set-image"),
    title="Set a container's image",
    meaning="Changes the image of one container and rolls the change out. Unless the request says otherwise, only the "
    "tag or digest changes: the repository stays the present one.",
    effect=Effect.WRITE,
    args=ImageArgs,
    targets=WORKLOADS,
    runner=RUNNER,
    sentence=_sentence,
)
