"""What is asked of the world before anybody thinks: first everything that an area's rules need, then what looks ill.

Only `look` touches the world. What gave no answer is kept as evidence too, and said in the end.
"""

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, cast

from whenever import Instant, TimeDelta

from agents.case import Case
from agents.custom.checks import Checks
from agents.objects import number
from tools.entity import Entity
from tools.evidence import Evidence, Outcome
from tools.kubernetes.fields import items, moment, text, value, words
from tools.world import World

Look = Callable[[str, Mapping[str, Any]], Awaitable[Evidence]]
"""A look at the world that never raises for the world's sake: `tools.looking.Looker.look`."""

MOST_CONTAINERS = 20
"""Logs are the dearest look; the sickest containers are read first."""
OWN_PODS = 3
"""Healthy pods of the case whose log is read all the same: one of them may say what the others cannot."""
MOST_NAMESPACES = 3
"""Where a case names more, all are listed at once."""
MOST_HOSTS = 5
TAIL_LINES = 200
MOST_LINES = 1000
BASELINE_MINUTES = 120
LONGEST_MINUTES = 10_080
RECENT = TimeDelta(hours=1)

_EVERYWHERE = (
    "Node", "PersistentVolume", "StorageClass", "IngressClass", "PriorityClass", "Namespace", "ClusterRole",
    "GatewayClass",
    "ClusterExtension", "ClusterCatalog",
)  # fmt: skip
"""Kinds that lie in no namespace."""
_BASE = ("Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Service", "Node")
_KINDS: Mapping[str, tuple[str, ...]] = {
    "pods": ("Job", "ServiceAccount"),
    "images": ("ServiceAccount", "Secret"),
    "probes": (),
    "scheduling": ("PersistentVolumeClaim", "ResourceQuota", "LimitRange", "PriorityClass"),
    "storage": ("PersistentVolumeClaim", "PersistentVolume", "StorageClass"),
    "workloads": ("Job", "CronJob", "ResourceQuota", "LimitRange", "ServiceAccount", "HorizontalPodAutoscaler"),
    "nodes": (),
    "configuration": ("ConfigMap", "Secret", "ServiceAccount"),
    "autoscaling": ("HorizontalPodAutoscaler", "PodDisruptionBudget"),
    "control-plane": ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService", "Namespace"),
    "services": ("EndpointSlice", "Endpoints", "NetworkPolicy", "ConfigMap"),
    "ingress": ("Ingress", "IngressClass", "Secret", "EndpointSlice"),
    "network": ("Ingress", "NetworkPolicy", "ConfigMap"),
    "applications": ("ConfigMap",),
    "mongodb": ("PersistentVolumeClaim",),
    "postgres": ("PersistentVolumeClaim",),
    "redis": ("PersistentVolumeClaim",),
    "resources": ("PersistentVolumeClaim",),
}
_WHERE_SERVED: Mapping[str, tuple[str, ...]] = {
    "configuration": ("Role", "ClusterRole", "Certificate"),
    "autoscaling": ("ScaledObject",),
    "control-plane": (
        "Lease", "ClusterServiceVersion", "Subscription", "InstallPlan", "ClusterExtension", "CatalogSource",
        "ClusterCatalog", "OperatorGroup",
    ),
    "ingress": ("GatewayClass", "Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"),
}  # fmt: skip
"""Kinds that are there only where somebody added them, or that few recordings hold: asked for where they are served."""
SYSTEM = "kube-system"
_OF_SYSTEM = ("Pod", "Deployment", "DaemonSet", "ReplicaSet", "Service", "Lease")
_NODE_SIGNALS = (
    "cpu_utilization_ratio", "memory_utilization_ratio", "disk_utilization_ratio", "packet_drop_ratio",
    "tcp_retransmit_ratio", "disk_await_seconds", "disk_io_seconds_per_second", "conntrack_utilization_ratio",
    "fds_utilization_ratio", "pids_utilization_ratio",
)  # fmt: skip
_MONGODB = ("status", "replication", "operations", "slow_operations", "connections")
_POSTGRES = ("status", "connections", "activity", "locks", "slow_queries", "replication", "vacuum")
_REDIS = ("status", "clients", "slow_commands")
_ADDRESSES = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>\d{2,5}))?")


