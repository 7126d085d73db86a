"""Which claims stand: those whose quotes code finds again in the evidence. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, cast

from agents.finding import CauseId
from agents.report import Citation, Claim, Stance
from tools.entity import Entity
from tools.evidence import Evidence, EvidenceId
from tools.redaction import redact

CLAIMS_LIMIT = 12
CITATIONS_LIMIT = 6
"""For each claim."""
TEXT_LIMIT = 600
QUOTE_LIMIT = 400
QUOTE_LEAST = 3
"""Letters and digits below which a quote stands in almost any text and so proves nothing."""

_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_SLACK_LINK = re.compile(r"<(?:https?|mailto|tel)[:|][^>|]*\|([^>]*)>")
_ADDRESS = re.compile(r"(?i)<?\b(?:[a-z][a-z0-9+.-]{1,15}://|mailto:|javascript:|data:text|www\.)[^\s<>\"')\]]*>?")
_MENTION = re.compile(r"<[@!#][^>]*>|(?<![\w.])@(?:here|channel|everyone|[\w.-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A citation that does not hold, or a claim without any."""

    claim: int
    """Counts from 1, as the model gave them."""
    text: str
    why: str


def read(given: object) -> tuple[Claim, ...]:
    """Claims as the model wrote them, bounded and cleaned; what is not of the agreed form is passed over."""
    parts = cast("list[object]", given) if isinstance(given, list) else []
    return tuple(claim for part in parts[:CLAIMS_LIMIT] if (claim := _claim(part)))


def verified(
    claims: Sequence[Claim], evidence: Iterable[Evidence], *, causes: AbstractSet[CauseId] = frozenset()
) -> tuple[tuple[Claim, ...], tuple[Dropped, ...]]:
    """The claims that stand, each with the citations that hold, and what was dropped.

    A claim stands when one citation holds. A cause that is not in `causes` is taken off, the claim stays.
    """
    by_id = {each.id: each for each in evidence}
    kept: list[Claim] = []
    dropped: list[Dropped] = []
    for number, claim in enumerate(claims, 1):
        doubts = [_doubt(citation, by_id) for citation in claim.citations]
        held = tuple(citation for citation, doubt in zip(claim.citations, doubts, strict=True) if not doubt)
        dropped += [Dropped(claim=number, text=claim.text, why=doubt) for doubt in doubts if doubt]
        if held:
            cause = claim.cause if claim.cause in causes else None
            kept.append(replace(claim, citations=held, cause=cause))
        elif not claim.citations:
            dropped.append(Dropped(claim=number, text=claim.text, why="it cites nothing"))
    return tuple(kept), tuple(dropped)


def plain(text: str) -> str:
    """Text for people: one line, redacted, bounded, without links and mentions."""
    text = _SLACK_LINK.sub(r"\1", _LINK.sub(r"\1", redact(text[: 4 * TEXT_LIMIT])))
    text = _MENTION.sub("[mention removed]", _ADDRESS.sub("[link removed]", text))
    text = " ".join(text.split())
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"


def _doubt(citation: Citation, by_id: Mapping[EvidenceId, Evidence]) -> str:
    found = by_id.get(citation.evidence)
    if found is None:
        return f"there is no evidence {citation.evidence!r}"
    if sum(character.isalnum() for character in citation.quote) < QUOTE_LEAST:
        return f"the quote {citation.quote!r} is too short to prove anything"
    if not found.bears_out(citation.quote):
        return f"{citation.evidence} does not hold the words {citation.quote!r}"
    return ""


def _claim(part: object) -> Claim | None:
    if not isinstance(part, dict):
        return None
    given = cast("Mapping[str, Any]", part)
    text = given.get("text")
    text = plain(text) if isinstance(text, str) else ""
    if not text:
        return None
    citations = given.get("citations")
    cited = cast("list[object]", citations) if isinstance(citations, list) else []
    cause = given.get("cause")
    return Claim(
        text=text,
        citations=tuple(citation for each in cited[:CITATIONS_LIMIT] if (citation := _citation(each))),
        cause=CauseId(cause) if isinstance(cause, str) and cause else None,
        entity=_entity(given.get("entity")),
        stance=_STANCES.get(str(given.get("stance")), Stance.FOR),
    )


_STANCES = {str(each): each for each in Stance}


def _citation(part: object) -> Citation | None:
    if not isinstance(part, dict):
        return None
    given = cast("Mapping[str, Any]", part)
    evidence, quote = given.get("evidence"), given.get("quote")
    if not isinstance(evidence, str) or not isinstance(quote, str) or len(quote) > QUOTE_LIMIT:
        return None
    return Citation(evidence=EvidenceId(evidence[:40]), quote=quote)


def _entity(given: object) -> Entity | None:
    try:
        made = Entity.parse(given) if isinstance(given, str) else None
    except ValueError:
        return None
    # Names are outside text as well: one that would have to be cleaned names nothing.
    return made if made and plain(str(made)) == str(made) else None
