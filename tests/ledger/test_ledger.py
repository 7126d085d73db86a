"""What the ledger promises, on SQLite and on PostgreSQL alike."""

import asyncio
from typing import Any

import pytest
from whenever import Instant, TimeDelta

from approvals.audit import Intact, Kind, verify
from bot.stores.ledger import database
from bot.stores.ledger.errors import Conflict, LedgerError
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.ledger.rows import NEXT, PROPOSED, TERMINAL, Fingerprint
from tests.ledger.scenes import NOON, all_entries, anchor, approved, draft, kinds, row


async def test_a22_entries_follow_each_other_and_are_there_after_a_restart(ledger: Ledger, url: str) -> None:
    assert await ledger.head() is None
    second = await ledger.append(draft(n=1), draft(n=2, votes=["ana", "ben"]))
    assert second.seq == 2
    third = await ledger.append(draft(request_id=None))
    async with open_ledger(url, create=False) as again:
        entries = await again.entries()
        assert verify(entries, [anchor(second)]) == Intact(head=third, count=3)
        assert await again.entries(after=1, limit=1) == [second]
        assert await again.entries(request_id="r1") == entries[:2]
        assert await again.latest(limit=2) == entries[1:]
        assert await again.latest(limit=1, request_id="r1") == [second]
        assert await again.records(after=2) == [third]
        assert await again.head() == third


async def test_a22_writers_at_once_never_fork_or_skip(url: str) -> None:
    async with open_ledger(url) as one, open_ledger(url) as two, open_ledger(url) as three:
        made = await asyncio.gather(*(each.append(draft(n=n)) for n in range(12) for each in (one, two, three)))
        assert sorted(entry.seq for entry in made) == list(range(1, 37))
        assert len(await all_entries(one)) == 36


async def test_a16_of_claims_at_once_exactly_one_holds(url: str) -> None:
    async with open_ledger(url) as one, open_ledger(url) as two, open_ledger(url) as three:
        for number in range(5):
            request_id = f"r{number}"
            await approved(one, request_id)
            took = await asyncio.gather(
                *(
                    each.claim(request_id, "d2", f"runner-{place}", draft(Kind.STARTED, request_id))
                    for place, each in enumerate((one, two, three, one, two, three))
                )
            )
            assert sum(took) == 1
            intent = await two.intent(request_id)
            assert intent
            assert intent.owner == f"runner-{took.index(True) % 3}"
            assert (await kinds(one, request_id)).count(Kind.STARTED) == 1


async def test_a16_a_claim_holds_for_ever(ledger: Ledger) -> None:
    await approved(ledger)
    assert await ledger.claim("r1", "d2", "runner-1", draft())
    assert not await ledger.claim("r1", "d2", "runner-1", draft())
    await ledger.save_request("r1", expected_state="approved", state="executing")
    assert await ledger.settle("r1", "unknown", draft(Kind.FINISHED))
    await ledger.save_request("r1", expected_state="executing", state="unknown")
    assert not await ledger.claim("r1", "d2", "runner-2", draft())


async def test_a20_what_is_not_known_or_not_approved_is_not_claimed(ledger: Ledger) -> None:
    await ledger.open_request(row(state="pending"))
    await approved(ledger, "r2")
    for request_id, digest, why in [("r0", "d1", "no request"), ("r1", "d1", "pending"), ("r2", "d1", "digest")]:
        with pytest.raises(Conflict, match=why):
            await ledger.claim(request_id, digest, "runner-1", draft())
        assert await ledger.intent(request_id) is None
    assert Kind.STARTED not in await kinds(ledger)


