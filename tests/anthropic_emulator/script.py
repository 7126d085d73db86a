"""What the emulator is told to answer: one step for each request, in order."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Call:
    """One `tool_use` block."""

    name: str
    """As it stands in the request, without dots."""
    args: Mapping[str, Any] | str
    """A string is sent as it is, so that it need not be JSON."""

    @property
    def written(self) -> str:
        return self.args if isinstance(self.args, str) else json.dumps(self.args)


@dataclass(frozen=True, slots=True)
class Say:
    """A message: text, then calls of tools."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    stop: str | None = None
    """`None`: `tool_use` when there are calls, else `end_turn`."""

    @property
    def characters(self) -> int:
        return len(self.text) + sum(len(call.written) for call in self.calls)


@dataclass(frozen=True, slots=True)
class Refuse:
    """An HTTP error before any stream."""

    status: int
    kind: str
    message: str = "scripted"
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class BreakOff:
    """A stream of `message` that does not come to its end after some events."""

    message: Say
    events: int
    how: str = "closed"
    """`closed`: the stream ends as if all were well. `reset`: the connection breaks. `stall`: nothing more comes.
    `garbage`: an event that is no JSON. Anything else: an `error` event of that kind."""


Step = Say | Refuse | BreakOff


def tool_id() -> str:
    return f"toolu_{next(_numbers):024d}"


def concluding(*claims: Mapping[str, Any]) -> Say:
    """A conclusion in Locum's agreed form."""
    return Say(calls=(Call("conclude", {"claims": list(claims)}),))


def claim(text: str, *citations: tuple[str, str], **more: str) -> dict[str, Any]:
    """One claim with its citations as pairs of evidence and quote."""
    return {"text": text, "citations": [{"evidence": each, "quote": quote} for each, quote in citations], **more}
