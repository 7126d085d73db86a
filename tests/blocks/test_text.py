import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import text
from tests.blocks.scenes import HOSTILE, LONG

ANYTHING = st.text(max_size=300) | st.sampled_from([HOSTILE, LONG, "&" * 400, "<" * 400, "`" * 50, "@here" * 60])


@given(ANYTHING, st.integers(min_value=20, max_value=3_000))
def test_s32_outside_text_has_no_mention_no_link_and_no_code_fence_and_fits(outside: str, most: int) -> None:
    safe = text.escape(outside, most)
    assert len(safe) <= most
    assert not re.search(r"[<>]|```", safe)
    assert not re.search(r"&(?!(?:amp|lt|gt);)", safe)
    assert not re.search(r"@(here|channel|everyone)\b", safe, re.IGNORECASE)


@given(ANYTHING, st.integers(min_value=20, max_value=3_000))
def test_plain_text_is_cut_to_fit_and_has_no_bidirectional_controls(outside: str, most: int) -> None:
    shown = text.plain(outside, most)
    assert len(shown) <= most
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", shown)


def test_a_cut_says_how_much_is_missing() -> None:
    assert text.plain("x" * 500, 100) == "x" * 72 + "… (428 more characters)"
    assert text.plain(LONG, 100) == "x" * 72 + "… (99928 more characters)"
    assert text.escape("&" * 500, 100) == "&amp;" * 14 + "… (486 more characters)"


def test_a_short_text_stays_as_it_was() -> None:
    assert text.escape("a < b && c > d", 100) == "a &lt; b &amp;&amp; c &gt; d"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "slack://open",
        "https://",
        "//evil.example",
        "https://[broken",
        "https://a.example/" + "x" * 4_000,
    ],
)
def test_a_link_that_is_not_http_is_shown_as_its_label_alone(url: str) -> None:
    assert text.link(url, "label") == "label"


def test_a_link_cannot_be_ended_from_inside() -> None:
    shown = text.link("https://a.example/?q=1&r=>|<!channel>", "see <!here> | that")
    assert shown.count("<") == shown.count(">") == 1
    assert shown.count("|") == 1
    assert shown.startswith("<https://a.example/?q=1&amp;r=%3E%7C%3C!channel%3E|")


def test_a_secret_in_an_alert_does_not_reach_a_message() -> None:
    assert "hunter22" not in text.escape("postgres://admin:hunter22@db/shop", 200)


def test_what_a_person_typed_is_read_without_slacks_markup() -> None:
    typed = "<@U0001ANA> is <https://shop.example/a?b=1&amp;c=2|the shop> &lt; 1 s in <#C0001|alerts> <!here>"
    assert text.readable(typed) == "@U0001ANA is the shop < 1 s in #alerts"


def test_only_a_user_id_becomes_a_mention() -> None:
    assert text.mention("U0001ANA") == "<@U0001ANA>"
    assert text.mention("U1> <!channel") == "U1&gt; &lt;!channel"
