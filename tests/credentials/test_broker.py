import asyncio
import dataclasses
import traceback
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from approvals.credentials import broker as lending
from approvals.credentials import waiting
from approvals.credentials.broker import Broker, Credentials, Swept
from approvals.credentials.errors import (
    CredentialsEnded,
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
    JournalFailed,
)
from approvals.credentials.journal import Happening, Note
from approvals.credentials.reference import Reference, Scheme
from tests.credentials.journals import StrictJournal
from tests.credentials.stores import Gate, StrictStore
from tools.redaction import redact

USER = Reference.parse("vault:database/creds/ro#username")
PASSWORD = Reference.parse("vault:database/creds/ro#password")
OTHER = Reference.parse("vault:database/creds/rw#password")
API = Reference.parse("op://vault/item/field")
VALUES = {
    str(USER): "v-user-12345",
    str(PASSWORD): "p4ss-w0rd-value",
    str(OTHER): "other-p4ss",
    str(API): "api-key-value",
}


@pytest.fixture
def store() -> StrictStore:
    found = StrictStore()
    found.values.update(VALUES)
    return found


@pytest.fixture
def journal() -> StrictJournal:
    return StrictJournal()


@pytest.fixture
async def broker(store: StrictStore, journal: StrictJournal) -> AsyncIterator[Broker]:
    found = Broker({Scheme.VAULT: store}, journal, owner="runner-1")
    yield found
    found.close()


async def use(broker: Broker, references: Sequence[Reference], *, ttl_s: float = 60, seconds: float = 0) -> None:
    async with broker.lend(references, purpose="connections", request_id="req-1", ttl_s=ttl_s):
        await asyncio.sleep(seconds)


