"""What is said of a chain or a value that is not as it must be, word for word: people act on it."""

from dataclasses import replace
from typing import Any

import pytest
from whenever import Instant

from approvals.audit import (
    DEEPEST,
    LARGEST_FACTS,
    LONGEST_NAME,
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
from approvals.canonical import NotCanonical, canonical, digest, read

NOON = Instant.from_utc(2026, 11, 21, 12)


def drafted(**changes: Any) -> Draft:
    values: dict[str, Any] = {"kind": Kind.REQUESTED, "at": NOON, "request_id": "r1", "actor": "ada", **changes}
    return Draft(**values)


def chain(count: int) -> list[Entry]:
    entries: list[Entry] = []
    for place in range(count):
        entries.append(following(entries[-1] if entries else None, drafted(facts={"n": place})))
    return entries


def columns(entry: Entry, **changes: Any) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "kind": str(entry.kind),
        "at": entry.at.format_iso(),
        "request_id": entry.request_id,
        "actor": entry.actor,
        "facts": canonical(entry.facts).decode(),
        "previous": entry.previous,
        "seal": entry.hash,
        **changes,
    }


def test_each_fault_of_a_chain_is_said_with_its_entry() -> None:
    one, two, three = chain(3)
    gap = "entry 3 stands where entry 2 must: 1 missing"
    assert verify([one, three], []) == Broken(seq=3, fault=Fault.GAP, what=gap)
    moved = "entry 1 stands where entry 2 must: it was moved or inserted"
    assert verify([one, one], []) == Broken(seq=1, fault=Fault.DISORDER, what=moved)
    unread = Unreadable(seq=2, why="a column is not text")
    said = "entry 2 is not what was written: a column is not text"
    assert verify([one, unread, three], []) == Broken(seq=2, fault=Fault.UNREADABLE, what=said)
    said = "entry 2 was changed: its content does not give its hash"
    assert verify([one, replace(two, actor="eve")], []) == Broken(seq=2, fault=Fault.CHANGED, what=said)
    other = following(following(None, drafted(actor="eve")), drafted())
    said = "entry 2 does not follow entry 1: one of them was replaced"
    assert verify([one, other], []) == Broken(seq=2, fault=Fault.DETACHED, what=said)
    known = Anchor(seq=2, hash=other.hash, at=NOON)
    said = "entry 2 is not the one that was anchored at 2026-11-21T12:00:00Z: it was rewritten"
    assert verify([one, two], [known]) == Broken(seq=2, fault=Fault.REWRITTEN, what=said)
    beyond = [Anchor(seq=seq, hash="0" * 64, at=NOON) for seq in (5, 4)]
    said = "entry 4 was anchored at 2026-11-21T12:00:00Z, and the ledger ends at 3: its tail was cut"
    assert verify([one, two, three], beyond) == Broken(seq=4, fault=Fault.CUT, what=said)
    said = "entry 1 was anchored at 2026-11-21T12:00:00Z, and the ledger ends at 0: its tail was cut"
    assert verify([], [Anchor(seq=1, hash="0" * 64, at=NOON)]) == Broken(seq=1, fault=Fault.CUT, what=said)
    assert verify([one], [Anchor(seq=1, hash=one.hash, at=NOON)]) == Intact(head=one, count=1)


@pytest.mark.parametrize("column", ["kind", "at", "actor", "facts", "previous", "seal", "request_id"])
def test_a_column_that_is_no_text_is_said_to_be_none(column: str) -> None:
    (entry,) = chain(1)
    assert restored(**columns(entry, **{column: 7})) == Unreadable(seq=1, why="a column is not text")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "NONE"}, "a column cannot be read (ValueError)"),
        ({"at": "noon"}, "a column cannot be read (ValueError)"),
        ({"facts": "{"}, "a column cannot be read (NotCanonical)"),
        ({"facts": "[]"}, "a column cannot be read (ValueError)"),
        ({"facts": '{"n": 0}'}, "a column cannot be read (ValueError)"),
        ({"at": "2026-11-21T12:00:00.0Z"}, "its time is not written as Locum writes it"),
    ],
)
def test_a_column_that_cannot_be_read_is_named_by_its_fault_alone(changes: dict[str, Any], why: str) -> None:
    (entry,) = chain(1)
    assert restored(**columns(entry, **changes)) == Unreadable(seq=1, why=why)


def test_without_a_request_an_entry_has_no_id() -> None:
    entry = following(None, drafted(request_id=None))
    assert restored(**columns(entry)) == entry
    assert verify([entry], []) == Intact(head=entry, count=1)


def test_a_line_of_an_anchor_is_json_and_nothing_else_is_one() -> None:
    anchor = Anchor(seq=3, hash="ab", at=NOON)
    assert anchor_line(anchor) == '{"at":"2026-11-21T12:00:00Z","hash":"ab","seq":3}'
    assert read_anchor(anchor_line(anchor)) == anchor
    assert read_anchor('{"at":"2026-11-21T12:00:00Z","hash":"ab","seq":1}').seq == 1
    for line in ("{}", '{"at":"2026-11-21T12:00:00Z","hash":"ab","seq":0}', anchor_line(anchor)[:-1] + ',"x":1}'):
        with pytest.raises(ValueError, match=r'^not an anchor; expected {"at": "…", "hash": "…", "seq": 1}$'):
            read_anchor(line)


