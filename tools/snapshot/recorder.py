"""Records a world into a folder that `opening` reads: what the same tools would have read, redacted.

Written beside its place and moved there when it is whole: a folder that exists is a snapshot that is complete, or that
says what is missing.
"""

import asyncio
import csv
import io
import shutil
import tempfile
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
import yaml

from tools.errors import ToolError, ToolNoSource
from tools.kind import plural
from tools.postgres.queries import QUERIES
from tools.redaction import redact
from tools.redis.commands import COMMANDS as REDIS_COMMANDS
from tools.snapshot import pod_logs
from tools.snapshot.folder import SnapshotError
from tools.snapshot.objects import AREA
from tools.snapshot.opening import DESCRIPTION, VERSION
from tools.snapshot.records import COMMANDS
from tools.snapshot.sanitizing import plain, sanitized
from tools.window import Window
from tools.world import Cluster, History, Metrics, MongoDB, Object, Postgres, Redis, World

KINDS = (
    "Namespace", "Node", "Pod", "Event", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob",
    "Service", "Endpoints", "EndpointSlice", "Ingress", "IngressClass", "NetworkPolicy", "Gateway", "GatewayClass",
    "HTTPRoute", "ConfigMap", "Secret", "PersistentVolumeClaim", "PersistentVolume", "StorageClass",
    "VolumeAttachment", "CSIDriver", "HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget",
    "ResourceQuota", "LimitRange", "PriorityClass", "ServiceAccount", "APIService", "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration", "Lease",
)  # fmt: skip
"""What is recorded of a cluster; a kind that it does not serve is left out."""

WITHHELD = frozenset(("Secret", "ConfigMap", "Gateway", "GatewayClass", "HTTPRoute", "ScaledObject"))
"""Kinds that the usual read role does not grant: that they are missing is told, and makes nothing incomplete."""

LOOK_BACK_MINUTES = 240.0
"""How far back signals and lines of logs are recorded: an incident, and the calm before it to compare with."""

_PARALLEL = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Draft:
    """The folder that is being filled, and what could not be put into it."""

    root: Path
    partial: set[str] = field(default_factory=set[str])
    notes: list[str] = field(default_factory=list[str])

    async def put(self, name: str, content: bytes) -> None:
        await asyncio.to_thread(self._write, self.root / name, content)

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def missing(self, area: str, why: str) -> None:
        self.partial.add(area)
        self.notes.append(f"{area}: {why}")

    async def attempt(self, area: str, look: Awaitable[T]) -> T | None:
        """The answer, or `None`: nothing there to ask is not a gap, everything else is."""
        try:
            return await look
        except ToolNoSource:
            return None
        except ToolError as e:
            self.missing(area, str(e))
            return None


async def record(world: World, out: Path) -> tuple[str, ...]:
    """Writes what the world holds to `out`, and gives the sentences about what could not be had.

    Raises:
        SnapshotError: when `out` is there and not an empty folder, or cannot be written.
    """
    try:
        draft = await asyncio.to_thread(_begin, out)
        draft.partial.update(world.partial)
        draft.notes.extend(world.notes)
        try:
            await _fill(draft, world)
            await asyncio.to_thread(draft.root.rename, out)
        except BaseException:
            shutil.rmtree(draft.root, ignore_errors=True)
            raise
    except OSError as e:
        raise SnapshotError(f"the snapshot cannot be written to {str(out)!r}: {e}") from e
    return tuple(draft.notes)


def _begin(out: Path) -> _Draft:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SnapshotError(f"{str(out)!r} is not an empty folder: a snapshot never overwrites anything")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Readable by its owner only, as `mkdtemp` makes it: redaction knows many secrets, not all.
    return _Draft(Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent)))


async def _fill(draft: _Draft, world: World) -> None:
    captured_at = world.now()
    window = Window.ending(captured_at, minutes=LOOK_BACK_MINUTES)
    if world.window is not None:
        window = Window(min(window.start, world.window.start), max(window.end, world.window.end))
    pods: Sequence[Object] = ()
    if world.cluster is not None:
        pods = await _cluster(draft, world.cluster)
    await _logs(draft, world, pods, window)
    if world.metrics is not None:
        await _signals(draft, world.metrics, window)
    await _small(draft, world)
    if world.history is not None:
        await _history(draft, world.history)
    for deployment in world.mongodb:
        await _mongodb(draft, deployment)
    for deployment in world.postgres:
        await _postgres(draft, deployment)
    for deployment in world.redis:
        await _redis(draft, deployment)
    description: dict[str, Any] = {"version": VERSION, "captured_at": str(captured_at)}
    if world.window is not None:
        description["window"] = {"start": str(world.window.start), "end": str(world.window.end)}
    if world.default_namespace is not None:
        description["default_namespace"] = world.default_namespace
    description["partial"] = sorted(draft.partial)
    description["notes"] = [str(redact(note)) for note in draft.notes]
    await draft.put(DESCRIPTION, yaml.safe_dump(description, sort_keys=False, allow_unicode=True).encode())


