"""The audit: a chain of entries in which every entry seals the one before it. Pure: no clock, no store.

A changed byte, a gap, an inserted, moved or missing entry breaks the chain. Who rewrites the whole chain, or cuts its
tail, is found by anchors: heads of the chain that were written down elsewhere.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from whenever import Instant

from approvals.canonical import Json, NotCanonical, canonical, digest, read
from tools.redaction import redact

Fact = None | bool | int | str | Sequence["Fact"] | Mapping[str, "Fact"]

GENESIS = "0" * 64
"""What the first entry has for the hash of the one before it."""

LONGEST_TEXT = 2_000
LONGEST_NAME = 200
MOST_ITEMS = 100
DEEPEST = 4
LARGEST_FACTS = 16_384
"""Bytes of the canonical form of an entry's facts, apart from the names of those left out."""

_TAG = "audit-entry-v1"
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


class Kind(StrEnum):
    """What happened."""

    PROPOSED = "PROPOSED"
    REFUSED = "REFUSED"
    """By policy."""
    REQUESTED = "REQUESTED"
    VOTE_COUNTED = "VOTE_COUNTED"
    CLICK_REFUSED = "CLICK_REFUSED"
    DUPLICATE_IGNORED = "DUPLICATE_IGNORED"
    DECIDED = "DECIDED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    STARTED = "STARTED"
    FINISHED = "FINISHED"
    VERIFIED = "VERIFIED"
    CREDENTIAL_FETCHED = "CREDENTIAL_FETCHED"
    CREDENTIAL_RENEWED = "CREDENTIAL_RENEWED"
    CREDENTIAL_REVOKED = "CREDENTIAL_REVOKED"
    CREDENTIAL_FAILED = "CREDENTIAL_FAILED"
    FROZEN = "FROZEN"
    UNFROZEN = "UNFROZEN"
    OUTCOME_RECORDED = "OUTCOME_RECORDED"
    """A person says what happened, after an outcome that nobody could know."""
    ANCHORED = "ANCHORED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be recorded. Its texts are redacted and bounded when it is made; a cut is stated in the text."""

    kind: Kind
    at: Instant
    request_id: str | None = None
    actor: str
    """Who did it: a principal, or a part of Locum."""
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])

    def __post_init__(self) -> None:
        object.__setattr__(self, "actor", _text(self.actor, LONGEST_NAME))
        # By chance an id looks like a token of some kind, and the entry could not be found by it any more.
        if self.request_id is not None and not _ID.fullmatch(self.request_id):
            object.__setattr__(self, "request_id", _text(self.request_id, LONGEST_NAME))
        object.__setattr__(self, "facts", _fitting(self.facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One link of the chain, as it stands. Nothing is redacted or cut again here: that would change what was sealed."""

    seq: int
    """From 1, without gaps."""
    kind: Kind
    at: Instant
    request_id: str | None
    actor: str
    facts: Mapping[str, Fact]
    previous: str
    """The hash of the entry before it."""
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An entry whose stored columns are not what `following` makes."""

    seq: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A head of the chain that was written down elsewhere."""

    seq: int
    hash: str
    at: Instant


class Fault(StrEnum):
    """How a chain is broken."""

    UNREADABLE = "UNREADABLE"
    CHANGED = "CHANGED"
    GAP = "GAP"
    DISORDER = "DISORDER"
    DETACHED = "DETACHED"
    REWRITTEN = "REWRITTEN"
    CUT = "CUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intact:
    """Every entry is there and as it was written, as far as the chain and the anchors can tell."""

    head: Entry | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The first entry that is not as it must be."""

    seq: int
    fault: Fault
    what: str
    """One sentence."""


def following(previous: Entry | None, draft: Draft) -> Entry:
    """The entry that records `draft` right after `previous`; `None` = the first of the chain."""
    seq, before = (previous.seq + 1, previous.hash) if previous else (1, GENESIS)
    unsealed = Entry(
        seq=seq, kind=draft.kind, at=draft.at, request_id=draft.request_id, actor=draft.actor,
        facts=draft.facts, previous=before, hash="",
    )  # fmt: skip
    return replace(unsealed, hash=_seal(unsealed))


def restored(
    *,
    seq: int,
    kind: object,
    at: object,
    request_id: object,
    actor: object,
    facts: object,
    previous: object,
    seal: object,
) -> Entry | Unreadable:
    """The entry of these stored columns; whether it is sound is for `verify` to say."""
    match kind, at, request_id, actor, facts, previous, seal:
        case str(), str(), str() | None, str(), str(), str(), str():
            pass
        case _:
            return Unreadable(seq=seq, why="a column is not text")
    try:
        entry = Entry(
            seq=seq, kind=Kind(kind), at=Instant.parse_iso(at), request_id=request_id, actor=actor,
            facts=_facts(facts), previous=previous, hash=seal,
        )  # fmt: skip
    except ValueError as error:
        # Only the type: the texts are not sealed yet, and may be anything.
        return Unreadable(seq=seq, why=f"a column cannot be read ({type(error).__name__})")
    if entry.at.format_iso() != at:
        return Unreadable(seq=seq, why="its time is not written as Locum writes it")
    return entry


def anchor_line(anchor: Anchor) -> str:
    """One line of JSON, to be written down elsewhere."""
    return canonical({"seq": anchor.seq, "hash": anchor.hash, "at": anchor.at.format_iso()}).decode()


def read_anchor(line: str) -> Anchor:
    """The anchor that `anchor_line` wrote.

    Raises:
        ValueError: when it is no such line.
    """
    match read(line.encode()):
        case {"seq": int(seq), "hash": str(seal), "at": str(at), **rest} if not rest and seq > 0:
            return Anchor(seq=seq, hash=seal, at=Instant.parse_iso(at))
        case _:
            raise ValueError('not an anchor; expected {"at": "…", "hash": "…", "seq": 1}')


class Verification:
    """Walks along a chain, entry by entry, and stops at the first that is not as it must be."""

    def __init__(self, anchors: Iterable[Anchor]) -> None:
        """`anchors`: in any order; several of one entry must agree with it all."""
        self._anchors: defaultdict[int, list[Anchor]] = defaultdict(list)
        for anchor in anchors:
            self._anchors[anchor.seq].append(anchor)
        self._head: Entry | None = None

    def see(self, entry: Entry | Unreadable) -> Broken | None:
        """Takes the next entry; what is wrong with it, if anything is."""
        found = self._fault(entry)
        if found:
            return Broken(seq=entry.seq, fault=found[0], what=f"entry {entry.seq} {found[1]}")
        assert isinstance(entry, Entry)  # noqa: S101 - what cannot be read is a fault
        self._head = entry
        return None

    def end(self) -> Intact | Broken:
        """The result after the last entry, all of which were sound."""
        count = self._head.seq if self._head else 0
        beyond = min((seq for seq in self._anchors if not 1 <= seq <= count), default=None)
        if beyond is None:
            return Intact(head=self._head, count=count)
        anchor = self._anchors[beyond][0]
        what = (
            f"entry {beyond} was anchored at {anchor.at.format_iso()}, and the ledger ends at {count}: its tail was cut"
        )
        return Broken(seq=count + 1, fault=Fault.CUT, what=what)

    def _fault(self, entry: Entry | Unreadable) -> tuple[Fault, str] | None:
        expected, before = (self._head.seq + 1, self._head.hash) if self._head else (1, GENESIS)
        if entry.seq > expected:
            return Fault.GAP, f"stands where entry {expected} must: {entry.seq - expected} missing"
        if entry.seq < expected:
            return Fault.DISORDER, f"stands where entry {expected} must: it was moved or inserted"
        if isinstance(entry, Unreadable):
            return Fault.UNREADABLE, f"is not what was written: {entry.why}"
        if not _is_sealed(entry):
            return Fault.CHANGED, "was changed: its content does not give its hash"
        if entry.previous != before:
            return Fault.DETACHED, f"does not follow entry {expected - 1}: one of them was replaced"
        for anchor in self._anchors.get(entry.seq, ()):
            if anchor.hash != entry.hash:
                return (
                    Fault.REWRITTEN,
                    f"is not the one that was anchored at {anchor.at.format_iso()}: it was rewritten",
                )
        return None


def verify(entries: Iterable[Entry | Unreadable], anchors: Iterable[Anchor]) -> Intact | Broken:
    """Whether the chain, from its first entry on, is what was written."""
    verification = Verification(anchors)
    for entry in entries:
        if broken := verification.see(entry):
            return broken
    return verification.end()


def _seal(entry: Entry) -> str:
    content = {
        "seq": entry.seq, "kind": entry.kind, "at": entry.at.format_iso(), "request_id": entry.request_id,
        "actor": entry.actor, "facts": entry.facts, "previous": entry.previous,
    }  # fmt: skip
    return digest(_TAG, content)


def _is_sealed(entry: Entry) -> bool:
    # The seal is over NFC: text that was turned into another form of itself would pass.
    if not all(unicodedata.is_normalized("NFC", text) for text in (entry.actor, entry.request_id or "")):
        return False
    try:
        return _seal(entry) == entry.hash
    except NotCanonical:
        return False


def _facts(text: str) -> dict[str, Json]:
    facts = read(text.encode())
    if not isinstance(facts, dict) or canonical(facts).decode() != text:
        raise ValueError("not the canonical form of facts")
    return facts


def _fitting(facts: Mapping[str, Fact]) -> dict[str, Json]:
    kept: dict[str, Json] = {}
    left_out: list[Json] = []
    room = LARGEST_FACTS
    for name, value in facts.items():
        key, clean = _text(name, LONGEST_NAME), _bounded(value, 1)
        room_after = room - len(canonical([key, clean]))
        if room_after < 0:
            left_out.append(key)
        else:
            kept[key], room = clean, room_after
    if left_out:
        kept["left_out"] = [*left_out[:MOST_ITEMS], len(left_out)]
    return kept


def _bounded(value: Fact, depth: int) -> Json:
    if isinstance(value, str):
        return _text(value, LONGEST_TEXT)
    if value is None or isinstance(value, bool | int):
        return value
    if depth > DEEPEST:
        return "[… too deep, left out …]"
    if isinstance(value, Mapping):
        pairs = list(value.items())[:MOST_ITEMS]
        named: dict[str, Json] = {_text(name, LONGEST_NAME): _bounded(item, depth + 1) for name, item in pairs}
        return named | ({"left_out": len(value) - len(pairs)} if len(value) > len(pairs) else {})
    items: list[Json] = [_bounded(item, depth + 1) for item in value[:MOST_ITEMS]]
    return items + ([f"[… {len(value) - MOST_ITEMS} left out …]"] if len(value) > MOST_ITEMS else [])


def _text(value: str, longest: int) -> str:
    # What is not Unicode could not be sealed, and an entry that cannot be written stops the work.
    valid = value.encode(errors="replace").decode()
    clean = unicodedata.normalize("NFC", redact(valid))
    return clean if len(clean) <= longest else f"{clean[:longest]}[… {len(clean) - longest} characters left out …]"
