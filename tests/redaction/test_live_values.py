"""Values that the process holds: gone from every text, however they are written there."""

import base64
import html
import json
import re
import shlex
import threading
import urllib.parse
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.redaction import hide, redact, redacting_stream, unhide

VALUE = 's3cr3t/V+lue "%41\\n'


@pytest.fixture
def hidden() -> Iterator[str]:
    hide(VALUE)
    yield VALUE
    unhide(VALUE)


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "wrapped": lambda value: "\n   ".join(value[at : at + 5] for at in range(0, len(value), 5)),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64-second": lambda value: base64.b64encode(b"u" + value.encode() + b"z").decode(),
    "base64-third": lambda value: base64.b64encode(b"u:" + value.encode()).decode().rstrip("="),
    "base64-url": lambda value: base64.urlsafe_b64encode(b"\xff\xfe" + value.encode()).decode(),
    "base64-twice": lambda value: base64.b64encode(base64.b64encode(b"u:" + value.encode())).decode(),
    "base64-lines": lambda value: "\n".join(re.findall(".{1,7}", base64.b64encode(value.encode()).decode())),
    "base64-of-json": lambda value: base64.b64encode(json.dumps({"p": value}).encode()).decode(),
    "url": lambda value: urllib.parse.quote(value, safe=""),
    "url-lower": lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    "form": urllib.parse.quote_plus,
    "url-twice": lambda value: urllib.parse.quote(urllib.parse.quote(value, safe=""), safe=""),
    "hex": lambda value: value.encode().hex(),
    "hex-upper": lambda value: value.encode().hex(":").upper(),
    "hex-c": lambda value: ", ".join(f"0x{byte:02x}" for byte in value.encode()),
    "hex-escapes": lambda value: "".join(f"\\x{byte:02x}" for byte in value.encode()),
    "octal": lambda value: "".join(f"\\{byte:03o}" for byte in value.encode()),
    "bytes": lambda value: str(list(value.encode())),
    "go-bytes": lambda value: " ".join(map(str, value.encode())),
    "json": json.dumps,
    "json-in-json": lambda value: json.dumps(json.dumps(value)),
    "json-unicode": lambda value: re.sub("(.{4})", r"\\u\1", value.encode("utf-16-be").hex()),
    "repr": repr,
    "shell": shlex.quote,
    "html": html.escape,
    "html-numbers": lambda value: "".join(f"&#x{ord(letter):x};" for letter in value),
    "json-in-url": lambda value: urllib.parse.quote(json.dumps(value)),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_live_value_is_found_however_it_is_written(way: str, hidden: str) -> None:
    written = WRITTEN[way](hidden)
    left = redact(f"before {written} after")
    assert written not in left
    assert "[redacted:credential:" in left
    assert left.startswith("before ")
    assert left.endswith(" after")


@given(
    st.text(st.characters(categories=("L", "N", "P", "S")), min_size=12, max_size=40),
    st.sampled_from(sorted(WRITTEN)),
    st.text(max_size=30),
    st.text(max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_f4_any_live_value_in_any_encoding_in_any_text_is_gone(value: str, way: str, before: str, after: str) -> None:
    hide(value)
    try:
        written = WRITTEN[way](value)
        left = redact(f"{before} {written} {after}")
        assert written not in left
        assert redact(left) == left
    finally:
        unhide(value)


def test_a_value_has_one_fingerprint_whatever_its_encoding(hidden: str) -> None:
    marks = {redact(WRITTEN[way](hidden)).strip("\"'= ") for way in ("plain", "hex", "url", "wrapped")}
    assert len(marks) == 1


@pytest.mark.parametrize(("value", "fits"), [("1234567", False), ("1234 567", False), ("12345678", True)])
def test_a_value_that_cannot_be_told_from_text_is_refused(value: str, fits: bool) -> None:
    if fits:
        hide(value)
        assert "12345678" not in redact("x12345678y")
        unhide(value)
    else:
        with pytest.raises(ValueError, match="fewer than 8 characters"):
            hide(value)


def test_a_value_stays_hidden_until_the_last_who_hid_it_ends_that() -> None:
    hide("twice-hidden-thing")
    hide("twice-hidden-thing")
    unhide("twice-hidden-thing")
    assert "twice-hidden-thing" not in redact("a twice-hidden-thing b")
    unhide("twice-hidden-thing")
    assert redact("a twice-hidden-thing b") == "a twice-hidden-thing b"


def test_one_more_unhide_than_hide_shows_nothing_that_others_hide_later() -> None:
    unhide("never-hidden-thing")
    hide("never-hidden-thing")
    assert "never-hidden-thing" not in redact("a never-hidden-thing b")
    unhide("never-hidden-thing")


def test_threads_hide_for_each_other() -> None:
    values = [f"of-thread-number-{number:03}-x" for number in range(40)]
    threads = [threading.Thread(target=hide, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = redact(" ".join(values))
    assert not any(value in left for value in values)
    for value in values:
        unhide(value)


def test_a_line_of_a_value_of_several_lines_is_gone_by_itself() -> None:
    value = "first line of it\nthe second line of it\nthe last line of it"
    hide(value)
    assert redact("x the second line of it y") != "x the second line of it y"
    unhide(value)


def test_a_value_that_is_a_word_of_the_marks_leaves_them_alone() -> None:
    hide("redacted")
    hide("credential")
    once = redact("it was redacted, a credential")
    assert once.count("[redacted:credential:") == 2
    assert redact(once) == once
    unhide("redacted")
    unhide("credential")


def test_a_forged_mark_hides_no_value() -> None:
    hide("deadbeef")
    assert "deadbeef" not in redact("[redacted:token:deadbeef]")
    unhide("deadbeef")


@given(
    st.lists(st.integers(min_value=1, max_value=700), min_size=1, max_size=40), st.integers(min_value=0, max_value=6000)
)
@settings(max_examples=25, deadline=None)
def test_a_value_that_is_split_between_two_pieces_is_found(sizes: list[int], at: int) -> None:
    value = "split-Between-pieces-77"
    hide(value)
    try:
        filler = "an ordinary line of a log, nothing in it\n" * 200
        whole = filler[:at] + value + filler[at:]
        stream = redacting_stream()
        given_out, done = "", 0
        while done < len(whole):
            size = sizes[done % len(sizes)]
            given_out += stream.feed(whole[done : done + size])
            done += size
        given_out += stream.close()
        assert given_out == redact(whole)
        assert value not in given_out
    finally:
        unhide(value)


def test_a_stream_gives_out_what_nothing_can_change_any_more() -> None:
    stream = redacting_stream()
    early = "".join(stream.feed("an ordinary line of a log\n") for _ in range(400))
    assert 5_000 < len(early) < 400 * 26
    assert early + stream.close() == "an ordinary line of a log\n" * 400


def test_a_key_block_over_many_pieces_never_shows() -> None:
    stream = redacting_stream()
    body = "\n".join(f"{number:064x}" for number in range(2_000))
    left = "".join(
        stream.feed(piece) for piece in ("x\n-----BEGIN PRIVATE KEY-----\n", *body.splitlines(keepends=True))
    )
    left += stream.feed("\n-----END PRIVATE KEY-----\nafter\n") + stream.close()
    assert "0000001" not in left
    assert left.startswith("x\n-----BEGIN")
    assert left.endswith("after\n")
