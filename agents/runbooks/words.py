"""Words of alerts and of runbooks as the search compares them: split, stemmed, and abbreviations written out. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import tantivy

from agents.runbooks.abbreviations import ABBREVIATIONS

LONGEST = 50_000
"""Characters of one text that are looked at; a runbook says what it is about long before."""

_PLACEHOLDER = re.compile(r"<[\w .:-]{1,40}>|\{\{.{0,200}?\}\}|\$\{\w{1,40}\}|\$\w{1,40}|%[sdvfq]\b")
"""What a template will be filled with is no word of its author's."""
_CONTRACTED = re.compile(r"n['’]t\b", re.IGNORECASE)  # noqa: RUF001 - the quote that editors put there
_WORD = re.compile(
    r"(?<![A-Za-z\d])[A-Za-z]{1,5}\d{1,3}s?(?![A-Za-z\d])"
    r"|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|(?<!\d)[45](?:\d\d|xx)(?!\d)"
)
"""Short names with a number in them (`k8s`, `s3`, `x509`), then parts of CamelCase, snake_case and kebab-case alike. Of
numbers only HTTP's codes of errors are words: the rest are thresholds, which differ between those who copied the same
alert."""
_COMPOUND = re.compile(r"[^\W_]+(?:[-_][^\W_]+)+|[^\W\d_]*[a-z][A-Z]\w*")
_CLAUSE = re.compile(r"[.:;!?]+(?:\s+|$)")
_NOT = frozenset({"not", "no", "non", "never", "cannot", "unable", "without"})
_UNDONE = re.compile(
    r"un(?=(?:able|available|bound|healthy|reachable|ready|responsive|schedul\w*|success\w*|sync\w*)$)"
)
_FUNCTION_WORDS = """
a about above after again all also an and any are as at be because been before being below between both but by can
could did do does doing during each few for from further had has have having he her here hers him his how however i
if in into is it its itself just may me might more most must my of off on once only or other our own per same shall
she should so some such than that the their them then there these they this those through to too under until upon us
very via was we were what when where which while who why will with within would yet you your alert alerts alerting
fire fires firing trigger triggers triggered instance value values labels runbook runbooks please see
second seconds minute minutes hour hours day days week weeks percent less longer least last past currently
"""
_EMPTY = frozenset(_FUNCTION_WORDS.split())
"""Function words of English, but for those that tell states apart ("down", "out", "up", "over"); what every alert and
every runbook says of itself; and the units of thresholds, which say as little as their numbers."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word: what it is compared by, and how it was written."""

    term: str
    written: str


def words(text: str) -> tuple[Word, ...]:
    """The words of a text in their order."""
    split = list(_split(_CONTRACTED.sub(" not ", _PLACEHOLDER.sub(" ", text[:LONGEST]))))
    return tuple(_written_out([Word(stem(each.term), each.written) for each in split]))


def terms(text: str) -> tuple[str, ...]:
    """What `words` are compared by."""
    return tuple(each.term for each in words(text))


def names(text: str) -> tuple[str, ...]:
    """What may be the name of an alert in a text: its compound words, and its clauses as a whole; each once."""
    shown = text[:LONGEST]
    parts = (*_COMPOUND.findall(shown), *_CLAUSE.split(shown))
    return tuple(dict.fromkeys(name for part in parts for name in spellings(part)))


def spellings(title: str) -> tuple[str, ...]:
    """A title as one word: as it is written, but for case and what stands between its words, and as it is compared.

    Of two runbooks whose names mean the same, the one that is spelt as the alert shares both.
    """
    found = "+".join(terms(title))
    return ("=" + "".join(each for each in title.casefold() if each.isalnum()), found) if found else ()


def _split(text: str) -> Iterator[Word]:
    for found in _WORD.finditer(text):
        written = found[0]
        word = written.lower()
        if word in _NOT:
            yield Word("not", written)
        elif undone := _UNDONE.match(word):
            # "unready" in an alert is "not ready" in its runbook.
            yield Word("not", written)
            yield Word(word[undone.end() :], written)
        elif word not in _EMPTY and len(word) > 1:
            yield Word(word, written)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The word without its ending, by Snowball's English rules."""
    return next(iter(_stemmer().analyze(word)), word)


@lru_cache(maxsize=1)
def _stemmer() -> tantivy.TextAnalyzer:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(tantivy.Filter.stemmer("english")).build()


@lru_cache(maxsize=1)
def _known() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Each way to say a thing, in terms, with the first way to say it."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for ways in ABBREVIATIONS:
        first, *others = (tuple(stem(word) for word in way.split()) for way in ways)
        found.update(dict.fromkeys(others, first))
    return found


def _written_out(found: Sequence[Word]) -> Iterator[Word]:
    """The words, each abbreviation replaced by what it stands for; the longest match wins."""
    known = _known()
    longest = max(map(len, known))
    at = 0
    while at < len(found):
        for size in range(min(longest, len(found) - at), 0, -1):
            said = tuple(each.term for each in found[at : at + size])
            if full := known.get(said):
                written = " ".join(each.written for each in found[at : at + size])
                yield from (Word(term, written) for term in full)
                at += size
                break
        else:
            yield found[at]
            at += 1
