"""The tool that lists objects of one kind."""

from collections.abc import Sequence

from pydantic import Field

from tools.catalogue import Args, Reading, tool
from tools.kind import plural
from tools.kubernetes import fields
from tools.kubernetes.kinds import CLUSTER_SCOPED, canonical
from tools.kubernetes.rows import row
from tools.world import Cluster, Object, World, need

MAX_LINES = 60
"""Objects that the text shows; the data has them all."""

HINT = "set a kubeconfig or run in the cluster; in a snapshot, add objects under kubernetes/"


class ObjectsArgs(Args):
    """Which objects."""

    kind: str = Field(
        min_length=1, description="Kind such as Pod, Deployment, Service, Node, EndpointSlice, or a custom kind"
    )
    namespace: str | None = Field(default=None, description="One namespace; omitted: all of them")
    name: str | None = Field(default=None, description="One object by its name")


@tool("kubernetes.objects", ObjectsArgs)
async def objects(world: World, args: ObjectsArgs) -> Reading:
    """Kubernetes objects of one kind, a line for each: those whose status complains come first.

    Of a Secret only the names of its keys are shown, and a live cluster is never asked for one. The line says what the
    status says; a controller that stopped leaves an old status behind.
    """
    kind = canonical(args.kind)
    cluster: Cluster = need(world.cluster, "Kubernetes cluster", HINT)
    # Cluster-scoped objects lie in no namespace: asked for in one, they would seem not to be there.
    namespace = None if kind in CLUSTER_SCOPED else args.namespace
    found = await cluster.objects(kind, namespace)
    if args.name is not None:
        found = [each for each in found if fields.name(each) == args.name]
    query = get_line(kind, namespace, args.name)
    return Reading(query=query, text=_text(kind, namespace, found, world), data=list(found))


def get_line(kind: str, namespace: str | None, name: str | None) -> str:
    """The `kubectl` line that reads the same."""
    return f"{selection(kind, namespace, name)} -o yaml"


def selection(kind: str, namespace: str | None, name: str | None) -> str:
    """The part of a `kubectl` line that says which objects."""
    where = "" if kind in CLUSTER_SCOPED else " -A" if namespace is None else f" -n {namespace}"
    if name is None:
        return f"kubectl get {plural(kind)}{where}"
    if where == " -A":
        return f"kubectl get {plural(kind)} -A --field-selector metadata.name={name}"
    return f"kubectl get {plural(kind)} {name}{where}"


def _text(kind: str, namespace: str | None, found: Sequence[Object], world: World) -> str:
    if not found:
        return ""
    now = world.now()
    # The sort is stable: within the same state the cluster's own order stays.
    rows = sorted((row(each, now) for each in found), key=lambda each: not each.complains)
    complaining = sum(1 for each in rows if each.complains)
    where = f" in {namespace}" if namespace else ""
    lines = [f"{len(rows)} {kind}{where}, {complaining} with a complaint in the status"]
    lines += [each.line for each in rows[:MAX_LINES]]
    if hidden := rows[MAX_LINES:]:
        among = sum(1 for each in hidden if each.complains)
        lines.append(f"… {len(hidden)} more, {among} of them with a complaint")
    return "\n".join(lines)
