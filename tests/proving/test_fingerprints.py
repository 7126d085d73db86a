"""What a lent value can be recognised by, and that it is no more than that."""

import base64
import json
import secrets
import urllib.parse

import pytest

from bot.proving.fingerprints import Find, Print, Search, new_key, print_of

VALUE = "A1a-kV7dWq2LxRt9YpZc"
OTHER = "v-approle-ro-u8Jt5Wm3QxHs7Lk2Vb9N-1767225600"
KEY = new_key()
SEARCH = Search([("vault:db#password", print_of(VALUE, KEY)), ("vault:db#username", print_of(OTHER, KEY))])

WRITTEN = {
    "raw": VALUE,
    "within more": f"xx{VALUE}xx",
    "without its ends": VALUE[2:-2],
    "wrapped": f"{VALUE[:9]}\n    {VALUE[9:]}",
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "base64 one on": base64.b64encode(f"x{VALUE}".encode()).decode(),
    "base64 two on": base64.b64encode(f"xy{VALUE}z".encode()).decode(),
    "base64 of the alphabet for addresses": base64.urlsafe_b64encode(b"\xff\xfe" + VALUE.encode()).decode(),
    "url": "".join(f"%{ord(each):02X}" for each in VALUE),
    "url twice": urllib.parse.quote("".join(f"%{ord(each):02x}" for each in VALUE)),
    "hex": VALUE.encode().hex(),
    "hex in capitals with colons": VALUE.encode().hex(":").upper(),
    "json": "".join(f"\\u{ord(each):04x}" for each in VALUE),
    "json in json": json.dumps(json.dumps({"it": VALUE})),
    "numbers": str(list(VALUE.encode())),
    "html": "".join(f"&#{ord(each)};" for each in VALUE),
    "url in base64": base64.b64encode(urllib.parse.quote(f"p={VALUE}&q=ü").encode()).decode(),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_f4_a_value_is_found_in_every_encoding_that_the_redaction_knows(name: str) -> None:
    text = json.dumps({"before": "words of no meaning", "it": 1}) + f" here: {WRITTEN[name]} and on"
    assert {each.reference for each in SEARCH.through(text)} == {"vault:db#password"}


def test_f4_what_was_searched_in_vain_does_not_hide_what_comes_after_it() -> None:
    search = Search([("a", print_of(VALUE, KEY))])
    for text in ("nothing to see in this text", f"{VALUE}", "nothing to see in this text", f"{VALUE}"):
        assert bool(search.through(text)) is (text == VALUE)
    assert search.through(VALUE.encode().hex()) == {Find("a", "hex")}


def test_f4_values_that_are_nearly_the_same_are_not_found() -> None:
    assert not SEARCH.through(VALUE[:10] + "!" + VALUE[11:])
    assert not SEARCH.through(OTHER.replace("Wm3", "Wm4"))
    assert not SEARCH.through(base64.b64encode(VALUE.swapcase().encode()).decode())


@pytest.mark.parametrize(
    "value", ["ein Kennwort mit Wörtern, Zeichen & Lücken", "p@ss/w0rd+with=odd'signs\"", "-----\n" + "x9Kd" * 9]
)
def test_f4_values_with_odd_characters_are_found_as_well(value: str) -> None:
    search = Search([("a", print_of(value, KEY))])
    for written in (value, urllib.parse.quote(value), json.dumps(value), base64.b64encode(value.encode()).decode()):
        assert search.through(f"it is {written} here"), written


def test_no_part_of_a_value_is_kept_and_each_incident_has_a_key_of_its_own() -> None:
    kept = print_of(VALUE, KEY)
    assert Print.from_bytes(kept.to_bytes()) == kept
    assert not any(VALUE[at : at + 4] in kept.to_bytes().decode() for at in range(len(VALUE) - 3))
    assert not {each.digest for each in kept.forms} & {each.digest for each in print_of(VALUE, new_key()).forms}
    # Each digest is of 16 bytes of the value at least: there is nothing shorter to try guesses on.
    least = {"plain": 16, "base64": 20, "hex": 32, "decimal": 31}
    assert all(each.length >= least[each.way] for each in kept.forms)


def test_a_value_that_could_be_guessed_is_not_kept_at_all() -> None:
    kept = print_of("hunter2-hunter2", KEY)
    assert kept.is_weak
    assert not Search([("a", kept)]).through("hunter2-hunter2")
    assert not print_of(secrets.token_urlsafe(12), KEY).is_weak
