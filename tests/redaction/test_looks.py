"""What a value, a name or a place tells, at the borders of each rule. What goes stands between « and »."""

import base64
import re

import pytest

from tests.redaction.pointing import left, pointed
from tools.evidence import Evidence, Outcome
from tools.redacting.library import worth_a_scan
from tools.redacting.looks import is_identifier, is_made_up, is_placeholder, is_random, is_verdict, is_worded
from tools.redacting.marks import unkeyed
from tools.redacting.names import Strength, strength
from tools.redaction import hide, redact, redact_fields, redact_recurring, unhide, warm

R = "aB3dE5fG7hJ9kL1mN3pQ"
DIGEST = "3f786850e387550fdab836ed7e6dc881de23b001"


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("(expired),", True),
        ("'word'", True),
        ("-two--words-", True),
        ("two_words", False),
        ("", False),
        ("Xword", True),
        ("2", False),
    ],
)
def test_a_word_may_stand_in_quotes_and_brackets(value: str, fits: bool) -> None:
    assert is_worded(value) is fits


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("abcdefGhijklMnopqR", False),
        ("abCdefGhijklMnopqr", True),
        ("abcdefghijklmnopqr", False),
        ("ABCDEFGHIJKLMNOPQR", False),
        ("abcdefghijklmnop1", True),
        ("abcdefghijklmn1", False),
        ("word-abcdefghijklmn1p-word", True),
        ("sha256:" + R, False),
        ("01234567-89ab-cdef-0123-456789abcdef", False),
    ],
)
def test_letters_alone_are_random_when_their_case_changes_every_third_time(value: str, fits: bool) -> None:
    assert is_random(value) is fits


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("abcdefghijkl1mn", True),
        ("abcdefghijk1mn", False),
        ("abcdABcdefghijkl", False),
        ("abcDABcdefghijkl", False),
        ("abCDABcdefghijkl", False),
        ("abCDABCdefghijkl", True),
        ("123456789012345", False),
        ("0123456789abcde", False),
        ("a-0123456789abcdef", True),
        ("a-0123456789abcde", False),
        ("a 123456789012345 abcdefghijkl1mn", True),
    ],
)
def test_only_what_a_generator_may_have_written_is_worth_a_scan(text: str, fits: bool) -> None:
    assert worth_a_scan(text) is fits


@pytest.mark.parametrize(
    ("value", "fits"),
    [("abcdefghijk1", True), ("-----------1", False), ("abcdefghijklm", False), ("12345678901", False)],
)
def test_what_is_made_up_has_letters_or_is_a_number(value: str, fits: bool) -> None:
    assert is_made_up(value) is fits


def test_a_verdict_is_a_known_word_or_unless_sure_any_in_capitals() -> None:
    assert is_verdict("Unauthorized", sure=True)
    assert is_verdict("NotFound", sure=False)
    assert not is_verdict("NotFound", sure=True)
    assert not is_verdict("plainword", sure=False)


def test_a_placeholder_is_nothing_a_reference_or_a_mask() -> None:
    assert all(map(is_placeholder, ("", "NULL", "${X}", "****", "vault:a#b")))
    assert not is_placeholder("plainword")


