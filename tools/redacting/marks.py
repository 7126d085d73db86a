"""What stands where a secret stood: its kind, and a fingerprint by which the same secret is known again. Pure.

The fingerprint is keyed with bytes that live as long as the process, so it tells nobody what the secret was.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

_KEY = secrets.token_bytes(32)
_GAP = "\x00"
"""Stands for a mark while detectors read: none of them may look into a mark, and no visible text holds it."""


class Kind(StrEnum):
    """What a secret was, as far as its place or its shape told. The first that fits names a span."""

    CREDENTIAL = "credential"
    """A value that this process fetched itself."""
    PRIVATE_KEY = "private-key"
    MANIFEST = "secret"
    """A value of a Kubernetes Secret."""
    JWT = "jwt"
    TOKEN = "token"  # noqa: S105 - it names one
    URL_PASSWORD = "url-password"  # noqa: S105 - it names one
    COOKIE = "cookie"
    AUTHORIZATION = "authorization"
    HASH = "password-hash"
    ASSIGNMENT = "assignment"
    VALUE = "value"
    """Something that a name gives away; recordings on disk have it without a fingerprint."""


class Span(NamedTuple):
    """A stretch of text that has to go."""

    start: int
    end: int
    kind: Kind


MARK = re.compile(rf"(\[redacted:(?:{'|'.join(Kind)}))(?::[0-9a-f]{{8}})?\]")
"""A mark; its first group is the part that can hold nothing of anybody's choice."""


def mark(kind: Kind, secret: str) -> str:
    """`[redacted:<kind>:<fingerprint>]`; the same for the same secret, in this process only."""
    fingerprint = hmac.digest(_KEY, secret.encode(errors="surrogatepass"), hashlib.sha256)[:4].hex()
    return f"[redacted:{kind}:{fingerprint}]"


def unkeyed(text: str) -> str:
    """`text` with its marks as any process would write them: for what must be alike in all of them, as ids are."""
    return MARK.sub(r"\1]", text)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in their order, those that overlap made one, which has the kind that is named first in `Kind`."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.start < whole[-1].end:
            last = whole[-1]
            kind = min(last.kind, span.kind, key=_RANK.__getitem__)
            whole[-1] = Span(last.start, max(last.end, span.end), kind)
        else:
            whole.append(span)
    return whole


_RANK = {kind: rank for rank, kind in enumerate(Kind)}


class Draft:
    """A text on its way to being redacted, its marks out of the detectors' sight."""

    def __init__(self, text: str) -> None:
        self._marks = [found[0] for found in MARK.finditer(text)]
        self.text = MARK.sub(_GAP, text) if self._marks else text
        """What detectors read."""

    def hide(self, spans: Iterable[Span]) -> None:
        """Puts marks where the spans are; a mark within a span goes with it."""
        marks: list[str] = []
        pieces: list[str] = []
        done = 0
        old = iter(self._marks)
        for start, end, kind in merged(spans):
            before, secret = self.text[done:start], self.text[start:end]
            marks += [next(old) for _ in range(before.count(_GAP))]
            for _ in range(secret.count(_GAP)):
                next(old)
            marks.append(mark(kind, secret))
            pieces += before, _GAP
            done = end
        self.text = "".join((*pieces, self.text[done:]))
        self._marks = [*marks, *old]

    def finished(self) -> str:
        """The text with its marks."""
        if not self._marks:
            return self.text
        pieces = self.text.split(_GAP)
        return pieces[0] + "".join(mark + piece for mark, piece in zip(self._marks, pieces[1:], strict=True))
