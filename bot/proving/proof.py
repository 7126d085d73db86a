"""Searches all that an incident left behind for the values that it was lent, and says what was searched."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from approvals.audit import Kind
from bot.proving.fingerprints import Print, Search
from bot.proving.sinks import Sinks, Texts, Unsearched
from bot.stores.connection import StoreError
from bot.stores.ledger.errors import LedgerError
from bot.stores.ledger.ledger import Ledger


class Ending(StrEnum):
    """How the search of one sink ended."""

    CLEAN = "clean"
    FOUND = "found"
    NOT_SEARCHED = "not searched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value stands; never which."""

    where: str
    reference: str
    way: str
    """How it is written there."""


@dataclass(slots=True, kw_only=True)
class Looked:
    """One sink."""

    sink: str
    items: int = 0
    size: int = 0
    """Characters."""
    places: list[Place] = field(default_factory=list[Place])
    why: str = ""
    """Why it was not searched, or not to its end."""

    @property
    def ending(self) -> Ending:
        """What is found is said even where the rest could not be searched."""
        if self.places:
            return Ending.FOUND
        return Ending.NOT_SEARCHED if self.why else Ending.CLEAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is known of one incident."""

    incident_id: str
    references: tuple[str, ...]
    """What was lent and can be looked for."""
    gaps: tuple[str, ...]
    """What else keeps this from being a proof."""
    looked: tuple[Looked, ...]

    @property
    def exit_code(self) -> int:
        """0: everything was searched, and nothing found; 1: something was found; 3: not everything was searched."""
        endings = {each.ending for each in self.looked}
        if Ending.FOUND in endings:
            return 1
        return 3 if self.gaps or Ending.NOT_SEARCHED in endings else 0


async def prove(sinks: Sinks, *, is_over: bool) -> Proof:
    """Searches every sink.

    Raises:
        LedgerError: when the fingerprints cannot be read.
    """
    known = [(each.reference, Print.from_bytes(each.fingerprint)) for each in
             await sinks.ledger.fingerprints(sinks.incident.id)]  # fmt: skip
    search = Search([each for each in known if not each[1].is_weak])
    gaps = [f"the value of {reference} is too short to be looked for" for reference, each in known if each.is_weak]
    missing = await _lent(sinks.ledger, sinks.incident.id) - {reference for reference, _ in known}
    gaps += [f"of the value of {reference} no fingerprint was kept" for reference in sorted(missing)]
    if not is_over:
        gaps.append("the incident is not over: more may be written")
    return Proof(
        incident_id=sinks.incident.id,
        references=tuple(sorted({reference for reference, each in known if not each.is_weak})),
        gaps=tuple(dict.fromkeys(gaps)),
        looked=tuple([await _look(name, texts(), search) for name, texts in sinks.all().items()]),
    )


async def _look(name: str, texts: Texts, search: Search) -> Looked:
    looked = Looked(sink=name)
    try:
        async for where, text in texts:
            looked.items += 1
            looked.size += len(text)
            # In a thread: a long text takes seconds, and connections want to be kept alive meanwhile.
            found = await asyncio.to_thread(search.through, text)
            looked.places += [Place(where=where, reference=each.reference, way=each.way) for each in sorted(found)]
    except (Unsearched, StoreError, LedgerError) as error:
        looked.why = str(error)
    return looked


async def _lent(ledger: Ledger, incident_id: str) -> set[str]:
    """The references that were fetched, as the audit has it."""
    found: set[str] = set()
    for row in await ledger.requests(incident_id=incident_id, limit=100_000):
        for entry in await ledger.entries(request_id=row.id, limit=100_000):
            if entry.kind is Kind.CREDENTIAL_FETCHED:
                references = cast("Sequence[object]", entry.facts.get("references") or ())
                found.update(str(each) for each in references)
    return found
