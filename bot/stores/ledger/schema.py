"""The tables of the ledger, and the rules that the database itself enforces on them, whoever writes.

An entry of the audit is never changed or taken out and always follows the last one; a request moves along legal edges
only and what people decided on never changes; an intent, a vote and an anchor stay as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    insert,
    inspect,
    select,
    text,
)
from whenever import Instant

from approvals.audit import GENESIS
from bot.stores.ledger.errors import LedgerError
from bot.stores.ledger.rows import FIRST, NEXT, PROPOSED, TERMINAL

VERSION = 1


class Moment(TypeDecorator[Instant]):
    """A time as nanoseconds since 1970, so that the database compares it rightly."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Instant | None, dialect: Dialect) -> int | None:
        return value.timestamp(unit="nanosecond") if value is not None else None

    def process_result_value(self, value: int | None, dialect: Dialect) -> Instant | None:
        return Instant.from_timestamp(value, unit="nanosecond") if value is not None else None


metadata = MetaData()

# SQLite numbers its rows by a column only when that is declared INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")
_TERMINAL = ", ".join(f"'{state}'" for state in sorted(TERMINAL))

schema = Table("ledger_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

entries = Table(
    "ledger_entries",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("request_id", Text, index=True),
    Column("actor", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("previous", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True),
)

requests = Table(
    "ledger_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("merge_key", Text, nullable=False),
    Column("incident_id", Text, nullable=False, index=True),
    Column("session_id", Text, nullable=False, index=True),
    Column("requester", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("updated_at", Moment, nullable=False),
    Column("version", Integer, nullable=False),
)
Index(
    "ledger_requests_open",
    requests.c.merge_key,
    unique=True,
    sqlite_where=text(f"state NOT IN ({_TERMINAL})"),
    postgresql_where=text(f"state NOT IN ({_TERMINAL})"),
)

intents = Table(
    "ledger_intents",
    metadata,
    Column("request_id", Text, ForeignKey("ledger_requests.id"), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("claimed_at", Moment, nullable=False),
    Column("outcome", Text),
)

votes = Table(
    "ledger_votes",
    metadata,
    Column("request_id", Text, ForeignKey("ledger_requests.id"), primary_key=True),
    Column("vote_key", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("choice", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
)

freezes = Table(
    "ledger_freezes",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
)

leases = Table(
    "ledger_leases",
    metadata,
    Column("lease_id", Text, primary_key=True),
    Column("accessor", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("request_id", Text),
    Column("owner", Text, nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("outcome", Text),
)

fingerprints = Table(
    "ledger_fingerprints",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("fingerprint", LargeBinary, primary_key=True),
)

anchors = Table(
    "ledger_anchors",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("hash", Text, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("at", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What the database refuses, as a condition over OLD and NEW that both databases understand."""

    table: str
    name: str
    event: str
    refused_when: str
    why: str


def _differ(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} <> OLD.{column}" for column in columns)


def _illegal_edge() -> str:
    legal = [
        f"(OLD.state = '{state}' AND NEW.state IN ({', '.join(repr(str(each)) for each in sorted({state, *after}))}))"
        for state, after in sorted(NEXT.items())
        if after
    ]
    return f"NOT ({' OR '.join(legal)})"


# ruff: noqa: S608 - the conditions below are made of our own names and states
def _rules() -> Iterator[_Rule]:
    last = "SELECT {} FROM ledger_entries ORDER BY seq DESC LIMIT 1"
    first = ", ".join(f"'{state}'" for state in sorted(FIRST))
    same_open = f"merge_key = NEW.merge_key AND state NOT IN ({_TERMINAL})"
    yield _Rule(
        table="ledger_entries", name="follows", event="INSERT", why="an entry must follow the last one",
        refused_when=f"NEW.seq <> COALESCE(({last.format('seq')}), 0) + 1"
        f" OR NEW.previous <> COALESCE(({last.format('hash')}), '{GENESIS}')",
    )  # fmt: skip
    yield _Rule(
        table="ledger_requests", name="opens", event="INSERT", why="a request is opened once",
        refused_when=f"NEW.version <> 1 OR NEW.state NOT IN ({first})"
        f" OR EXISTS (SELECT 1 FROM ledger_requests WHERE id = NEW.id OR ({same_open}))",
    )  # fmt: skip
    yield _Rule(
        table="ledger_requests", name="moves", event="UPDATE", why="a request moves along legal edges only",
        refused_when=f"{_illegal_edge()} OR NEW.version <> OLD.version + 1"
        f" OR {_differ('id', 'merge_key', 'incident_id', 'session_id', 'requester', 'created_at')}"
        f" OR (OLD.state <> '{PROPOSED}' AND ({_differ('body', 'digest')}))",
    )  # fmt: skip
    # SQLite's REPLACE deletes without asking the rules on deletion, hence a rule on insertion for each key.
    for table, key in (
        ("ledger_intents", "request_id = NEW.request_id"),
        ("ledger_votes", "request_id = NEW.request_id AND vote_key = NEW.vote_key"),
        ("ledger_leases", "lease_id = NEW.lease_id"),
        ("ledger_anchors", "seq = NEW.seq AND hash = NEW.hash AND place = NEW.place"),
    ):
        yield _Rule(
            table=table, name="once", event="INSERT", why="it is written once",
            refused_when=f"EXISTS (SELECT 1 FROM {table} WHERE {key})",
        )  # fmt: skip
    for table, columns in (
        ("ledger_intents", ("request_id", "digest", "owner", "claimed_at")),
        ("ledger_leases", ("lease_id", "accessor", "reference", "owner", "at")),
    ):
        yield _Rule(
            table=table, name="ends_once", event="UPDATE", why="it ends once and stays otherwise as it is",
            refused_when=f"OLD.outcome IS NOT NULL OR {_differ(*columns)}",
        )  # fmt: skip
    for table in ("ledger_entries", "ledger_votes", "ledger_anchors"):
        yield _Rule(table=table, name="unchanged", event="UPDATE", refused_when="TRUE", why="it never changes")
    for table in ("ledger_entries", "ledger_requests", "ledger_intents", "ledger_votes", "ledger_anchors",
                  "ledger_leases"):  # fmt: skip
        yield _Rule(table=table, name="kept", event="DELETE", refused_when="TRUE", why="it is never taken out")


def create(connection: Connection) -> None:
    """Makes tables and rules, in the caller's transaction."""
    metadata.create_all(connection)
    connection.execute(insert(schema).values(version=VERSION))
    is_sqlite = connection.dialect.name == "sqlite"
    for rule in _rules():
        for statement in _sqlite(rule) if is_sqlite else _postgresql(rule):
            connection.exec_driver_sql(statement)


def exists(connection: Connection) -> bool:
    """Whether there is a ledger of our version.

    Raises:
        LedgerError: when there is one of another version.
    """
    if not inspect(connection).has_table(schema.name):
        return False
    versions = connection.execute(select(schema.c.version)).scalars().all()
    if versions != [VERSION]:
        raise LedgerError(f"the ledger has the schema version {versions!r}; expected {VERSION}")
    return True


def _sqlite(rule: _Rule) -> Iterator[str]:
    yield (
        f"CREATE TRIGGER {rule.table}_{rule.name} BEFORE {rule.event} ON {rule.table} WHEN {rule.refused_when}"
        f" BEGIN SELECT RAISE(ABORT, '{rule.table}: {rule.why}'); END"
    )


def _postgresql(rule: _Rule) -> Iterator[str]:
    name = f"{rule.table}_{rule.name}"
    yield (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {rule.refused_when}"
        f" THEN RAISE EXCEPTION '{rule.table}: {rule.why}'; END IF; RETURN NEW; END $$"
    )
    yield f"CREATE TRIGGER {name} BEFORE {rule.event} ON {rule.table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    if rule.event == "DELETE":
        # Emptying a table at once asks no rule on its rows. The function refuses whatever it is called for.
        yield (
            f"CREATE TRIGGER {name}_all BEFORE TRUNCATE ON {rule.table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
