"""The tool that reads a container's log."""

from pydantic import Field

from tools.catalogue import Args, Reading, tool
from tools.kubernetes.objects import HINT
from tools.world import World, need


class LogsArgs(Args):
    """Whose log."""

    namespace: str = Field(min_length=1)
    pod: str = Field(min_length=1)
    container: str | None = Field(default=None, description="Needed when the pod has several")
    previous: bool = Field(default=False, description="The log of the container before its last restart")
    tail_lines: int = Field(default=200, ge=1, le=5_000)


@tool("kubernetes.logs", LogsArgs, timeout_s=20.0)
async def logs(world: World, args: LogsArgs) -> Reading:
    """The newest lines of one container's log, newest last. For a container that restarts, ask for the previous log.

    EMPTY means that the container wrote nothing, or has not started yet; its status tells which.
    """
    cluster = need(world.cluster, "Kubernetes cluster", HINT)
    found = await cluster.log(
        args.namespace, args.pod, args.container, previous=args.previous, tail_lines=args.tail_lines
    )
    container = f" -c {args.container}" if args.container else ""
    previous = " --previous" if args.previous else ""
    return Reading(
        query=f"kubectl logs -n {args.namespace} {args.pod}{container}{previous} --tail={args.tail_lines}",
        text=found,
        data=found,
    )
