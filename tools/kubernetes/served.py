"""The tool that says which kinds of objects a cluster serves."""

from pydantic import Field

from tools.catalogue import Args, Reading, tool
from tools.kubernetes.kinds import canonical
from tools.kubernetes.objects import HINT
from tools.world import Cluster, World, need


class KindsArgs(Args):
    """Which kinds."""

    kinds: tuple[str, ...] = Field(min_length=1, max_length=50, description="Kinds such as Gateway or Certificate")


@tool("kubernetes.kinds", KindsArgs)
async def kinds(world: World, args: KindsArgs) -> Reading:
    """Which of these kinds the cluster serves, or a recording holds.

    Of a custom kind that a cluster does not serve there are no objects; what a recording lacks may not be captured.
    """
    cluster: Cluster = need(world.cluster, "Kubernetes cluster", HINT)
    asked = list(dict.fromkeys(canonical(each) for each in args.kinds))
    served = [each for each in asked if await cluster.serves(each)]
    rest = [each for each in asked if each not in served]
    parts = (("served", served), ("not served", rest))
    lines = [f"{what}: {', '.join(several)}" for what, several in parts if several]
    return Reading(query="kubectl api-resources", text="\n".join(lines), data=served)
