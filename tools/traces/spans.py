"""Spans of OTLP/JSON, reduced to what a diagnosis reads: who worked how long for whom, and whether it failed. Pure.

Names and attributes are data of whoever instrumented the service; only those that name a place are read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from tools.entity import Entity

_KINDS = {"1": "internal", "2": "server", "3": "client", "4": "producer", "5": "consumer"}
_NAMESPACES = ("service.namespace", "k8s.namespace.name")
_PEERS = ("peer.service", "server.address", "net.peer.name", "rpc.service", "messaging.destination.name")
_FAILED = frozenset({"2", "STATUS_CODE_ERROR"})
NANO = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One piece of work of one service."""

    id: str
    parent: str
    service: Entity
    kind: str
    """`server`, `client`, `producer`, `consumer` or `internal`."""
    at: float
    """Unix seconds at which it began."""
    seconds: float
    failed: bool
    peer: Entity | None
    """For calls: what is called, as the caller knows it."""


def spans(document: Any, default_namespace: str) -> Iterator[Span]:
    """The spans of one export; what has no id, no service or no time is left out."""
    for group in _each(_fields(document).get("resourceSpans")):
        about = _attributes(_fields(group.get("resource")))
        name = about.get("service.name", "")
        if not name or "/" in name:
            continue
        namespace = next((about[key] for key in _NAMESPACES if about.get(key)), default_namespace)
        service = Entity.of("service", namespace.replace("/", "-"), name)
        for scope in (*_each(group.get("scopeSpans")), *_each(group.get("instrumentationLibrarySpans"))):
            for raw in _each(scope.get("spans")):
                if found := _span(raw, service):
                    yield found


def _span(raw: Mapping[str, Any], service: Entity) -> Span | None:
    id, parent = raw.get("spanId"), raw.get("parentSpanId")  # noqa: A001 - the word of the format
    began, ended = _nano(raw.get("startTimeUnixNano")), _nano(raw.get("endTimeUnixNano"))
    if not isinstance(id, str) or not id or began is None or ended is None or ended < began:
        return None
    kind = str(raw.get("kind") or "1")
    kind = _KINDS.get(kind, kind.removeprefix("SPAN_KIND_").lower())
    return Span(
        id=id,
        parent=parent if isinstance(parent, str) else "",
        service=service,
        kind=kind,
        at=began / NANO,
        seconds=(ended - began) / NANO,
        failed=str(_fields(raw.get("status")).get("code")) in _FAILED,
        peer=_peer(_attributes(raw), service) if kind in ("client", "producer") else None,
    )


def _peer(about: Mapping[str, str], service: Entity) -> Entity | None:
    name = next((about[key] for key in _PEERS if about.get(key)), "")
    system = about.get("db.system") or about.get("db.system.name", "")
    if system:
        return Entity.of("database", service.namespace, (name or system).replace("/", "-"))
    return Entity.of("remote", service.namespace, name.replace("/", "-")) if name else None


def _attributes(holder: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in _each(holder.get("attributes")):
        key, written = each.get("key"), _fields(each.get("value")).get("stringValue")
        if isinstance(key, str) and isinstance(written, str):
            found[key] = written
    return found


def _each(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (cast("Mapping[str, Any]", each) for each in cast("list[Any]", value) if isinstance(each, dict))


def _fields(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _nano(written: Any) -> int | None:
    if isinstance(written, bool) or not isinstance(written, int | str):
        return None
    try:
        found = int(written)
    except ValueError:
        return None
    # Beyond these it is no time of this world, and no clock can show it.
    return found if 0 < found < 2**63 else None
