"""What the kernel of a machine hands out and runs out of, and how long its disks make others wait."""

from collections.abc import Iterator

from agents.baseline import above, latest, past
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.scene import Scene, Series
from tools.entity import Entity

NEARLY_OUT = 0.9
"""Bursts need the rest; what is denied then is denied to everybody on the machine."""
OUT = 0.97
BUSY = 0.9
BUSY_MINUTES = 5.0
WAITS_S = 0.05
"""A disk that answers within 50 ms is slow for a database and no trouble for logs."""


def _each(scene: Scene, signal: str) -> Iterator[tuple[Entity, Series]]:
    for entity, series in scene.series.items():
        if signal in series:
            yield entity, series[signal]


def _runs_out(scene: Scene, of: Rule, signal: str, what: str) -> Iterator[Finding]:
    for entity, series in _each(scene, signal):
        full = above(series, scene.window, NEARLY_OUT)
        usual = past(series, scene.window)
        # A pool that is always that full is how it was sized.
        if full and not full.is_over and (usual is None or usual <= NEARLY_OUT):
            ratio = latest(series)
            yield of.finding(
                entity,
                f"{entity} uses {ratio:.0%} of {what}.",
                [scene.cite_series(series)],
                severity=Severity.CRITICAL if ratio > OUT else Severity.WARNING,
                first_seen=full.began_at,
                last_seen=full.last_at,
            )


@rule(
    id="conntrack-full",
    area="network",
    role=Role.CAUSE,
    title="The table of tracked connections is full",
    meaning="Above 90 %: the kernel drops new connections, whoever opens them. Bursts of short connections do it.",
    remediation="Keep connections open instead of opening new ones; raise nf_conntrack_max.",
    needs=("signals",),
)
def conntrack_full(scene: Scene) -> Iterator[Finding]:
    yield from _runs_out(scene, conntrack_full, "conntrack_utilization_ratio", "its table of tracked connections")


@rule(
    id="ports-exhausted",
    area="network",
    role=Role.CAUSE,
    title="Local ports run out",
    meaning="Above 90 % of the local port range: outgoing connections fail with EADDRNOTAVAIL.",
    remediation="Keep connections open; widen ip_local_port_range.",
    needs=("signals",),
)
def ports_exhausted(scene: Scene) -> Iterator[Finding]:
    yield from _runs_out(scene, ports_exhausted, "local_ports_utilization_ratio", "its local ports")


@rule(
    id="fds-exhausted",
    area="resources",
    role=Role.CAUSE,
    title="File descriptors run out",
    meaning="Above 90 % of the limit: files and sockets cannot be opened. Steady pools live near theirs.",
    remediation="Find what is not closed; raise the limit only then.",
    needs=("signals",),
)
def fds_exhausted(scene: Scene) -> Iterator[Finding]:
    yield from _runs_out(scene, fds_exhausted, "fds_utilization_ratio", "its file descriptors")


@rule(
    id="pids-exhausted",
    area="resources",
    role=Role.CAUSE,
    title="Process ids run out",
    meaning="Above 90 % of the limit: no process and no thread can be started.",
    remediation="Find what starts processes or threads and does not end them.",
    needs=("signals",),
)
def pids_exhausted(scene: Scene) -> Iterator[Finding]:
    yield from _runs_out(scene, pids_exhausted, "pids_utilization_ratio", "its process ids")


@rule(
    id="disk-slow",
    area="resources",
    role=Role.CAUSE,
    title="A disk makes everybody wait",
    meaning="Requests to it wait over 50 ms while it is busy: a neighbour, a backup. Busy alone says nothing of NVMe.",
    remediation="See who writes; move it, or wait for the backup.",
    needs=("signals",),
)
def disk_slow(scene: Scene) -> Iterator[Finding]:
    for entity, series in _each(scene, "disk_await_seconds"):
        waits = above(series, scene.window, WAITS_S, minutes=BUSY_MINUTES)
        busy = scene.signal(entity, "disk_io_seconds_per_second")
        works = above(busy, scene.window, BUSY) if busy else None
        usual = past(series, scene.window)
        if waits and not waits.is_over and (busy is None or works) and (usual is None or usual <= WAITS_S):
            cited = [scene.cite_series(each) for each in (series, busy) if each]
            yield disk_slow.finding(
                entity,
                f"requests to the disk of {entity} wait {waits.level * 1000:.0f} ms.",
                cited,
                severity=Severity.WARNING,
                first_seen=waits.began_at,
                last_seen=waits.last_at,
            )
