"""Patterns of users over lines of logs: RE2, whose time grows with the line and not with the pattern's wit. Pure."""

from typing import Any, cast

import re2

LONGEST = 500
"""Characters of a pattern."""
LONGEST_LINE = 4_000
"""Characters of a line that are searched."""
MOST_MEMORY = 1 << 20
"""Bytes that one compiled pattern may take: `(a{1000}){1000}` does not fit."""


_ERROR = cast("type[Exception]", re2.error)  # pyright: ignore[reportUnknownMemberType]


class BadPattern(ValueError):
    """It cannot be used; the message says why, as RE2 has it."""


class Pattern:
    """One pattern, compiled once."""

    def __init__(self, text: str) -> None:
        """Compiles it.

        Raises:
            BadPattern: when it is none, is larger than any check needs, or fits everything.
        """
        if len(text) > LONGEST:
            raise BadPattern(f"has {len(text)} characters, at most {LONGEST} are read")
        options = cast("Any", re2.Options())
        options.max_mem = MOST_MEMORY
        options.log_errors = False
        try:
            self._compiled = cast("Any", re2.compile(text, options))  # pyright: ignore[reportUnknownMemberType]
        except _ERROR as error:
            raise BadPattern(f"no RE2 pattern: {str(error)[:200]}") from error
        if self.fits(""):
            raise BadPattern("fits every line")

    def fits(self, line: str) -> bool:
        """Whether it is found in the line."""
        return self._compiled.search(line[:LONGEST_LINE]) is not None
