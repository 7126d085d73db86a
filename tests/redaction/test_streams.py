"""What a stream gives out and when: nothing that what follows could change, and no less than it can."""

import re
from collections.abc import Iterator

import pytest

from tools.redaction import hide, redact, redacting_stream, unhide

R = "aB3dE5fG7hJ9kL1mN3pQ"
KEPT = 1024
"""Characters kept back while no value is hidden."""


@pytest.fixture
def hidden() -> Iterator[str]:
    hide("a-value-of-twenty-xx")
    yield "a-value-of-twenty-xx"
    unhide("a-value-of-twenty-xx")


@pytest.mark.parametrize("unit", ["line of a log\n", "word ", "x", "a word\nand more "])
def test_all_but_the_margin_is_given_out_up_to_the_best_place_to_cut(unit: str) -> None:
    stream = redacting_stream()
    whole = unit * (3 * KEPT // len(unit))
    given = stream.feed(whole)
    assert len(whole) - KEPT - len(unit) <= len(given) <= len(whole) - KEPT + 1
    assert given.endswith("\n" if "\n" in unit else " " if " " in unit else "x")
    assert given + stream.close() == whole


def test_nothing_is_given_out_before_twice_the_margin_is_there() -> None:
    stream = redacting_stream()
    assert stream.feed("x " * (KEPT - 1)) == ""
    assert stream.feed("y ") != ""


def test_what_was_looked_at_in_vain_is_looked_at_again_when_it_has_doubled() -> None:
    stream = redacting_stream()
    key = "-----BEGIN PRIVATE KEY-----\n" + f"{R}\n" * 150
    assert stream.feed(key) == ""
    assert stream.feed("-----END PRIVATE KEY-----\n" + "a line\n" * 200) == ""
    assert stream.feed("a line\n" * 500).startswith("[redacted:private-key:")


def test_while_a_value_is_hidden_as_much_is_kept_back_as_it_may_take_up(hidden: str) -> None:
    stream = redacting_stream()
    margin = KEPT + 12 * len(hidden)
    assert stream.feed("word " * ((2 * margin - 5) // 5)) == ""
    assert stream.feed("word word ") != ""
    written = "".join(f"\\u{ord(letter):04x}" for letter in hidden).replace("\\", "\\\\")
    stream = redacting_stream()
    given = "".join(stream.feed(piece) for piece in ("word " * 700, *written, " word" * 700)) + stream.close()
    assert "\\u" not in given
    assert "[redacted:credential:" in given


def test_a_lost_stretch_ends_with_its_line_and_the_next_is_there() -> None:
    stream = redacting_stream()
    pieces = ["-----BEGIN PRIVATE KEY-----\n", *["ab" * 5_000] * 33, "ab still lost", " and this\nthe next line\n"]
    given = "".join(map(stream.feed, pieces)) + stream.close()
    # A fingerprint is any hexadecimal: what is left beside it counts.
    assert "ab" not in re.sub(r"\[redacted:value:[0-9a-f]+\]", "", given)
    assert given.endswith("]the next line\n")
    assert given.count("[redacted:value:") == 1


def test_after_its_end_a_stream_has_nothing_left() -> None:
    stream = redacting_stream()
    assert stream.feed("password=plainword") == ""
    assert stream.close() == redact("password=plainword")
    assert stream.close() == ""
    assert stream.feed("next") + stream.close() == "next"
