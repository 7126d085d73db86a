"""Whoever reaches the database itself: what it refuses, and what is found of the rest."""

import asyncio
import importlib
import itertools
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from approvals.audit import anchor_line
from bot.cli.audit import run_show, run_verify
from bot.cli.outcome import BadInput
from bot.stores.ledger.errors import LedgerDamaged
from bot.stores.ledger.ledger import Ledger, open_ledger
from tests.ledger.scenes import NOON, anchor, approved, draft, row

REFUSED: tuple[LiteralString, ...] = (
    "UPDATE ledger_entries SET actor = 'me' WHERE seq = 1",
    "DELETE FROM ledger_entries WHERE seq = 4",
    "DELETE FROM ledger_entries",
    "INSERT INTO ledger_entries VALUES (6, 'STARTED', 'at', NULL, 'me', '{}', 'p', 'h')",
    "INSERT INTO ledger_entries VALUES (5, 'STARTED', 'at', NULL, 'me', '{}', 'p', 'h')",
    "DELETE FROM ledger_requests",
    "UPDATE ledger_requests SET state = 'succeeded', version = version + 1 WHERE id = 'r1'",
    "UPDATE ledger_requests SET state = 'pending', version = version + 1 WHERE id = 'r1'",
    "UPDATE ledger_requests SET state = 'cancelled' WHERE id = 'r1'",
    "UPDATE ledger_requests SET body = 'other', version = version + 1 WHERE id = 'r1'",
    "UPDATE ledger_requests SET digest = 'other', version = version + 1 WHERE id = 'r1'",
    "UPDATE ledger_requests SET incident_id = 'other', version = version + 1 WHERE id = 'r1'",
    "UPDATE ledger_requests SET state = 'executing', version = version + 1 WHERE id = 'ended'",
    "INSERT INTO ledger_requests SELECT 'r9', 'm9', incident_id, session_id, requester, 'approved', body, digest,"
    " created_at, updated_at, 1 FROM ledger_requests WHERE id = 'r1'",
    "DELETE FROM ledger_intents",
    "UPDATE ledger_intents SET owner = 'me'",
    "UPDATE ledger_intents SET outcome = 'failed'",
    "INSERT INTO ledger_intents VALUES ('r1', 'd2', 'me', 0, NULL)",
    "INSERT INTO ledger_intents VALUES ('unknown', 'd2', 'me', 0, NULL)",
    "UPDATE ledger_votes SET principal = 'me'",
    "DELETE FROM ledger_votes",
    "UPDATE ledger_anchors SET hash = 'other'",
    "DELETE FROM ledger_anchors",
    "UPDATE ledger_leases SET reference = 'other'",
    "DELETE FROM ledger_leases",
)
REPLACING: tuple[LiteralString, ...] = (
    "INSERT OR REPLACE INTO ledger_entries SELECT seq, kind, at, request_id, 'me', facts, previous, hash"
    " FROM ledger_entries WHERE seq = 4",
    "INSERT OR REPLACE INTO ledger_intents VALUES ('r1', 'd2', 'me', 0, NULL)",
    "INSERT OR REPLACE INTO ledger_requests SELECT id, merge_key, incident_id, session_id, requester, 'pending', body,"
    " digest, created_at, updated_at, 1 FROM ledger_requests WHERE id = 'r1'",
)


async def fill(ledger: Ledger) -> None:
    """Something in every table; four entries."""
    await approved(ledger)
    await ledger.claim("r1", "d2", "runner-1", draft())
    await ledger.settle("r1", "succeeded")
    await ledger.vote("r1", "k", "ana", "approve", b"")
    head = await ledger.head()
    assert head
    await ledger.anchored(anchor(head), "log")
    lease = {"accessor": "", "reference": "r", "purpose": "p", "request_id": None, "owner": "o", "at": NOON}
    await ledger.note_lease("l", **lease)  # pyright: ignore[reportArgumentType]


async def end_one(ledger: Ledger) -> None:
    await ledger.open_request(row("ended", state="pending"))
    await ledger.save_request("ended", expected_state="pending", state="denied")


async def test_a22_sqlite_itself_refuses_to_change_what_was_written(sqlite_url: str, file: Path) -> None:
    async with open_ledger(sqlite_url) as ledger:
        await fill(ledger)
        await end_one(ledger)
        with closing(sqlite3.connect(file)) as raw:
            raw.execute("PRAGMA foreign_keys=ON")
            before = list(raw.iterdump())
            for statement in (*REFUSED, *REPLACING):
                with pytest.raises(sqlite3.IntegrityError), raw:
                    raw.execute(statement)
            assert list(raw.iterdump()) == before