def test_texts_are_cut_at_their_lengths_and_not_before() -> None:
    just, over = drafted(actor="a " * (LONGEST_NAME // 2)), drafted(actor="a " * (LONGEST_NAME // 2) + "b")
    assert just.actor == "a " * (LONGEST_NAME // 2)
    assert over.actor == just.actor + "[… 1 characters left out …]"
    facts = drafted(facts={"k " * 101: "v " * (LONGEST_TEXT // 2), "x": "v " * (LONGEST_TEXT // 2) + "w"}).facts
    assert list(facts) == ["k " * 100 + "[… 2 characters left out …]", "x"]
    assert list(facts.values()) == ["v " * 1000, "v " * 1000 + "[… 1 characters left out …]"]
    assert drafted(request_id="not an id").request_id == "not an id"
    long_id = "an id " * 40
    assert drafted(request_id=long_id).request_id == long_id[:LONGEST_NAME] + "[… 40 characters left out …]"


def test_lists_and_mappings_are_cut_at_their_sizes_and_not_before() -> None:
    listed, over = list(range(MOST_ITEMS)), list(range(MOST_ITEMS + 1))
    named, wider = ({f"k{n:03}": n for n in each} for each in (listed, over))
    facts = drafted(facts={"just": listed, "over": over, "named": named, "wider": wider}).facts
    assert facts["just"] == listed
    assert facts["over"] == [*listed, "[… 1 left out …]"]
    assert facts["named"] == named
    assert facts["wider"] == {**named, "left_out": 1}


def test_nesting_is_cut_at_its_depth_and_not_before() -> None:
    value: Any = 1
    for _ in range(DEEPEST):
        value = [value]
    assert drafted(facts={"deep": value}).facts["deep"] == value
    assert drafted(facts={"deep": [value]}).facts["deep"] == [[[["[… too deep, left out …]"]]]]
    mapped = {"a": {"b": {"c": {"d": {"e": 1}}}}}
    assert drafted(facts={"deep": mapped["a"]}).facts["deep"] == mapped["a"]
    assert drafted(facts={"deep": mapped}).facts["deep"] == {"a": {"b": {"c": {"d": "[… too deep, left out …]"}}}}


def test_facts_fill_their_room_to_the_last_byte() -> None:
    filling = {f"f{n}": "v " * 950 for n in range(8)}
    used = sum(len(canonical([name, value])) for name, value in filling.items())
    room = LARGEST_FACTS - used - len(canonical(["z", ""]))
    just, over = ({**filling, "z": ("v " * 1000)[:length]} for length in (room, room + 1))
    assert 0 < room < 2000
    assert drafted(facts=just).facts == just
    assert drafted(facts=over).facts == {**filling, "left_out": ["z", 1]}


def test_what_is_no_unicode_is_recorded_all_the_same() -> None:
    entry = following(None, drafted(actor="a\ud800b", facts={"e\u0301": "x\udfffy"}))
    assert entry.actor == "a?b"
    assert entry.facts == {"\u00e9": "x?y"}
    assert verify([entry], []) == Intact(head=entry, count=1)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"a": [1, 2.5]}, "$.a[1]: float; expected text, integer, true, false, null, list or mapping"),
        ([{"b": 2**63}], "$[0].b: an integer of more than 64 bits; expected a decimal string"),
        (-(2**63) - 1, "$: an integer of more than 64 bits; expected a decimal string"),
        ({"a": {1: 2}}, "$.a: a key is int; expected text"),
        ({"\u00e9": 1, "e\u0301": 2}, "$: two keys are the same text"),
        (["\ud800"], "$[0]: a lone surrogate; expected Unicode text"),
        ({"\ud800": 1}, "$: a key: a lone surrogate; expected Unicode text"),
        ({"k" * 50: 0.5}, f"$.{'k' * 40}: float; expected text, integer, true, false, null, list or mapping"),
        (deep(33), "$" + "[0]" * 33 + ": nested deeper than 32"),
        ({"a": deep(32)}, "$.a" + "[0]" * 32 + ": nested deeper than 32"),
    ],
)
def test_what_has_no_canonical_form_is_refused_with_its_place(value: Any, why: str) -> None:
    with pytest.raises(NotCanonical) as refused:
        canonical(value)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "not JSON in UTF-8: JSONDecodeError"),
        (b"\xff", "not JSON in UTF-8: UnicodeDecodeError"),
        (b"[" * 100_000, "not JSON in UTF-8: RecursionError"),
        (b'{"a":1,"a":2}', "a key is there twice"),
        (b"1.50", "a number of 4 characters is not an integer; expected a decimal string"),
        (b"NaN", "a number of 3 characters is not an integer; expected a decimal string"),
        (b"1" * 21, "an integer of more than 64 bits; expected a decimal string"),
        (b"[99999999999999999999]", "$[0]: an integer of more than 64 bits; expected a decimal string"),
        (b'"\\ud800"', "$: a lone surrogate; expected Unicode text"),
    ],
)
def test_json_that_is_not_canonical_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(NotCanonical) as refused:
        read(data)
    assert str(refused.value) == why


def test_the_borders_of_what_is_canonical_are_in_it() -> None:
    for value in (2**63 - 1, -(2**63), True, None, "", deep(32), {"k" * 41: 0}):
        assert read(canonical(value)) == value


@pytest.mark.parametrize("tag", ["", "t\u00e9", "a\nb"])
def test_a_tag_is_printable_ascii(tag: str) -> None:
    with pytest.raises(ValueError, match="expected printable ASCII") as refused:
        digest(tag, {})
    assert str(refused.value) == f"tag {tag!r}: expected printable ASCII"
