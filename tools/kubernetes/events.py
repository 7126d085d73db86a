"""The tool that reads what the cluster recorded about objects."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from whenever import Instant

from tools.catalogue import Args, Reading, tool
from tools.kubernetes.fields import Fields, age, mapping, moment, number, text
from tools.kubernetes.kinds import canonical
from tools.kubernetes.objects import HINT
from tools.window import Window
from tools.world import World, need

MAX_LINES = 60
"""Events that the text shows; the data has them all."""


class EventsArgs(Args):
    """Which events."""

    namespace: str | None = Field(default=None, description="One namespace; omitted: all of them")
    kind: str | None = Field(default=None, description="Kind of the object that the events are about")
    name: str | None = Field(default=None, description="Name of the object that the events are about")
    minutes: float = Field(default=60, gt=0, le=10_080, description="How far back from now")


@tool("kubernetes.events", EventsArgs)
async def events(world: World, args: EventsArgs) -> Reading:
    """What Kubernetes recorded about objects in the last minutes: warnings first, then the newest.

    A cluster keeps events for about an hour: EMPTY says nothing about earlier. Events of nodes lie in the namespace
    `default`.
    """
    cluster = need(world.cluster, "Kubernetes cluster", HINT)
    now = world.now()
    window = Window.ending(now, minutes=args.minutes)
    wanted = canonical(args.kind) if args.kind else None
    found = [
        each
        for raw in await cluster.objects("Event", args.namespace)
        if _is_about(each := normalised(raw), wanted, args.name) and _is_since(each, window.start)
    ]
    found.sort(key=lambda each: (text(each, "type") != "Warning", -_seconds(last_seen(each), now)))
    return Reading(query=_query(args, wanted), text=_text(found, now), data=found, window=window)


def normalised(event: Fields) -> dict[str, Any]:
    """An event in the form of core/v1, whichever API wrote it."""
    series = mapping(event, "series")
    first = text(event, "firstTimestamp") or text(event, "deprecatedFirstTimestamp") or text(event, "eventTime")
    last = text(event, "lastTimestamp") or text(event, "deprecatedLastTimestamp")
    last = text(series, "lastObservedTime") or last or first
    # Some recorders leave all times empty; that the event was created is then the best that is known.
    created = text(event, "metadata", "creationTimestamp")
    about = mapping(event, "involvedObject") or mapping(event, "regarding")
    component = text(event, "source", "component") or text(event, "reportingComponent")
    component = component or text(event, "reportingController")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": dict(mapping(event, "metadata")),
        "involvedObject": dict(about),
        "type": text(event, "type") or "Normal",
        "reason": text(event, "reason"),
        "message": text(event, "message") or text(event, "note"),
        "count": number(series, "count") or number(event, "count") or number(event, "deprecatedCount") or 1,
        "firstTimestamp": first or created or None,
        "lastTimestamp": last or created or None,
        "source": {"component": component},
    }  # fmt: skip


def last_seen(event: Fields) -> Instant | None:
    """When a normalised event was last recorded."""
    return moment(event, "lastTimestamp")


def _is_about(event: Fields, kind: str | None, name: str | None) -> bool:
    about = mapping(event, "involvedObject")
    return (kind is None or text(about, "kind") == kind) and (name is None or text(about, "name") == name)


def _is_since(event: Fields, start: Instant) -> bool:
    at = last_seen(event)
    # One without any time may be of now; leaving it out would hide it.
    return at is None or at >= start


def _seconds(at: Instant | None, now: Instant) -> float:
    return (at - now).total("seconds") if at else 0.0


def _query(args: EventsArgs, kind: str | None) -> str:
    where = f"-n {args.namespace}" if args.namespace else "-A"
    about = [f"involvedObject.kind={kind}"] if kind else []
    about += [f"involvedObject.name={args.name}"] if args.name else []
    selector = f" --field-selector {','.join(about)}" if about else ""
    return f"kubectl get events {where}{selector} --sort-by=.lastTimestamp"


def _text(found: Sequence[Fields], now: Instant) -> str:
    if not found:
        return ""
    warnings = sum(1 for each in found if text(each, "type") == "Warning")
    lines = [f"{len(found)} events, {warnings} of them warnings"]
    for each in found[:MAX_LINES]:
        about = mapping(each, "involvedObject")
        where = "/".join(filter(None, (text(about, "namespace"), text(about, "name"))))
        lines.append(
            f"{text(each, 'lastTimestamp') or 'no time'} ({age(now, last_seen(each))} ago) {text(each, 'type')} "
            f"{text(each, 'reason')} {text(about, 'kind')} {where} x{number(each, 'count')}: "
            f"{_flat(text(each, 'message'))}"
        )
    if len(found) > MAX_LINES:
        hidden = sum(1 for each in found[MAX_LINES:] if text(each, "type") == "Warning")
        lines.append(f"… {len(found) - MAX_LINES} more, {hidden} of them warnings")
    return "\n".join(lines)


def _flat(message: str) -> str:
    return " ".join(message.split())[:400]
