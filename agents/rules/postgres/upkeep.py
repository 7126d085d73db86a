"""PostgreSQL: vacuum, transaction ids, deadlocks. What is not told is unknown. Pure."""

from collections.abc import Iterator, Sequence

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, items, text
from agents.rules.deployments import amount, saw, servers
from agents.scene import Scene
from tools.postgres.queries import shown

XID_AGE = 1_000_000_000
XID_BAD_AGE = 1_800_000_000
DEAD_RATIO = 0.2
DEAD_ROWS = 100_000
VACUUMED_S = 86_400.0
DEADLOCKS = 5
DEADLOCKS_PER_H = 1.0


@rule(
    id="pg-wraparound",
    area="postgres",
    role=Role.CAUSE,
    title="PostgreSQL runs out of transaction ids",
    meaning="The oldest transaction id that is not frozen is more than a billion transactions old: at two billion the "
    "server stops writing. Vacuum is held back or too slow; one of a large table that runs now lowers it at its end.",
    remediation="Find what holds vacuum back (an old transaction, a slot, a prepared transaction) and end it; then "
    "VACUUM FREEZE the oldest tables.",
    needs=("postgres.vacuum",),
)
def pg_wraparound(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.vacuum"):
        ages = [
            (age, text(each, "database"), kind)
            for each in items(record, "databases")
            for kind, key in (("transaction", "xid_age"), ("multixact", "multixact_age"))
            if (age := amount(each, key)) is not None
        ]
        age, database, kind = max(ages, default=(0.0, "", ""))
        if age > XID_AGE:
            running = [each for each in items(record, "running") if text(each, "database") == database]
            works = f", {len(running)} vacuums run there" if running else ""
            line = f"database {database} is {age / 1e6:.0f} million {kind} ids old{works}"
            remedy = _remedy(items(record, "holders"))
            yield saw(
                pg_wraparound,
                entity,
                look,
                line,
                _how_old(age, is_worked_on=bool(running)),
                remedy=remedy,
                query=shown("databases"),
            )


def _how_old(age: float, *, is_worked_on: bool) -> Severity:
    if age > XID_BAD_AGE:
        return Severity.CRITICAL
    return Severity.INFO if is_worked_on else Severity.WARNING


def _remedy(holders: Sequence[Fields]) -> str:
    held = [each for each in holders if (amount(each, "xids") or 0) > XID_AGE / 10]
    if not held:
        return ""
    worst = max(held, key=lambda each: amount(each, "xids") or 0)
    return (
        f"End what holds vacuum back, {text(worst, 'what')} first, by approval; then VACUUM FREEZE the oldest tables."
    )


@rule(
    id="pg-bloat",
    area="postgres",
    role=Role.CAUSE,
    title="Dead rows pile up in a PostgreSQL table",
    meaning="More than a fifth of a large table is dead, and no vacuum came for a day: scans read what nobody can see. "
    "A vacuum of it that runs now is working on it.",
    remediation="Find what holds vacuum back, then VACUUM the table; lower its autovacuum_vacuum_scale_factor.",
    needs=("postgres.vacuum",),
)
def pg_bloat(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.vacuum"):
        running = {text(each, "relation") for each in items(record, "running")}
        for table in items(record, "tables"):
            if _is_bloated(table) and not running & _names(table):
                dead, ratio = amount(table, "dead_rows") or 0, amount(table, "dead_ratio") or 0
                named = f"{text(table, 'schema')}.{text(table, 'table')}"
                line = f"{named} has {dead:.0f} dead rows ({ratio:.0%}) and no vacuum for a day"
                yield saw(pg_bloat, entity, look, line, Severity.WARNING, direct=False, query=shown("tables"))
                break


def _is_bloated(table: Fields) -> bool:
    ago = amount(table, "vacuumed_s_ago")
    is_large = (amount(table, "dead_rows") or 0) > DEAD_ROWS and (amount(table, "dead_ratio") or 0) > DEAD_RATIO
    return is_large and (ago is None or ago > VACUUMED_S)


def _names(table: Fields) -> set[str]:
    return {text(table, "table"), f"{text(table, 'schema')}.{text(table, 'table')}"}


@rule(
    id="pg-deadlocks",
    area="postgres",
    role=Role.CAUSE,
    title="PostgreSQL transactions deadlock",
    meaning="More than one an hour since counting began: transactions take the same locks in another order. A few in "
    "the life of a server are nothing.",
    remediation="Read the server's log for the two statements, and take the locks in one order.",
    needs=("postgres.status",),
)
def pg_deadlocks(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.status"):
        for each in items(record, "databases"):
            count, rate = amount(each, "deadlocks") or 0, amount(each, "deadlocks_per_h") or 0
            if count >= DEADLOCKS and rate > DEADLOCKS_PER_H:
                line = f"{count:.0f} deadlocks in database {text(each, 'database')}, {rate:.1f} an hour"
                # Counted since a reset that may be long ago: they need not be of today.
                yield saw(pg_deadlocks, entity, look, line, Severity.WARNING, direct=False, query=shown("databases"))


@rule(
    id="pg-autovacuum-off",
    area="postgres",
    role=Role.CONTEXT,
    title="PostgreSQL's autovacuum is off",
    meaning="Nothing removes dead rows or freezes old ones, save what somebody runs by hand.",
    remediation="Turn autovacuum on; tune it instead where it is in the way.",
    needs=("postgres.vacuum",),
)
def pg_autovacuum_off(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.vacuum"):
        if record.get("autovacuum") is False:
            yield saw(pg_autovacuum_off, entity, look, "autovacuum is off", Severity.INFO, query=shown("settings"))
