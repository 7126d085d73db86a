"""Where tools read: live systems, or a snapshot. The same tool code serves both.

A port that is `None` is a source that nobody configured, or that the snapshot did not capture: tools answer NO_SOURCE.
Every method raises `tools.errors.ToolError` kinds and nothing else, and returns plain JSON values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from whenever import Instant

from tools.errors import ToolNoSource
from tools.traces.spans import Span
from tools.window import Window

P = TypeVar("P")

Object = Mapping[str, Any]
"""One Kubernetes object as the API server writes it, `kind` and `apiVersion` included."""


class Cluster(Protocol):
    """A Kubernetes cluster."""

    async def objects(self, kind: str, namespace: str | None) -> Sequence[Object]:
        """All objects of one kind (`Pod`, `Event`, `ReplicaSet`, …), of one namespace or of all.

        A kind that the cluster does not serve raises `ToolNoSource`; no permission raises `ToolRefused`.
        """
        ...

    async def serves(self, kind: str) -> bool:
        """Whether there is such a kind; of one that a cluster does not serve there are no objects."""
        ...

    async def watch(self, kind: str, namespace: str | None, seconds: float) -> Sequence[Mapping[str, Any]]:
        """What happens to objects of one kind during some seconds, oldest first.

        Each is `{"type": "ADDED" | "MODIFIED" | "DELETED", "object": …, "before": … or None}`: the event as the API
        server sends it, and the object as it was known until then. A snapshot raises `ToolNoSource`.
        """
        ...

    async def log(self, namespace: str, pod: str, container: str | None, *, previous: bool, tail_lines: int) -> str:
        """The newest lines of a container's log, newest last."""
        ...


class Metrics(Protocol):
    """Time series: Prometheus, or the recorded signals."""

    async def signals(self, names: Sequence[str], namespace: str | None, window: Window) -> Sequence[Mapping[str, Any]]:
        """Series of catalogued signals.

        Each is `{"entity": "pod/shop/cart-1", "signal": "cpu_cores", "points": [[unix_s, value], …]}`.

        `names` empty = every signal that there is.
        """
        ...

    async def instant(self, promql: str, at: Instant) -> Sequence[Mapping[str, Any]]:
        """`[{"labels": {…}, "value": 1.0, "at": unix_s}]`; a snapshot raises `ToolNoSource`, it has no query engine."""
        ...

    async def range(self, promql: str, window: Window, step_s: float) -> Sequence[Mapping[str, Any]]:
        """`[{"labels": {…}, "points": [[unix_s, value], …]}]`."""
        ...


class Alerts(Protocol):
    """The alerts that fire now, or that the snapshot recorded."""

    async def active(self) -> Sequence[Mapping[str, Any]]:
        """Alerts as in an Alertmanager webhook's `alerts[]`: status, labels, annotations, startsAt, endsAt."""
        ...