async def test_a26_a_credential_is_fetched_noted_used_and_given_back(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    async with broker.lend([USER, PASSWORD, USER], purpose="connections", request_id="req-1", ttl_s=60) as lent:
        assert journal.happenings() == [Happening.LENT]
        assert {str(each): lent[each].reveal() for each in lent} == {
            str(each): VALUES[str(each)] for each in (USER, PASSWORD)
        }
        assert len(lent) == 2
        kept = lent[PASSWORD]
        assert store.live
    assert store.calls == ["fetch", "revoke"]
    assert not store.live
    assert journal.happenings() == [Happening.LENT, Happening.RETURNED]
    note = journal.notes[0]
    assert (note.owner, note.request_id, note.purpose, note.accessor) == (
        "runner-1",
        "req-1",
        "connections",
        "accessor-1",
    )
    assert note.references == (str(USER), str(PASSWORD))
    with pytest.raises(CredentialsEnded):
        kept.reveal()


async def test_a24_no_value_is_in_the_journal_in_what_was_lent_or_in_logs(
    broker: Broker, journal: StrictJournal, store: StrictStore
) -> None:
    store.fails["revoke"] = CredentialsUnavailable("sealed")
    with capture_logs() as logs:
        async with broker.lend([USER, PASSWORD], purpose="connections", request_id="req-1", ttl_s=60) as lent:
            shown = repr(lent) + str(dict(lent))
    for value in VALUES.values():
        assert value not in journal.text + repr(logs) + shown


async def test_each_path_has_its_lease_and_all_are_given_back(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    await use(broker, [USER, OTHER, PASSWORD])
    assert store.calls == ["fetch", "fetch", "revoke", "revoke"]
    assert journal.happenings() == [Happening.LENT, Happening.LENT, Happening.RETURNED, Happening.RETURNED]


async def test_when_the_second_of_two_cannot_be_had_the_first_is_given_back(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    del store.values[str(OTHER)]
    with pytest.raises(CredentialsMissing, match="database/creds/rw"):
        await use(broker, [USER, OTHER])
    assert not store.live
    assert journal.happenings() == [Happening.LENT, Happening.FAILED, Happening.RETURNED]
    assert journal.notes[1].lease_id == ""


async def test_a_scheme_that_nobody_is_configured_for_is_missing(broker: Broker, journal: StrictJournal) -> None:
    with pytest.raises(CredentialsMissing, match="op: is configured"):
        await use(broker, [API])
    assert journal.happenings() == [Happening.FAILED]


async def test_lending_nothing_fetches_nothing(broker: Broker, store: StrictStore) -> None:
    async with broker.lend([], purpose="connections", request_id="req-1", ttl_s=60) as lent:
        assert not lent
    assert store.calls == []


async def test_an_error_of_the_use_comes_through_and_everything_is_given_back(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    for error in (ValueError("of the use"), TimeoutError("of the use")):
        with pytest.raises(type(error), match="of the use"):
            async with broker.lend([USER], purpose="connections", request_id="req-1", ttl_s=60):
                raise error
    assert not store.live
    assert journal.happenings() == [Happening.LENT, Happening.RETURNED] * 2


async def test_a23_what_the_journal_cannot_take_is_not_used_and_is_revoked(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    journal.broken = {Happening.LENT}
    with pytest.raises(JournalFailed, match="disk is full"):
        async with broker.lend([USER], purpose="connections", request_id="req-1", ttl_s=60):
            pytest.fail("it was used")
    assert store.calls == ["fetch", "revoke"]
    assert not store.live


async def test_a23_a_journal_that_hangs_is_one_that_cannot_be_written(
    broker: Broker, store: StrictStore, journal: StrictJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: Note) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(waiting, "NOTE_WITHIN_S", 0.05)
    monkeypatch.setattr(journal, "noted", hang)
    with pytest.raises(JournalFailed, match=r"did not answer within 0\.05 s"):
        await use(broker, [USER])
    assert not store.live


async def test_an_end_that_cannot_be_noted_loses_no_outcome_and_is_swept_once_more(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    journal.broken = {Happening.RETURNED}
    with capture_logs() as logs:
        await use(broker, [USER])
    assert not store.live
    assert [each["event"] for each in logs] == ["the end of a lease is not in the journal"]
    assert await broker.sweep() == Swept(returned=0, left=1)
    journal.broken = set()
    assert await broker.sweep() == Swept(returned=1, left=0)
    assert await broker.sweep() == Swept(returned=0, left=0)


async def test_f18_a_revocation_that_fails_is_noted_and_the_sweep_tries_again(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    store.fails["revoke"] = CredentialsUnavailable("Vault is sealed")
    await use(broker, [USER])
    assert journal.happenings() == [Happening.LENT, Happening.UNRETURNED]
    assert journal.notes[-1].detail == "Vault is sealed"
    assert await broker.sweep() == Swept(returned=0, left=1)
    del store.fails["revoke"]
    assert await broker.sweep() == Swept(returned=1, left=0)
    assert not store.live


async def test_a_revocation_that_hangs_is_left_to_the_sweep(
    broker: Broker, store: StrictStore, journal: StrictJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "RETURN_WITHIN_S", 0.05)
    store.gates["revoke"] = Gate()
    await use(broker, [USER])
    assert journal.happenings() == [Happening.LENT, Happening.UNRETURNED]
    assert "did not answer within 0.05 s" in journal.notes[-1].detail


async def test_a_store_that_breaks_while_one_lease_is_returned_does_not_keep_the_other(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    class Breaks(StrictStore):
        async def revoke(self, lease_id: str) -> None:
            if "/ro/" in lease_id:
                raise RuntimeError("broken")
            await super().revoke(lease_id)

    breaks = Breaks()
    breaks.values.update(VALUES)
    other = Broker({Scheme.VAULT: breaks}, journal, owner="runner-1")
    with pytest.raises(RuntimeError, match="broken"):
        await use(other, [USER, OTHER])
    assert list(breaks.live) == ["database/creds/ro/0"]
    other.close()


async def test_the_sweep_leaves_alone_what_is_in_use_and_what_others_have(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    beside = Broker({Scheme.VAULT: store}, journal, owner="runner-2")
    async with (
        broker.lend([USER], purpose="connections", request_id="req-1", ttl_s=60),
        beside.lend([OTHER], purpose="connections", request_id="req-2", ttl_s=60),
    ):
        assert await broker.sweep() == Swept(returned=0, left=0)
        assert len(store.live) == 2
    beside.close()


async def test_a_value_that_was_only_held_by_a_killed_process_is_noted_as_gone(journal: StrictJournal) -> None:
    holding = StrictStore(is_held=True)
    holding.values.update(VALUES)
    killed = Broker({Scheme.ONEPASSWORD: holding}, journal, owner="runner-1")
    journal.broken = {Happening.RETURNED}
    await use(killed, [API])
    journal.broken = set()
    killed.close()
    assert await Broker({}, journal, owner="runner-1").sweep() == Swept(returned=1, left=0)
    assert holding.calls == ["fetch", "revoke"]


async def test_a_lease_whose_store_is_configured_no_more_stays_in_the_journal(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    store.fails["revoke"] = CredentialsUnavailable("down")
    await use(broker, [USER])
    assert await Broker({}, journal, owner="runner-1").sweep() == Swept(returned=0, left=1)
    assert journal.happenings()[-1] is Happening.UNRETURNED


async def test_a_lease_whose_reference_cannot_be_read_does_not_keep_the_others(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    journal.broken = {Happening.RETURNED}
    await use(broker, [USER])
    await use(broker, [OTHER])
    journal.broken = set()
    journal.notes[0] = dataclasses.replace(journal.notes[0], references=("not a reference",))
    assert await broker.sweep() == Swept(returned=1, left=1)


async def test_two_sweeps_at_once_return_a_lease_once(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    store.fails["revoke"] = CredentialsUnavailable("Vault is sealed")
    await use(broker, [USER])
    del store.fails["revoke"]
    swept = await asyncio.gather(broker.sweep(), broker.sweep())
    assert sorted(each.returned for each in swept) == [0, 1]
    assert journal.happenings().count(Happening.RETURNED) == 1


async def test_a_sweep_while_a_lease_is_being_returned_leaves_it_to_that(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    gate = store.gates["revoke"] = Gate()
    using = asyncio.create_task(use(broker, [USER]))
    await gate.reached.wait()
    assert await broker.sweep() == Swept(returned=0, left=0)
    gate.opened.set()
    await using
    assert journal.happenings() == [Happening.LENT, Happening.RETURNED]


async def test_a_sweep_without_a_readable_journal_says_so(broker: Broker, journal: StrictJournal) -> None:
    journal.is_unreadable = True
    with pytest.raises(JournalFailed):
        await broker.sweep()


async def test_a_lease_is_renewed_as_long_as_it_is_used(journal: StrictJournal, store: StrictStore) -> None:
    store.ttl_s = 0.15
    store.renewed_ttl_s = 30
    broker = Broker({Scheme.VAULT: store}, journal, owner="runner-1")
    await use(broker, [USER], seconds=0.3)
    assert store.calls == ["fetch", "renew", "revoke"]
    assert journal.happenings() == [Happening.LENT, Happening.RENEWED, Happening.RETURNED]
    broker.close()


async def test_a_lease_longer_than_its_use_is_not_renewed(broker: Broker, store: StrictStore) -> None:
    await use(broker, [USER], ttl_s=59, seconds=0.05)
    assert store.calls == ["fetch", "revoke"]


@pytest.mark.parametrize("how", ["refused", "unnoted", "hanging"])
async def test_a_renewal_that_fails_stops_the_use_and_says_why(
    how: str, broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    store.ttl_s = 0.15
    if how == "refused":
        store.fails["renew"] = CredentialsRefused("no policy grants it")
    elif how == "unnoted":
        journal.broken = {Happening.RENEWED}
    else:
        store.gates["renew"] = Gate()
    with pytest.raises(CredentialsEnded, match="could not be renewed"):
        await use(broker, [USER], seconds=10)
    assert not store.live
    assert journal.happenings() == [Happening.LENT, Happening.FAILED, Happening.RETURNED]


async def test_a_failed_renewal_that_cannot_be_noted_stops_the_use_all_the_same(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    store.ttl_s = 0.15
    store.fails["renew"] = CredentialsRefused("no policy grants it")
    journal.broken = {Happening.FAILED}
    with pytest.raises(CredentialsEnded, match="no policy grants it"):
        await use(broker, [USER], seconds=10)
    assert not store.live


async def test_a_lease_at_the_end_of_its_longest_life_stops_the_use(broker: Broker, store: StrictStore) -> None:
    store.ttl_s, store.renewed_ttl_s = 0.3, 0.2
    with pytest.raises(CredentialsEnded, match="longest life"):
        await use(broker, [USER], seconds=10)
    assert store.calls == ["fetch", "renew", "revoke"]


async def test_a_lease_that_cannot_be_renewed_bounds_the_use(store: StrictStore, journal: StrictJournal) -> None:
    store.ttl_s, store.is_renewable = 0.1, False
    broker = Broker({Scheme.VAULT: store}, journal, owner="runner-1")
    with pytest.raises(CredentialsEnded, match="longest life"):
        await use(broker, [USER], seconds=10)
    broker.close()


async def test_the_earliest_end_of_several_leases_counts(broker: Broker, store: StrictStore) -> None:
    store.ttl_s = 0.15
    store.fails["renew"] = CredentialsRefused("no policy grants it")

    async def stubborn() -> None:
        async with broker.lend([USER, OTHER], purpose="connections", request_id="req-1", ttl_s=60):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                # The other keeper fails while this one's end is under way.
                await asyncio.sleep(0.2)
                raise

    with pytest.raises(CredentialsEnded):
        await stubborn()
    assert not store.live


async def test_a_use_ends_with_the_time_that_it_was_given(broker: Broker, store: StrictStore) -> None:
    with pytest.raises(CredentialsEnded, match=r"they were lent for 0\.1 s"):
        await use(broker, [USER], ttl_s=0.1, seconds=10)
    assert not store.live


async def test_a_store_that_breaks_at_a_renewal_is_heard_of(broker: Broker, store: StrictStore) -> None:
    store.ttl_s = 0.06
    store.fails["renew"] = RuntimeError("broken")
    with pytest.raises(RuntimeError, match="broken"):
        await use(broker, [USER], seconds=0.2)
    assert not store.live


async def test_a_cancellation_during_the_fetch_gives_back_what_then_comes(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    gate = store.gates["fetch"] = Gate()
    using = asyncio.create_task(use(broker, [USER, OTHER]))
    await gate.reached.wait()
    using.cancel()
    await asyncio.sleep(0)
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert store.calls == ["fetch", "revoke"], "the second is not asked for any more"
    assert not store.live
    assert journal.happenings() == [Happening.LENT, Happening.RETURNED]


async def test_a_cancellation_during_a_fetch_that_then_fails_stays_a_cancellation(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    gate = store.gates["fetch"] = Gate()
    store.fails["fetch"] = CredentialsRefused("no policy grants it")
    using = asyncio.create_task(use(broker, [USER]))
    await gate.reached.wait()
    using.cancel()
    await asyncio.sleep(0)
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert journal.happenings() == [Happening.FAILED]


async def test_a_cancellation_during_the_use_gives_everything_back(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    using = asyncio.create_task(use(broker, [USER], seconds=10))
    await asyncio.sleep(0.05)
    assert store.live
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert not store.live
    assert journal.happenings() == [Happening.LENT, Happening.RETURNED]


async def test_a_cancellation_during_the_revocation_does_not_stop_it(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    gate = store.gates["revoke"] = Gate()
    using = asyncio.create_task(use(broker, [USER]))
    await gate.reached.wait()
    for _ in range(3):
        using.cancel()
        await asyncio.sleep(0)
    assert not using.done()
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert not store.live
    assert journal.happenings() == [Happening.LENT, Happening.RETURNED]


async def test_twenty_uses_at_once_each_return_their_own(
    broker: Broker, store: StrictStore, journal: StrictJournal
) -> None:
    using = [asyncio.create_task(use(broker, [USER, PASSWORD], seconds=each % 3 / 100)) for each in range(20)]
    for each in using[::4]:
        await asyncio.sleep(0)
        each.cancel()
    await asyncio.gather(*using, return_exceptions=True)
    assert not store.live
    lent = {each.lease_id for each in journal.notes}
    assert all(journal.happenings(each) == [Happening.LENT, Happening.RETURNED] for each in lent)


async def test_a_value_is_looked_for_in_texts_for_a_while_after_its_end(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await use(broker, [PASSWORD])
    assert VALUES[str(PASSWORD)] not in redact(f"late error: {VALUES[str(PASSWORD)]}")
    broker.close()
    assert VALUES[str(PASSWORD)] in redact(f"a year later: {VALUES[str(PASSWORD)]}")
    monkeypatch.setattr(lending, "LINGER_S", 0.02)
    await use(broker, [PASSWORD])
    await asyncio.sleep(0.1)
    assert VALUES[str(PASSWORD)] in redact(f"a while later: {VALUES[str(PASSWORD)]}")


async def test_an_error_that_leaves_the_use_has_no_value_in_its_traceback(broker: Broker, store: StrictStore) -> None:
    store.ttl_s = 0.05
    store.fails["renew"] = CredentialsUnavailable("Vault is sealed")
    with pytest.raises(CredentialsEnded) as caught:
        await use(broker, [USER, PASSWORD], seconds=5)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert not any(value in shown for value in (VALUES[str(USER)], VALUES[str(PASSWORD)]))


def test_credentials_know_only_what_was_lent() -> None:
    with pytest.raises(KeyError):
        Credentials({})[USER]
