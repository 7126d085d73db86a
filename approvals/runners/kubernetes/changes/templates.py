"""Changes of one container in a workload's pod template: its image, its resources, its probes. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from approvals.action import Action
from approvals.actions.objects import repository
from approvals.actions.patch_probe import ProbeArgs, patch_probe
from approvals.actions.set_image import ImageArgs, set_image
from approvals.actions.set_resources import ResourcesArgs, set_resources
from approvals.plan import NotPossible
from approvals.runners.kubernetes.change import PODS_AND_WHO_USES_THEM, Change, way_back
from approvals.runners.kubernetes.changes.rollouts import edited
from approvals.runners.kubernetes.reach import container, of_rollout
from approvals.runners.kubernetes.seen import Seen
from tools.kubernetes.fields import mapping, name, text, value
from tools.world import Object

Container = Mapping[str, Any]


def _container(seen: Seen, wanted: str) -> Container:
    found = container(seen.target, wanted)
    if found is None:
        raise NotPossible(f"{name(seen.target)} has no container {wanted!r}.")
    return found[2]


def _with(seen: Seen, wanted: str, change: Callable[[Container], Container]) -> Object:
    """The target with one container changed, and nothing else."""
    before = _container(seen, wanted)
    after = change(before)
    if after == before:
        raise NotPossible(f"Container {wanted} of {name(seen.target)} is like that already.")
    listed, place, _ = container(seen.target, wanted) or ("", 0, {})
    containers = [*seen.target["spec"]["template"]["spec"][listed]]
    containers[place] = after
    return edited(seen.target, containers, "spec", "template", "spec", listed)


def _imaged(seen: Seen, args: ImageArgs) -> Object:
    present = text(_container(seen, args.container), "image")
    if not args.other_repository and repository(args.image) != repository(present):
        raise NotPossible(
            f"{args.image} is of another repository than {present}, and the request does not say that it may be."
        )
    return _with(seen, args.container, lambda known: {**known, "image": args.image})


def _unimaged(seen: Seen, args: ImageArgs) -> Action | None:
    present = text(_container(seen, args.container), "image")
    other = repository(args.image) != repository(present)
    return way_back(set_image, seen, container=args.container, image=present, other_repository=other)


image = Change(
    kind=set_image,
    related=PODS_AND_WHO_USES_THEM,
    after=_imaged,
    undo=_unimaged,
    reach=lambda seen, _: of_rollout(seen),
    is_narrow=True,
)


_RESOURCES = {
    "cpu_request": ("requests", "cpu"),
    "memory_request": ("requests", "memory"),
    "cpu_limit": ("limits", "cpu"),
    "memory_limit": ("limits", "memory"),
}


def _resourced(seen: Seen, args: ResourcesArgs) -> Object:
    def change(known: Container) -> Container:
        resources: dict[str, Any] = dict(mapping(known, "resources"))
        for argument, quantity in args.changed.items():
            part, resource = _RESOURCES[argument]
            resources[part] = {**mapping(resources, part), resource: quantity}
            if quantity == "none":
                del resources[part][resource]
        return {**known, "resources": {key: each for key, each in resources.items() if each}}

    return _with(seen, args.container, change)


def _unresourced(seen: Seen, args: ResourcesArgs) -> Action | None:
    known = _container(seen, args.container)
    before = {argument: text(known, "resources", *_RESOURCES[argument]) or "none" for argument in args.changed}
    return way_back(set_resources, seen, container=args.container, **before)


resources = Change(
    kind=set_resources,
    related=PODS_AND_WHO_USES_THEM,
    after=_resourced,
    undo=_unresourced,
    reach=lambda seen, _: of_rollout(seen),
    is_narrow=True,
)


_NUMBERS = {
    "initial_delay_seconds": ("initialDelaySeconds", 0),
    "timeout_seconds": ("timeoutSeconds", 1),
    "period_seconds": ("periodSeconds", 10),
    "failure_threshold": ("failureThreshold", 3),
}
"""Arguments, the fields that they set, and what Kubernetes takes where a field is not written."""
_BY_PORT = ("httpGet", "tcpSocket", "grpc")


def _probe(seen: Seen, args: ProbeArgs) -> Container:
    found = mapping(_container(seen, args.container), f"{args.probe}Probe")
    if not found:
        raise NotPossible(f"Container {args.container} of {name(seen.target)} has no {args.probe} probe.")
    return found


def _asked_by(probe: Container, args: ProbeArgs) -> str:
    """What the probe speaks, where the arguments are about that."""
    way = next((each for each in _BY_PORT if each in probe), "exec")
    if args.port is not None and (way == "exec" or (way == "grpc" and isinstance(args.port, str))):
        raise NotPossible(f"The {args.probe} probe is of kind {way}, which cannot have the port {args.port!r}.")
    if args.path is not None and way != "httpGet":
        raise NotPossible(f"The {args.probe} probe is of kind {way}, which has no path.")
    return way


def _probed(seen: Seen, args: ProbeArgs) -> Object:
    probe = _probe(seen, args)
    way = _asked_by(probe, args)
    after: dict[str, Any] = {**probe}
    after |= {_NUMBERS[each][0]: new for each, new in args.changed.items() if each in _NUMBERS}
    target = {key: new for key, new in (("port", args.port), ("path", args.path)) if new is not None}
    if target:
        after[way] = {**mapping(probe, way), **target}
    return _with(seen, args.container, lambda known: {**known, f"{args.probe}Probe": after})


def _unprobed(seen: Seen, args: ProbeArgs) -> Action | None:
    probe = _probe(seen, args)
    way = _asked_by(probe, args)
    before: dict[str, Any] = {}
    for argument in args.changed:
        if argument in _NUMBERS:
            field, unwritten = _NUMBERS[argument]
            before[argument] = probe.get(field, unwritten)
        else:
            before[argument] = value(probe, way, argument)
    return way_back(patch_probe, seen, container=args.container, probe=args.probe, **before)


probe = Change(
    kind=patch_probe,
    related=PODS_AND_WHO_USES_THEM,
    after=_probed,
    undo=_unprobed,
    reach=lambda seen, _: of_rollout(seen),
    is_narrow=True,
)
