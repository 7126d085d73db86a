"""The database behind the ledger: how it is opened, and transactions on it with a limit of time.

SQLite for one host, with any number of processes on one file; PostgreSQL for a cluster. Writers take turns from the
first statement on, so that what a writer has read is still so when it writes.
"""

import asyncio
import contextlib
import os
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, SQLAlchemyError

from bot.stores.ledger import schema
from bot.stores.ledger.errors import LedgerDamaged, LedgerError
from tools.redaction import redact

T = TypeVar("T")

CALL_TIMEOUT_S = 10.0
_WAIT_S = 5
"""For the database itself: to connect, and for another writer."""
_STATEMENT_MS = 8_000
_LOCK = 0x10C0_1ED6
"""Of PostgreSQL, while the tables are made."""
_DAMAGE = ("malformed", "not a database", "corrupt", "invalid page", "checksum")


class Database:
    """One engine. Its calls run in threads; a call that nobody waits for any more is rolled back, not committed."""

    def __init__(self, url: str) -> None:
        """Connects when first asked.

        Raises:
            ValueError: when `url` is none of `sqlite:///FILE` and `postgresql://…`.
        """
        parsed = _parsed(url)
        self._file = Path(parsed.database or "").absolute() if parsed.drivername == "sqlite" else None
        self._inode: tuple[int, int] | None = None
        self._engine = _sqlite(parsed) if self._file else _postgresql(parsed)
        self._turn = asyncio.Lock()

    async def open(self, *, create: bool) -> None:
        """Makes the ledger where there is none, if it may.

        Raises:
            LedgerError: when there is none, or none of our version, or it does not answer.
        """
        await self._call(lambda _: self._prepare(create=create), "open")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` finds in one consistent state.

        Raises:
            LedgerError: when the database does not answer in time.
        """
        return await self._call(lambda _: self._transact(work, is_write=False), "read")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Does `work` in one transaction, as the only writer; an exception in it leaves everything as it was.

        Raises:
            LedgerError: when the database does not answer in time, or refuses.
        """
        # Taking turns here is fair; the database's own waiting is not.
        return await self._call(
            lambda given_up: self._transact(work, is_write=True, given_up=given_up), "write", self._turn
        )

    async def close(self) -> None:
        """Gives back every connection."""
        await asyncio.to_thread(self._engine.dispose)

    async def _call(self, work: Callable[[threading.Event], T], what: str, turn: asyncio.Lock | None = None) -> T:
        given_up = threading.Event()
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S), turn or asyncio.Lock():
                return await asyncio.to_thread(work, given_up)
        except TimeoutError as error:
            raise LedgerError(f"the ledger did not {what} within {CALL_TIMEOUT_S:g} s") from error
        except SQLAlchemyError as error:
            raise _refusal(error, what) from error
        except OSError as error:
            raise LedgerError(f"the ledger could not {what}: {error.strerror or type(error).__name__}") from error
        finally:
            given_up.set()

    def _transact(
        self, work: Callable[[Connection], T], *, is_write: bool, given_up: threading.Event | None = None
    ) -> T:
        self._check_file()
        with self._engine.connect().execution_options(is_write=is_write) as connection:
            with connection.begin() as transaction:
                if is_write and self._file is None:
                    # One row that every writer locks first: two can never build on the same head.
                    connection.execute(select(schema.schema.c.version).with_for_update()).scalar_one()
                result = work(connection)
                if given_up is not None and given_up.is_set():
                    transaction.rollback()
                    raise LedgerError("nobody waited for the ledger any more")
                self._check_file()
            return result

    def _check_file(self) -> None:
        if self._file is None:
            return
        # SQLite goes on writing to a file that was deleted or replaced, where nobody will ever read it.
        found = self._file.stat()
        if (found.st_dev, found.st_ino) != self._inode:
            raise LedgerError(f"the ledger {str(self._file)!r} was replaced while it was open")

    def _prepare(self, *, create: bool) -> None:
        if self._file is not None:
            if create and not self._file.exists():
                _make_file(self._file)
            found = self._file.stat()
            if stat.S_IMODE(found.st_mode) & 0o077:
                self._file.chmod(0o600)
            self._inode = (found.st_dev, found.st_ino)
        with self._engine.connect() as connection, connection.begin():
            if self._file is None and create:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            if schema.exists(connection):
                return
            if self._file is not None or not create:
                raise LedgerError("there is no ledger")
            schema.create(connection)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError("the ledger's address is not a URL") from error
    if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(f"the ledger's address is of {parsed.drivername!r}; expected sqlite:///FILE or postgresql://…")


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_timeout=_WAIT_S, connect_args={"timeout": _WAIT_S})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _: object) -> None:
    # The driver must not begin transactions in its own way: a writer takes the lock before it reads.
    connection.isolation_level = None
    # Bytes that somebody changed must reach the verification, not stop the driver.
    connection.text_factory = _as_text
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _as_text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("is_write") else "BEGIN")


def _postgresql(url: URL) -> Engine:
    options = (
        f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_WAIT_S}s -c synchronous_commit=on"
        f" -c idle_in_transaction_session_timeout={_STATEMENT_MS}"
    )
    return create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=_WAIT_S,
        connect_args={
            "connect_timeout": _WAIT_S, "options": options, "tcp_user_timeout": _STATEMENT_MS,
            "application_name": "locum-ledger",
        },
    )  # fmt: skip


def _make_file(file: Path) -> None:
    """Makes a whole ledger beside `file` and gives it its name in one step: nobody ever opens half of one."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(prefix=".ledger-", dir=file.parent)
    os.close(descriptor)
    new = Path(name)
    engine = _sqlite(URL.create("sqlite", database=name))
    try:
        with contextlib.closing(sqlite3.connect(name)) as raw:
            # Kept in the file; not possible within a transaction, in which the engine does everything.
            raw.execute("PRAGMA journal_mode=WAL")
        with engine.connect().execution_options(is_write=True) as connection, connection.begin():
            schema.create(connection)
        engine.dispose()
        try:
            os.link(new, file)
        except FileExistsError:
            # Another process was quicker, with the same content.
            return
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        engine.dispose()
        for leftover in (new, Path(f"{name}-wal"), Path(f"{name}-shm")):
            leftover.unlink(missing_ok=True)


def _refusal(error: SQLAlchemyError, what: str) -> LedgerError:
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    line = redact(said.strip().splitlines()[0]) if said.strip() else type(error).__name__
    is_damage = isinstance(error, DatabaseError) and any(word in said for word in _DAMAGE)
    return (LedgerDamaged if is_damage else LedgerError)(f"the ledger could not {what}: {line}")
