"""What a model says that read what it was shown: a sentence with a quote that holds."""

import re
from collections.abc import Mapping
from typing import Any

from tests.anthropic_emulator.script import Say, claim, concluding

PROVEN = "This sentence of the model stands on a quote."
_SHOWN = re.compile(r"<outside (ev_\w+)[^>]*FOUND>\n(?:query: [^\n]*\n)?([^\n]{12,80})")


def quotes(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Evidence that the model was shown, each with words that stand in it."""
    shown = "\n".join(
        str(part.get("text") or part.get("content") or "") for each in body["messages"] for part in each["content"]
    )
    return [(found[1], found[2].partition(" [cut")[0]) for found in _SHOWN.finditer(shown)]


def proven(body: Mapping[str, Any]) -> Say:
    return concluding(claim(PROVEN, quotes(body)[0]))