async def test_a22_postgresql_itself_refuses_to_change_what_was_written(postgres_url: str) -> None:
    async with open_ledger(postgres_url) as ledger:
        await fill(ledger)
        await end_one(ledger)
        with psycopg.connect(postgres_url, autocommit=True) as raw:
            for statement in (*REFUSED, "TRUNCATE ledger_entries", "TRUNCATE ledger_requests CASCADE"):
                with pytest.raises((psycopg.errors.RaiseException, psycopg.errors.IntegrityError)):
                    raw.execute(statement)
        assert [each.seq for each in await ledger.entries()] == [1, 2, 3, 4]


def without_rules(file: Path, *statements: str) -> None:
    """As somebody does who knows how."""
    with closing(sqlite3.connect(file)) as raw, raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)


def verified(
    url: str, capsys: pytest.CaptureFixture[str], anchors: Path | None = None
) -> tuple[int, dict[str, object]]:
    code = 0
    try:
        run_verify(url=url, anchors=anchors, output="json")
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, json.loads(capsys.readouterr().out)


async def written(url: str, count: int) -> list[str]:
    async with open_ledger(url) as ledger:
        return [anchor_line(anchor(await ledger.append(draft(n=number)))) for number in range(count)]


async def noted(url: str, seq: int) -> None:
    async with open_ledger(url) as ledger:
        await ledger.anchored(anchor((await ledger.entries())[seq - 1]), "log")


def test_a22_the_command_says_that_it_is_intact(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    last = json.loads(asyncio.run(written(url, 3))[-1])
    assert verified(url, capsys) == (0, {"intact": True, "entries": 3, "head": last["hash"], "last_anchor": None})
    run_verify(url=url, anchors=None, output="text")
    assert capsys.readouterr().out.splitlines() == [
        "intact: 3 entries", f"head    {last['hash']}", "anchor  none is known: a tail that was cut would not be found",
    ]  # fmt: skip
    asyncio.run(noted(url, 2))
    run_verify(url=url, anchors=None, output="text")
    assert capsys.readouterr().out.splitlines()[2] == "anchor  entry 2, 2026-01-01T12:00:00Z"


def test_a22_a_chain_longer_than_one_page_is_read_to_its_end(
    sqlite_url: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("bot.cli.audit"), "PAGE", 3)
    asyncio.run(written(sqlite_url, 7))
    assert verified(sqlite_url, capsys)[1]["entries"] == 7
    without_rules(file, "UPDATE ledger_entries SET actor = 'me' WHERE seq = 7")
    assert verified(sqlite_url, capsys)[1]["entry"] == 7


TURNED = "UPDATE ledger_entries SET seq = -seq WHERE seq > 1"
"""No two entries may have one number even for a moment."""


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE ledger_entries SET actor = 'me' WHERE seq = 2"], (2, "CHANGED")),
        (["UPDATE ledger_entries SET request_id = NULL WHERE seq = 2"], (2, "CHANGED")),
        (["UPDATE ledger_entries SET facts = '{\"n\":1 }' WHERE seq = 2"], (2, "UNREADABLE")),
        (["UPDATE ledger_entries SET facts = CAST(facts AS BLOB) WHERE seq = 2"], (2, "UNREADABLE")),
        (["UPDATE ledger_entries SET hash = 'x' WHERE seq = 2"], (2, "CHANGED")),
        (["DELETE FROM ledger_entries WHERE seq = 2"], (3, "GAP")),
        ([TURNED, "UPDATE ledger_entries SET seq = 7 + seq WHERE seq < 0"], (2, "CHANGED")),
        ([TURNED, "UPDATE ledger_entries SET seq = 1 - seq WHERE seq < 0"], (3, "GAP")),
        (["INSERT INTO ledger_entries VALUES (0, 'STARTED', 'at', NULL, 'me', '{}', 'p', 'h')"], (0, "DISORDER")),
    ],
)
def test_a22_a_change_in_the_file_is_named(
    sqlite_url: str, file: Path, capsys: pytest.CaptureFixture[str], statements: list[str], expected: tuple[int, str]
) -> None:
    asyncio.run(written(sqlite_url, 5))
    without_rules(file, *statements)
    code, said = verified(sqlite_url, capsys)
    assert (code, said["intact"], (said["entry"], said["fault"])) == (1, False, expected)
    with pytest.raises(SystemExit):
        run_verify(url=sqlite_url, anchors=None, output="text")
    assert capsys.readouterr().out == f"BROKEN at entry {expected[0]}: {said['what']}\n"


