"""Connections and sessions of databases, by metrics and the servers' own words: short of them, leaked, locked. Pure."""

import re
from collections.abc import Iterator

from agents.baseline import above, latest
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.lines import about
from agents.rules.databases.reading import (
    KINDS,
    cite,
    connection_limit,
    databases,
    risen,
    share_waiting,
)
from agents.scene import Scene, Series
from tools.entity import Entity
from tools.evidence import Evidence

CONNECTIONS_HIGH = 0.85
CONNECTIONS_FULL = 0.97
IN_TRANSACTION = 0.3
"""Share of all connections that are idle inside a transaction; in a healthy pool it is one in a hundred."""
CPU_HIGH = 0.8
MAIN = 0.5
"""Share of all waiting that one kind must have to be what the server waits for."""
DEADLOCKS_PER_S = 1 / 60
LOAD_MINUTES = 5.0
_PHASES = (
    ("failover initiated", re.compile(r"(?i)failover (?:was )?(?:initiated|started|triggered)")),
    ("failover in progress", re.compile(r"(?i)failover (?:is )?in progress")),
    ("failover completed", re.compile(r"(?i)failover (?:is )?(?:completed?|finished|done)")),
    (
        "instance available",
        re.compile(r"(?i)instance (?:is )?(?:now )?available|accepting connections|ready to accept"),
    ),
)
GONE, BACK = 0.1, 0.8
"""Shares of the usual connections that mean that clients were cut off, and that they are there again."""


def _near_limit(scene: Scene, entity: Entity) -> tuple[Series, float, Evidence] | None:
    """The connections of a database that has used most of what it takes, with that limit."""
    # The pool of a service that calls a database has a limit too, and is another thing.
    is_database = entity.kind in KINDS or scene.signal(entity, "connections_idle_in_transaction") is not None
    used = scene.signal(entity, "connections_active") if is_database else None
    limit = connection_limit(scene, entity) if used else None
    if used is None or limit is None or latest(used) <= CONNECTIONS_HIGH * limit[0]:
        return None
    return used, *limit


@rule(
    id="db-connections-high",
    area="databases",
    role=Role.CAUSE,
    title="A database is short of connections",
    meaning="More than 85 % of what it takes are in use: a leak, pools that are too large for the number of processes, "
    "or a storm of clients. While two versions of a service overlap in a rollout, it passes.",
    remediation="See which application holds them and how many are idle; bound its pool before raising the limit.",
    needs=("signals",),
)
def db_connections_high(scene: Scene) -> Iterator[Finding]:
    for entity in scene.series:
        if found := _near_limit(scene, entity):
            used, most, shown = found
            ratio = latest(used) / most
            summary = (
                f"{entity} has {latest(used):.0f} of {most:.0f} connections in use ({ratio:.0%} of max_connections)."
            )
            how = Severity.CRITICAL if ratio > CONNECTIONS_FULL else Severity.WARNING
            yield db_connections_high.finding(entity, summary, [scene.cite_series(used), shown], severity=how)


@rule(
    id="db-connection-leak",
    area="databases",
    role=Role.CAUSE,
    title="Clients keep database connections and do not use them",
    meaning="Most connections are taken, and most sessions wait for their client or sit idle in a transaction: opened "
    "and not given back. The leak is the root; errors and the CPU that many sessions cost follow from it. A server "
    "whose sessions work or wait for locks and disks is busy and not leaked, and is not told.",
    remediation="Restart one process of that application and see whether the count climbs again; then find where a "
    "connection is taken and not closed, bound its pool, and set idle_in_transaction_session_timeout.",
    needs=("signals",),
)
def db_connection_leak(scene: Scene) -> Iterator[Finding]:
    for entity in scene.series:
        found = _near_limit(scene, entity)
        idle = _idle(scene, entity) if found else None
        if found is None or idle is None:
            continue
        used, most, shown = found
        words, evidence = idle
        cpu = scene.signal(entity, "cpu_utilization_ratio")
        is_busy = cpu is not None and latest(cpu) >= CPU_HIGH
        also = f" CPU of {latest(cpu):.0%} follows from serving them: the leak is the root." if cpu and is_busy else ""
        summary = (
            f"{entity} has {latest(used):.0f} of {most:.0f} connections taken, and {words}: client sessions are "
            f"opened and left idle, a connection pool leak.{also}"
        )
        cited = [scene.cite_series(used), shown, *evidence, *([scene.cite_series(cpu)] if cpu and is_busy else [])]
        yield db_connection_leak.finding(entity, summary, cited, severity=Severity.CRITICAL)


def _idle(scene: Scene, entity: Entity) -> tuple[str, list[Evidence]] | None:
    """What says that the sessions of this database do nothing."""
    waiting = share_waiting(scene, entity, "Client:")
    if waiting and waiting[0] > MAIN:
        share, told = waiting
        return f"{share:.0%} of what its sessions wait for is the client (Client:ClientRead)", [cite(scene, told)]
    left, used = (scene.signal(entity, name) for name in ("connections_idle_in_transaction", "connections_active"))
    if left and used and latest(left) > IN_TRANSACTION * latest(used):
        return f"{latest(left):.0f} of them are idle in a transaction", [scene.cite_series(left)]
    return None


