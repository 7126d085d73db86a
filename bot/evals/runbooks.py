"""How often the right runbook is found: the product's own search over a collection with questions to it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.runbooks.search import Index, entry
from bot.evals.recorded import EvalError
from tools.runbooks.folder import Folder, Page, read

DEPTHS = (1, 3, 5)
_NAMES = {"r1": "recall@1", "r3": "recall@3", "r5": "recall@5", "mrr": "mean reciprocal rank"}
DEPTH = 1_000
"""So deep the mean reciprocal rank looks; what comes later adds less than 0.001."""


class Asked(BaseModel):
    """One line: a question, and the runbooks that would answer it."""

    model_config = ConfigDict(frozen=True)

    query: str = Field(min_length=1)
    relevant: frozenset[str] = Field(min_length=1)
    masked: bool = False
    """Whether the alert's name is taken out of the runbooks before this is asked."""
    alertname: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One question, and what was found."""

    asked: Asked
    is_masked: bool
    found: tuple[str, ...]
    """Ids, best first."""

    @property
    def rank(self) -> int | None:
        """Of the first right one, from 1; `None` when it was not found."""
        return next((at for at, each in enumerate(self.found, 1) if each in self.asked.relevant), None)

    def to_json(self) -> dict[str, Any]:
        """One line of the file for analysis."""
        return {
            "query": self.asked.query,
            "alertname": self.asked.alertname,
            "masked": self.is_masked,
            "rank": self.rank,
            "relevant": sorted(self.asked.relevant),
            "found": self.found[:5],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Runbooks as they were read, for a name is taken out before they are understood, and the questions to them."""

    pages: tuple[Page, ...]
    asked: tuple[Asked, ...]


def collection(folder: Path) -> Collection:
    """The runbooks in `docs/` and the questions of every `queries*.jsonl`.

    Raises:
        EvalError: when one of the two is missing, or a line cannot be used.
    """
    shelf = read([Folder(path=folder / "docs")])
    if not shelf.pages:
        why = "".join(f"; {each.path}: {each.why}" for each in (*shelf.unread, *shelf.broken)[:3])
        raise EvalError(f"{folder}: no runbook can be read from its folder docs{why}")
    asked = tuple(each for file in sorted(folder.glob("queries*.jsonl")) for each in _questions(file))
    if not asked:
        raise EvalError(f"{folder}: no questions; expected queries.jsonl with one JSON object a line")
    return Collection(pages=shelf.pages, asked=asked)


def _questions(file: Path) -> Iterator[Asked]:
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield Asked.model_validate(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise EvalError(f"{file}, line {number}: not JSON: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole line"
            raise EvalError(f"{file}, line {number}: {place}: {first['msg']}") from error


def answered(data: Collection, *, is_masked: bool) -> Iterator[Answered]:
    """Asks every question.

    Args:
        data: what is asked, and of which runbooks.
        is_masked: takes the alert's name out of every question and out of all runbooks; else out of the runbooks alone
            and only where the question says so.
    """
    entries = {page.id: entry(page.runbook()) for page in data.pages}
    whole = Index(tuple(entries.values()))
    hidden: dict[str, Index] = {}
    for asked in data.asked:
        name = asked.alertname if is_masked or asked.masked else ""
        query = without(name, asked.query).lstrip(" :") if name and not asked.masked else asked.query
        if name and name not in hidden:
            changed = {page.id: entry(masked.runbook()) for page, masked in _masked(data.pages, name)}
            # One at a time, for each holds all runbooks; questions of one name mostly stand together.
            hidden = {name: Index(tuple((entries | changed).values()))}
        found = (hidden[name] if name else whole).ranked(query, most=DEPTH)
        yield Answered(asked=asked, is_masked=bool(name), found=found)


def _masked(pages: Iterable[Page], name: str) -> Iterator[tuple[Page, Page]]:
    """The runbooks that have the name, and what they are without it; their ids stay."""
    for page in pages:
        path, text = without(name, page.path), without(name, page.text)
        if (path, text) != (page.path, page.text):
            yield page, replace(page, path=path, text=text)


def without(name: str, text: str) -> str:
    """`text` without the name of an alert, in one word and in any case, as the name stands in rules and in file names.

    Its words in a sentence, or apart in a title, are left: a question that does not name its alert has them too.
    """
    return _named(name).sub(" ", text)


@lru_cache(maxsize=16)
def _named(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", re.IGNORECASE)


def figures(found: Sequence[Answered], *, documents: int) -> dict[str, Any]:
    """Recall at 1, 3 and 5, and the mean reciprocal rank."""
    ranks = [each.rank for each in found]
    recall = {f"r{depth}": sum(at is not None and at <= depth for at in ranks) / len(ranks) for depth in DEPTHS}
    reciprocal = sum(1 / at for at in ranks if at) / len(ranks)
    shares = {name: round(share, 4) for name, share in (recall | {"mrr": reciprocal}).items()}
    return {**shares, "queries": len(ranks), "documents": documents}


def table(found: Mapping[str, Any]) -> str:
    """The same for people."""
    shares = ", ".join(f"{name} {found[key]:.3f}" for key, name in _NAMES.items())
    return f"{found['queries']} questions to {found['documents']} runbooks: {shares}\n"
