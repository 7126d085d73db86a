import asyncio

import pytest

from bot.stores.connection import Store
from bot.stores.inbox import CLAIM_AFTER_MS, GROUP, KEPT_UNREADABLE, LONGEST, STREAM, UNREADABLE, Inbox, InboxFull
from tests.durable.home import alert, delivery

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def opened(store: Store) -> Inbox:
    inbox = Inbox(store)
    await inbox.open()
    return inbox


async def read(inbox: Inbox, reader: str = "r") -> list[str]:
    """The names of the alerts that came."""
    return [each.name for entry in await inbox.read(reader, most=10, wait_ms=20) for each in entry.delivery.alerts]


async def test_what_was_taken_is_read_once_and_is_gone_when_it_is_done(store: Store) -> None:
    inbox = await opened(store)
    taken = delivery(alert("A"), alert("B", pod="b"))
    await inbox.append(taken)
    (entry,) = await inbox.read("r", most=10, wait_ms=20)
    assert entry.delivery == taken
    assert await read(inbox, "other") == []
    await inbox.done([entry])
    assert await inbox.held("r") == []
    assert await store.xlen(STREAM) == 0


async def test_what_came_before_the_first_reader_is_not_lost(store: Store) -> None:
    inbox = Inbox(store)
    await inbox.append(delivery(alert("early")))
    await inbox.open()
    await inbox.open()
    assert await read(inbox) == ["early"]


async def test_a_reader_that_was_killed_finds_what_it_had_taken(store: Store) -> None:
    inbox = await opened(store)
    await inbox.append(delivery(alert("A")))
    assert await read(inbox) == ["A"]
    await inbox.append(delivery(alert("B")))
    held = await Inbox(store).held("r")
    assert [each.delivery.alerts[0].name for each in held] == ["A"]
    assert await read(inbox) == ["B"]


async def test_what_a_dead_reader_held_goes_to_another_after_a_while(store: Store) -> None:
    inbox = await opened(store)
    await inbox.append(delivery(alert("A")))
    (entry,) = await inbox.read("dead", most=10, wait_ms=20)
    assert await read(inbox, "other") == []
    # As if it were longer ago.
    await store.xclaim(STREAM, GROUP, "dead", 0, [entry.id], idle=CLAIM_AFTER_MS + 1)
    assert await read(inbox, "other") == ["A"]
    assert await inbox.held("dead") == []


async def test_senders_are_told_to_come_back_when_too_much_waits(store: Store) -> None:
    inbox = await opened(store)
    fill = f"for i = 1, {LONGEST - 1} do redis.call('XADD', KEYS[1], '*', 'delivery', '') end"
    await store.eval(fill, 1, STREAM)
    await inbox.append(delivery(alert("the last one")))
    with pytest.raises(InboxFull):
        await inbox.append(delivery(alert("one too many")))


async def test_only_the_newest_unreadable_payloads_are_kept_and_none_whole_that_is_large(store: Store) -> None:
    inbox = await opened(store)
    for number in range(KEPT_UNREADABLE + 5):
        await inbox.keep_unreadable("generic", b"x" * 20_000, f"reason {number}")
    kept = [fields for _, fields in await store.xrange(UNREADABLE)]
    assert len(kept) == KEPT_UNREADABLE
    assert kept[0][b"reason"] == b"reason 5"
    assert len(kept[0][b"body"]) == 10_000


@pytest.mark.parametrize("door", ["read", "held"])
async def test_an_entry_that_no_version_can_read_is_put_aside_and_stops_nobody(door: str, store: Store) -> None:
    inbox = await opened(store)
    if door == "held":
        await inbox.append(delivery(alert("first")))
        await read(inbox)
        await store.xadd(STREAM, {"delivery": b'{"alerts": 3}'})
        await store.xreadgroup(GROUP, "r", {STREAM: ">"})
        found = await inbox.held("r")
    else:
        await store.xadd(STREAM, {"delivery": b'{"alerts": 3}'})
        await inbox.append(delivery(alert("first")))
        found = await inbox.read("r", most=10, wait_ms=20)
    assert [each.delivery.alerts[0].name for each in found] == ["first"]
    assert await store.xlen(STREAM) == 1
    ((_, aside),) = await store.xrange(UNREADABLE)
    assert (aside[b"source"], aside[b"body"]) == (b"inbox", b'{"alerts": 3}')


async def test_two_readers_share_the_work_and_read_nothing_twice(store: Store) -> None:
    inbox = await opened(store)
    for number in range(40):
        await inbox.append(delivery(alert(f"A{number}")))
    parts = await asyncio.gather(*(inbox.read(name, most=10, wait_ms=20) for name in "abcd"))
    ids = [entry.id for part in parts for entry in part]
    assert len(ids) == len(set(ids)) == 40
