"""Takes out what people cannot see and a model or a terminal can: escapes, controls, direction, zero width. Pure."""

import re

_INVISIBLE = re.compile(
    # Operating system commands, device control and other strings of a terminal, with what they carry: up to their
    # terminator, at most a line. A link keeps its words, which stand between two such strings.
    "(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n\r]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
    # Control sequences, then escapes with intermediate bytes, then pairs.
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|\x1b[ -/]+[0-~]"
    "|\x1b[0-~]"
    # Single controls, both sets, without tab and line ends.
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]"
    # Soft hyphen, direction, zero width, joiners, fillers, selectors, annotations, byte order mark.
    "|[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]"
    # Shorthand and music controls, tags, and the selectors beyond the basic plane.
    "|[\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

_ANY = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""One class of all that can begin what goes: most texts hold none of it, and this is the faster question."""


def visible(text: str) -> str:
    """`text` as a person sees it."""
    return _INVISIBLE.sub("", text) if _ANY.search(text) else text
