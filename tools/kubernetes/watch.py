"""The tool that tells what happens to objects while one looks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import Field
from whenever import Instant

from tools.catalogue import Args, Reading, tool
from tools.kubernetes import fields
from tools.kubernetes.changes import MAX_CHANGES, key
from tools.kubernetes.fields import Fields, mapping, text
from tools.kubernetes.kinds import CLUSTER_SCOPED, canonical
from tools.kubernetes.objects import HINT, selection
from tools.kubernetes.rows import row
from tools.world import Cluster, World, need

MAX_OBJECTS = 20
"""Objects that the text shows; the data has them all."""
_MAX_FIELDS = 12
_MAX_STEPS = 6
_MAX_VALUE = 60
_ABSENT = "none"

_TIMES = frozenset(("lastHeartbeatTime", "lastProbeTime", "lastTransitionTime", "lastUpdateTime"))
"""Move whenever the rest of a condition does, or when nothing did."""
_FIRST = ("restartCount", "phase", "ready", "exitCode", "readyReplicas", "reason", "replicas", "status")
"""The fields that a reader asks for, before the many others."""
_BOOKKEEPING = frozenset(("resourceVersion", "generation"))


class WatchArgs(Args):
    """What to watch, and for how long."""

    kind: str = Field(min_length=1, description="Kind such as Pod, Deployment, Node, or a custom kind")
    namespace: str | None = Field(default=None, description="One namespace; omitted: all of them")
    name: str | None = Field(default=None, description="One object by its name")
    seconds: int = Field(default=10, ge=1, le=20, description="How long to watch")


@tool("kubernetes.watch", WatchArgs, timeout_s=40.0, ttl_s=0.0)
async def watch(world: World, args: WatchArgs) -> Reading:
    """What happens to objects of one kind while one looks: added, deleted, and which fields of the status changed.

    Tells whether something still restarts, or whether a fix takes hold. Empty means that nothing happened in these
    seconds, which is not that all is well: what waits for its next restart stands still as well.
    """
    kind = canonical(args.kind)
    cluster: Cluster = need(world.cluster, "Kubernetes cluster", HINT)
    namespace = None if kind in CLUSTER_SCOPED else args.namespace
    changes = await cluster.watch(kind, namespace, args.seconds)
    told = summarised(
        [each for each in changes if args.name is None or fields.name(each["object"]) == args.name], world.now()
    )
    line = selection(kind, namespace, args.name)
    return Reading(
        query=f"timeout {args.seconds} {line} --watch-only --output-watch-events",
        text=_text(args, kind, told, cut=len(changes) >= MAX_CHANGES),
        data=told,
    )


def summarised(changes: Sequence[Mapping[str, Any]], now: Instant) -> list[dict[str, Any]]:
    """What happened to each object, those that complain first.

    Each is `{"object": "shop/cart-1", "line", "complains", "changes": ["ADDED", …], "status": {path: [value, …]},
    "elsewhere": [path, …]}`; the values of a path stand in the order in which they were seen.
    """
    by_object: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for each in changes:
        by_object.setdefault(key(each["object"]), []).append(each)
    told = [_told(each, now) for each in by_object.values()]
    return sorted(told, key=lambda each: not each["complains"])


def _told(changes: Sequence[Mapping[str, Any]], now: Instant) -> dict[str, Any]:
    last: Fields = changes[-1]["object"]
    is_gone = changes[-1]["type"] == "DELETED"
    seen = row(last, now)
    return {
        "object": "/".join(filter(None, (fields.namespace(last), fields.name(last)))),
        "line": seen.line,
        "complains": seen.complains and not is_gone,
        "changes": [each["type"] for each in changes],
        "status": _status(changes),
        "elsewhere": sorted({path for each in changes if each["type"] == "MODIFIED" for path in _elsewhere(each)}),
    }


def _status(changes: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The values that each field of the status went through; fields that kept theirs are left out."""
    states = [
        dict(_leaves(each.get("status"), "status"))
        for each in (changes[0]["before"], *(change["object"] for change in changes if change["type"] != "DELETED"))
        if each is not None
    ]
    found: dict[str, list[str]] = {}
    for path in dict.fromkeys(path for state in states for path in state):
        values = [state.get(path, _ABSENT) for state in states]
        steps = [one for place, one in enumerate(values) if place == 0 or one != values[place - 1]]
        if len(steps) > 1:
            found[path] = steps
    return dict(sorted(found.items(), key=lambda each: _rank(each[0])))


