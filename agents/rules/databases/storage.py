"""What a database's machine runs short of, by its metrics: credits of CPU, operations of its disk. Pure."""

from collections.abc import Iterator

from agents.baseline import latest
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.rules.databases.reading import KINDS, risen
from agents.scene import Scene

CREDITS_OUT = 5.0
"""Minutes of a full CPU that are left: with none, a burstable machine falls to its baseline, a fifth or less."""
CREDITS_FELL = 0.1
QUEUE_DEEP = 10.0
"""Requests that wait for the disk; one or two for each device keep it busy."""
NEAR_CEILING = 0.95


@rule(
    id="db-cpu-credits-out",
    area="databases",
    role=Role.CAUSE,
    title="A database has no CPU credits left",
    meaning="Its burstable machine has spent what it saved, and runs at a fraction of its speed. One that has always "
    "had few, because it never works, is not told.",
    remediation="Use a machine type that does not burst, or spread the load that spends the credits.",
    needs=("signals",),
)
def db_cpu_credits_out(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        known = series.get("cpu_credit_balance")
        most = max((value for _, value in known.points), default=0.0) if known else 0.0
        if known and latest(known) < CREDITS_OUT and latest(known) <= CREDITS_FELL * most:
            summary = f"{entity} has {latest(known):.1f} CPU credits left of {most:.0f} it had."
            yield db_cpu_credits_out.finding(entity, summary, [scene.cite_series(known)])


@rule(
    id="db-disk-saturated",
    area="databases",
    role=Role.CAUSE,
    title="A database waits for its disk",
    meaning="Requests queue for its disk and take at least three times as long as they did: its provisioned operations "
    "or throughput are used up, or its burst balance is. A backup does so for minutes.",
    remediation="Find what reads or writes more than before; raise the provisioned operations, or move the load.",
    needs=("signals",),
)
def db_disk_saturated(scene: Scene) -> Iterator[Finding]:
    for entity in scene.series:
        queue = scene.signal(entity, "queue_depth")
        slower = next(
            (
                found
                for name in ("write_latency_seconds", "read_latency_seconds")
                if (found := risen(scene, entity, name))
            ),
            None,
        )
        if entity.kind in KINDS and queue and slower and latest(queue) > QUEUE_DEEP:
            summary = (
                f"{latest(queue):.0f} requests wait for the disk of {entity}; {slower.series.signal} went from "
                f"{slower.before:.3g} to {slower.now:.3g}."
            )
            yield db_disk_saturated.finding(
                entity, summary, [scene.cite_series(queue), scene.cite_series(slower.series)]
            )


@rule(
    id="db-commit-slow",
    area="databases",
    role=Role.SYMPTOM,
    title="A database commits slower",
    meaning="Commits take at least three times as long as they did: the log's disk, or a replica they wait for.",
    remediation="Look at the disk and at synchronous replicas first.",
    needs=("signals",),
)
def db_commit_slow(scene: Scene) -> Iterator[Finding]:
    for entity in scene.series:
        found = risen(scene, entity, "commit_latency_seconds")
        if found:
            summary = f"{entity} commits in {found.now:.3g} s, {found.before:.3g} s before."
            yield db_commit_slow.finding(entity, summary, [scene.cite_series(found.series)], severity=Severity.WARNING)