def test_an_identifier_is_a_digest_or_one_of_ours() -> None:
    assert is_identifier(DIGEST)
    assert is_identifier("ses_1")
    assert not is_identifier(R)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("password2", Strength.PASSWORD),
        ("password_2", Strength.PASSWORD),
        ("password_v2", Strength.PASSWORD),
        ("password_old", Strength.PASSWORD),
        ("password_old_2", Strength.PASSWORD),
        ("old_password_", Strength.PASSWORD),
        ("__password__", Strength.PASSWORD),
        ("$password.value", Strength.PASSWORD),
        ("2password", Strength.PASSWORD),
        ("password_type", Strength.NONE),
        ("PassWord", Strength.PASSWORD),
        ("value", Strength.NONE),
        ("old_2", Strength.NONE),
        ("123", Strength.NONE),
        ("___", Strength.NONE),
        ("api_key", Strength.STRONG),
        ("apiKey", Strength.STRONG),
        ("api.key.base64", Strength.STRONG),
        ("APIKEY", Strength.STRONG),
        ("key", Strength.FAINT),
        ("_keys", Strength.FAINT),
        ("x.key", Strength.FAINT),
        ("Key", Strength.FAINT),
        ("x_session_id", Strength.FAINT),
        ("secret_key_base", Strength.STRONG),
        ("sessionId", Strength.FAINT),
        ("sid", Strength.WEAK),
        ("requestSid", Strength.WEAK),
        ("cacheKey", Strength.NONE),
        ("nextToken", Strength.NONE),
        ("sign", Strength.NONE),
    ],
)
def test_a_name_tells_by_its_last_word_that_is_no_qualifier(name: str, told: Strength) -> None:
    assert strength(name) is told


@pytest.mark.parametrize(
    "text",
    [
        "postgres://app:password@db/x",
        "postgres://app:Pass@db/x",
        "postgres://app:PWD@db/x",
        "postgres://app:secret@db/x",
        "postgres://app:token@db/x",
        "postgres://app:user@db/x",
        "postgres://app:${PASSWORD}@db/x",
        "postgres://app:«plain»@db/x",
        "basic «YWJjOmRl»",
        "basic «YWJjOmRlZg»",
        "basic «YWJjOmRlZmc»",
        "basic YWJjZGVmZ2hp",
        "basic abcdefghi",
        f"glzz-{'a' * 20}",
        f"«glzz-{'a' * 19}1»",
        f"glzz-{'A' * 6}{'a' * 21}",
        f"«glzz-{'A' * 9}{'a' * 21}»",
        f"glzz-{'A' * 8}{'a' * 27}",
        f"glzz-{'A' * 8}{'a' * 19}",
        f"glzz-{'A' * 7}{'a' * 20}",
        f"«glzz-{'A' * 11}{'a' * 27}»",
        f"«glzz-{'A' * 16}{'a' * 4}»",
        f"glzz-{'A' * 17}{'a' * 3}",
        "x abcdefgh\n-----END PRIVATE KEY-----",
        "x «\nabcdefghi\n»-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----abcdefgh",
        "-----BEGIN PRIVATE KEY-----«abcdefghi»",
        "bearer «abc-def-1»",
        "bearer abcdefghij",
        "bearer 123456789",
        "aws key x = '«" + "a1" * 20 + "»'",
        "aws key x = '" + "ab" * 20 + "'",
        "aws cat x = '" + "a1" * 20 + "'",
        f"aws key {'x' * 80} '{'a1' * 20}'",
        "mysql -p«plain1» x",
        "mysql -p12345 x",
        "mysql -p$PASS x",
        "curl -u a:«plain» x",
        "curl -u a:$PASS x",
        "curl -u 'a:«plain»' x",
    ],
)
def test_a_shape_holds_what_its_rule_asks_for(text: str) -> None:
    assert left(text) == pointed(text)


def test_a_key_of_which_only_the_end_is_there_goes_with_all_its_lines() -> None:
    line = "abcdefghABCDEFGH" * 4 + "\n"
    assert "abcdefgh" not in redact("the tail:\n" + line * 100 + "-----END PRIVATE KEY-----")


