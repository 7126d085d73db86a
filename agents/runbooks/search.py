"""Finds runbooks by the words of a thread: BM25 over single words and over pairs of them. No disk, no clock.

Tantivy holds both lists in memory. A word counts by the part of the runbook that it stands in (BM25F's simple form:
Robertson, Zaragoza, Taylor, CIKM 2004: weigh the counts, then saturate once), and by how few runbooks have it. Pairs of
neighbours tell "not ready" from "ready", and "disk failure" from a failure somewhere and a disk somewhere else; one
that recurs counts as a word more.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import tantivy

from agents.runbooks.words import Word, names, spellings, terms, words
from tools.runbooks.document import Part, Runbook

TITLE_WEIGHT = 6
FOLDER_WEIGHT = 2
"""Of the names of the folders that it lies in: they say what it is about, in a word."""
WEIGHTS = {Part.SYMPTOMS: 6, Part.REST: 2, Part.STEPS: 1}
"""How often a word counts. Title and symptoms are written to be recognised by, steps are much alike everywhere. Found
in steps of halves and thirds on one half of the development questions; its neighbours differ by one or two of them."""
NAME_WEIGHT = 10.0
"""Of a runbook's whole name beside one of its words: whoever wrote it named it after this very alert, which the words
of its text, shared with its neighbours, must not outweigh."""
MOST_WORDS = 500
"""Of one symptom; a text that is longer repeats itself."""
_HEAP = 32_000_000
"""Bytes for the writer; some 5,000 runbooks fit before it has to flush."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One piece of what is known: an alert's text, a question, a cause that was found."""

    text: str
    names: frozenset[str] = frozenset()
    """Words in it that are only names of things here, lower case: a runbook need not know them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One runbook that answers a symptom."""

    runbook: Runbook
    strength: float
    """From 0 to about 4: BM25 over the information of the symptom's words. At 1, each word of the symptom stands in
    the runbook as if once in a text of usual length; comparable between symptoms and between collections."""
    matched: tuple[str, ...]
    """Words of the symptom, as they were written there, the most telling first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A runbook with its words taken apart, which is most of the work of an index."""

    runbook: Runbook
    words: str
    pairs: str
    names: str


def entry(runbook: Runbook) -> Entry:
    """What an index holds of a runbook."""
    weighted = [(weight, terms(text)) for weight, text in _texts(runbook)]
    return Entry(
        runbook=runbook,
        words=" ".join(each for weight, found in weighted for each in found * weight),
        pairs=" ".join(pair for weight, found in weighted for pair in (*_pairs(found),) * weight),
        names=" ".join(dict.fromkeys(name for title in runbook.titles for name in spellings(title))),
    )


class Index:
    """Runbooks, ready to be searched."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)
        builder = tantivy.SchemaBuilder()
        for name in ("words", "pairs", "names"):
            builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
        builder.add_unsigned_field("at", stored=True)
        self._schema = builder.build()
        index = tantivy.Index(self._schema)
        writer = index.writer(heap_size=_HEAP, num_threads=1)
        for at, each in enumerate(entries):
            document = tantivy.Document()
            document.add_unsigned("at", at)
            document.add_text("words", each.words)
            document.add_text("pairs", each.pairs)
            document.add_text("names", each.names)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._searcher = index.searcher()

    def __len__(self) -> int:
        return len(self._entries)

    def search(self, symptoms: Iterable[Symptom], *, most: int, least: float) -> tuple[Hit, ...]:
        """The runbooks that answer any one of the symptoms, best first.

        Args:
            symptoms: what is known; each is searched for by itself, for a runbook answers one thing.
            most: so many runbooks at most.
            least: the strength that each must have.
        """
        best: dict[int, tuple[float, tuple[Word, ...]]] = {}
        for symptom in symptoms:
            asked = words(symptom.text)
            information = self._information(asked, symptom.names)
            for at, relevance in self._best(symptom.text, asked, most):
                strength = relevance / information
                if strength >= least and strength > best.get(at, (0.0,))[0]:
                    best[at] = strength, asked
        order = sorted(best, key=lambda at: (-best[at][0], self._entries[at].runbook.id))[:most]
        return tuple(self._hit(self._entries[at], *best[at]) for at in order)

    def ranked(self, text: str, *, most: int) -> tuple[str, ...]:
        """Ids of all runbooks that have any word of a text, best first, however weak."""
        return tuple(self._entries[at].runbook.id for at, _ in self._best(text, words(text), most))

    def _information(self, asked: Iterable[Word], names: frozenset[str]) -> float:
        """What the words say in all, each once."""
        written = {each.term: each.written.lower() for each in asked}
        return sum(self._rarity(term) for term, word in written.items() if word not in names or self._having(term))

    def _best(self, text: str, asked: Sequence[Word], most: int) -> Iterator[tuple[int, float]]:
        """Places of runbooks, with their BM25."""
        found = [each.term for each in asked][:MOST_WORDS]
        parts = [
            *(self._term("words", each) for each in dict.fromkeys(found)),
            *(self._term("pairs", each) for each in dict.fromkeys(_pairs(found))),
            *(tantivy.Query.boost_query(self._term("names", each), NAME_WEIGHT) for each in names(text)[:MOST_WORDS]),
        ]
        if not parts or not self._entries:
            return
        any_of = tantivy.Query.boolean_query([(tantivy.Occur.Should, each) for each in parts])
        for score, address in self._searcher.search(any_of, limit=most, count=False).hits:
            yield int(self._searcher.doc(address)["at"][0]), score

    def _term(self, field: str, term: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, field, term, index_option="freq")

    def _hit(self, held: Entry, strength: float, asked: Sequence[Word]) -> Hit:
        written = {each.term: each.written for each in reversed(asked)}
        about = {term for text in _topic(held.runbook) for term in terms(text)}
        whole = written.keys() & set(held.words.split())
        # What it is about comes before what it names in passing.
        telling = sorted(whole, key=lambda term: (term not in about, -self._rarity(term), term))
        return Hit(
            runbook=held.runbook, strength=strength, matched=tuple(dict.fromkeys(written[each] for each in telling))
        )

    def _having(self, term: str) -> int:
        return self._searcher.doc_freq("words", term)

    def _rarity(self, term: str) -> float:
        """The weight that BM25 gives a word: its information, from how many runbooks have it."""
        # As if one had it: in a collection of ten, a word that none has would else outweigh two that one has.
        having = max(self._having(term), 1)
        return math.log1p((len(self._entries) - having + 0.5) / (having + 0.5))


def _texts(runbook: Runbook) -> Iterator[tuple[int, str]]:
    for title in _titles(runbook):
        yield TITLE_WEIGHT, title
    yield FOLDER_WEIGHT, " ".join(runbook.shelves)
    for passage in runbook.passages:
        yield WEIGHTS[passage.part], passage.text


def _titles(runbook: Runbook) -> Iterator[str]:
    """Each name once: a file's name is mostly the title without its spaces."""
    seen: set[tuple[str, ...]] = set()
    for title in runbook.titles:
        if (found := terms(title)) not in seen:
            seen.add(found)
            yield title


def _topic(runbook: Runbook) -> Iterator[str]:
    yield from runbook.titles
    yield from (each.text for each in runbook.passages if each.part is Part.SYMPTOMS)


def _pairs(found: Sequence[str]) -> Iterator[str]:
    return (f"{left}_{right}" for left, right in pairwise(found))