async def gather(case: Case, areas: frozenset[str], look: Look, world: World) -> tuple[Evidence, ...]:
    """Everything that the rules of these areas need for this case, gaps included, each evidence once.

    Args:
        case: what is asked about.
        areas: of the catalogue of causes; empty means all.
        look: asks the world; callers that ask the same share the answer.
        world: only read for which sources there are and how complete they are.
    """
    chosen = areas or frozenset(_KINDS)
    wide = await _all(look, _first(case, chosen, world))
    if lost := _lost(case, wide):
        # A name that does not exist must not read as a quiet namespace.
        wide += await _all(look, _kubernetes(world, chosen, [None]))
        wide += (_misnamed(case, lost, wide),)
    further = await _all(look, _second(case, chosen, world, wide))
    return tuple({each.id: each for each in (*wide, *further, *_incomplete(world))}.values())


_Call = tuple[str, Mapping[str, Any]]


async def _all(look: Look, calls: Iterable[_Call]) -> tuple[Evidence, ...]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(look, name, args)) for name, args in _distinct(calls)]
    return tuple(task.result() for task in tasks)


async def _one(look: Look, name: str, args: Mapping[str, Any]) -> Evidence:
    return await look(name, args)


def _distinct(calls: Iterable[_Call]) -> list[_Call]:
    return list({(name, str(sorted(args.items(), key=str))): (name, args) for name, args in calls}.values())


# The first round: everything at once


def _first(case: Case, areas: frozenset[str], world: World) -> Iterator[_Call]:
    namespaces = _namespaces(case)
    minutes = _minutes(case, BASELINE_MINUTES)
    if world.cluster is None:
        yield "kubernetes.objects", {"kind": "Pod"}
    else:
        yield from _kubernetes(world, areas, namespaces)
        if None not in namespaces and "control-plane" in areas:
            yield from _platform(namespaces)
        for namespace in namespaces:
            yield "kubernetes.events", _given(namespace=namespace, minutes=_minutes(case, 60))
    for namespace in namespaces:
        yield "metrics.signals", _given(namespace=namespace, minutes=minutes)
    if None not in namespaces and areas & {"nodes", "resources", "network", "scheduling"}:
        yield "metrics.signals", {"signals": _NODE_SIGNALS, "minutes": minutes}
    yield "alerts.active", {}
    yield "history.changes", {}
    yield "history.calls", {}
    if world.traces is not None:
        yield "traces.calls", {"minutes": minutes}
        yield "traces.signals", {"minutes": minutes}
    if "network" in areas or world.network is not None:
        yield "network.probes", {}
    yield from _databases(case, areas, world)
    if _is_about_host(case, world):
        yield "host.usage", {}


def _databases(case: Case, areas: frozenset[str], world: World) -> Iterator[_Call]:
    """What every deployment is asked; where there is none, the gap is told to whoever speaks of one."""
    if world.mongodb or ("mongodb" in areas and _speaks_of(case, "mongo")):
        for what in _MONGODB:
            yield f"mongodb.{what}", {}
    if world.postgres or ("postgres" in areas and _speaks_of(case, "postgres")):
        for what in _POSTGRES:
            yield f"postgres.{what}", {}
    if world.redis or ("redis" in areas and (_speaks_of(case, "redis") or _speaks_of(case, "valkey"))):
        for what in _REDIS:
            yield f"redis.{what}", {}


async def gather_for(checks: Checks, case: Case, look: Look, world: World) -> tuple[Evidence, ...]:
    """What added checks need besides: objects of their kinds where the case is, and their queries."""
    calls: list[_Call] = []
    if world.cluster is not None:
        for kind in checks.kinds:
            namespaces = [None] if kind in _EVERYWHERE else _namespaces(case)
            calls += [("kubernetes.objects", _given(kind=kind, namespace=each)) for each in namespaces]
    for query in checks.queries:
        if world.captured_at is None or not query.has_signal:
            calls.append(("prometheus.range", {"promql": query.promql, "minutes": query.minutes}))
    return await _all(look, calls)


def _kubernetes(world: World, areas: frozenset[str], namespaces: Sequence[str | None]) -> Iterator[_Call]:
    kinds = dict.fromkeys([*_BASE, *(kind for area in sorted(areas) for kind in _KINDS.get(area, ()))])
    if world.captured_at is None:
        # Live they are never read, not even by name: what is missing is told by events.
        kinds.pop("Secret", None)
    for kind in kinds:
        for namespace in [None] if kind in _EVERYWHERE else namespaces:
            yield "kubernetes.objects", _given(kind=kind, namespace=namespace)
    if perhaps := dict.fromkeys(kind for area in sorted(areas) for kind in _WHERE_SERVED.get(area, ())):
        yield "kubernetes.kinds", {"kinds": [*perhaps]}