@pytest.mark.parametrize(
    "text",
    [
        "- name: SIG\n  value: «" + R + "»",
        "- name: SIG\n  value: " + DIGEST,
        "- name: SIG\n  value: plainword",
        "- name: DB_PASSWORD\n  value: «plainword»",
        "- name: DB_PASSWORD\n  value: '«plain word»'",
        "- name: DB_PASSWORD\n  value: ${OTHER}",
        "- name: MODE\n  value: plainword",
        "<add key='DbPassword' Value='«plainword»' />",
    ],
)
def test_a_value_goes_by_the_name_beside_it(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        "kind: Secret\ndata:\n  a: «one»\n\n  # note\n  b: «two»\nc: three",
        "kind: Secret\ndata:\n  a: '«one'two»'\n  b: «two»",
        'kind: Secret\ndata:\n  a: "«one»"  \r\n  "b": «two»\r\n',
        "kind: Secret\ndata:\n  a: |2\n    «one»\n\n    «two: x»\n  b: «three»",
        "kind: Secret\ndata:\n  a: «one»\n    «goes on»\n  b: ${X}\n",
        "- kind: Secret\n  data: # note\n    a: «one one»\n  b: two\n",
        "kind: Secret\n- data:\n    a: «one»\n  b: two\n",
        "kind: Secret\ndata:\n\ta: «one»\nb: two",
        "kind: Secret\ndata:\n  no entry\n  a: «one»",
        '{"kind":"Secret","data":{"a":"«one»","b":"${X}"},"x":"two"}',
        "Secret{Data:map[string][]byte{a: «[49 50]»,},StringData:map[string]string{b: «one,»}} x: [1 2]",
        "Secret{Data:map[a:«one» b:«two»]}",
        "kind: Secretive\ndata:\n  a: one",
        "kind: Pod # Secret\ndata:\n  a: one",
    ],
)
def test_of_a_printed_secret_the_values_go_and_the_names_stay(text: str) -> None:
    assert left(text) == pointed(text)


def test_under_a_telling_key_goes_all_but_what_says_nothing() -> None:
    class Handle:
        def __str__(self) -> str:
            return "plainword"

    found = redact_fields(
        {
            "password": {"nested": "x"},
            "passwords": "plainword",
            "secret": None,
            "db_password": [True, b"plain\xff", {"a": "plainword"}, 5, "${X}", Handle()],
            "token": ("plainword",),
            "api_key": 7.5,
            "pin": R,
            "sig": DIGEST,
            "nonce": DIGEST,
            "uid": R,
        }
    )
    assert re.sub(r":[0-9a-f]{8}\]", "]", repr(found)) == repr(
        {
            "password": {"nested": "x"},
            "passwords": "plainword",
            "secret": None,
            "db_password": [
                True,
                "[redacted:value]",
                {"a": "[redacted:value]"},
                "[redacted:value]",
                "${X}",
                "[redacted:value]",
            ],
            "token": ["[redacted:value]"],
            "api_key": 7.5,
            "pin": "[redacted:value]",
            "sig": "[redacted:value]",
            "nonce": DIGEST,
            "uid": "[redacted:value]",
        }
    )


def test_a_pair_of_a_name_and_a_value_tells_under_name_and_under_key() -> None:
    assert "plainword" not in str(redact_fields({"name": "DB_PASSWORD", "value": "plainword"}))
    assert "plainword" not in str(redact_fields({"key": "DB_PASSWORD", "value": "plainword"}))
    assert redact_fields({"name": "DB_PASSWORD"}) == {"name": "DB_PASSWORD"}
    assert redact_fields({"name": 1, "value": "plainword"}) == {"name": 1, "value": "plainword"}
    assert redact_fields({"name": "MODE", "value": "plainword"}) == {"name": "MODE", "value": "plainword"}


def test_texts_of_any_length_bytes_and_keys_are_redacted_within_fields() -> None:
    assert "plainword" not in str(redact_fields(["x " * 400 + "password=plainword"]))
    assert "plainword" not in str(redact_fields({"password=plainword": {1, "password=plainword"}}))
    assert redact_fields(b"caf\xc3\xa9 \xff") == "caf\u00e9 \ufffd"
    assert redact_fields(bytearray(b"x")) == "x"
    assert redact_fields({1: "x", "at": 2.5}) == {1: "x", "at": 2.5}
    assert redact_fields(frozenset({"x"})) == ["x"]