async def _cluster(draft: _Draft, cluster: Cluster) -> Sequence[Object]:
    """Writes the objects of every kind; gives the pods, for their logs."""
    turns = asyncio.Semaphore(_PARALLEL)
    pods: list[Object] = []

    async def one(kind: str) -> None:
        async with turns:
            try:
                found = await cluster.objects(kind, None)
            except ToolNoSource:
                return
            except ToolError as e:
                if kind in WITHHELD:
                    draft.notes.append(f"{kind} objects: {e}")
                else:
                    draft.missing(AREA, str(e))
                return
        if kind == "Pod":
            pods.extend(found)
        await draft.put(f"{AREA}/{plural(kind)}.json", await asyncio.to_thread(_listed, kind, found))

    async with asyncio.TaskGroup() as group:
        for kind in KINDS:
            group.create_task(one(kind))
    return pods


def _listed(kind: str, found: Sequence[Object]) -> bytes:
    listed = {"apiVersion": "v1", "kind": f"{kind}List", "items": [sanitized(each) for each in found]}
    return orjson.dumps(listed, option=orjson.OPT_INDENT_2)


async def _logs(draft: _Draft, world: World, pods: Sequence[Object], window: Window) -> None:
    logs = await pod_logs.captured(world.cluster, pods) if world.cluster is not None else pod_logs.Captured()
    if world.logs is not None:
        lines = await draft.attempt("logs", world.logs.lines(None, None, None, window, pod_logs.MAX_LINES))
        logs.add_lines(lines or ())
    for problem in logs.problems:
        draft.missing("logs", problem)
    for name, content in logs.files.items():
        await draft.put(name, redact(content).encode())
    if world.logs is not None or logs.files:
        (draft.root / "logs").mkdir(exist_ok=True)


async def _signals(draft: _Draft, metrics: Metrics, window: Window) -> None:
    series = await draft.attempt("signals", metrics.signals((), None, window))
    if series is not None:
        rows = (
            (repr(at), each["entity"], each["signal"], repr(value)) for each in series for at, value in each["points"]
        )
        await draft.put(
            "signals/signals.csv", await asyncio.to_thread(_table, ("time", "entity", "signal", "value"), rows)
        )


async def _small(draft: _Draft, world: World) -> None:
    if world.alerts is not None:
        alerts = await draft.attempt("alerts", world.alerts.active())
        if alerts is not None:
            await draft.put("alerts/alerts.json", _json({"version": "4", "alerts": alerts}))
    if world.network is not None:
        probes = await draft.attempt("probes", world.network.recorded())
        if probes is not None:
            await draft.put("probes/probes.json", _json(probes))
    if world.host is not None:
        usage = await draft.attempt("host", world.host.usage())
        if usage is not None:
            await draft.put("host/usage.json", _json(usage))


async def _history(draft: _Draft, history: History) -> None:
    changes = await draft.attempt("changes", history.changes(None))
    if changes is not None:
        await draft.put("changes/changes.json", _json(changes))
    calls = await draft.attempt("topology", history.calls())
    if calls is not None:
        await draft.put("topology.csv", _table(("caller", "callee"), calls))


async def _mongodb(draft: _Draft, deployment: MongoDB) -> None:
    replies: dict[str, Mapping[str, Any]] = {}
    for command in COMMANDS:
        reply = await draft.attempt("mongodb", deployment.command(command))
        if reply is not None:
            replies[command] = reply
    await draft.put(f"mongodb/{quote(deployment.name, safe='')}.json", _json(replies))


async def _postgres(draft: _Draft, deployment: Postgres) -> None:
    rows: dict[str, Sequence[Mapping[str, Any]]] = {}
    for what in QUERIES:
        answer = await draft.attempt("postgres", deployment.query(what))
        if answer is not None:
            rows[what] = answer
    await draft.put(f"postgres/{quote(deployment.name, safe='')}.json", _json(rows))


async def _redis(draft: _Draft, deployment: Redis) -> None:
    replies: dict[str, Mapping[str, Any]] = {}
    for command in REDIS_COMMANDS:
        reply = await draft.attempt("redis", deployment.command(command))
        if reply is not None:
            replies[command] = reply
    await draft.put(f"redis/{quote(deployment.name, safe='')}.json", _json(replies))


def _json(value: Any) -> bytes:
    return orjson.dumps(plain(value), option=orjson.OPT_INDENT_2)


def _table(header: Sequence[str], rows: Any) -> bytes:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return content.getvalue().encode()
