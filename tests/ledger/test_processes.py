"""Several processes on one ledger, killed anywhere, on a full disk and on one that may not be written."""

import asyncio
import os
import random
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from approvals.audit import Kind
from bot.stores.ledger.ledger import Ledger, open_ledger
from tests.ledger import writer
from tests.ledger.processes import writing
from tests.ledger.scenes import all_entries, approved

KILLS = 32
STEPS = {
    "proposed": [Kind.PROPOSED],
    "pending": [Kind.PROPOSED, Kind.REQUESTED],
    "approved": [Kind.PROPOSED, Kind.REQUESTED, Kind.DECIDED],
}
STEPS["executing"] = STEPS["approved"]


async def whole(ledger: Ledger) -> dict[str, int]:
    """How many steps of each request are there; fails when a request and its entries do not tell the same."""
    told: dict[str, list[Kind]] = {}
    steps: dict[str, int] = {}
    for entry in await all_entries(ledger):
        told.setdefault(entry.request_id or "", []).append(entry.kind)
    for row in await ledger.requests(limit=1_000_000):
        intent = await ledger.intent(row.id)
        expected = STEPS[row.state] + ([Kind.STARTED] if intent else [])
        expected += [Kind.FINISHED] if intent and intent.outcome else []
        assert told.pop(row.id) == expected
        steps[row.id] = len(expected)
    assert told == {}
    return steps


async def test_a22_processes_at_once_never_fork_or_skip(url: str) -> None:
    # Nobody made it before: they also meet at its making.
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(writing(writer.append, url, 15)) for _ in range(4)]
        made = [await each.end() for each in writers]
    assert [len(each) for each in made] == [15] * 4
    assert sorted(seq for each in made for seq in each) == list(range(1, 61))
    async with open_ledger(url) as ledger:
        assert len(await all_entries(ledger)) == 60


async def test_a16_two_runners_never_claim_one_request(url: str) -> None:
    ids = [f"r{number}" for number in range(12)]
    async with open_ledger(url) as ledger:
        for each in ids:
            await approved(ledger, each)
        async with writing(writer.claim, url, ids) as one, writing(writer.claim, url, ids) as two:
            taken = list(zip(await one.end(), await two.end(), strict=True))
        assert all(first != second for first, second in taken)
        assert [entry.kind for entry in await all_entries(ledger)].count(Kind.STARTED) == 12


async def test_a18_a_kill_anywhere_leaves_an_intact_chain_and_nothing_half_done(url: str) -> None:
    kills, promised = 0, dict[str, int]()
    chance = random.Random(7)
    for turn in range(KILLS // 2):
        async with writing(writer.execute, url, f"{turn}a") as one, writing(writer.execute, url, f"{turn}b") as two:
            await asyncio.gather(one.first(), two.first())
            for victim in (one, two):
                await asyncio.sleep(chance.uniform(0, 0.04))
                victim.process.kill()
                kills += 1
            for word in [*await one.end(), *await two.end()]:
                if word != "open":
                    promised[word[0]] = word[1]
    async with open_ledger(url, create=False) as ledger:
        found = await whole(ledger)
        assert all(found[request_id] >= steps for request_id, steps in promised.items())
        # Who comes after them goes on.
        await approved(ledger, "after")
        assert await ledger.claim("after", "d2", "runner-2")
    assert kills >= 30
    # Enough of them had been told something before they died.
    assert len(promised) > kills / 8


async def test_a23_on_a_full_disk_nothing_is_claimed(sqlite_url: str, file: Path) -> None:
    async with open_ledger(sqlite_url) as ledger:
        await approved(ledger, "waiting")
        before = await whole(ledger)
    limit = file.stat().st_size + 100_000  # noqa: ASYNC240
    async with writing(writer.fill, sqlite_url, limit) as filling:
        said = await filling.end()
    promised: dict[str, int] = dict(each for each in said if len(each) == 2)
    refusals = [str(each) for each in said if len(each) > 4]
    assert len(refusals) == 2
    assert all("the ledger could not" in refusal for refusal in refusals)
    async with open_ledger(sqlite_url) as ledger:
        found = await whole(ledger)
        assert await ledger.intent("waiting") is None
        assert promised
        assert all(found[request_id] >= steps for request_id, steps in promised.items())
        assert len(found) <= len(before) + len(promised) + 1


async def test_a23_on_a_file_that_may_only_be_read_nothing_is_claimed() -> None:
    with tempfile.TemporaryDirectory(prefix="locum-ledger-") as name:
        folder = Path(name)
        file = folder / "ledger.db"
        url = f"sqlite:///{file}"
        async with open_ledger(url) as ledger:
            await approved(ledger, "waiting")
            before = await all_entries(ledger)
        file.chmod(0o400)
        if os.geteuid() == 0:
            for each in (folder, *folder.iterdir()):  # noqa: ASYNC240
                os.chown(each, writer.NOBODY, writer.NOBODY)
        async with writing(writer.only_read, url) as trying:
            said = await trying.end()
        assert said[0] == "open"
        assert ["readonly" in word for word in said[1:]] == [True, True]
        file.chmod(0o600)
        async with open_ledger(url) as ledger:
            assert await all_entries(ledger) == before
            assert await ledger.intent("waiting") is None
