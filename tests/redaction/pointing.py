"""Secrets pointed at within their text: what stands between « and » has to go, all else has to stay."""

import re

from tools.redaction import redact

_MARK = re.compile(r"\[redacted:[a-z-]+:[0-9a-f]{8}\]")
_POINTED = re.compile("«[^»]*»")


def pointed(text: str) -> str:
    """`text` with nothing between the signs."""
    return _POINTED.sub("«»", text)


def left(text: str) -> str:
    """What redaction leaves of `text`, which has no signs for it to see, written in the same way."""
    return _MARK.sub("«»", redact(text.replace("«", "").replace("»", "")))