def _platform(namespaces: Sequence[str | None]) -> Iterator[_Call]:
    """What every namespace rests on, beside those that the case names."""
    if SYSTEM not in namespaces:
        for kind in _OF_SYSTEM:
            yield "kubernetes.objects", {"kind": kind, "namespace": SYSTEM}
        yield "kubernetes.events", {"namespace": SYSTEM, "minutes": 60}


def _where_served(case: Case, seen: Sequence[Evidence]) -> Iterator[_Call]:
    for look in seen:
        if look.tool == "kubernetes.kinds" and not look.is_gap:
            for kind in map(str, cast("list[object]", look.data or [])):
                for namespace in [None] if kind in _EVERYWHERE else _namespaces(case):
                    yield "kubernetes.objects", _given(kind=kind, namespace=namespace)


def _namespaces(case: Case) -> list[str | None]:
    named = sorted(case.scope.namespaces)
    return [*named] if 0 < len(named) <= MOST_NAMESPACES else [None]


def _minutes(case: Case, before: int) -> int:
    """From before the onset, as long again as the incident and no less than `before`, to now."""
    since = (case.asked_at - case.scope.window.start).total("minutes")
    return min(LONGEST_MINUTES, max(1, round(since + max(before, case.scope.window.seconds / 60))))


def _since(case: Case) -> int:
    """From the onset to now."""
    since = (case.asked_at - case.scope.window.start).total("minutes")
    return min(LONGEST_MINUTES, max(1, ceil(since)))


def _given(**args: Any) -> Mapping[str, Any]:
    return {name: value for name, value in args.items() if value is not None}


def _speaks_of(case: Case, word: str) -> bool:
    said = [case.question, *(f"{each.name} {each.summary}" for each in case.alerts)]
    return any(word in each.lower() for each in said)


def _is_about_host(case: Case, world: World) -> bool:
    """This machine is one among many: it is read when asked about, or when there is nothing else to read."""
    if any(each.kind == "host" for each in case.scope.entities) or case.scope.words & {"host", "machine", "localhost"}:
        return world.host is not None
    databases = world.mongodb or world.postgres or world.redis
    return not (world.cluster or world.metrics or world.logs or databases or world.network)


# A namespace that is not there


def _lost(case: Case, seen: Sequence[Evidence]) -> str:
    """The namespace that was asked for and holds nothing at all; empty when there is no such."""
    scoped = [
        each
        for each in seen
        if each.tool == "kubernetes.objects" and not _lists_everywhere(each) and not _is_of_platform(case, each)
    ]
    if not case.scope.namespaces or not scoped or any(each.outcome is not Outcome.EMPTY for each in scoped):
        return ""
    return ", ".join(sorted(case.scope.namespaces))


def _lists_everywhere(evidence: Evidence) -> bool:
    return any(f"get {kind.lower()}" in evidence.query for kind in _EVERYWHERE) or " -A" in evidence.query


def _is_of_platform(case: Case, evidence: Evidence) -> bool:
    return SYSTEM not in case.scope.namespaces and f" -n {SYSTEM}" in evidence.query


def _misnamed(case: Case, lost: str, seen: Sequence[Evidence]) -> Evidence:
    there = sorted({name for each in _objects(seen) if (name := text(each, "metadata", "namespace"))})
    near = [name for each in sorted(case.scope.namespaces) for name in difflib.get_close_matches(each, there, n=2)]
    meant = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(there[:20]) or 'none'}"
    why = f"the namespace {lost!r} holds nothing; {meant} All namespaces were looked at instead."
    return Evidence.gap("kubernetes.objects", f"kubectl get all -n {lost}", Outcome.NO_SOURCE, why)


def _incomplete(world: World) -> Iterator[Evidence]:
    """One gap for each area that was captured in part: what it does not show is unknown, not absent."""
    for area in sorted(world.partial):
        why = f"the capture of {area} is known to be incomplete: what it does not show is unknown, not absent"
        yield Evidence.gap(area, f"partial {area}", Outcome.NO_SOURCE, why)


# The second round: logs of what looks ill, and what the first round named


