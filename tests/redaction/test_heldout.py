"""Forms in which programs write secrets, and what looks like them; measured before any rule was mended for them."""

import subprocess
import sys
import textwrap

import pytest

from bot.telemetry.logs import without_secrets
from tests.redaction.heldout import BENIGN, POSITIVES
from tools.redaction import hide, redact, redact_fields, redact_recurring, unhide
from tools.snapshot.sanitizing import plain


@pytest.mark.parametrize(("text", "secret"), [pytest.param(text, secret, id=name) for name, text, secret in POSITIVES])
def test_a_secret_in_a_usual_form_does_not_leave(text: str, secret: str) -> None:
    left = redact(text)
    window = min(12, len(secret))
    assert not [at for at in range(len(secret) - window + 1) if secret[at : at + window] in left]
    assert redact(left) == left


@pytest.mark.parametrize("text", BENIGN)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("name", ["key", "keys", "session_id", "sessionId", "session", "request_id", "uid", "digest"])
@pytest.mark.parametrize(
    "value",
    [
        "ses_4f7k2m9q1z8x3v6b",
        "inc_4f7k2m9q1z8x3v6b",
        "ev_4f7k2m9q1z8x3v6b",
        "fi_4f7k2m9q1z8x3v6b",
        "3f786850e387550fdab836ed7e6dc881de23b001",
        "9e107d9d372bb6826bd81d3542a419d6e4d909c290d0fb1c",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_identifiers_survive_under_names_that_rarely_are_secret(name: str, value: str) -> None:
    for text in (f'{{"{name}":"{value}"}}', f"{name}={value}", f"{name}: {value}"):
        assert redact(text) == text
    assert redact_fields({name: value}) == {name: value}


@pytest.mark.parametrize("name", ["api_key", "signing_key", "sessionid", "PHPSESSID", "signature", "seed"])
def test_under_other_names_a_digest_is_taken_for_a_secret(name: str) -> None:
    value = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    assert value not in redact(f"{name}={value}")
    assert value not in str(redact_fields({name: value}))


@pytest.mark.parametrize("name", ["key", "session_id"])
def test_what_is_random_and_no_identifier_still_goes_under_these_names(name: str) -> None:
    value = "aB3dE5fG7hJ9kL1mN3pQ"
    assert value not in redact(f"{name}={value}")
    assert value not in str(redact_fields({name: value}))


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ("token: Unauthorized", False),
        ("token: MissingParameter", False),
        ("password: incorrect", False),
        ("password: Incorrect", False),
        ("password: CorrectHorse", True),
        ("token: plainword", True),
        ("token=Unauthorized1", True),
    ],
)
def test_a_verdict_on_a_secret_is_not_the_secret(text: str, goes: bool) -> None:
    assert (redact(text) != text) is goes


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("- name: DB_PASSWORD\n  value: plainword\n- name: MODE\n  value: fast", "plainword"),
        ('<add value="x" key="MODE" /><add key="SmtpPassword" value="plainword" />', "plainword"),
        ('{\\"name\\":\\"API_TOKEN\\",\\"value\\":\\"plainword\\"}', "plainword"),
        ("EnvVar{Name:DB_PASSWORD,Value:plainword,ValueFrom:nil}", "plainword"),
    ],
)
def test_a_value_beside_its_name_goes_alone(text: str, left: str) -> None:
    before, _, after = text.partition(left)
    found = redact(text)
    assert found.startswith(f"{before}[redacted:assignment:")
    assert found.endswith(f"]{after}")


@pytest.mark.parametrize(
    "text",
    [
        "- name: MODE\n  value: plainword",
        "- name: DB_PASSWORD\n  value: $(OTHER)",
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {name: db, key: password}",
        "- name: CACHE_KEY\n  value: aB3dE5fG7hJ9kL1mN3pQ",
        "- name: SIG\n  value: plainword",
    ],
)
def test_a_value_beside_an_ordinary_name_stays(text: str) -> None:
    assert redact(text) == text


def test_the_name_of_a_member_is_no_value() -> None:
    text = '{"credentials":{"expires":"2026-11-21","region":"eu"}}'
    assert redact(text) == text


def test_a_line_of_settings_goes_to_its_end() -> None:
    assert redact("A=1\nDB_PASSWORD=four plain words here\nB=2").startswith("A=1\nDB_PASSWORD=[redacted:assignment:")
    assert redact("A=1\nDB_PASSWORD=four plain words here\nB=2").endswith("]\nB=2")


def test_a_letter_that_is_two_in_lower_case_hides_no_name() -> None:
    assert "plainword" not in redact("\u0130 PASSWORD=plainword")


def test_a_name_may_follow_a_letter_of_any_alphabet() -> None:
    assert "plainword" not in redact("épassword=plainword")


def test_what_was_remembered_before_a_value_was_hidden_is_redacted_again() -> None:
    assert redact_recurring("a remembered-value b") == "a remembered-value b"
    assert plain({"x": "a remembered-value b"}) == {"x": "a remembered-value b"}
    hide("remembered-value")
    assert "remembered-value" not in redact_recurring("a remembered-value b")
    assert "remembered-value" not in str(plain({"x": "a remembered-value b"}))
    unhide("remembered-value")
    assert redact_recurring("a remembered-value b") == "a remembered-value b"


def test_a_log_event_is_redacted_by_key_in_keys_and_in_the_words_of_objects() -> None:
    class Settings:
        def __repr__(self) -> str:
            return "Settings(password='plainword')"

    event = {
        "event": "x",
        "password": "short",
        "at": {"password=plainword": [Settings()]},
        "session_id": "ses_1",
        "n": 1,
    }
    left = without_secrets(None, "info", event)
    assert "plainword" not in str(left)
    assert "short" not in str(left)
    assert (left["event"], left["session_id"], left["n"]) == ("x", "ses_1", 1)
    assert left is event


def test_ordinary_text_loads_no_library_and_warming_does() -> None:
    program = """
        import sys
        from tools.redaction import redact, warm
        redact("2026-11-21T08:00:01Z error cart-5d78c9869d-x7k2p: connection refused, token: Unauthorized")
        assert "kingfisher_sdk" not in sys.modules
        warm()
        assert "kingfisher_sdk" in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)
