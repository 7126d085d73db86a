"""Secrets that nobody told us: by their own shape, by their names, by where they stand."""

import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.redaction import redact, redact_fields

_RANDOM = random.Random(11)


def made(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choices(letters, k=length))


S = made(32)
KEY_TEXT = "\n".join(made(64) for _ in range(5))


def bare(text: str) -> str:
    """Redacted, the fingerprints left out."""
    return re.sub(r":[0-9a-f]{8}\]", "]", redact(text))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"password={S} ok", "password=[redacted:assignment] ok"),
        ("password=abc,def next", "password=[redacted:assignment] next"),
        ("password=abcd, user=x", "password=[redacted:assignment], user=x"),
        ("password=abcd,user=x", "password=[redacted:assignment],user=x"),
        ('{"db_password": "plainword"}', '{"db_password": "[redacted:assignment]"}'),
        ('{\\"apiKey\\":\\"a1b2c3d4e5f6\\"}', '{\\"apiKey\\":\\"[redacted:assignment]\\"}'),
        ("--password plainword --verbose", "--password [redacted:assignment] --verbose"),
        ("--token=plainword run", "--token=[redacted:assignment] run"),
        ("<password>plainword</password>", "<password>[redacted:assignment]</password>"),
        ("password: plainword", "password: [redacted:assignment]"),
        (f"api_token: |\n  {S}\nnext: 1", "api_token: |\n  [redacted:assignment]\nnext: 1"),
        (f"var githubToken string = `{S}`", "var githubToken string = `[redacted:assignment]`"),
        ("https://x/?access_token=abcdefgh&page=2", "https://x/?access_token=[redacted:assignment]&page=2"),
        ("AccountName=x;AccountKey=abcd1234==;Suffix=y", "AccountName=x;AccountKey=[redacted:assignment];Suffix=y"),
        ("ALTER USER a PASSWORD 'plainword'", "ALTER USER a PASSWORD '[redacted:assignment]'"),
        ("CREATE USER a IDENTIFIED BY 'plainword';", "CREATE USER a IDENTIFIED BY '[redacted:assignment]';"),
        ("machine h login u password plainword", "machine h login u password [redacted:assignment]"),
        ("curl -u admin:Pl41nword https://x", "curl -u admin:[redacted:assignment] https://x"),
        ("mysql -h db -pPl41nword shop", "mysql -h db -p[redacted:assignment] shop"),
        ("sshpass -p Pl41nword ssh x", "sshpass -p [redacted:assignment] ssh x"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer [redacted:authorization]"),
        (
            "map[Authorization:[Bearer abcdefgh1] Accept:[*/*]]",
            "map[Authorization:[Bearer [redacted:authorization]] Accept:[*/*]]",
        ),
        ("{'Authorization': 'Token abcdefgh1'}", "{'Authorization': 'Token [redacted:authorization]'}"),
        (
            'Authorization: Digest username="u", response="abcd"',
            'Authorization: Digest [redacted:authorization]"u", response="abcd"',
        ),
        ("sent bearer abc123def456 to it", "sent bearer [redacted:authorization] to it"),
        ("sent basic dXNlcjpwYXNzd29yZA== to it", "sent basic [redacted:authorization] to it"),
        ("X-Vault-Token: hvs.short1", "X-Vault-Token: [redacted:assignment]"),
        ("Cookie: a=1; sid=2", "Cookie: [redacted:cookie]"),
        ("Set-Cookie: sid=2; Path=/; Secure", "Set-Cookie: [redacted:cookie]; Path=/; Secure"),
        ("postgres://app:p@ss/w:rd@db:5432/x", "postgres://app:[redacted:url-password]@db:5432/x"),
        ("redis://:plainword@r:6379/0", "redis://:[redacted:url-password]@r:6379/0"),
        (f"git clone https://{S}@git.example/x", "git clone https://[redacted:url-password]@git.example/x"),
        ("jdbc:oracle:thin:scott/t1ger@db:1521", "jdbc:oracle:thin:scott/[redacted:url-password]@db:1521"),
        ("root:$6$saltsalt$abcdefghij0123456789:19000:0", "root:[redacted:password-hash]:19000:0"),
        ("hash $2b$12$abcdefghijklmnopqrstuv in db", "hash [redacted:password-hash] in db"),
        ("jwt eyJhbGciOi.eyJzdWIi.c2ln end", "jwt [redacted:jwt] end"),
        (f"id AKIA{made(16, string.ascii_uppercase)} used", "id [redacted:token] used"),
        (f"id glpat-{made(26)} used", "id [redacted:token] used"),
        (f"id ghp_{made(36)} used", "id [redacted:token] used"),
        (f"id SG.{made(22)}.{made(43)} used", "id [redacted:token] used"),
        (
            f"at https://hooks.slack.com/services/T01/B02/{made(24)} now",
            "at https://hooks.slack.com/services/[redacted:token] now",
        ),
        (f"-----BEGIN EC PRIVATE KEY-----\n{KEY_TEXT}\n-----END EC PRIVATE KEY-----\nx", "[redacted:private-key]\nx"),
        (
            f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{KEY_TEXT}",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----[redacted:private-key]",
        ),
        (
            f"the tail:\n{KEY_TEXT}\n-----END RSA PRIVATE KEY-----\nx",
            "the tail:[redacted:private-key]-----END RSA PRIVATE KEY-----\nx",
        ),
        (f"Private-Lines: 5\n{KEY_TEXT}\nPrivate-MAC: 00", "Private-Lines: 5[redacted:private-key]Private-MAC: 00"),
        ("age AGE-SECRET-KEY-1QQQQQQQQQQQQ end", "age [redacted:private-key] end"),
        ("- name: DB_PASS\n  value: x", "- name: DB_PASS\n  value: x"),
    ],
)
def test_just_the_secret_goes(text: str, left: str) -> None:
    assert bare(text) == left


