"""Where a rule just holds and where it just does not."""

import pytest

from tools.redacting.library import worth_a_scan
from tools.redacting.looks import is_made_up, is_random, is_worded
from tools.redaction import hide, redact, unhide


@pytest.mark.parametrize(("value", "fits"), [("a" * 23, True), ("a" * 24, False), ("two-words", True), ("a1", False)])
def test_a_word_has_letters_alone_and_is_short(value: str, fits: bool) -> None:
    assert is_worded(value) is fits


@pytest.mark.parametrize(
    ("value", "fits"), [("abcdefghijk1", True), ("abcdefghij1", False), ("abcdefghijkl", False), ("123456789012", True)]
)
def test_what_is_made_up_is_long_and_has_a_digit(value: str, fits: bool) -> None:
    assert is_made_up(value) is fits


@pytest.mark.parametrize(
    ("value", "fits"), [("1234567890987654", False), ("aaaaaaaaaaaaaaa1", False), ("a1b2c3d4e5f6g7h8", True)]
)
def test_what_is_random_has_letters_and_many_different_signs(value: str, fits: bool) -> None:
    assert is_random(value) is fits


@pytest.mark.parametrize(
    ("text", "fits"), [("qWxEvTzUkLpMrSn", True), ("ACAPITALISEDRUNOFLETTERS", False), ("alongrunofsmalls", False)]
)
def test_letters_alone_are_worth_a_scan_when_their_case_changes_often(text: str, fits: bool) -> None:
    assert worth_a_scan(text) is fits


@pytest.mark.parametrize("value", ["a-hidden-\U0001f511-value", "a-hidden-\xe9-value"])
@pytest.mark.parametrize("form", ["\\U{:08x}", "\\{:03o}"])
def test_values_are_found_in_long_and_in_octal_escapes(value: str, form: str) -> None:
    units = map(ord, value) if "U" in form else value.encode()
    written = "".join(form.format(unit) for unit in units)
    hide(value)
    try:
        assert redact(f"x {written} y").startswith("x [redacted:credential:")
    finally:
        unhide(value)


def test_bytes_that_are_no_text_hide_nothing_and_break_nothing() -> None:
    hide("a-hidden-value-1")
    try:
        assert redact("\\xff\\xfe a-hidden-value-1").startswith("\\xff\\xfe [redacted:credential:")
    finally:
        unhide("a-hidden-value-1")


def test_a_program_named_behind_a_flag_does_not_make_it_a_password() -> None:
    assert redact("tar -p Pl41nword mysql") == "tar -p Pl41nword mysql"
    assert "Pl41nword" not in redact("mysql -p Pl41nword tar")


def test_a_quote_within_a_quoted_value_does_not_end_it() -> None:
    assert "rest" not in redact('password="one\\" rest" next')
    assert "rest" not in redact("password='it's-rest' next")


def test_a_block_within_a_secret_ends_where_its_indent_ends() -> None:
    text = "kind: Secret\nstringData:\n  a: |\n    plainone\n  b: plaintwo\ntype: Opaque\n"
    left = redact(text)
    assert "plainone" not in left
    assert "\n  b: [redacted:secret:" in left
    assert left.endswith("\ntype: Opaque\n")