def test_a22_a_changed_byte_of_the_file_is_found(
    sqlite_url: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(written(sqlite_url, 5))
    data = file.read_bytes()
    places = [place for place in range(len(data)) if data.startswith(b"runner-1", place)]
    assert len(places) == 5
    for place, byte in itertools.product(places, (b"R", b"\xff", b"\x00")):
        file.write_bytes(data[:place] + byte + data[place + 1 :])
        code, said = verified(sqlite_url, capsys)
        assert (code, said["intact"]) == (1, False)
    file.write_bytes(data)
    assert verified(sqlite_url, capsys)[0] == 0


def test_a22_a_file_that_cannot_be_read_any_more_is_broken(
    sqlite_url: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(written(sqlite_url, 60))
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    code, said = verified(sqlite_url, capsys)
    assert (code, said["intact"], said["fault"]) == (1, False, "DAMAGED")
    with pytest.raises(SystemExit):
        run_verify(url=sqlite_url, anchors=None, output="text")
    assert capsys.readouterr().out.startswith("BROKEN: ")


def test_a22_a_cut_tail_is_found_by_anchors_from_elsewhere(
    sqlite_url: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = asyncio.run(written(sqlite_url, 5))
    kept = tmp_path / "anchors.jsonl"
    kept.write_text(f"{lines[1]}\n\n{lines[3]}\n")
    assert verified(sqlite_url, capsys, kept)[0] == 0
    without_rules(file, "DELETE FROM ledger_entries WHERE seq > 2")
    assert verified(sqlite_url, capsys)[0] == 0
    code, said = verified(sqlite_url, capsys, kept)
    assert (code, said["entry"], said["fault"]) == (1, 3, "CUT")
    # Going on writing hides nothing.
    asyncio.run(written(sqlite_url, 3))
    code, said = verified(sqlite_url, capsys, kept)
    assert (code, said["entry"], said["fault"]) == (1, 4, "REWRITTEN")


@pytest.mark.parametrize("content", ["{}", "5", '{"seq":1}', "\udcff"])
def test_anchors_that_cannot_be_read_are_bad_input(sqlite_url: str, tmp_path: Path, content: str) -> None:
    asyncio.run(written(sqlite_url, 1))
    kept = tmp_path / "anchors.jsonl"
    kept.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BadInput, match=r"anchors\.jsonl"):
        run_verify(url=sqlite_url, anchors=kept, output="text")
    with pytest.raises(BadInput, match="cannot be read"):
        run_verify(url=sqlite_url, anchors=tmp_path / "missing", output="text")


def test_a_ledger_that_is_not_there_is_not_intact(sqlite_url: str, file: Path) -> None:
    for command in (
        lambda: run_verify(url=sqlite_url, anchors=None, output="text"),
        lambda: run_show(url=sqlite_url, request_id=None, limit=5, output="text"),
        lambda: run_verify(url="redis://x", anchors=None, output="text"),
    ):
        with pytest.raises(BadInput):
            command()
    assert not file.exists()


def test_nothing_is_added_to_a_head_that_somebody_changed(sqlite_url: str, file: Path) -> None:
    asyncio.run(written(sqlite_url, 2))
    without_rules(file, "UPDATE ledger_entries SET kind = 'PAID' WHERE seq = 2")
    with pytest.raises(LedgerDamaged, match="entry 2 of the audit"):
        asyncio.run(written(sqlite_url, 1))


def test_the_last_entries_are_shown(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(written(url, 3))
    run_show(url=url, request_id="r1", limit=2, output="text")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == '     3  2026-01-01T12:00:00Z  STARTED             r1  runner-1  {"n":2}'
    assert len(lines) == 2
    run_show(url=url, request_id=None, limit=9, output="json")
    assert [each["facts"] for each in json.loads(capsys.readouterr().out)] == [{"n": 0}, {"n": 1}, {"n": 2}]
    run_show(url=url, request_id="r2", limit=9, output="text")
    assert capsys.readouterr().out == ""
    with pytest.raises(BadInput, match="--limit 0"):
        run_show(url=url, request_id=None, limit=0, output="text")
