"""What a line says without its values: numbers, ids, addresses, times and quoted text become marks. Pure."""

import re

LONGEST = 400
"""Characters of a line that make its template; what differs further on does not make another kind of line."""
_VALUES = re.compile(
    r"(?P<time>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S*|\b\d\d:\d\d:\d\d(?:[.,]\d+)?)"
    r"|(?P<id>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\b0x[0-9a-fA-F]+\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b)"
    r"|(?P<text>\"[^\"]{0,400}\"|'[^']{0,400}')"
    r"|(?P<num>(?<![A-Za-z])[+-]?\d+(?:[.,]\d+)*(?:ns|us|µs|ms|s|m|h|d|%|[kKMGT]i?B?)?\b)"
)
_SUFFIX = re.compile(r"-(?:(?=[a-z]*\d)[a-z0-9]{8,10}-)?(?=[a-z]*\d)[a-z0-9]{5}\b(?!-)")
"""The random ends of pods' names."""


def masked(words: str) -> str:
    """The words with a mark for each value."""
    line = " ".join(words[:LONGEST].split())
    return _VALUES.sub(_mark, _SUFFIX.sub("-<id>", line) if "-" in line else line)


def _mark(found: re.Match[str]) -> str:
    return f"<{found.lastgroup}>"
