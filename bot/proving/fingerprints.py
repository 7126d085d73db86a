"""What a lent value can be recognised by after it is gone, without being the value. Pure.

A value is recognised by the 16 characters in its middle: of each way in which the redaction would look for them, a
keyed hash is kept, and nothing of the rest. The key is the incident's own and lies beside it. Whoever has both can try
guesses: hopeless for what a machine made, and not for what a person chose, so that shorter values are not kept. Nothing
else is kept, not even a bit that would make a search faster: such bits, of several encodings of one value, add up.
"""

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from tools.redacting.values import readings, written
from tools.redacting.views import bare, digits, numbers

MIDDLE = 16
"""Characters of a value that are looked for; a shorter one has no fingerprint."""
_BASE64 = 20
"""Characters of Base64 that 16 bytes decide, wherever they begin."""
_SIZE = 20
"""Bytes of a digest."""
_MOST_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Form:
    """One literal that would give the value away."""

    way: str
    """`plain`, `base64`, `hex`, `decimal`: how it would be written."""
    length: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """What is kept of one value."""

    key: str
    """Hexadecimal."""
    charset: str
    """`word` when what is looked for has letters, digits, `-` and `_` alone; else `any`."""
    forms: tuple[Form, ...]
    """None of a value that is too short."""

    @property
    def is_weak(self) -> bool:
        """Whether the value cannot be looked for."""
        return not self.forms

    def to_bytes(self) -> bytes:
        """As the ledger keeps it."""
        forms = [[each.way, each.length, each.digest] for each in self.forms]
        return json.dumps({"key": self.key, "charset": self.charset, "forms": forms}, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Print":
        """What `to_bytes` wrote."""
        read: dict[str, Any] = json.loads(data)
        forms = tuple(Form(str(way), int(length), str(digest)) for way, length, digest in read["forms"])
        return cls(key=str(read["key"]), charset=str(read["charset"]), forms=forms)


@dataclass(frozen=True, slots=True, order=True)
class Find:
    """A value stands in a text."""

    reference: str
    way: str


def new_key() -> str:
    """A key for the values of one incident."""
    return secrets.token_hex(32)


def print_of(value: str, key: str) -> Print:
    """What is kept of a value: the same for the same value and key."""
    if len("".join(value.split())) < MIDDLE:
        return Print(key=key, charset="any", forms=())
    at = (len(value) - MIDDLE) // 2
    middle = value[at : at + MIDDLE]
    charset = "word" if re.fullmatch(r"[A-Za-z0-9_-]+", middle) else "any"
    ways = written(middle)
    literals = (
        ("plain", ways.plain[0]),
        *(("base64", each[:_BASE64]) for each in ways.encoded),
        ("hex", ways.hexadecimal),
        ("decimal", ways.decimal),
    )
    forms = tuple(Form(way, len(each), _digest(bytes.fromhex(key), each).hex()) for way, each in literals)
    return Print(key=key, charset=charset, forms=tuple(dict.fromkeys(forms)))


@dataclass(frozen=True, slots=True, order=True)
class _Job:
    way: str
    runs: str
    length: int
    key: bytes


class Search:
    """Looks for the values of one incident. It takes time in proportion to the text."""

    def __init__(self, known: Sequence[tuple[str, Print]]) -> None:
        """`known`: each with the reference that the value was read by."""
        self._wanted: dict[_Job, dict[bytes, set[str]]] = {}
        self._seen: set[tuple[_Job, int]] = set()
        for reference, each in known:
            for form in each.forms:
                job = _Job(form.way, each.charset if form.way == "plain" else form.way, form.length, _key(each))
                self._wanted.setdefault(job, {}).setdefault(bytes.fromhex(form.digest), set()).add(reference)

    def through(self, text: str) -> frozenset[Find]:
        """Everything that is found, however it is written."""
        found: set[Find] = set()
        for reading in readings(text):
            views = {"plain": bare(reading), "hex": digits(reading), "decimal": numbers(reading)}
            views["base64"] = views["plain"]
            for job, wanted in self._wanted.items():
                for run in _runs(views[job.way], job):
                    found.update(Find(reference, job.way) for reference in self._hits(run, job, wanted))
        return frozenset(found)

    def _hits(self, run: str, job: _Job, wanted: dict[bytes, set[str]]) -> set[str]:
        """The references of the values in a run; what was looked through in vain is not looked through again."""
        mark = (job, hash(run))
        if mark in self._seen:
            return set()
        found: set[str] = set()
        is_plain = run.isascii()
        raw, key, length = run.encode("ascii", "replace"), job.key, job.length
        for at in range(len(run) - length + 1):
            window = raw[at : at + length] if is_plain else run[at : at + length].encode("utf-8", "surrogatepass")
            digest = blake2b(window, digest_size=_SIZE, key=key).digest()
            if digest in wanted:
                found |= wanted[digest]
        if not found and len(self._seen) < _MOST_REMEMBERED:
            self._seen.add(mark)
        return found


_RUNS = {
    "word": r"[A-Za-z0-9_-]",
    "base64": r"[A-Za-z0-9+/_-]",
    "hex": r"[0-9a-f]",
    "decimal": r"[0-9 ]",
}


def _runs(text: str, job: _Job) -> Iterator[str]:
    """The parts of a text in which a literal of that kind and length can stand at all."""
    if job.runs == "any":
        return iter((text,))
    return (found[0] for found in re.finditer(rf"{_RUNS[job.runs]}{{{job.length},}}", text))


def _key(each: Print) -> bytes:
    return bytes.fromhex(each.key)


def _digest(key: bytes, literal: str) -> bytes:
    return blake2b(literal.encode("utf-8", "surrogatepass"), digest_size=_SIZE, key=key).digest()