@rule(
    id="db-deadlocks",
    area="databases",
    role=Role.CAUSE,
    title="Transactions of a database deadlock",
    meaning="More than one a minute in the window: transactions take the same locks in another order. A single one is "
    "resolved by the server and retried.",
    remediation="Read the server's log for the two statements, and take the locks in one order.",
    needs=("signals",),
)
def db_deadlocks(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        known = series.get("deadlocks_per_second")
        found = above(known, scene.window, DEADLOCKS_PER_S) if known else None
        if known and found and not found.is_over:
            summary = f"{entity} has {found.level * 60:.1f} deadlocks a minute."
            cited = [scene.cite_series(known)]
            yield db_deadlocks.finding(entity, summary, cited, first_seen=found.began_at)


@rule(
    id="db-sessions-above-cpus",
    area="databases",
    role=Role.SYMPTOM,
    title="A database has more sessions at work than CPUs",
    meaning="For five minutes more sessions were active than it has processors: they wait for CPU, locks or disk.",
    remediation="See what they wait for and in which statement.",
    needs=("signals",),
)
def db_sessions_above_cpus(scene: Scene) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        load, cpus = series.get("database_load_active_sessions"), series.get("vcpus")
        if (
            load
            and cpus
            and (found := above(load, scene.window, latest(cpus), minutes=LOAD_MINUTES))
            and not found.is_over
        ):
            summary = f"{entity} has {found.level:.1f} active sessions on {latest(cpus):.0f} CPUs."
            cited = [scene.cite_series(load), scene.cite_series(cpus)]
            yield db_sessions_above_cpus.finding(entity, summary, cited, first_seen=found.began_at)


@rule(
    id="db-failover-over",
    area="databases",
    role=Role.CONTEXT,
    title="A failover is over",
    meaning="The database's own events tell its end, and connections are back at what they were.",
    remediation="Find why the old primary was left; check that every client reconnected.",
    needs=("logs",),
)
def db_failover_over(scene: Scene) -> Iterator[Finding]:
    for log in scene.logs:
        told = {
            name: place
            for name, pattern in _PHASES
            for place, line in enumerate(log.lines)
            if ("ailover" in line or "vailable" in line or "ccept" in line) and pattern.search(line[:500])
        }
        entity = about(scene, log)
        if entity.kind not in KINDS or not {"failover completed", "instance available"} <= told.keys():
            continue
        first = " ".join(log.lines[min(told.values())].split())[:200]
        cited = [scene.cite_log(log, place) for place in dict.fromkeys(told.values())]
        used = scene.signal(entity, "connections_active")
        resumed = used is not None and _came_back(scene, used)
        words = f" {_usual(used)} connections are back: the workload resumed normally." if used and resumed else ""
        summary = (
            f"{entity}: {', '.join(told)}. It began with: {first}.{words} That is told by the server's own events; "
            "metrics only show the gap."
        )
        cited += [scene.cite_series(used)] if used and resumed else []
        yield db_failover_over.finding(entity, summary, cited, severity=Severity.INFO)


def _came_back(scene: Scene, used: Series) -> bool:
    inside = [value for at, value in used.points if at >= scene.window.start.timestamp()]
    return bool(inside) and min(inside) <= GONE * max(inside) and latest(used) >= BACK * max(inside)


def _usual(used: Series) -> str:
    return f"{latest(used):.0f}"


@rule(
    id="db-within-bounds",
    area="databases",
    role=Role.CONTEXT,
    title="A database is within normal bounds",
    meaning="At least three of its vital signs were read, and each is as it should be.",
    remediation="Nothing to do.",
    needs=("signals",),
)
def db_within_bounds(scene: Scene) -> Iterator[Finding]:
    for entity in databases(scene):
        signs = {
            "cpu_utilization_ratio": CPU_HIGH,
            "memory_utilization_ratio": 0.9,
            "disk_utilization_ratio": CONNECTIONS_HIGH,
            "replication_lag_seconds": 10.0,
        }
        known = {name: series for name in signs if (series := scene.signal(entity, name))}
        flows = ("database_load_active_sessions", "connections_active", "commit_latency_seconds", "queue_depth")
        seen = [series for name in flows if (series := scene.signal(entity, name))]
        is_well = (
            len(known) + len(seen) >= MIN_SIGNS
            and all(max(value for _, value in series.points[-3:]) < signs[name] for name, series in known.items())
            and not any(risen(scene, entity, series.signal) for series in seen)
            and _near_limit(scene, entity) is None
        )
        if is_well:
            shown = [*known.values(), *seen]
            words = ", ".join(f"{series.signal} {latest(series):.3g}" for series in shown)
            summary = f"{entity} is within normal bounds, no failure seen: {words}."
            yield db_within_bounds.finding(
                entity, summary, [scene.cite_series(each) for each in shown[:4]], severity=Severity.INFO
            )


MIN_SIGNS = 3
