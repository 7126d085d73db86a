"""One value has one form and one digest; what could be read in two ways has none."""

import contextlib
import functools
import json
import unicodedata
from enum import StrEnum
from types import MappingProxyType
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from approvals.canonical import DEEPEST, NotCanonical, canonical, digest, read

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


def unique(value: dict[str, Any]) -> bool:
    return len({unicodedata.normalize("NFC", key) for key in value}) == len(value)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda each: st.lists(each, max_size=4) | st.dictionaries(TEXT, each, max_size=4).filter(unique),
    max_leaves=12,
)


@given(VALUES)
def test_a1_what_is_read_back_has_the_same_bytes(value: Any) -> None:
    assert canonical(read(canonical(value))) == canonical(value)


@given(VALUES, VALUES)
def test_a1_two_values_with_one_form_are_the_same_after_nfc(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) == (read(canonical(one)) == read(canonical(other)) and same(one, other))


def same(one: Any, other: Any) -> bool:
    """`1 == True` in Python, not here."""
    return json.dumps(read(canonical(one)), sort_keys=True) == json.dumps(read(canonical(other)), sort_keys=True)


@given(VALUES, st.data())
def test_a1_a_flipped_bit_is_refused_or_gives_another_digest(value: Any, data: st.DataObject) -> None:
    form = bytearray(canonical(value))
    bit = data.draw(st.integers(0, len(form) * 8 - 1))
    form[bit // 8] ^= 1 << (bit % 8)
    try:
        flipped = read(bytes(form))
    except NotCanonical:
        return
    # The very bytes are another form of the same value only when a character became one that NFC takes back.
    assume(canonical(flipped) == bytes(form))
    assert digest("t", flipped) != digest("t", value)


@given(st.dictionaries(TEXT, VALUES, min_size=2, max_size=6).filter(unique), st.randoms())
def test_a1_the_order_of_keys_does_not_matter(value: dict[str, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert digest("t", dict(items)) == digest("t", value)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a1_composed_and_decomposed_text_are_one_text(text: str) -> None:
    forms = {canonical(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert len(forms) == 1


def test_a1_digests_under_different_tags_never_meet() -> None:
    assert digest("request", {}) != digest("entry", {})
    assert digest("a", 1) == digest("a", 1)
    assert len(digest("a", 1)) == 64


def test_the_form_is_the_published_one() -> None:
    # Whoever verifies with another program needs exactly this.
    value = {"b": [1, None, True, -5], "a": {"e\u0301": "x\n\u2028"}}
    assert canonical(value) == '{"a":{"\u00e9":"x\\n\u2028"},"b":[1,null,true,-5]}'.encode()
    assert digest("t", {}) == "646b417e10df4848c89668d7174aef75bcbad43cc86e03cfb2db259f7e862b83"


class Colour(StrEnum):
    RED = "red"


def test_what_is_equal_to_plain_json_has_its_form() -> None:
    assert canonical(MappingProxyType({"c": Colour.RED, "t": (1, 2)})) == b'{"c":"red","t":[1,2]}'


@pytest.mark.parametrize("tag", ["", "a\0b", "ä", "two\nlines"])
def test_a_tag_that_could_be_mistaken_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="expected printable ASCII"):
        digest(tag, {})


NESTED = functools.reduce(lambda inner, _: [inner], range(DEEPEST + 1), cast("Any", "x"))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"a": [1.5]}, r"\$\.a\[0\]: float"),
        (float("nan"), "float"),
        ({1: 2}, "a key is int"),
        ({"e\u0301": 1, "\u00e9": 2}, "two keys are the same text"),
        ("\ud800", "a lone surrogate"),
        ({"\udc00": 1}, "a lone surrogate"),
        (b"bytes", "bytes"),
        ({1, 2}, "set"),
        (2**63, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        (NESTED, "nested deeper"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(value: object, why: str) -> None:
    with pytest.raises(NotCanonical, match=why):
        canonical(value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": 1, "a": 1}', "a key is there twice"),
        ('{"\u00e9": 1, "e\u0301": 2}'.encode(), "two keys are the same text"),
        (b"1.0", "not an integer"),
        (b"1e3", "not an integer"),
        (b"[NaN]", "not an integer"),
        (b"-Infinity", "not an integer"),
        (b"9223372036854775808", "64 bits"),
        (b"1" * 10_000, "64 bits"),
        (b'"\\ud800"', "lone surrogate"),
        (b"\xff", "UnicodeDecodeError"),
        (b'\xef\xbb\xbf{"a":1}', "JSONDecodeError"),
        (b"{} {}", "JSONDecodeError"),
        (b"", "JSONDecodeError"),
        (b"[" * 100_000, "RecursionError"),
        (b"[" * 40 + b"]" * 40, "nested deeper"),
    ],
)
def test_json_that_could_be_read_in_two_ways_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(NotCanonical, match=why):
        read(data)


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(NotCanonical) as refused:
        canonical({"password": b"hunter2222"})
    assert "hunter" not in str(refused.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotCanonical):
        canonical(read(data))
