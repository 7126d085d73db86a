"""Where a ledger may be, who may read it, and what happens when it goes away."""

import asyncio
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.stores.ledger.errors import LedgerDamaged, LedgerError
from bot.stores.ledger.ledger import open_ledger
from tests.ledger.scenes import all_entries, anchor, approved, draft, row
from tests.postgres_server import PostgresServer, postgres


@pytest.mark.parametrize(
    "url", ["redis://x", "sqlite://", "sqlite:///:memory:", "mysql://a:secret@b/c", "sqlite+aiosqlite:///x", "nonsense"]
)
async def test_an_address_of_another_kind_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="the ledger's address is") as refused:
        async with open_ledger(url):
            pass
    assert "secret" not in str(refused.value)


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


async def test_a_ledger_is_for_its_owner_alone(sqlite_url: str, file: Path) -> None:
    async with open_ledger(sqlite_url) as ledger:
        await ledger.append(draft())
        assert {each.name for each in file.parent.iterdir()} == {"ledger.db", "ledger.db-wal", "ledger.db-shm"}
        assert {mode(each) for each in file.parent.iterdir()} == {0o600}
    file.chmod(0o644)  # noqa: ASYNC240
    async with open_ledger(sqlite_url):
        assert mode(file) == 0o600


async def test_where_there_is_no_ledger_none_is_made_unless_it_may(url: str, file: Path) -> None:
    with pytest.raises(LedgerError):
        async with open_ledger(url, create=False):
            pass
    assert not file.exists()  # noqa: ASYNC240
    async with open_ledger(url):
        pass
    async with open_ledger(url, create=False) as ledger:
        assert await ledger.head() is None


async def test_a_ledger_of_another_version_is_not_used(sqlite_url: str, file: Path) -> None:
    async with open_ledger(sqlite_url):
        pass
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("UPDATE ledger_schema SET version = 2")
    with pytest.raises(LedgerError, match=r"schema version \[2\]; expected 1"):
        async with open_ledger(sqlite_url):
            pass


async def test_a_file_that_is_something_else_is_not_used_and_stays_as_it_is(sqlite_url: str, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("dear diary, " * 2_000)  # noqa: ASYNC240
    with pytest.raises(LedgerDamaged, match="not a database"):
        async with open_ledger(sqlite_url):
            pass
    assert file.read_text().startswith("dear diary")  # noqa: ASYNC240
    file.write_bytes(b"")  # noqa: ASYNC240
    with pytest.raises(LedgerError, match="there is no ledger"):
        async with open_ledger(sqlite_url):
            pass


@pytest.mark.parametrize("way", ["deleted", "restored from a copy"])
async def test_a20_a_ledger_that_was_replaced_under_us_is_used_no_more(
    sqlite_url: str, file: Path, tmp_path: Path, way: str
) -> None:
    async with open_ledger(sqlite_url) as ledger:
        await approved(ledger)
    copy = shutil.copy(file, tmp_path / "copy.db")
    async with open_ledger(sqlite_url) as ledger:
        assert await ledger.claim("r1", "d2", "runner-1")
        file.unlink()  # noqa: ASYNC240
        if way != "deleted":
            shutil.copy(copy, file)
        # What it would write now, nobody would ever read.
        with pytest.raises(LedgerError, match=r"replaced|No such file"):
            await ledger.append(draft())
        with pytest.raises(LedgerError, match=r"replaced|No such file"):
            await ledger.intent("r1")


async def test_a23_when_the_server_stops_nothing_is_claimed(tmp_path: Path) -> None:
    with postgres(tmp_path / "pg") as running:
        async with open_ledger(running.owner) as ledger:
            await approved(ledger)
            before = await all_entries(ledger)
            running.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'locum-ledger'"
            )
            # A lost connection is no reason to fail: nothing was asked on it yet.
            assert (await ledger.head()) == before[-1]
            await asyncio.to_thread(_stop, running)
            for attempt in (ledger.claim("r1", "d2", "runner-1", draft()), ledger.append(draft()), ledger.head()):
                with pytest.raises(LedgerError, match="the ledger could not"):
                    await attempt
    with postgres(tmp_path / "pg") as again:
        async with open_ledger(again.owner) as ledger:
            assert await all_entries(ledger) == before
            assert await ledger.intent("r1") is None
            assert await ledger.claim("r1", "d2", "runner-1", draft())


def _stop(server: PostgresServer) -> None:
    pid = int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGQUIT)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def test_a_password_in_the_address_is_in_no_error(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as refused:
        async with open_ledger(f"postgresql://locum:s3cretpassword@/ledger?host={tmp_path}"):
            pass
    assert "s3cretpassword" not in str(refused.value)
    assert "s3cretpassword" not in str(refused.value.__cause__)


async def test_two_ledgers_of_one_process_share_the_file(sqlite_url: str) -> None:
    async with open_ledger(sqlite_url) as one, open_ledger(sqlite_url) as two:
        entry = await one.append(draft())
        await two.anchored(anchor(entry), "log")
        await two.open_request(row())
        assert await two.head() == entry
    async with open_ledger(sqlite_url) as again:
        assert await again.anchors() == [anchor(entry)]
