"""One value, one form: canonical JSON and digests over it. Pure: no clock, no store.

What is approved, executed and audited is compared by digest, so two readers must never read the same bytes differently:
strings are NFC, keys are sorted and unique, numbers are integers. A fraction is a decimal string.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeGuard

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]
"""What `read` gives: strings in NFC, no float."""

DEEPEST = 32
_LEAST, _MOST = -(2**63), 2**63 - 1


class NotCanonical(ValueError):
    """The value has no canonical form. The message has the place and the reason, never the value."""


def canonical(value: object) -> bytes:
    """The one form of `value` in UTF-8.

    Raises:
        NotCanonical: when it holds a float, a key that is no string or is there twice after NFC, a lone surrogate, an
            integer over 64 bits, or any other type.
    """
    return json.dumps(_checked(value, "$", 0), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest(tag: str, value: object) -> str:
    """SHA-256 in hex over the canonical form, under `tag`: digests of different kinds of things never meet.

    Raises:
        NotCanonical: see `canonical`.
        ValueError: when the tag is empty or not printable ASCII.
    """
    if not (tag and tag.isascii() and tag.isprintable()):
        raise ValueError(f"tag {tag!r}: expected printable ASCII")
    return hashlib.sha256(b"locum\0" + tag.encode() + b"\0" + canonical(value)).hexdigest()


def read(data: bytes) -> Json:
    """The value that `data` says, which always has a canonical form.

    Order of keys and blanks may be any; whoever needs the very bytes compares with `canonical`.

    Raises:
        NotCanonical: when `data` is not JSON in UTF-8, or says what `canonical` refuses.
    """
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_float=_fraction,
            parse_constant=_fraction,
            parse_int=_integer,
        )
    except NotCanonical:
        raise
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"not JSON in UTF-8: {type(error).__name__}") from error
    return _checked(value, "$", 0)


def _checked(value: object, where: str, depth: int) -> Json:
    if depth > DEEPEST:
        raise NotCanonical(f"{where}: nested deeper than {DEEPEST}")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise NotCanonical(f"{where}: an integer of more than 64 bits; expected a decimal string")
        return int(value)
    if _is_list(value):
        return [_checked(item, f"{where}[{place}]", depth + 1) for place, item in enumerate(value)]
    if _is_mapping(value):
        return _mapping(value, where, depth)
    raise NotCanonical(f"{where}: {type(value).__name__}; expected text, integer, true, false, null, list or mapping")


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _mapping(value: Mapping[object, object], where: str, depth: int) -> Json:
    found: dict[str, Json] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotCanonical(f"{where}: a key is {type(key).__name__}; expected text")
        name = _text(key, f"{where}: a key")
        if name in found:
            raise NotCanonical(f"{where}: two keys are the same text")
        found[name] = _checked(item, f"{where}.{name[:40]}", depth + 1)
    return found


def _text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NotCanonical(f"{where}: a lone surrogate; expected Unicode text") from error
    return unicodedata.normalize("NFC", value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonical("a key is there twice")
    return found


def _fraction(text: str) -> NoReturn:
    raise NotCanonical(f"a number of {len(text)} characters is not an integer; expected a decimal string")


def _integer(text: str) -> int:
    # Before the conversion: it takes time in the square of the length, and refuses above 4,300 digits in its own way.
    if len(text) > len(str(_LEAST)):
        raise NotCanonical("an integer of more than 64 bits; expected a decimal string")
    return int(text)