async def test_a18_an_execution_ends_once(ledger: Ledger) -> None:
    await approved(ledger)
    with pytest.raises(Conflict, match="nobody claimed"):
        await ledger.settle("r1", "succeeded")
    await ledger.claim("r1", "d2", "runner-1")
    assert await ledger.settle("r1", "succeeded", draft(Kind.FINISHED))
    assert not await ledger.settle("r1", "succeeded", draft(Kind.FINISHED))
    with pytest.raises(Conflict, match="ended as succeeded"):
        await ledger.settle("r1", "failed", draft(Kind.FINISHED))
    assert (await kinds(ledger)).count(Kind.FINISHED) == 1


async def test_a30_equal_requests_merge_while_one_is_open(ledger: Ledger) -> None:
    first, is_new = await ledger.open_request(row("r1", merge_key="same"), draft(Kind.PROPOSED))
    assert is_new
    assert await ledger.open_request(row("r2", merge_key="same"), draft(Kind.PROPOSED, "r2")) == (first, False)
    assert await ledger.request("r2") is None
    await ledger.save_request("r1", expected_state=PROPOSED, state="cancelled")
    assert (await ledger.open_request(row("r3", merge_key="same")))[1]
    assert await kinds(ledger) == [Kind.PROPOSED]


async def test_a30_equal_requests_at_once_become_one(url: str) -> None:
    async with open_ledger(url) as one, open_ledger(url) as two:
        opened = await asyncio.gather(
            *(
                each.open_request(row(f"r{place}{n}", merge_key="same"), draft(Kind.PROPOSED, f"r{place}{n}"))
                for n in range(4)
                for place, each in enumerate((one, two))
            )
        )
        assert sum(is_new for _, is_new in opened) == 1
        assert len({request.id for request, _ in opened}) == 1
        assert await kinds(one) == [Kind.PROPOSED]


async def test_a_request_that_is_opened_again_is_the_one_that_is_there(ledger: Ledger) -> None:
    mine = row(merge_key="mine")
    await ledger.open_request(mine, draft(Kind.PROPOSED))
    ended = await ledger.save_request("r1", expected_state=PROPOSED, state="refused")
    assert await ledger.open_request(mine, draft(Kind.PROPOSED)) == (ended, False)
    with pytest.raises(Conflict, match="for something else"):
        await ledger.open_request(row(merge_key="other"))
    assert await kinds(ledger) == [Kind.PROPOSED]


@pytest.mark.parametrize("changes", [{"state": "approved"}, {"state": "succeeded"}, {"version": 2}])
async def test_a13_a_request_starts_at_its_beginning(ledger: Ledger, changes: dict[str, Any]) -> None:
    with pytest.raises(Conflict, match="cannot be opened"):
        await ledger.open_request(row(**changes), draft(Kind.PROPOSED))
    assert await ledger.head() is None


