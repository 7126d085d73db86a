"""Changes of a Service: where its port leads, which pods it selects. Pure."""

from typing import Any

from approvals.action import Action
from approvals.actions.patch_service_port import ServicePortArgs, patch_service_port
from approvals.actions.patch_service_selector import ServiceSelectorArgs, patch_service_selector
from approvals.plan import NotPossible
from approvals.runners.kubernetes.change import Change, way_back
from approvals.runners.kubernetes.changes.rollouts import edited
from approvals.runners.kubernetes.reach import unread
from approvals.runners.kubernetes.seen import Seen, counted, ready
from tools.kubernetes.fields import items, mapping, name, number, text, value
from tools.world import Object


def _place(seen: Seen, args: ServicePortArgs) -> int:
    for place, each in enumerate(items(seen.target, "spec", "ports")):
        if number(each, "port") == args.port:
            return place
    raise NotPossible(f"Service {name(seen.target)} has no port {args.port}.")


def _leads_to(seen: Seen, args: ServicePortArgs) -> Any:
    # What is not written is the Service's own port.
    return value(items(seen.target, "spec", "ports")[_place(seen, args)], "targetPort") or args.port


def _ported(seen: Seen, args: ServicePortArgs) -> Object:
    place = _place(seen, args)
    if _leads_to(seen, args) == args.target_port:
        raise NotPossible(f"Port {args.port} of Service {name(seen.target)} leads to {args.target_port} already.")
    ports = [dict(each) for each in items(seen.target, "spec", "ports")]
    ports[place]["targetPort"] = args.target_port
    return edited(seen.target, ports, "spec", "ports")


def _unported(seen: Seen, args: ServicePortArgs) -> Action | None:
    return way_back(patch_service_port, seen, port=args.port, target_port=_leads_to(seen, args))


def _port_reach(seen: Seen, args: ServicePortArgs) -> str:
    pods, wanted = seen.pods, args.target_port
    declared = sum(1 for pod in pods if wanted in _ports_of(pod))
    said = "names" if isinstance(wanted, str) else "declares"
    sentences = [
        f"All callers of port {args.port}, now led to {_leads_to(seen, args)}. "
        f"{counted(len(pods), 'pod')} selected, {ready(pods)} ready; {declared} of them {said} the port {wanted}."
    ]
    return " ".join([*sentences, *unread(seen)])


def _ports_of(pod: Object) -> set[int | str]:
    ports = [port for each in items(pod, "spec", "containers") for port in items(each, "ports")]
    return {number(port, "containerPort") for port in ports} | {text(port, "name") for port in ports}


port = Change(
    kind=patch_service_port,
    related=frozenset({"Pod"}),
    after=_ported,
    undo=_unported,
    reach=_port_reach,
    is_narrow=False,
)


def _selecting(seen: Seen, args: ServiceSelectorArgs) -> Object:
    if mapping(seen.target, "spec", "selector") == args.selector:
        raise NotPossible(f"Service {name(seen.target)} has this selector already.")
    return edited(seen.target, dict(args.selector), "spec", "selector")


def _unselecting(seen: Seen, _args: ServiceSelectorArgs) -> Action | None:
    return way_back(patch_service_selector, seen, selector=dict(mapping(seen.target, "spec", "selector")))


def _selector_reach(seen: Seen, args: ServiceSelectorArgs) -> str:
    now, then = seen.pods, seen.selected({"matchLabels": args.selector})
    sentences = [
        f"All callers of the Service. It selects {counted(len(now), 'pod')} now, {ready(now)} ready, and would select "
        f"{len(then)}, {ready(then)} ready."
    ]
    if not then and "Pod" not in seen.unread:
        sentences.append("No pod has these labels: nobody would answer.")
    return " ".join([*sentences, *unread(seen)])


selector = Change(
    kind=patch_service_selector,
    related=frozenset({"Pod"}),
    after=_selecting,
    undo=_unselecting,
    reach=_selector_reach,
    is_narrow=False,
)