@pytest.mark.parametrize(
    "manifest",
    [
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  user: {s}\n  b: '{s}'\n",
        "items:\n- apiVersion: v1\n  data:\n    user: {s}\n  kind: Secret\n",
        "kind: Secret\nstringData:\n  # note\n  user.yaml: |\n    user: {s}\n    more\n  b: {s}\ntype: Opaque\n",
        '{{"apiVersion":"v1","data":{{"user":"{s}","b":"{s}"}},"kind":"Secret"}}',
        '{{\n  "kind": "Secret",\n  "stringData": {{\n    "user": "{s}"\n  }}\n}}',
        'last-applied: {{\\"kind\\":\\"Secret\\",\\"data\\":{{\\"user\\":\\"{s}\\"}}}}',
        "&Secret{{ObjectMeta:{{x}},Data:map[string][]byte{{user: [1 2]}},StringData:map[string]string{{user: {s},}},}}",
    ],
)
def test_the_values_of_a_secret_go_whatever_they_look_like(manifest: str) -> None:
    left = redact(manifest.format(s="plain"))
    assert "plain" not in left
    assert "user" in left


def test_what_stands_beside_the_values_of_a_secret_stays() -> None:
    text = "kind: Secret\nmetadata:\n  name: tls\ndata:\n  a: cGxhaW4=\ntype: Opaque\n---\nkind: Pod\n"
    assert bare(text) == text.replace("cGxhaW4=", "[redacted:secret]")


def test_a_config_map_keeps_its_values() -> None:
    text = "kind: ConfigMap\ndata:\n  mode: plain\n"
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "password=$DB_PASSWORD token=${TOKEN} secret={{ .Values.x }}",
        "password: <set to the key 'x' in secret 'y'>",
        "password=op://vault/item/field",
        "token: vault:path#field",
        "password=**** token=xxxx",
        "password: null",
        "secret=shop/cart-tls",
        "error: no token: Unauthorized",
        "Invalid token: connection refused",
        "password:  16 bytes",
        "password authentication failed for user app",
        "basic authentication required",
        "bearer authentication needed",
        "key=shop/cart-5d78c9869d-x7k2p",
        "cache_key=" + S,
        "next_token=" + S,
        "tokens=512 max_tokens: 4096",
        "commit 3f786850e387550fdab836ed7e6dc881de23b001",
        "image: r.example:5000/a@sha256:" + "ab" * 32,
        "uid: 0b1e7b2c-6f0f-4f8e-9a39-0d8c6d1f5c11",
        "trace_id=0af7651916cd43dd8448eb211c80319c",
        "eyJ without a dot",
        "docker://registry:5000/image@sha256:" + "0" * 64,
        "install libsecret-1-0:amd64",
        "AP News: APPLE rose",
        "--password-file /run/x",
        "secretKeyRef: {name: db, key: password}",
        "user:pass in words",
        "http://a.example/b:c@d",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_the_same_secret_has_the_same_mark_and_another_has_another() -> None:
    one, two = redact("password=plainword-1"), redact("PASSWORD='plainword-1'")
    assert one.partition("=")[2] == two.partition("=")[2].strip("'")
    assert redact("password=plainword-2") != one
    assert re.fullmatch(r"password=\[redacted:assignment:[0-9a-f]{8}\]", one)


