"""Which lines belong together: a stack trace is one thing that was said, in however many lines. Pure."""

import re
from collections.abc import Sequence

from agents.logs.envelopes import bare, shortened

MOST_JOINED = 80
"""Lines of one trace that are read: the type and the first frames of an application come well before."""
_CONTINUES = re.compile(
    r"\s{1,200}\S"  # frames of Java, Node, .NET, Ruby, Go's places, Python's code
    r"|Caused by: |\.\.\. \d+ (?:more|common frames)|--- End of |---> "
    r"|goroutine \d+ \[|created by |\[signal |exit status \d"
    r"|[\w./*-]{1,200}(?:\(\*?\w{1,80}\)\.[\w.]{1,100})?\([^)]{0,200}\)(?: in goroutine \d+)?$"
    r"|Stack trace:|#\d+ |stack backtrace:|note: run with `RUST_BACKTRACE|Require stack:|- /"
    r"|During handling of the above|The above exception was|Traceback \(most recent call last\)"
    r"|Native stack|<--- |\[\d+:0x[0-9a-f]+\]|[)}\]]+;?$"
)
_TYPE = re.compile(
    r"(?:[A-Za-z_$][\w$]{0,60}\.){0,12}[A-Z][\w$]{0,80}(?:Error|Exception|Exit|Interrupt|Warning)\b(?:[:;]| |$)"
)
"""A line that begins with the type of an exception: what follows the headline of a logger, or ends a traceback."""
_RUST = re.compile(r"panicked at \S+:\d+:\d+:$")
_PYTHON = "Traceback (most recent call last)"
_GO = re.compile(r"\bpanic: |\bfatal error: ")


def end_of(lines: Sequence[str], start: int) -> int:
    """The index behind the last line of what begins at `start`."""
    first = bare(shortened(lines[start]))
    limit = min(len(lines), start + MOST_JOINED)
    is_go, is_python, says_more = bool(_GO.search(first)), _PYTHON in first, bool(_RUST.search(first))
    at = start + 1
    while at < limit:
        line = bare(shortened(lines[at]))
        if says_more:
            says_more = False
        elif not line.strip():
            # Go and Node leave a line empty within a trace.
            if not (is_go or _follows(lines, at + 1, limit)):
                break
        elif _CONTINUES.match(line):
            is_python = is_python or _PYTHON in line
        elif is_python and not line[0].isspace():
            # The type and the message that end a traceback; they may be anything.
            is_python = False
        elif not (_TYPE.match(line) and at == start + 1) or _TYPE.match(first):
            break
        at += 1
    while at > start + 1 and not lines[at - 1].strip():
        at -= 1
    return at


def _follows(lines: Sequence[str], at: int, limit: int) -> bool:
    return at < limit and bool(_CONTINUES.match(bare(shortened(lines[at]))))