def _second(case: Case, areas: frozenset[str], world: World, seen: Sequence[Evidence]) -> Iterator[_Call]:
    if world.cluster is not None:
        yield from _container_logs(case, seen)
        yield from _where_served(case, seen)
    if world.logs is not None:
        for namespace in _namespaces(case):
            # Two stretches, or the newest lines alone would fill the room and nobody could say what is new.
            since = _since(case)
            yield "logs.lines", _given(namespace=namespace, minutes=since, limit=MOST_LINES)
            before = {"minutes": max(30, since), "until_minutes": since}
            yield "logs.lines", _given(namespace=namespace, **before, limit=MOST_LINES)
    if None not in _namespaces(case) and _has_no_series(seen):
        yield "metrics.signals", {"minutes": _minutes(case, BASELINE_MINUTES)}
    if world.network is not None and areas & {"network", "ingress"}:
        for host, port in _hosts(case, seen):
            yield "network.tls", {"host": host, "port": port}


def _has_no_series(seen: Sequence[Evidence]) -> bool:
    """Whether the metrics answered, and know nothing of the namespaces that were asked for."""
    looks = [each for each in seen if each.tool == "metrics.signals"]
    return bool(looks) and all(each.outcome is Outcome.EMPTY for each in looks)


def _objects(seen: Iterable[Evidence]) -> Iterator[Mapping[str, Any]]:
    for evidence in seen:
        if evidence.tool == "kubernetes.objects" and not evidence.is_gap:
            yield from items({"list": evidence.data}, "list")


def _container_logs(case: Case, seen: Sequence[Evidence]) -> Iterator[_Call]:
    pods = [each for each in _objects(seen) if text(each, "kind") == "Pod"]
    ranked: list[tuple[float, str, str, str, bool]] = []
    own = 0
    for pod in pods:
        is_own = _is_own(case, pod)
        own += is_own
        for status in (*items(pod, "status", "initContainerStatuses"), *items(pod, "status", "containerStatuses")):
            illness = _illness(status, case.asked_at)
            wanted = illness + (2.0 if is_own and (illness or own <= OWN_PODS) else 0.0)
            if wanted and _has_started(status):
                names = text(pod, "metadata", "namespace"), text(pod, "metadata", "name"), text(status, "name")
                ranked.append((-wanted, *names, (number(status, "restartCount") or 0) > 0))
    for _, namespace, pod, container, restarted in sorted(ranked)[:MOST_CONTAINERS]:
        if not namespace or not pod:
            continue
        where = _given(namespace=namespace, pod=pod, container=container or None, tail_lines=TAIL_LINES)
        yield "kubernetes.logs", {**where, "previous": False}
        if restarted:
            yield "kubernetes.logs", {**where, "previous": True}


def _illness(status: Mapping[str, Any], now: Instant) -> float:
    """How much a container's log is worth: 0 = it is well."""
    worth = 0.0
    if text(status, "state", "waiting", "reason") not in ("", "ContainerCreating", "PodInitializing"):
        worth += 4.0
    for state in ("state", "lastState"):
        if number(status, state, "terminated", "exitCode"):
            ended = moment(status, state, "terminated", "finishedAt")
            worth += 3.0 if state == "state" or ended is None or now - ended <= RECENT else 0.5
    if value(status, "state", "running") is not None and value(status, "ready") is False:
        worth += 2.0
    return worth + min(1.0, (number(status, "restartCount") or 0) / 10) * bool(worth)


def _has_started(status: Mapping[str, Any]) -> bool:
    """Whether there can be a log: a container that never ran has written none."""
    restarted = (number(status, "restartCount") or 0) > 0
    known = any(value(status, state, kind) for state in ("state", "lastState") for kind in ("running", "terminated"))
    return restarted or known or text(status, "state", "waiting", "reason") == "CrashLoopBackOff"


def _is_own(case: Case, pod: Mapping[str, Any]) -> bool:
    name, namespace = text(pod, "metadata", "name"), text(pod, "metadata", "namespace")
    for entity in case.scope.entities:
        if entity == Entity.of("pod", namespace, name):
            return True
        if entity.namespace == namespace and entity.kind != "pod" and name.startswith(f"{entity.name}-"):
            return True
    return False


def _hosts(case: Case, seen: Sequence[Evidence]) -> list[tuple[str, int]]:
    """Where TLS is spoken: what alerts name as https addresses, and the hosts of Ingresses with TLS."""
    found: list[tuple[str, int]] = []
    for alert in case.alerts:
        for said in (*alert.labels.values(), *alert.annotations.values()):
            found += [(each["host"], int(each["port"] or 443)) for each in _ADDRESSES.finditer(said)]
    for ingress in _objects(seen):
        if text(ingress, "kind") == "Ingress":
            named = [host for tls in items(ingress, "spec", "tls") for host in words(tls, "hosts")]
            found += [(host, 443) for host in named if "*" not in host]
    return list(dict.fromkeys(found))[:MOST_HOSTS]