def test_fields_go_by_key_and_texts_by_content() -> None:
    value = {
        "password": "x",
        "retries": 3,
        "token": 12,
        "pin": None,
        "nested": {"apiKey": ["a", "b"], "note": f"password={S}"},
        "env": [{"name": "DB_PASSWORD", "value": "y"}, {"name": "MODE", "value": "fast"}],
        "tls": True,
        "secretName": "cart-tls",
        "object": {"kind": "Secret", "data": {"user": "cGxhaW4="}, "metadata": {"name": "s"}},
        "cache_key": S,
        "key": S,
        "passwords_seen": 2,
        "raw": b"password=abcdef",
        "ref": {"password": "op://a/b/c", "secret": {"name": "z"}},
    }
    left = redact_fields(value)
    assert re.sub(r":[0-9a-f]{8}\]", "]", repr(left)) == repr(
        {
            "password": "[redacted:value]",
            "retries": 3,
            "token": 12,
            "pin": None,
            "nested": {"apiKey": ["[redacted:value]", "[redacted:value]"], "note": "password=[redacted:assignment]"},
            "env": [{"name": "DB_PASSWORD", "value": "[redacted:value]"}, {"name": "MODE", "value": "fast"}],
            "tls": True,
            "secretName": "cart-tls",
            "object": {"kind": "Secret", "data": {"user": "[redacted:secret]"}, "metadata": {"name": "s"}},
            "cache_key": S,
            "key": "[redacted:value]",
            "passwords_seen": 2,
            "raw": "password=[redacted:assignment]",
            "ref": {"password": "op://a/b/c", "secret": {"name": "z"}},
        }
    )
    assert redact_fields(left) == left


_PIECES = st.sampled_from(
    (
        "password=",
        "token: ",
        '"',
        "'",
        "\\",
        "\n",
        " ",
        "=",
        ":",
        ",",
        "eyJa.b",
        "://a:b@",
        "Cookie: a=b",
        "kind: Secret\ndata:\n  a: b",
        "[redacted:token]",
        "[redacted:",
        "]",
        "-----BEGIN PRIVATE KEY-----",
        "AKIAABCDEFGHIJKLMNOP",
        "bearer abc123def",
        "é",
        "\u202e",
        "<",
        "{",
    )
)


@given(st.lists(_PIECES | st.text(max_size=6), max_size=14).map("".join))
@settings(max_examples=300, deadline=None)
def test_redacting_twice_is_redacting_once_for_what_looks_secret(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "unit",
    [
        "key=",
        "token: |\n  ",
        'token: "',
        "://a:b",
        "-----BEGIN PRIVATE KEY-----",
        "A1b2C3d4",
        "kind: Secret\ndata:\n  a: b\n",
    ],
)
def test_unpleasant_text_costs_time_in_proportion_to_its_length(unit: str) -> None:
    import time

    def spent(length: int) -> float:
        text = unit * (length // len(unit))
        began = time.thread_time()
        redact(text)
        return time.thread_time() - began

    spent(1_000)
    # Sixteen times as long: in proportion it is sixteen, and 256 where each part is looked at for each other.
    assert spent(64_000) < 100 * max(spent(4_000), 0.001)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b]8;;https://evil.example\x07the words\x1b]8;;\x07", "the words"),
        ("\x1bPdevice control\x1b\\x", "x"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b(Bplain\x1b[?25l", "plain"),
        ("pass\x1b[31mword=hunter22", "password=[redacted:assignment]"),
        ("a\u2067b\u2069c\U000e0041d\ufe0fe\U000e01eff\u00adg", "abcdefg"),
        ("tab\tline\nret\r\n\x85", "tab\tline\nret\r\n\x85"),
    ],
)
def test_what_a_terminal_obeys_is_taken_out(text: str, left: str) -> None:
    assert bare(text) == left
