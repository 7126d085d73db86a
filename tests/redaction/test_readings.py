"""Live values where the way of writing them ends: borders, neighbours, escapes that are none."""

import base64
from collections.abc import Iterator

import pytest

from tests.redaction.pointing import left, pointed
from tools.redacting.values import readings
from tools.redaction import hide, redact, unhide

VALUE = "s3cr3t-Value!77"
CODE = base64.b64encode(VALUE.encode()).decode()
LINES = "the first line of it\n  \nthe second line, long\nshort line\nthe last line of it"


@pytest.fixture(autouse=True)
def hidden() -> Iterator[None]:
    for value in (VALUE, LINES):
        hide(value)
    yield
    for value in (VALUE, LINES):
        unhide(value)


def escaped(form: str) -> str:
    return "".join(form.format(byte) for byte in VALUE.encode())


@pytest.mark.parametrize(
    "text",
    [
        f"«{VALUE}»",
        f"x«{VALUE}»y",
        f"«{VALUE}»«{VALUE}»",
        f"a «{VALUE}» b «{VALUE}» c",
        f"«{VALUE[:5]}\n  {VALUE[5:]}» b",
        f"(«{escaped('%{:02X}')}»)",
        f"({'%20'}«{escaped('%{:02x}')}»%20)",
        f"a%41«{VALUE.replace('!', '%21')}»%42b",
        f"a\\t«{VALUE.replace('!', chr(92) + 'x21')}»\\n",
        f"«{escaped(chr(92) + 'u{:04x}')}»",
        f"«{escaped(chr(92) + 'U{:08x}')}»",
        f"«{escaped(chr(92) + 'x{:02x}')}»",
        f"«{escaped(chr(92) + '{:03o}')}»",
        f"\\uD83D\\uDD11«{VALUE}»\\ud83d",
        f"\\u12 «{VALUE}» \\x1 \\U0000",
        f"\\Uffffffff «{VALUE}»",
        f"\\377\\400 «{VALUE}»",
        f"'«{VALUE.replace('!', '&#33;')}»'",
        f"'«{VALUE.replace('!', '&excl;')}»'",
        f"«{escaped('{:02x}')}»",
        f"x: «{escaped('{:02X}:')[:-1]}»",
        f"0x00 0x«{escaped('0x{:02x}, ')[2:-2]}», 0x00",
        f"0X00 0X«{escaped('0X{:02x}, ')[2:-2]}», 0X00",
        f"[1, «{escaped('{}, ')[:-2]}», 2]",
        f"1 «{escaped('{} ')[:-1]}» 2",
        f"= «{CODE}» =",
        f"=«{CODE[:9]}\n {CODE[9:]}»;",
        "the second line, short",
        "the first line of it",
        "the last line of it",
        "short line",
        "a «the second line, long» b",
        "a «thesecondline,long» b",
    ],
)
def test_of_a_text_goes_all_of_a_value_and_no_more(text: str) -> None:
    assert left(text) == pointed(text)


@pytest.mark.parametrize("before", ["", "u", "u:", "usr"])
@pytest.mark.parametrize("behind", ["", "z", "zz", "zzz"])
def test_in_encoded_text_goes_a_value_with_the_signs_that_it_shares(before: str, behind: str) -> None:
    code = base64.b64encode((before + VALUE + behind).encode()).decode()
    found = redact(f"x {code} y")
    inner = found.partition("[redacted:credential:")[0].removeprefix("x ")
    assert len(inner) <= 4 * len(before) / 3
    assert found.endswith(" y")
    rest = found.rpartition("]")[2].removesuffix(" y").rstrip("=")
    assert len(rest) <= -(-4 * len(behind) // 3)


def test_a_value_with_blanks_is_found_in_a_form() -> None:
    hide("four words as one")
    try:
        assert left("a=«four+words+as+one»&b") == "a=«»&b"
        assert left("a four words as b") == "a four words as b"
        assert left(f"«{b'four words as one'.hex()}»") == "«»"
    finally:
        unhide("four words as one")


def test_a_value_of_several_lines_is_found_with_its_ends_of_lines_escaped() -> None:
    assert left(f"x «{LINES.replace(chr(10), chr(92) + 'n')}» y") == "x «» y"
    assert left(f"x «{LINES.replace(chr(10), chr(92) + 'r' + chr(92) + 'n')}» y") == "x «» y"


def test_of_two_values_one_within_another_the_longer_goes_whole() -> None:
    hide("inner-value-1")
    hide("the-inner-value-1-outer")
    try:
        assert left("a «the-inner-value-1-outer» b") == "a «» b"
        assert left("a the-«inner-value-1» b") == "a the-«» b"
    finally:
        unhide("inner-value-1")
        unhide("the-inner-value-1-outer")


def test_whoever_looks_for_something_else_gets_every_reading_of_a_text() -> None:
    code = base64.b64encode(b"a name: plain%41word").decode()
    found = list(readings(f"{code} a+b &amp;"))
    assert found[0] == f"{code} a+b &amp;"
    assert any("a name: plain%41word" in reading for reading in found)
    assert any("a name: plainAword" in reading for reading in found)
    assert any(reading.endswith("a b &amp;") for reading in found)
    assert any(reading.endswith("a+b &") for reading in found)
    assert len(found) == len(set(found))


def test_escapes_are_undone_three_deep() -> None:
    twice = VALUE.replace("!", "%2521")
    assert left(f"«{twice}»") == "«»"
    assert left(f"«{twice.replace('%25', '%2525')}»") == "«»"
    assert redact(twice.replace("%25", "%252525")) == twice.replace("%25", "%252525")


@pytest.mark.parametrize("value", ["1234 567", "       1234567", "1234567"])
def test_blanks_make_no_value_longer(value: str) -> None:
    with pytest.raises(ValueError, match=r"^a value of fewer than 8 characters cannot be hidden safely$"):
        hide(value)