class Logs(Protocol):
    """A store of log lines: Loki, or the recorded files."""

    async def lines(
        self, namespace: str | None, pod: str | None, contains: str | None, window: Window, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """`[{"at": iso or None, "namespace": …, "pod": …, "container": …, "line": …}]`, newest last, at most `limit`.

        `pod` matches whole names or, ending in `*`, prefixes.
        """
        ...

    async def query(self, logql: str, window: Window, limit: int) -> Sequence[Mapping[str, Any]]:
        """LogQL as written; a snapshot raises `ToolNoSource`."""
        ...


class MongoDB(Protocol):
    """One MongoDB deployment, asked with read-only administrative commands."""

    name: str
    """How people call it; the entity is `mongodb//<name>`."""

    async def command(self, command: str) -> Mapping[str, Any]:
        """The reply to one of `serverStatus`, `replSetGetStatus`, `currentOp`, `oplog`, `profile`, `connPoolStats`."""
        ...


class Postgres(Protocol):
    """One PostgreSQL server, asked with read-only queries that Locum brings along; nobody may send others."""

    name: str
    """How people call it; the entity is `postgres//<name>`."""

    async def query(self, what: str) -> Sequence[Mapping[str, Any]]:
        """The rows that one of `tools.postgres.queries.QUERIES` gives; SQL in a column `query` has no literals.

        `connections` of a server that lets nobody in any more is one row, `{"refused": why}`.
        """
        ...


class Redis(Protocol):
    """One Redis or Valkey server, asked with read-only commands."""

    name: str
    """How people call it; the entity is `redis//<name>`."""

    async def command(self, command: str) -> Mapping[str, Any]:
        """The reply to one of `tools.redis.commands.COMMANDS`, without any key or value of users.

        `info` is `{"samples": [INFO, INFO a second later], "apart_s"}`, or `{"refused": why}` where the server lets
        nobody in · `config` has some settings by name · `clients` is `{"clients": […]}` · `slowlog` is `{"entries":
        [{"at", "ms", "command", "arguments"}]}` · `latency` is `{"events": […]}` · `cluster` has `cluster_state`.
        """
        ...


class Network(Protocol):
    """Probes from where Locum runs, or the recorded ones."""

    async def probe(self, kind: str, target: str) -> Mapping[str, Any]:
        """One probe of kind tcp, http, dns or tls: `{"probe", "entity", "target", "ok", "detail", "latency_ms", "at"}`.

        TLS adds `{"not_after", "not_before", "subject", "issuer", "names", "trusted"}`.
        """
        ...

    async def recorded(self) -> Sequence[Mapping[str, Any]]:
        """Probes taken earlier: those of the snapshot; live, those that settings ask to be taken each time."""
        ...


class Host(Protocol):
    """The machine that Locum runs on, or the recorded one."""

    async def usage(self) -> Mapping[str, Any]:
        """CPU, memory, swap, filesystems, load and pressure, shares as ratios 0..1, sizes in bytes."""
        ...


class Traces(Protocol):
    """Spans of requests: recorded ones, or those of a trace store."""

    async def spans(self, window: Window) -> Sequence[Span]:
        """The spans that began in the window, in any order. They are typed, for there may be a million of them."""
        ...


class History(Protocol):
    """What changed and who calls whom: recorded beside a snapshot, or derived live."""

    async def changes(self, window: Window | None) -> Sequence[Mapping[str, Any]]:
        """`[{"at": iso, "kind": "deploy|config|scale|flag|commit", "entity", "who"?, "summary", "diff"?}]`."""
        ...

    async def calls(self) -> Sequence[tuple[str, str]]:
        """Pairs (caller, callee) of entities."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All sources that one investigation may read."""

    name: str
    """`live`, or the snapshot's folder name; part of every cache key."""
    captured_at: Instant | None = None
    """When the snapshot was taken; `None` means live, and time goes on."""
    window: Window | None = None
    """The stretch that the snapshot's own description names as the incident's."""
    default_namespace: str | None = None
    partial: frozenset[str] = field(default_factory=frozenset[str])
    """Areas whose capture is known to be incomplete; what they do not show is unknown, not absent."""
    notes: tuple[str, ...] = ()
    """What could not be read while the snapshot was opened, in sentences for the reader."""
    cluster: Cluster | None = None
    metrics: Metrics | None = None
    alerts: Alerts | None = None
    logs: Logs | None = None
    mongodb: tuple[MongoDB, ...] = ()
    postgres: tuple[Postgres, ...] = ()
    redis: tuple[Redis, ...] = ()
    network: Network | None = None
    host: Host | None = None
    history: History | None = None
    traces: Traces | None = None

    def now(self) -> Instant:
        """The moment that the investigation speaks about: the capture of a snapshot, else this one."""
        return self.captured_at or Instant.now()

    def is_partial(self, area: str) -> bool:
        """Whether `area` (`kubernetes`, `logs`, `signals`, …) was captured incompletely."""
        return area in self.partial


def need(port: P | None, source: str, hint: str) -> P:
    """The port, or `ToolNoSource` that says what would provide it."""
    if port is None:
        raise ToolNoSource(f"no {source} here: {hint}")
    return port