def _rank(path: str) -> int:
    field = path.rpartition(".")[2]
    return _FIRST.index(field) if field in _FIRST else len(_FIRST)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for field, inner in cast("Fields", value).items():
            if field not in _TIMES:
                yield from _leaves(inner, f"{path}.{field}")
    elif isinstance(value, list):
        for place, inner in enumerate(cast("list[Any]", value)):
            # By what tells them apart: the place of a condition changes when another one comes.
            mark = text(inner, "name") or text(inner, "type") or str(place)
            yield from _leaves(inner, f"{path}[{mark}]")
    elif value is not None:
        said = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
        yield path, said if len(said) <= _MAX_VALUE else f"{said[: _MAX_VALUE - 1]}…"


def _elsewhere(change: Mapping[str, Any]) -> Iterator[str]:
    """Which parts beside the status differ, without their values: those may be anything."""
    before, after = mapping(change, "before"), mapping(change, "object")
    if not before:
        return
    for part in (before.keys() | after.keys()) - {"status"}:
        old, new = before.get(part), after.get(part)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            inner_old, inner_new = cast("Fields", old), cast("Fields", new)
            for field in (inner_old.keys() | inner_new.keys()) - _BOOKKEEPING:
                if inner_old.get(field) != inner_new.get(field):
                    yield f"{part}.{field}"
        elif old != new:
            yield part


def _text(args: WatchArgs, kind: str, told: Sequence[Mapping[str, Any]], *, cut: bool) -> str:
    if not told:
        return ""
    counts = [change for each in told for change in each["changes"]]
    where = f" in {args.namespace}" if args.namespace and kind not in CLUSTER_SCOPED else ""
    head = ", ".join(
        f"{count} {change.lower()}" for change in ("ADDED", "MODIFIED", "DELETED") if (count := counts.count(change))
    )
    early = f"; ended early, after {MAX_CHANGES} changes of the kind" if cut else ""
    lines = [f"{kind}{where}, watched for {args.seconds} s: {head}, of {len(told)} objects{early}"]
    for each in told[:MAX_OBJECTS]:
        lines += _block(each)
    if hidden := told[MAX_OBJECTS:]:
        lines.append(f"… {len(hidden)} more objects, {sum(each['complains'] for each in hidden)} with a complaint")
    return "\n".join(lines)


def _block(told: Mapping[str, Any]) -> Iterator[str]:
    changes: list[str] = told["changes"]
    words = [change.lower() for place, change in enumerate(changes) if place == 0 or change != changes[place - 1]]
    times = changes.count("MODIFIED")
    said = ", ".join(f"{word} {times}x" if word == "modified" and times > 1 else word for word in words)
    yield f"{said}: {told['line']}"
    status: Mapping[str, Sequence[str]] = told["status"]
    for path, steps in list(status.items())[:_MAX_FIELDS]:
        yield f"  {path}: {' -> '.join(_shortened(steps))}"
    if len(status) > _MAX_FIELDS:
        yield f"  … {len(status) - _MAX_FIELDS} more fields of the status"
    if elsewhere := told["elsewhere"]:
        yield f"  beside the status: {', '.join(elsewhere[:_MAX_FIELDS])}"


def _shortened(steps: Sequence[str]) -> Sequence[str]:
    if len(steps) <= _MAX_STEPS:
        return steps
    return [*steps[: _MAX_STEPS - 2], f"({len(steps) - _MAX_STEPS + 1} more)", steps[-1]]
