"""Values behind telling names: which of them go, and where each begins and ends. What goes stands between « and »."""

import re

import pytest

from tests.redaction.pointing import left, pointed
from tools.redaction import redact

R = "aB3dE5fG7hJ9kL1mN3pQ"
"""As a generator writes it."""
LONG = (R * 26)[:512]


@pytest.mark.parametrize(
    "text",
    [
        "api_token: «plainword»",
        "- api_token: «plainword»",
        '  "api_token": «plainword»,',
        "{api_token: «plainword»",
        "# api_token: «plainword»",
        "'api_token': «plainword»\r\nnext",
        "\tapi_token: «plainword» \t",
        "api_token: «plainword», x",
        "before\napi_token: «plainword»\nafter",
        "x api_token: plainword",
        "XXapi_token: «plainword»",
        "the api_token: plainword is",
        "api_token: plainword x",
        "api_token: plainword: x",
        f"{'x ' * 30}\napi_token: «plainword»",
        f"{'x ' * 30}api_token: plainword",
        "api_token: «pl4inwrd» x",
        "api_token: pl4inwo x",
        "the password: plainword is",
        "the password: «plain4» is",
        "the password: two-words-of-it is",
        "the password: «words-of-twenty-four-lett» is",
    ],
)
def test_behind_a_colon_a_plain_word_goes_only_from_a_line_of_its_own(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        f"token «{R}»",
        f"token «{R}==»",
        f"token «{R}=x»",
        f"token {R}=xy",
        f"token x={R}",
        "token plainword1234",
        "password plainword1234",
        "password «Ax9Bx8Cx7Dx6Ex5Fx4» x",
        f"sig {R}",
        f"key,{R}",
        f"sig,{R}",
        f"sig|«{R}»",
        f"sig | «{R}»",
        "sig|plain-word-12",
        "password|plain1word",
        f"password | «{R}»",
        "password,plain1",
        "token,«plain-word-1»",
        "token,plain-word1",
        "token,plainwordxxx",
        "token,«123456789012»",
        "token, plain-word-12",
        f"token \n{R}",
    ],
)
def test_what_only_stands_behind_a_name_goes_when_nobody_would_think_of_it(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        "run --token «plainword» x",
        "run -token «plainword» x",
        "run --password «plain» x",
        "run --password --verbose",
        "run --sig plainword",
        f"run --sig «{R}»",
        '--token "«plainword»" x',
        '--token "«cart-db»" x',
        'token "cart-db" x',
        'token,"cart-db",x',
        'token|"cart-db"|x',
        'password,"cart-db",x',
        'password|"cart-db"|x',
        f'token "«{R}»" x',
        'password "«cart-db»" x',
    ],
)
def test_behind_a_flag_goes_what_behind_a_word_may_be_the_name_of_something(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        "token=12345678901",
        "token=«123456789012»",
        "token=«1.234.567,89012»",
        "token=1.234,567",
        "password=«1234»",
        "password=abc",
        "password=«abcd»",
        "password=none",
        "token=«abcd»",
        'token="two words"',
        f'token="«two words {R}»"',
        'password="«two words»"',
        f'sig="two {R}"',
        f'sig="«{R}»"',
        f"uid={'0123456789abcdef' * 3}",
        f"uid=«{R}»",
        f"sid=«{'0123456789abcdef' * 3}»",
        f"sid=«{LONG}»",
        f"sid={LONG}x",
        f'sid="«{LONG}»"',
        f'sid="{LONG}x"',
        f"secret_key=«{LONG}x»",
    ],
)
def test_how_much_a_value_has_to_say_depends_on_how_much_its_name_does(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        "token: 16 bytes",
        "token=abcdefgh bytes",
        "token=1234567890123 seconds",
        "token=abcdefghi items",
        "password=«abcdefgh» bytes",
        "token=«abcdefgh» bytesize",
        "secret=shop/cart-tls",
        "x.secret=cart-tls",
        "secrets=cart-tls",
        "SECRET=cart-tls",
        "secret=«Cart_tls»",
        f"secret=«{R}»",
        "my_secret=«cart-tls»",
        "token=«Unauthorized»",
        "token: Unauthorized",
        "token=«MissingPart»",
        "token: MissingPart",
        "password: «MissingPart»",
        "password: Unauthorized",
    ],
)
def test_what_is_said_of_a_secret_stays(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        'password="«plainword» and more',
        'password="«plainword»',
        'password="" next',
        "password='«pla\\'in»' next",
        "password='«plain\\\\»' next",
        "password='«pla'in»' next",
        'password="«a\\" b\\" c\\" d»" next',
        'password="""«plain " word»""" next',
        "password=b'«plainword»' next",
        '\\"password\\":\\"«plainword»\\",',
        "password: ['«plainword»', 'x']",
        '{"credentials":{"region":"eu"}}',
        '{"password":"«plainword»" : 1}',
        '{"password":{"«plainword»"}}',
    ],
)
def test_a_quoted_value_ends_where_its_quote_does(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        "(password=«plainword»)",
        "((password=«plainword»))",
        "[{(password=«plainword»)}].",
        "password=«plain(word)» x",
        "password=«(plainword)» x",
        "password=«plainword»). next",
        "password=«plainword»... next",
        "password=«plainword»; next",
        "password=«plainword»: next",
        "password=«plainword»,.;: next",
        "password=«plainword».) next",
        "password=«plain»%26x=1",
        "password=«plain»\\nx",
        "password=«plain»\\tx",
        "password=«plain»,x=1",
        "password=«plain»,x:1",
        "password=«plain,word» x",
        'password=«plain»;"x"',
        'password=«plain»,\\"x',
        "password=«plain»; x",
        "password=«plain»&x=1",
        "password=«plain&word» x",
        "password=«plain'word» x",
        "password=«plainword»' x",
        "password=«plainword»<br>",
        "DB_PASSWORD=«four plain words»",
        "x\nDB_PASSWORD=«four plain words»  \nx",
        "db_password=«four» plain words",
        "DB_TOKEN=«four» plain words",
        "DB_PASSWORD=«four» plain words # note",
        "DB_PASSWORD: four plain words",
    ],
)
def test_a_bare_value_ends_before_what_belongs_to_the_sentence_around_it(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        "<token>«plainword»</token>",
        "<ns:token>«plainword»</ns:token>",
        "a token> plainword",
        "token : «plainword»",
        "token  =  «plainword»",
        "token := «plainword»",
        "token => «plainword»",
        "token ?= «plainword»",
        "token += «plainword»",
        "token%3D«plainword»",
        "config[\"token\"] = '«plainword»'",
        'var token string = "«plainword»"',
        "token: str = '«plainword»'",
        "tokenplainword",
        "password: |\n  «plainword and more»\nnext: 1",
        "password: >-  # note\r\n  «plainword\n  and more»\nnext: 1",
        "api_token: |\n  plainword and more\nnext: 1",
        "password: |\n  «plainword»",
        "api_token: |\n  two\nnext: 1",
        f"x: 1\ntoken: |\n    «{R}»\n  y",
    ],
)
def test_a_value_is_known_in_all_ways_of_writing_it_behind_its_name(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: «abcde1»",
        "Authorization: abcd1",
        "Authorization: abcdef",
        "Authorization: ab=cdefg",
        "Authorization: Bearer «abc»",
        "Authorization: Bearer none",
        "Authorization: missing",
        "Authorization: Hawk «id=a, mac=b c» \nnext",
        "Authorization: OAuth «realm=x, token=y»\nnext",
        "Authorization: Splunk «abc» next",
        "Authorization=«abcdef1» next",
        "HTTP_AUTHORIZATION_: «abcdef1» next",
        "Proxy-Authorization:['«abcdef1»']",
        "authorization,abcdef1",
        "authorization abcdef1",
        "Authorization%3D«abcdef1» next",
        "AUTHORIZATION: bearer%20«abcd1» next",
        "Cookie: «a=1; sid=2» \nnext",
        "Cookie: none of them",
        "Set-Cookie: «sid=2» ; Path=/; Secure",
        "Set-Cookie: «sid=2»\nnext; x",
        "Set-Cookies: «sid=2»; x",
        "Cookies: «sid=2; x»",
        "cookie,a=1",
    ],
)
def test_of_a_header_goes_what_authorizes(text: str) -> None:
    assert left(text) == pointed(text)


def test_a_value_goes_once_and_what_stands_within_it_goes_with_it() -> None:
    assert left("password='token=plainword1' x") == "password='«»' x"
    assert left("a password=plainword1 and password=plainword2 b") == "a password=«» and password=«» b"


def test_a_name_of_eighty_characters_is_one_and_a_longer_one_tells_nothing_less() -> None:
    assert left(f"{'x' * 72}password=plainword") == f"{'x' * 72}password=«»"
    assert redact(f"{'x' * 3}.password=plainword").startswith("xxx.password=[redacted:")


def test_under_a_name_of_several_spellings_the_value_is_found() -> None:
    for name in ("PASSWORD", "Password", "dbPassword", "db.password", "db-password", "$password", "DBPASSWORD"):
        assert re.fullmatch(rf"{re.escape(name)}=\[redacted:assignment:\w+\]", redact(f"{name}=plainword"))
