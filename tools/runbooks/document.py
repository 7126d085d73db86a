"""One runbook out of its Markdown: title, link, and its text by what the sections are for. Pure.

The text of a runbook is data like any other outside text: it is searched, and nothing in it is followed or run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import yaml

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST_FRONT_MATTER = 10_000
"""Characters; what is longer is no front matter but a document that begins with a rule."""
_FRONT_MATTER = re.compile(r"\A﻿?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_TAG = re.compile(r"<[^<>]*>|<!--.*?-->", re.DOTALL)
_LINK_KEYS = ("url", "link", "source", "permalink", "canonical")


class Part(StrEnum):
    """What a piece of a runbook is for; the search weighs them differently."""

    SYMPTOMS = "symptoms"
    """What is seen, when the alert fires: the words that a thread will have."""
    STEPS = "steps"
    """How to look and what to do: commands and advice, much alike in all runbooks."""
    REST = "rest"


_HEADINGS: Mapping[Part, re.Pattern[str]] = {
    Part.SYMPTOMS: re.compile(
        r"\b(meaning|symptoms?|summary|overview|description|about|alerts?|what|when|introduction|background|context)\b",
        re.IGNORECASE,
    ),
    Part.STEPS: re.compile(
        r"\b(diagnos\w*|investigat\w*|debug\w*|troubleshoot\w*|mitigat\w*|resol\w*|remed\w*|fix\w*|solution\w*|"
        r"recover\w*|steps?|actions?|procedures?|playbook|commands?|how|verif\w*|prevent\w*|escalat\w*)\b",
        re.IGNORECASE,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Text of one block: a paragraph, a list item, a heading below the first."""

    part: Part
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """One runbook as it was written; nothing is redacted yet, so nothing of it is shown as it stands here."""

    id: str
    """Its path below the folder."""
    titles: tuple[str, ...]
    """All names that it has, the best to show first: front matter, first heading, file name. Never empty."""
    shelves: tuple[str, ...] = ()
    """Names of the folders that it lies in."""
    url: str = ""
    """As the document or the folder's setting says; not checked here."""
    passages: tuple[Passage, ...] = ()


def parse(text: str, *, id: str, base_url: str = "", path: str | None = None) -> Runbook:  # noqa: A002 - its own word
    """The runbook that `text` is.

    Args:
        text: Markdown, with or without YAML front matter. Front matter that is no mapping is passed over.
        id: what the runbook is called in answers.
        base_url: where the folder is published; the path is put behind it where the document names no address itself.
        path: the file's path where it is another than `id`.
    """
    path = id if path is None else path
    front, body = _front(text)
    tokens = _markdown().parse(body)
    heading, linked = _first_heading(tokens)
    passages = tuple(_passages(tokens))
    named = [front.get("title"), heading, PurePosixPath(path).stem]
    worded = (" ".join(each.split()) for each in named if isinstance(each, str) and _has_words(each))
    titles = tuple(dict.fromkeys(worded))
    said = (front[key] for key in _LINK_KEYS if isinstance(front.get(key), str))
    own = next((each for each in (*said, linked) if each.startswith(("http://", "https://"))), "")
    joined = f"{base_url.rstrip('/')}/{quote(path)}" if base_url else ""
    return Runbook(
        id=id,
        titles=titles or (_opening(passages) or id,),
        shelves=PurePosixPath(path).parts[:-1],
        url=own or joined,
        passages=passages,
    )


def _front(text: str) -> tuple[Mapping[str, Any], str]:
    found = _FRONT_MATTER.match(text[: LONGEST_FRONT_MATTER + 1])
    if found is None:
        return {}, text.removeprefix("﻿")
    try:
        front = yaml.load(found[1], Loader=_YAML)  # noqa: S506 - a safe loader, the quick one where there is one
    except (yaml.YAMLError, ValueError, RecursionError):
        # A date that is none or a colon too many: the document below it is as good as before.
        front = None
    return (cast("Mapping[str, Any]", front) if isinstance(front, dict) else {}), text[found.end() :]


@cache
def _markdown() -> "MarkdownIt":
    # Imported late: whoever has no runbooks need not pay for it.
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"maxNesting": 20}).enable("table")


def _first_heading(tokens: list["Token"]) -> tuple[str, str]:
    """The text of the first heading of the first level, and where it links to."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.tag == "h1":
            links = (each.attrGet("href") for each in inline.children or () if each.type == "link_open")
            return _said(inline), next((each for each in links if isinstance(each, str)), "")
    return "", ""


def _passages(tokens: list["Token"]) -> Iterator[Passage]:
    """Text block by block. What stands before the first section tells what the runbook is about."""
    part, is_heading = Part.SYMPTOMS, ""
    for token in tokens:
        if token.type == "heading_open":
            is_heading = token.tag
        elif token.type == "inline" and is_heading:
            text = _said(token)
            if is_heading == "h2":
                part = _part(text)
            elif is_heading == "h1":
                part = Part.SYMPTOMS
            if is_heading != "h1" and text:
                yield Passage(part=Part.REST, text=text)
            is_heading = ""
        elif token.type in {"inline", "fence", "code_block", "html_block"}:
            # Code is how to look, wherever it stands.
            own = part if token.type in {"inline", "html_block"} else Part.STEPS
            if text := _said(token):
                yield Passage(part=own, text=text)


def _part(heading: str) -> Part:
    return next((part for part, form in _HEADINGS.items() if form.search(heading)), Part.REST)


def _said(token: "Token") -> str:
    """What a reader sees of a token: no addresses, no tags."""
    if token.type == "inline":
        shown = (" " if each.type.endswith("break") else each.content for each in token.children or ())
        return _TAG.sub(" ", "".join(shown)).strip()
    return _TAG.sub(" ", token.content).strip()


def _opening(passages: tuple[Passage, ...]) -> str:
    """The first sentence, which stands for the title of a runbook that has none."""
    first = next((each.text for each in passages if _has_words(each.text)), "")
    return _SENTENCE.split(" ".join(first.split()), maxsplit=1)[0]


def _has_words(text: str) -> bool:
    return any(each.isalpha() for each in text)
