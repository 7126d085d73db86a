"""What leaves a tool: no known shape of a secret, nothing invisible, and otherwise what was there."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.evidence import EXCERPT_LIMIT, Evidence, Outcome, bounded
from tools.redaction import Redacted, redact


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter2222 ok", "hunter2222"),
        ('{"db_password": "s3cr3t-value"}', "s3cr3t-value"),
        ("export API_KEY='abcd1234efgh'", "abcd1234efgh"),
        ("mongodb://app:p4ssw0rd@db:27017/orders", "p4ssw0rd"),
        ("postgres://:only-a-password@db/x", "only-a-password"),
        ("Authorization: Bearer abc.def.ghi", "abc.def.ghi"),
        ("curl -H 'authorization: Basic dXNlcjpwYXNz' x", "dXNlcjpwYXNz"),
        ("key AKIAIOSFODNN7EXAMPLE in the log", "AKIAIOSFODNN7EXAMPLE"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKC\nqRT\n-----END RSA PRIVATE KEY-----", "MIIEpAIBAAKC"),
        ("-----BEGIN PRIVATE KEY-----\ncut off in the mid", "cut off in the mid"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc end", "eyJzdWIiOiIxMjM0NTY3ODkwIn0"),
    ],
)
def test_a_secret_does_not_leave(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted:" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        'secret "cart-db" not found',
        "secretName: tls-cart",
        "token: true",
        "couldn't find key PAYMENTS_URL in ConfigMap shop/checkout",
        "GET /disk-usage 200 in 41 ms, global-cache miss, task-17 done",
        "sha256:065665c041c42a5938ed220bdcd7230f22527fbec085e1853d2402c8a3615d9d",
        "https://shop.example:8443/path?page=2",
    ],
)
def test_ordinary_lines_keep_their_meaning(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("hidden", ["\x1b[31m", "\x1b]", "\u202e", "\u200b", "\U000e0041", "\x00", "\ufeff"])
def test_what_people_cannot_see_is_taken_out(hidden: str) -> None:
    assert redact(f"all {hidden}well") == "all well"


@given(st.text(max_size=400))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text(max_size=EXCERPT_LIMIT * 3))
def test_an_excerpt_is_bounded_and_says_what_it_left_out(text: str) -> None:
    cut = bounded(Redacted(text))
    assert len(cut) <= EXCERPT_LIMIT
    if len(text) > EXCERPT_LIMIT:
        left_out = re.search(r"\[… (\d+) characters left out …\]", cut)
        assert left_out
        assert int(left_out[1]) >= len(text) - EXCERPT_LIMIT


def test_the_same_look_with_the_same_result_is_the_same_evidence() -> None:
    one = Evidence.found("kubernetes.objects", "kubectl get pods", "cart-1 Running", data=[1])
    two = Evidence.found("kubernetes.objects", "kubectl get pods", "cart-1 Running", data=[2])
    other = Evidence.found("kubernetes.objects", "kubectl get pods", "cart-1 Pending")
    assert one.id == two.id != other.id


def test_evidence_with_a_secret_has_the_same_id_in_any_process() -> None:
    here = Evidence.found("kubernetes.logs", "q", "password=[redacted:assignment:00000001]")
    there = Evidence.found("kubernetes.logs", "q", "password=[redacted:assignment:00000002]")
    assert here.id == there.id


def test_nothing_found_is_empty() -> None:
    assert Evidence.found("logs.lines", "x", "  \n").outcome is Outcome.EMPTY


def test_a_gap_always_says_why_even_when_the_reason_was_invisible() -> None:
    assert Evidence.gap("logs.lines", "x", Outcome.ERROR, "\u200b\u2060").why == "no reason was given"


def test_a_quote_that_is_not_in_the_excerpt_is_not_borne_out() -> None:
    evidence = Evidence.found("kubernetes.logs", "q", "FATAL required setting\n  PAYMENTS_URL is not set")
    assert evidence.bears_out("required setting PAYMENTS_URL is not set")
    assert not evidence.bears_out("required setting CART_URL is not set")
    assert not evidence.bears_out("  ")