async def test_a14_of_two_changes_at_once_one_holds(url: str) -> None:
    async with open_ledger(url) as one, open_ledger(url) as two:
        await one.open_request(row(state="pending"))
        results = await asyncio.gather(
            *(
                each.save_request("r1", draft(Kind.DECIDED), expected_state="pending", state=state)
                for each, state in ((one, "approved"), (two, "denied"), (one, "expired"), (two, "cancelled"))
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(result, Conflict) for result in results) == 3
        final = await one.request("r1")
        assert final == await two.request("r1")
        assert final in results
        assert await kinds(one) == [Kind.DECIDED]


async def test_a1_what_people_decide_on_does_not_change_once_it_was_shown(ledger: Ledger) -> None:
    await ledger.open_request(row())
    saved = await ledger.save_request("r1", expected_state=PROPOSED, state="pending", body=b"{1}", digest="d2")
    assert (saved.body, saved.digest, saved.version) == (b"{1}", "d2", 2)
    given: tuple[dict[str, Any], ...] = ({"body": b"{2}"}, {"digest": "d3"})
    for changes in given:
        with pytest.raises(Conflict, match="does not change any more"):
            await ledger.save_request("r1", draft(), expected_state="pending", state="approved", **changes)
    assert await ledger.request("r1") == saved
    assert await ledger.head() is None


async def test_a13_a_state_that_was_not_expected_changes_nothing(ledger: Ledger) -> None:
    with pytest.raises(Conflict, match="there is no request"):
        await ledger.save_request("r1", expected_state=PROPOSED, state="pending")
    await ledger.open_request(row())
    with pytest.raises(Conflict, match="expected approved or pending"):
        await ledger.save_request("r1", draft(), expected_state=["pending", "approved"], state="executing")
    with pytest.raises(Conflict, match="cannot become approved"):
        await ledger.save_request("r1", draft(), expected_state=PROPOSED, state="approved")
    assert await ledger.request("r1") == row(merge_key=(await ledger.requests())[0].merge_key)
    assert await ledger.head() is None


@pytest.mark.parametrize("end", sorted(TERMINAL & NEXT[PROPOSED]))
async def test_a13_nothing_follows_an_end(ledger: Ledger, end: str) -> None:
    await ledger.open_request(row())
    ended = await ledger.save_request("r1", expected_state=PROPOSED, state=end)
    for state in (end, "pending", "approved"):
        with pytest.raises(Conflict, match="cannot become"):
            await ledger.save_request("r1", draft(), expected_state=end, state=state)
    assert await ledger.request("r1") == ended


async def test_requests_are_found_and_counted(ledger: Ledger) -> None:
    for number in range(4):
        at = NOON + TimeDelta(minutes=number)
        who = "ana" if number % 2 else "ben"
        await ledger.open_request(
            row(f"r{number}", created_at=at, requester=who, incident_id=f"inc_{number // 2}", session_id=f"s{number}")
        )
    await ledger.save_request("r3", expected_state=PROPOSED, state="cancelled")
    assert [each.id for each in await ledger.requests(limit=3)] == ["r3", "r2", "r1"]
    assert [each.id for each in await ledger.requests(states={PROPOSED}, incident_id="inc_1")] == ["r2"]
    assert [each.id for each in await ledger.requests(session_id="s1")] == ["r1"]
    # Exactly then counts: a limit errs to the strict side.
    assert await ledger.count_requests(NOON + TimeDelta(minutes=1)) == 3
    assert await ledger.count_requests(NOON, requester="ana") == 2
    assert await ledger.count_requests(NOON, requester="ana", incident_id="inc_0") == 1
    assert await ledger.count_requests(NOON + TimeDelta(minutes=3, nanoseconds=1)) == 0


async def test_a17_the_same_click_is_kept_once(url: str) -> None:
    async with open_ledger(url) as one, open_ledger(url) as two:
        await one.open_request(row(state="pending"))
        kept = await asyncio.gather(
            *(
                each.vote("r1", "click-1", "ana", "approve", b"counted", draft(Kind.VOTE_COUNTED))
                for each in (one, two, one, two, one)
            )
        )
        assert sum(kept) == 1
        assert await one.vote("r1", "click-2", "ben", "deny", b"decided")
        assert [(each.vote_key, each.principal, each.body) for each in await two.votes("r1")] == [
            ("click-1", "ana", b"counted"),
            ("click-2", "ben", b"decided"),
        ]
        assert await kinds(one) == [Kind.VOTE_COUNTED]
        with pytest.raises(Conflict, match="there is no request"):
            await one.vote("r2", "click-1", "ana", "approve", b"")


async def test_a15_a_short_freeze_does_not_end_a_long_one(ledger: Ledger) -> None:
    later = NOON + TimeDelta(hours=1)
    await ledger.freeze("production", "ana", "release", None, draft(Kind.FROZEN, None))
    await ledger.freeze("production", "ben", "lunch", later, draft(Kind.FROZEN, None))
    await ledger.freeze("*", "ben", "night", later)
    assert [each.reason for each in await ledger.freezes(NOON)] == ["release", "lunch", "night"]
    assert [each.reason for each in await ledger.freezes(later)] == ["release"]
    assert await ledger.unfreeze("production", draft(Kind.UNFROZEN, None))
    assert not await ledger.unfreeze("production", draft(Kind.UNFROZEN, None))
    assert [(each.scope, each.by, each.until) for each in await ledger.freezes(NOON)] == [("*", "ben", later)]
    assert await kinds(ledger) == [Kind.FROZEN, Kind.FROZEN, Kind.UNFROZEN]


async def test_a26_a_lease_is_out_until_its_end_was_noted(ledger: Ledger) -> None:
    given: dict[str, Any] = {"accessor": "acc", "reference": "vault:db#x", "purpose": "connections", "at": NOON}
    await ledger.note_lease("l1", draft(Kind.CREDENTIAL_FETCHED), request_id="r1", owner="runner-1", **given)
    await ledger.note_lease("l2", request_id=None, owner="runner-2", **given)
    with pytest.raises(Conflict, match="noted before"):
        await ledger.note_lease("l1", request_id="r1", owner="runner-2", **given)
    assert [each.lease_id for each in await ledger.open_leases()] == ["l1", "l2"]
    assert [each.accessor for each in await ledger.open_leases("runner-1")] == ["acc"]
    assert await ledger.end_lease("l1", "revoked", draft(Kind.CREDENTIAL_REVOKED))
    assert not await ledger.end_lease("l1", "revoked", draft(Kind.CREDENTIAL_REVOKED))
    assert [each.lease_id for each in await ledger.open_leases()] == ["l2"]
    assert await kinds(ledger) == [Kind.CREDENTIAL_FETCHED, Kind.CREDENTIAL_REVOKED]


async def test_fingerprints_and_anchors_are_kept_once(ledger: Ledger) -> None:
    for _ in range(2):
        await ledger.note_fingerprint("inc_1", "vault:db#x", b"\x00\xff")
        await ledger.note_fingerprint("inc_2", "vault:db#x", b"\x01")
    assert await ledger.fingerprints("inc_1") == [
        Fingerprint(incident_id="inc_1", reference="vault:db#x", fingerprint=b"\x00\xff")
    ]
    entry = await ledger.append(draft())
    for _ in range(2):
        await ledger.anchored(anchor(entry), "slack:#audit")
    assert await ledger.anchors() == [anchor(entry)]


async def test_a23_who_waits_too_long_is_told_so_and_nothing_is_written(
    ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await approved(ledger)
    before = await all_entries(ledger)
    held = asyncio.Event()
    release = asyncio.Event()

    async def hold() -> None:
        # Another writer, slow in the middle of its work.
        blocker = database.Database(url)
        await blocker.open(create=False)
        loop = asyncio.get_running_loop()

        def work(_: object) -> None:
            loop.call_soon_threadsafe(held.set)
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(9)

        await blocker.write(work)
        await blocker.close()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold())
        await held.wait()
        with monkeypatch.context() as patched:
            patched.setattr(database, "CALL_TIMEOUT_S", 0.3)
            with pytest.raises(LedgerError, match=r"within 0\.3 s"):
                await ledger.claim("r1", "d2", "runner-1", draft())
        release.set()
    # After the one that was given up: it had its turn, and took it back.
    await ledger.append(draft(n=1))
    assert await ledger.intent("r1") is None
    assert [entry.kind for entry in await all_entries(ledger)] == [*(each.kind for each in before), Kind.STARTED]


async def test_a24_no_secret_stands_in_any_row_of_the_audit(ledger: Ledger) -> None:
    await ledger.append(draft(command="psql password=hunter2222"))
    head = await ledger.head()
    assert head
    assert "hunter2222" not in str(head)


async def test_times_are_kept_to_the_nanosecond(ledger: Ledger) -> None:
    at = Instant.parse_iso("2026-01-01T12:00:00.123456789Z")
    opened, _ = await ledger.open_request(row(created_at=at, updated_at=at))
    assert await ledger.request("r1") == opened
