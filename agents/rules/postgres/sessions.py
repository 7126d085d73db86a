"""PostgreSQL: who is connected, what they run and whom they keep waiting. What is not told is unknown. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, items, mapping, text
from agents.rules.deployments import amount, saw, servers
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import value
from tools.postgres.queries import shown

CONNECTIONS_HIGH = 0.85
CONNECTIONS_FULL = 0.97
LEAK_RATIO = 0.5
LEAK_SHARE = 0.5
LEAK_STALE = 0.5
BLOCKED_S = 30.0
BLOCKED_BAD_S = 300.0
BLOCKED_MANY = 10
IDLE_S = 300.0
OPEN_S = 3600.0
XIDS_HELD_BACK = 1_000_000
SLOW_MS = 100.0
SLOW_CALLS = 5
SLOW_SHARE = 0.5
SLOW_BUSY = 0.5
RUNNING_S = 5.0
RUNNING_MANY = 5
COPIERS = ("pg_dump", "pg_dumpall", "pg_basebackup", "pgbackrest")
"""What names itself a backup: it holds one transaction open from beginning to end, and should."""


def _named(session: Fields) -> str:
    role, application = text(session, "role") or "unknown", text(session, "application") or "unnamed"
    return f"pid {text(session, 'pid')} ({role}, app {application})"


def _is_idle_in_transaction(session: Fields) -> bool:
    return text(session, "state").startswith("idle in transaction")


@rule(
    id="pg-connections-high",
    area="postgres",
    role=Role.CAUSE,
    title="PostgreSQL is short of connections",
    meaning="More than 85 % of what ordinary roles may take are in use, or nobody is let in any more: a leak, pools "
    "that are too large, no pooler. While two versions of a service overlap in a rollout, it passes.",
    remediation="See which application holds them and in which state; bound its pool or put a pooler in front, and end "
    "the leak before raising max_connections.",
    needs=("postgres.connections",),
)
def pg_connections_high(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.connections"):
        ratio, refused = amount(record, "ratio"), text(record, "refused")
        if refused:
            line = f"lets nobody in any more: {refused}"
            yield saw(pg_connections_high, entity, look, line, Severity.CRITICAL, query=shown("connections"))
        elif ratio is not None and ratio > CONNECTIONS_HIGH:
            used, most = amount(record, "used") or 0, amount(record, "max") or 0
            line = f"{used:.0f} of {most:.0f} connections in use ({ratio:.0%} of what ordinary roles may take)"
            how = Severity.CRITICAL if ratio > CONNECTIONS_FULL else Severity.WARNING
            yield saw(pg_connections_high, entity, look, line, how, query=shown("connections"))


@rule(
    id="pg-connection-leak",
    area="postgres",
    role=Role.CAUSE,
    title="One application holds PostgreSQL's connections and leaves them unused",
    meaning="It has most of them, and most of its own have done nothing for five minutes: they are not given back, or "
    "its pool is far too large. A pool that rests at night holds few of the server's connections, and is not told.",
    remediation="Restart one of its processes and see whether the count climbs again; then find where connections are "
    "taken and not closed.",
    needs=("postgres.connections",),
)
def pg_connection_leak(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.connections"):
        used = amount(record, "used") or 0
        if used and (amount(record, "ratio") or 0) > LEAK_RATIO:
            for holder in items(record, "holders"):
                count, stale = amount(holder, "count") or 0, amount(holder, "stale") or 0
                if count > LEAK_SHARE * used and stale > LEAK_STALE * count:
                    named = text(holder, "application") or text(holder, "role") or "unnamed"
                    line = f"{named} holds {count:.0f} of {used:.0f} connections, {stale:.0f} of them unused for 5 min"
                    # That they are unused is seen; that nobody will give them back is not.
                    yield saw(
                        pg_connection_leak,
                        entity,
                        look,
                        line,
                        Severity.WARNING,
                        direct=False,
                        query=shown("connections"),
                    )


@rule(
    id="pg-blocked",
    area="postgres",
    role=Role.CAUSE,
    title="PostgreSQL sessions wait for a lock",
    meaning="Somebody has waited for more than half a minute for a lock that one session holds. Schema changes do so "
    "for moments.",
    remediation="Look at the session at the head: let it finish, or end it by approval; lock_timeout bounds the next.",
    needs=("postgres.locks",),
)
def pg_blocked(scene: Scene) -> Iterator[Finding]:
    for entity, chain, look in _chains(scene):
        longest, blocked = amount(chain, "longest_wait_s") or 0, amount(chain, "blocked") or 0
        head = mapping(chain, "head")
        behind = _named(head) if amount(head, "pid") else "a prepared transaction"
        relation = next((text(each, "relation") for each in items(chain, "waiters") if text(each, "relation")), "")
        on = f" for {relation}" if relation else ""
        line = f"{blocked:.0f} sessions wait{on} behind {behind}, the longest {longest:.0f} s"
        how = Severity.CRITICAL if longest > BLOCKED_BAD_S or blocked >= BLOCKED_MANY else Severity.WARNING
        yield saw(pg_blocked, entity, look, line, how, query=shown("locks"))


def _chains(scene: Scene) -> Iterator[tuple[Entity, Fields, Evidence]]:
    """Chains in which somebody waits for long, the worst of each server first."""
    for entity, record, look in servers(scene, "postgres.locks"):
        for chain in items(record, "chains"):
            if (amount(chain, "longest_wait_s") or 0) > BLOCKED_S:
                yield entity, chain, look


@rule(
    id="pg-idle-in-transaction",
    area="postgres",
    role=Role.CAUSE,
    title="A PostgreSQL transaction was left open",
    meaning="A session has done nothing for five minutes inside a transaction, or keeps others waiting while it does "
    "nothing: its locks stay, and vacuum cannot remove what it might still see.",
    remediation="Find what the application waits for between statements; end the session by approval, and set "
    "idle_in_transaction_session_timeout.",
    needs=("postgres",),
)
def pg_idle_in_transaction(scene: Scene) -> Iterator[Finding]:
    for entity, chain, look in _chains(scene):
        head = mapping(chain, "head")
        if _is_idle_in_transaction(head):
            since, blocked = amount(head, "state_s") or 0, amount(chain, "blocked") or 0
            line = f"{_named(head)} is idle in a transaction for {since:.0f} s and keeps {blocked:.0f} sessions waiting"
            yield saw(pg_idle_in_transaction, entity, look, line, Severity.CRITICAL, query=shown("locks"))
    for entity, record, look in servers(scene, "postgres.activity"):
        left = [
            (since, each)
            for each in items(record, "sessions")
            if _is_idle_in_transaction(each) and (since := amount(each, "state_s") or 0) > IDLE_S
        ]
        if left:
            since, worst = max(left, key=lambda one: one[0])
            line = f"{len(left)} sessions idle in a transaction, {_named(worst)} for {since:.0f} s"
            yield saw(pg_idle_in_transaction, entity, look, line, Severity.WARNING, query=shown("activity"))


@rule(
    id="pg-long-transaction",
    area="postgres",
    role=Role.CAUSE,
    title="A PostgreSQL transaction has been open for long",
    meaning="A statement at work has kept its transaction open for more than an hour: vacuum cannot remove what it "
    "might still see. Backups and reports do so by nature; what names itself a backup is not told.",
    remediation="See whether it is meant to run that long; bound it with statement_timeout, or end it by approval.",
    needs=("postgres.activity",),
)
def pg_long_transaction(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.activity"):
        old = [
            (since, each)
            for each in items(record, "sessions")
            if not _is_idle_in_transaction(each)
            and text(each, "application") not in COPIERS
            and (since := amount(each, "transaction_s") or 0) > OPEN_S
        ]
        if old:
            since, worst = max(old, key=lambda one: one[0])
            held = amount(worst, "xids_held_back") or 0
            line = f"{_named(worst)} has had a transaction open for {since / 3600:.1f} h, {held:.0f} transactions ago"
            # Old alone harms nobody; what it keeps vacuum from is the harm.
            is_harmful = held > XIDS_HELD_BACK
            how = Severity.WARNING if is_harmful else Severity.INFO
            yield saw(pg_long_transaction, entity, look, line, how, direct=is_harmful, query=shown("activity"))


@rule(
    id="pg-prepared-forgotten",
    area="postgres",
    role=Role.CAUSE,
    title="A prepared PostgreSQL transaction was forgotten",
    meaning="It was prepared more than an hour ago and neither committed nor rolled back. It keeps its locks over "
    "restarts, and no session owns it. Transaction managers finish theirs in seconds.",
    remediation="Ask its transaction manager for the outcome; then COMMIT PREPARED or ROLLBACK PREPARED by approval.",
    needs=("postgres.activity",),
)
def pg_prepared_forgotten(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.activity"):
        for each in items(record, "prepared"):
            age = amount(each, "age_s") or 0
            if age > OPEN_S:
                line = f"prepared transaction {text(each, 'gid')} of {text(each, 'role')} is {age / 3600:.1f} h old"
                yield saw(pg_prepared_forgotten, entity, look, line, Severity.WARNING, query=shown("prepared"))


@rule(
    id="pg-slow-query",
    area="postgres",
    role=Role.CAUSE,
    title="One statement takes most of PostgreSQL's time",
    meaning="The same slow statement runs in most of the sessions that work now, or has taken most of all time since "
    "counting began: a plan that changed, no index, an order that grew. A report that comes once a night keeps no "
    "session busy on average, and is not told.",
    remediation="Explain it with the parameters that are slow; look at its rows, its index and when its plan changed.",
    needs=("postgres",),
)
def pg_slow_query(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.activity"):
        at_work = [each for each in items(record, "sessions") if _is_at_work(each)]
        active = max(amount(record, "active") or 0, len(at_work))
        several = _most_common(at_work)
        if len(several) >= RUNNING_MANY and len(several) > SLOW_SHARE * active:
            longest = max(amount(each, "query_s") or 0 for each in several)
            line = (
                f"{len(several)} of {active:.0f} active sessions run the same statement, the longest for "
                f"{longest:.0f} s: {text(several[0], 'query')}"
            )
            yield saw(pg_slow_query, entity, look, line, Severity.WARNING, query=shown("activity"))
    for entity, record, look in servers(scene, "postgres.slow_queries"):
        for each in items(record, "statements"):
            if _dominates(each):
                calls, mean, share = (amount(each, name) or 0 for name in ("calls", "mean_ms", "share"))
                line = f"{share:.0%} of all time, {calls:.0f} calls of {mean:.0f} ms each: {text(each, 'query')}"
                # The counters say since when they count, not since when it is slow.
                yield saw(pg_slow_query, entity, look, line, Severity.WARNING, direct=False, query=shown("statements"))


def _is_at_work(session: Fields) -> bool:
    # Who waits for a lock is slow for somebody else.
    waits = value(session, "wait_event_type") == "Lock"
    return text(session, "state") == "active" and not waits and (amount(session, "query_s") or 0) > RUNNING_S


def _most_common(sessions: Sequence[Fields]) -> Sequence[Fields]:
    by_query: defaultdict[str, list[Fields]] = defaultdict(list)
    for each in sessions:
        by_query[text(each, "query")].append(each)
    by_query.pop("", None)
    return max(by_query.values(), key=len, default=())


def _dominates(statement: Fields) -> bool:
    calls, mean, share = (amount(statement, name) or 0 for name in ("calls", "mean_ms", "share"))
    busy = amount(statement, "busy")
    return calls >= SLOW_CALLS and mean > SLOW_MS and share > SLOW_SHARE and busy is not None and busy > SLOW_BUSY
