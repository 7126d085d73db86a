"""The chain of the audit: whatever is changed, left out, moved, put in or cut off is found; and no secret is in it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from whenever import Instant, TimeDelta

from approvals.audit import (
    GENESIS,
    LARGEST_FACTS,
    LONGEST_TEXT,
    MOST_ITEMS,
    Anchor,
    Broken,
    Draft,
    Entry,
    Fault,
    Intact,
    Kind,
    Unreadable,
    anchor_line,
    following,
    read_anchor,
    restored,
    verify,
)
from approvals.canonical import canonical

NOON = Instant.from_utc(2026, 1, 1, 12)

FACTS: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from(["digest", "why", "votes", "policy"]),
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8) | st.lists(st.text(max_size=4), max_size=3),
    max_size=3,
)
DRAFTS = st.builds(
    Draft,
    kind=st.sampled_from(Kind),
    at=st.integers(0, 10**6).map(lambda ms: NOON + TimeDelta(milliseconds=ms)),
    request_id=st.none() | st.text("abc", min_size=1, max_size=4),
    actor=st.text("xyz", min_size=1, max_size=4),
    facts=FACTS,
)


def chain(drafts: list[Draft]) -> list[Entry]:
    made: list[Entry] = []
    for draft in drafts:
        made.append(following(made[-1] if made else None, draft))
    return made


CHAINS = st.lists(DRAFTS, min_size=2, max_size=7).map(chain)


def draft(**changes: Any) -> Draft:
    given: dict[str, Any] = {"kind": Kind.STARTED, "at": NOON, "actor": "runner-1", "request_id": "r1"}
    return Draft(**(given | changes))


def anchor(entry: Entry) -> Anchor:
    return Anchor(seq=entry.seq, hash=entry.hash, at=NOON)


def columns(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq, "kind": str(entry.kind), "at": entry.at.format_iso(), "request_id": entry.request_id,
        "actor": entry.actor, "facts": canonical(entry.facts).decode(), "previous": entry.previous, "seal": entry.hash,
    }  # fmt: skip


@given(CHAINS)
def test_a22_a_chain_that_nobody_touched_is_intact(entries: list[Entry]) -> None:
    assert verify(entries, [anchor(each) for each in entries]) == Intact(head=entries[-1], count=len(entries))
    assert entries[0].previous == GENESIS


def test_a22_an_empty_chain_is_intact() -> None:
    assert verify([], []) == Intact(head=None, count=0)


@given(CHAINS, st.data())
def test_a22_any_changed_byte_of_any_column_is_found_at_its_entry(entries: list[Entry], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(entries) - 1))
    stored = columns(entries[place])
    name = data.draw(st.sampled_from([name for name, value in stored.items() if isinstance(value, str)]))
    raw = bytearray(stored[name].encode())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << (bit % 8)
    stored[name] = raw.decode(errors="surrogateescape")
    changed = restored(**stored)
    found = verify([*entries[:place], changed, *entries[place + 1 :]], [])
    assert isinstance(found, Broken)
    assert found.seq == entries[place].seq


@given(CHAINS, st.data())
def test_a22_a_change_that_was_sealed_again_is_found_at_the_next_entry(
    entries: list[Entry], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(entries) - 2))
    before = entries[place - 1] if place else None
    forged = following(before, data.draw(DRAFTS))
    assume(forged != entries[place])
    found = verify([*entries[:place], forged, *entries[place + 1 :]], [])
    assert isinstance(found, Broken)
    assert (found.seq, found.fault) == (place + 2, Fault.DETACHED)


@given(CHAINS, st.data())
def test_a22_a_missing_entry_is_found(entries: list[Entry], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(entries) - 2))
    found = verify([*entries[:place], *entries[place + 1 :]], [])
    assert found == Broken(
        seq=place + 2, fault=Fault.GAP, what=f"entry {place + 2} stands where entry {place + 1} must: 1 missing"
    )


@given(CHAINS, st.data())
def test_a22_any_other_order_is_found(entries: list[Entry], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(entries))
    assume(shuffled != entries)
    assert isinstance(verify(shuffled, []), Broken)


@given(CHAINS, DRAFTS, st.data())
def test_a22_an_inserted_entry_is_found_whatever_number_it_has(
    entries: list[Entry], wanted: Draft, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(entries) - 1))
    forged = following(entries[place - 1] if place else None, wanted)
    inserted = [*entries[:place], forged, *entries[place:]]
    renumbered = [replace(entry, seq=number) for number, entry in enumerate(inserted, 1)]
    assert isinstance(verify(inserted, []), Broken)
    assert isinstance(verify(renumbered, []), Broken)


@given(CHAINS, st.data())
def test_a22_a_cut_tail_is_found_by_any_anchor_beyond_it(entries: list[Entry], data: st.DataObject) -> None:
    left = data.draw(st.integers(0, len(entries) - 1))
    beyond = data.draw(st.sampled_from(entries[left:]))
    assert isinstance(verify(entries[:left], []), Intact)
    found = verify(entries[:left], [anchor(beyond)])
    assert isinstance(found, Broken)
    assert (found.seq, found.fault) == (left + 1, Fault.CUT)
    assert f"entry {beyond.seq} was anchored" in found.what


@given(CHAINS, st.lists(DRAFTS, min_size=7, max_size=7), st.data())
def test_a22_a_chain_that_was_written_anew_is_found_by_an_anchor(
    entries: list[Entry], others: list[Draft], data: st.DataObject
) -> None:
    known = data.draw(st.sampled_from(entries))
    forged = chain(others)
    assume(forged[known.seq - 1].hash != known.hash)
    assert isinstance(verify(forged, []), Intact)
    found = verify(forged, [anchor(known)])
    assert isinstance(found, Broken)
    assert (found.seq, found.fault) == (known.seq, Fault.REWRITTEN)


def test_a22_an_entry_that_stands_there_twice_is_out_of_order() -> None:
    first = chain([draft()])[0]
    found = verify([first, first], [])
    assert isinstance(found, Broken)
    assert (found.seq, found.fault) == (1, Fault.DISORDER)


def test_a22_two_anchors_of_one_entry_that_differ_show_that_it_was_rewritten() -> None:
    entries = chain([draft()])
    other = Anchor(seq=1, hash="f" * 64, at=NOON)
    assert isinstance(verify(entries, [anchor(entries[0]), other]), Broken)


def test_a22_an_anchor_of_an_entry_that_cannot_be_is_not_passed_by() -> None:
    assert isinstance(verify(chain([draft()]), [Anchor(seq=0, hash="f" * 64, at=NOON)]), Broken)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"actor": None}, "not text"),
        ({"request_id": b"r1"}, "not text"),
        ({"kind": "PAID"}, "cannot be read"),
        ({"at": "yesterday"}, "cannot be read"),
        ({"at": "2026-01-01T12:00:00.0Z"}, "its time is not written"),
        ({"facts": '{ "a":1}'}, "cannot be read"),
        ({"facts": "[]"}, "cannot be read"),
        ({"facts": '{"a":1.5}'}, "cannot be read"),
    ],
)
def test_a22_a_column_in_another_form_is_found_even_where_it_means_the_same(changes: dict[str, Any], why: str) -> None:
    entry = following(None, draft(facts={"a": 1}))
    found = restored(**(columns(entry) | changes))
    assert isinstance(found, Unreadable)
    assert why in found.why
    assert isinstance(verify([found], []), Broken)


@pytest.mark.parametrize("text", ["Jose\u0301", "\udcff"])
def test_a22_an_actor_in_another_form_of_unicode_is_found(text: str) -> None:
    entry = following(None, draft(actor="Jos\u00e9"))
    stored = columns(entry)
    stored["actor"] = text
    changed = restored(**stored)
    found = verify([changed], [])
    assert isinstance(found, Broken)
    assert found.fault is Fault.CHANGED


@given(CHAINS)
def test_what_was_stored_comes_back_as_it_was(entries: list[Entry]) -> None:
    assert [restored(**columns(entry)) for entry in entries] == entries


def test_an_anchor_comes_back_from_its_line() -> None:
    known = Anchor(seq=3, hash="a" * 64, at=NOON)
    assert read_anchor(anchor_line(known)) == known


@pytest.mark.parametrize("line", ["{}", "x", '{"at":"x","hash":"a","seq":1}', '{"at":"","hash":"a","seq":0}', "[1]"])
def test_a_line_that_is_no_anchor_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"anchor|JSON|invalid"):
        read_anchor(line)


def test_a24_no_secret_reaches_the_audit_in_any_text_of_a_draft() -> None:
    secret = "password=hunter2222"
    made = draft(actor=secret, request_id=secret, facts={secret: secret, "deep": [[{"x": secret, secret: 1}]]})
    entry = following(None, made)
    assert "hunter2222" not in str(entry)
    assert str(entry).count("[redacted:") == 6


@pytest.mark.parametrize("request_id", ["AP4eTjafo8UepzvdjEmUwO9UCvpS14Tp", "AKIAIOSFODNN7EXAMPLE", None])
def test_a24_an_id_stays_as_it_is_even_where_it_looks_like_a_token(request_id: str | None) -> None:
    assert draft(request_id=request_id).request_id == request_id


def test_a24_digests_stay_as_they_are() -> None:
    facts = {"digest": "ab" * 32, "hash": "0f" * 32, "votes": ["ana", "ben"]}
    assert draft(facts=facts).facts == facts


@given(st.text(max_size=30))
def test_a23_any_text_can_be_recorded(text: str) -> None:
    entry = following(None, draft(actor=text, facts={text: [text]}))
    assert verify([restored(**columns(entry))], []) == Intact(head=entry, count=1)


def test_what_is_too_long_is_cut_and_says_so() -> None:
    made = draft(facts={"log": "x" * (LONGEST_TEXT + 5), "many": list(range(MOST_ITEMS + 3))})
    assert str(made.facts["log"]).endswith("x[… 5 characters left out …]")
    assert made.facts["many"] == [*range(MOST_ITEMS), "[… 3 left out …]"]


def test_what_is_too_wide_or_too_deep_is_left_out_and_says_so() -> None:
    made = draft(facts={"wide": {f"k{number}": 1 for number in range(MOST_ITEMS + 2)}, "deep": [[[[[["x"]]]]]]})
    wide: Any = made.facts["wide"]
    assert (len(wide), wide["left_out"]) == (MOST_ITEMS + 1, 2)
    assert made.facts["deep"] == [[[["[… too deep, left out …]"]]]]


def test_facts_that_do_not_fit_together_are_named() -> None:
    made = draft(facts={f"f{number}": "x" * 1_900 for number in range(12)} | {"last": 1})
    assert len(canonical(made.facts)) < LARGEST_FACTS + 100
    assert made.facts["left_out"] == ["f8", "f9", "f10", "f11", 4]
    assert made.facts["last"] == 1
