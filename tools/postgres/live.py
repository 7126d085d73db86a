"""One PostgreSQL server, asked with the read-only queries of `tools.postgres.queries`.

What the client library says about a connection may repeat how it connects, so none of its words leave this module.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import AsyncConnection, errors, sql, waiting
from psycopg.abc import PQGen
from psycopg.rows import dict_row

from tools.errors import ToolError, ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.postgres.queries import EXTENSION, MAY_READ, QUERIES, SCHEMA
from tools.postgres.shapes import shape

Row = dict[str, Any]
R = TypeVar("R")

_FULL = (
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections for database",
    "no more connections allowed",
)
"""How servers and poolers say that nobody comes in any more. A role's own limit is not among them: it is ours."""
_UNKNOWN_USER = (
    "authentication failed",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "permission denied for database",
    "no password supplied",
)
_REASONS = (
    "too many connections for role",
    "connection refused",
    "timeout expired",
    "failed to resolve host",
    "certificate verify failed",
    "does not match host name",
    "does not support ssl",
    "starting up",
    "shutting down",
    "in recovery mode",
    "not accepting connections",
    "no such file or directory",
)
"""What is worth repeating of why nobody answers; nothing of it can hold a credential."""


class _Full(Exception):
    """The server lets nobody in any more."""


class _Session(AsyncConnection[Row]):
    """A connection that whoever gives up waiting drops at once.

    The library would ask the server to cancel first, which takes ten seconds where nobody answers any more; the
    statement ends by its own time-out there.
    """

    async def wait(self, gen: PQGen[R], interval: float = 0.1, timeout: float | None = None) -> R:  # noqa: ASYNC109
        """See `AsyncConnection.wait`."""
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


