"""Takes secrets and invisible characters out of what a tool read. Sinks accept only its result type.

Three looks: the values that this process holds at the moment, in whatever encoding; shapes of secrets, a kept library's
and our own; values whose names give them away. `tools.redacting` has a module for each.
"""

from functools import lru_cache
from typing import Any, NewType

from tools.redacting.assignments import assignments
from tools.redacting.fields import Fields
from tools.redacting.invisible import visible
from tools.redacting.library import scanner, tokens
from tools.redacting.manifests import manifests
from tools.redacting.marks import Draft
from tools.redacting.pairs import pairs
from tools.redacting.shapes import SHAPES, compiled, shapes
from tools.redacting.streams import Stream
from tools.redacting.values import Live

Redacted = NewType("Redacted", str)
"""Text that went through `redact`."""

_LIVE = Live()
"""Of the whole process, not of a task: clients run in threads of their own."""

_ROUNDS = 8
"""A mark may make what stood beside it tell; nearly always the second look finds nothing more."""

_LONGEST_SHAPE = 1024
"""Characters that a stream keeps back for a secret nobody told us of; longer ones find no clean cut, and stay whole."""

_WIDEST = 12
"""Characters that one of a live value may become: an escape of six, escaped once more."""

_FIRST = b"any text"


def hide(value: str) -> None:
    """From now on `value` is taken out of every text, in whatever encoding; `unhide` ends that.

    Raises:
        ValueError: when it has fewer than 8 characters, and so cannot be told from ordinary text.
    """
    _LIVE.hide(value)


def unhide(value: str) -> None:
    """Ends one `hide`; whoever else hides the same value still does."""
    _LIVE.unhide(value)


def redact(text: str) -> Redacted:
    """`text` without secrets, terminal escapes and invisible characters.

    A secret becomes `[redacted:<kind>:<fingerprint>]`, alike for the same secret within this process. The rest stays as
    it was, line by line.
    """
    draft = Draft(_LIVE.hidden(visible(text)))
    for _ in range(_ROUNDS):
        seen = draft.text
        spans = [*shapes(seen), *assignments(seen), *pairs(seen), *manifests(seen), *tokens(seen)]
        if not spans:
            break
        draft.hide(spans)
    return Redacted(draft.finished())


def redact_recurring(text: str) -> Redacted:
    """The same for short texts that recur a thousand times, as names do; remembered while the hidden values last."""
    return _remembered(text, _LIVE.version)


@lru_cache(maxsize=50_000)
def _remembered(text: str, _: int) -> Redacted:
    return redact(text)


def redact_fields(value: Any) -> Any:
    """A copy of a plain JSON value: what stands under a telling key goes whatever it looks like, texts are redacted."""
    return Fields(redact).redacted(value)


def redacting_stream() -> Stream:
    """Redacts a text that comes in pieces; a secret that is split between two is found."""
    return Stream(redact, margin=lambda: _LONGEST_SHAPE + _WIDEST * _LIVE.longest)


def warm() -> None:
    """Loads all rules now rather than at the first text that needs them; up to some seconds, in a thread."""
    for shape in SHAPES:
        compiled(shape.form)
    # The first scan costs more than those that follow.
    scanner().scan(_FIRST)