def test_only_data_of_a_secret_goes_by_where_it_stands() -> None:
    found = redact_fields({"kind": "Secret", "stringData": {"a": "plain"}, "binaryData": {"b": b"x"}, "type": "Opaque"})
    assert re.fullmatch(r"\[redacted:secret:\w{8}\]", found["stringData"]["a"])
    assert re.fullmatch(r"\[redacted:secret:\w{8}\]", found["binaryData"]["b"])
    assert found["type"] == "Opaque"
    assert redact_fields({"kind": "ConfigMap", "data": {"a": "plain"}}) == {"kind": "ConfigMap", "data": {"a": "plain"}}


def test_text_that_is_not_unicode_is_redacted_like_any() -> None:
    assert redact(f"\ud800 password=\ud800plain {R}").startswith("\ud800 password=[redacted:assignment:")
    token = "ghp_" + (R * 2)[:36]
    assert left(f"\ud800é {token} é") == "\ud800é «» é"
    hide("hidden-\ud800-value")
    try:
        assert left("a hidden-\ud800-value b") == "a «» b"
    finally:
        unhide("hidden-\ud800-value")


def test_a_token_is_found_behind_letters_of_more_than_one_byte() -> None:
    token = "sk_live_" + R + "abcd"
    assert left(f"ééé «{token}» ééé") == "ééé «» ééé"
    assert left(f"eee «{token}» eee") == "eee «» eee"


def test_a_mark_without_its_fingerprint_is_alike_in_all_processes() -> None:
    assert unkeyed("a [redacted:token:0123abcd] b") == "a [redacted:token] b"
    assert Evidence.gap("logs.lines", "x", Outcome.ERROR, "password=plainword").why.startswith("password=[redacted:")


def test_marks_keep_their_order_when_others_are_put_between_them() -> None:
    once = redact("password=plainword1 x password=plainword2")
    one, two = re.findall(r"\[redacted:assignment:\w{8}\]", once)
    assert one != two
    again = redact(f"{one} token={R} {two} token={R}x {one}")
    assert re.findall(r"\[redacted:[a-z]+:\w{8}\]", again)[::2] == [one, two, one]
    around = redact(f'{two} password="x {one} and {two}" {two}')
    assert re.fullmatch(rf'{re.escape(two)} password="\[redacted:assignment:\w+\]" {re.escape(two)}', around)


def test_two_readings_of_one_stretch_make_one_mark_of_the_surest_kind() -> None:
    jwt = "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl"
    assert re.fullmatch(r"token=\[redacted:jwt:\w{8}\]", redact(f"token={jwt}"))
    assert re.fullmatch(r"Cookie: \[redacted:jwt:\w{8}\]", redact(f"Cookie: a={jwt}"))


def test_what_was_remembered_ends_with_each_value_that_is_shown_again() -> None:
    hide("first-of-two-values")
    hide("second-of-two-values")
    unhide("first-of-two-values")
    assert "second" not in redact_recurring("a second-of-two-values b")
    unhide("second-of-two-values")
    assert redact_recurring("a second-of-two-values b") == "a second-of-two-values b"
    hide("third-of-the-values")
    assert redact_recurring("a second-of-two-values b") == "a second-of-two-values b"
    assert "third" not in redact_recurring("a third-of-the-values b")
    unhide("third-of-the-values")


def test_warming_changes_nothing_that_is_found() -> None:
    warm()
    assert left("x ghp_" + (R * 2)[:36] + " y") == "x «» y"


def test_a_short_user_and_password_are_found_in_basic_authentication() -> None:
    for pair in ("ab:cde", "ab:cdef", "ab:cdefg", "ab:cdefgh"):
        code = base64.b64encode(pair.encode()).decode()
        assert left(f"basic «{code}» x") == "basic «» x"
        assert left(f"basic «{code.rstrip('=')}» x") == "basic «» x"