class LivePostgres:
    """Implements the port `Postgres` of `tools.world`. Its user needs the role `pg_monitor`, and no other.

    All questions share one connection, which is closed as soon as none is left: a server that is short of connections
    should not lose more of them to us.
    """

    def __init__(
        self,
        name: str,
        *,
        host: str,
        port: int = 5432,
        database: str = "postgres",
        user: str | None = None,
        password: Callable[[], str] | None = None,
        sslmode: str = "require",
        ca_file: str | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        """Connects to nothing yet.

        Args:
            name: how people call the deployment.
            host: a host name, or the folder of a Unix socket.
            port: of the server itself rather than of a pooler, whose own figures are another thing.
            database: where `pg_stat_statements` was created.
            user: the role to log in as; `None` is the client library's default.
            password: asked at each connection, so that nothing here keeps it; `None` = the server wants none.
            sslmode: as libpq has it; `verify-full` with `ca_file` is the safe one.
            ca_file: certificates that the server's own must lead to.
            timeout_s: of connecting, and of each query.
        """
        self.name = name
        self._host, self._port, self._database, self._user = host, port, database, user
        self._password = password
        self._sslmode, self._ca_file = sslmode, ca_file
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._asked = 0
        self._open: _Session | None = None

    async def query(self, what: str) -> Sequence[Mapping[str, Any]]:
        """See `Postgres.query`."""
        text = QUERIES.get(what)
        if text is None:
            raise ToolRetry(f"there is no query {what!r}; there are {', '.join(QUERIES)}")
        self._asked += 1
        try:
            async with self._turn:
                return await self._answer(what, text)
        finally:
            self._asked -= 1
            if not self._asked:
                await self._hang_up()

    async def _answer(self, what: str, text: LiteralString) -> list[Row]:
        try:
            # Twice, since connecting has its own limit: this one is for a server that went away in the middle.
            async with asyncio.timeout(self._timeout_s * 2):
                return [_plain(row) for row in await self._rows(what, text)]
        except _Full as full:
            if what == "connections":
                return [{"refused": str(full)}]
            raise ToolUnavailable(f"Postgres {self.name!r} lets nobody in any more: {full}") from None
        except psycopg.Error as error:
            await self._hang_up()
            raise self._meaning(what, error) from None
        except TimeoutError:
            await self._hang_up()
            raise self._late(what) from None
        except asyncio.CancelledError:
            await self._hang_up()
            raise

    async def _rows(self, what: str, text: LiteralString) -> list[Row]:
        if self._open is None:
            self._open = await self._connected()
        connection = self._open
        statement = sql.SQL(text)
        if "{schema}" in text:
            found = await (await connection.execute(SCHEMA)).fetchone()
            if found is None:
                raise ToolNoSource(self._how_to_add())
            statement = statement.format(schema=sql.Identifier(found["schema"]))
        async with connection.transaction():
            return await (await connection.execute(statement)).fetchall()

    async def _connected(self) -> _Session:
        milliseconds = round(self._timeout_s * 1000)
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await _Session.connect(
                    host=self._host,
                    port=self._port,
                    dbname=self._database,
                    user=self._user,
                    password=self._password() if self._password else None,
                    sslmode=self._sslmode,
                    sslrootcert=self._ca_file,
                    gssencmode="disable",
                    application_name="locum",
                    options=f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} "
                    f"-c lock_timeout={milliseconds} -c idle_in_transaction_session_timeout={milliseconds * 2} "
                    "-c search_path=pg_catalog",
                    autocommit=True,
                    # A pooler may give each transaction another server, which does not know what we prepared.
                    prepare_threshold=None,
                    row_factory=dict_row,
                )
        except psycopg.Error as error:
            raise self._unreached(str(error).lower()) from None
        except TimeoutError:
            raise ToolUnavailable(f"Postgres {self.name!r} did not take a connection in {milliseconds} ms") from None
        # Said twice, since a pooler may have been told to pass over what stands in `options`.
        await connection.set_read_only(True)
        self._open = connection
        row = await (await connection.execute(MAY_READ)).fetchone()
        if not row or not row["may"]:
            await self._hang_up()
            raise ToolRefused(f"Postgres {self.name!r} hides other sessions: its user needs the role pg_monitor")
        return connection

    async def _hang_up(self) -> None:
        connection, self._open = self._open, None
        if connection:
            await connection.close()

    def _unreached(self, said: str) -> Exception:
        if any(each in said for each in _FULL):
            return _Full(next(each for each in _FULL if each in said))
        if any(each in said for each in _UNKNOWN_USER) or ('role "' in said and "does not exist" in said):
            return ToolRefused(f"Postgres {self.name!r} does not let its user in: check user, password and pg_hba.conf")
        if 'database "' in said and "does not exist" in said:
            return ToolNoSource(f"Postgres {self.name!r} has no such database: check the setting")
        reason = next((each for each in _REASONS if each in said), "the connection failed")
        return ToolUnavailable(f"Postgres {self.name!r} cannot be reached: {reason}")

    def _meaning(self, what: str, error: psycopg.Error) -> ToolError:
        match error:
            case errors.InsufficientPrivilege():
                return ToolRefused(f"Postgres {self.name!r} refuses {what}: its user needs the role pg_monitor")
            case errors.QueryCanceled() | errors.LockNotAvailable():
                return self._late(what)
            case errors.ObjectNotInPrerequisiteState() if what.startswith("statements"):
                return ToolNoSource(self._how_to_add())
            case (
                errors.UndefinedTable() | errors.UndefinedColumn() | errors.UndefinedFunction()
                | errors.FeatureNotSupported()
            ):  # fmt: skip
                older = f"its {EXTENSION} is older: ALTER EXTENSION {EXTENSION} UPDATE"
                why = older if what.startswith("statements") else "it is older than 13, or no PostgreSQL"
                return ToolNoSource(f"Postgres {self.name!r} does not know what {what} asks for: {why}")
            case _:
                how = f"SQLSTATE {error.sqlstate}" if error.sqlstate else "the connection broke"
                return ToolUnavailable(f"Postgres {self.name!r} fails at {what}: {how}")

    def _late(self, what: str) -> ToolUnavailable:
        return ToolUnavailable(f"Postgres {self.name!r} did not answer {what} in {self._timeout_s:g} s")

    def _how_to_add(self) -> str:
        return (
            f"Postgres {self.name!r} has no {EXTENSION}: add it to shared_preload_libraries, restart, and run "
            f"CREATE EXTENSION {EXTENSION} in the database {self._database!r}"
        )


def _plain(row: Row) -> Row:
    query = row.get("query")
    return {**row, "query": shape(query)} if isinstance(query, str) else row
