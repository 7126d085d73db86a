"""What databases and those who ask them say: failovers, schemas, migrations, deadlocks."""

import re
from collections.abc import Iterator, Sequence

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.lines import Line
from agents.logs.telling import Sign, said
from agents.scene import Scene
from tools.entity import Entity

_FAILOVER = Sign(
    words=re.compile(
        r"(?i)failover (?:started|initiated|in progress|completed|to )|\bstepping down\b|stepped down"
        r"|promoted to primary|new primary"
    ),
    least=1,
    notes_count=True,
)
_SCHEMA = Sign(
    words=re.compile(
        r"(?i)(?:relation|column|table|type|function|schema) \"?[\w.\"]+\"? (?:of relation \"?\w+\"? )?does not exist"
        r"|unknown column|no such (?:table|column)|table '[^']+' doesn't exist|UndefinedTable|UndefinedColumn"
        r"|invalid (?:column|object) name|ORA-00942|unknown database|database \"[^\"]+\" does not exist"
        r"|schema version mismatch|pending migrations?"
    ),
)
_MIGRATION = Sign(
    words=re.compile(
        r"(?i)migrations?\b.{0,60}?\b(?:failed|error|aborted|cannot|could not)\b|failed (?:to )?(?:run|apply"
        r"|execut)\w* "
        r"(?:\w+ ){0,3}migrations?|dirty database version|FlywayException|Flyway\w*Exception|LiquibaseException"
        r"|MigrationFailed\w*|migrate found failed migrations|can't locate revision|Validate failed: Migrations"
        r"|waiting for changelog lock"
    ),
    least=1,
)
_DEADLOCK = Sign(
    words=re.compile(r"(?i)deadlock (?:detected|found)|WriteConflict|was deadlocked on lock|lock wait timeout exceeded")
)


@rule(
    id="db-failover",
    area="logs",
    role=Role.CAUSE,
    title="A database failed over",
    meaning="Another member became primary; connections break for seconds to minutes, and then work goes on.",
    remediation="Find why the old primary was left; check that clients reconnected.",
    needs=("logs",),
)
def db_failover(scene: Scene) -> Iterator[Finding]:
    def what(entity: Entity, hits: Sequence[Line]) -> str:
        return f"{entity} failed over ({len(hits)}); it began with: {' '.join(hits[0].text.split())[:160]}; at the end"

    yield from said(scene, db_failover, _FAILOVER, what, Severity.WARNING)


@rule(
    id="schema-missing",
    area="logs",
    role=Role.CAUSE,
    title="The schema is not what the program expects",
    meaning="A table, column or database is not there: a migration did not run, or ran in another order than the code.",
    remediation="Compare the version of the code with that of the schema; run or undo the migration.",
    needs=("logs",),
)
def schema_missing(scene: Scene) -> Iterator[Finding]:
    def what(entity: Entity, hits: Sequence[Line]) -> str:
        return f"{entity} asks for what the schema lacks ({len(hits)})"

    yield from said(scene, schema_missing, _SCHEMA, what, Severity.CRITICAL)


@rule(
    id="migration-failed",
    area="logs",
    role=Role.CAUSE,
    title="A migration failed",
    meaning="A change of the schema did not go through; what waits for it does not start.",
    remediation="Read the first error of that migration; mend it and the state it left before running it again.",
    needs=("logs",),
)
def migration_failed(scene: Scene) -> Iterator[Finding]:
    yield from said(
        scene, migration_failed, _MIGRATION, lambda entity, _: f"{entity} could not migrate", Severity.CRITICAL
    )


@rule(
    id="lock-conflicts",
    area="logs",
    role=Role.CAUSE,
    title="Transactions block each other",
    meaning="Deadlocks or lock time-outs, several of them: transactions take the same locks in another order.",
    remediation="Find the two statements in the database's own log, and take the locks in one order.",
    needs=("logs",),
)
def lock_conflicts(scene: Scene) -> Iterator[Finding]:
    def what(entity: Entity, hits: Sequence[Line]) -> str:
        return f"{entity} has transactions that block each other ({len(hits)})"

    yield from said(scene, lock_conflicts, _DEADLOCK, what, Severity.WARNING)
