"""What the model's claims do to the rules' causes: refute, break ties, add a guess at the end. Pure.

The rules' order and confidence are the floor. No claim raises a confidence; one against a cause takes one step off,
once, and says why; one that wants a cause first is heard only among those that rules cannot tell apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agents.diagnosis import Confidence, Diagnosis, Hypothesis
from agents.finding import CauseId
from agents.health import HealthState
from agents.report import Claim, Stance
from tools.entity import Entity
from tools.evidence import Evidence, EvidenceId

TIE = 0.015
"""Scores nearer than this are a tie. The least clue of the ranking weighs 0.05 of a band at least 0.34 wide, where the
bands are of what the case is about: what differs by less than that does not differ by any one reason."""
MOST_GUESSES = 3
"""Causes that only the model proposes; a longer list of guesses helps nobody."""
GUESS_SCORE = 0.01
"""What only the model proposes stands below everything that rules found."""
_LOWERED: Mapping[Confidence, Confidence] = {
    Confidence.CONFIRMED: Confidence.LIKELY,
    Confidence.LIKELY: Confidence.INCONCLUSIVE,
    Confidence.INCONCLUSIVE: Confidence.INCONCLUSIVE,
}
_Name = tuple[CauseId, Entity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The hypotheses after the model had its say."""

    hypotheses: tuple[Hypothesis, ...]
    refutations: int
    tie_breaks: int


def weighed(diagnosis: Diagnosis, claims: Sequence[Claim]) -> Weighed:
    """The diagnosis' hypotheses as the claims leave them; `citations.verified` has checked the claims before."""
    seen = {each.id: each for each in diagnosis.evidence if not each.is_gap}
    known = {_name(each): each for each in diagnosis.hypotheses}
    against: dict[_Name, list[Claim]] = {}
    first: dict[_Name, None] = {}
    guesses: dict[_Name, Hypothesis] = {}
    for claim in claims:
        if claim.cause is None or claim.entity is None or not _telling(claim, claim.entity, seen):
            continue
        name = (claim.cause, claim.entity)
        hypothesis = known.get(name)
        if hypothesis is None:
            if claim.stance is Stance.FOR and len(guesses) < MOST_GUESSES:
                guesses.setdefault(name, _guess(claim, *name, diagnosis))
        elif claim.stance is Stance.AGAINST and _refuting(claim, hypothesis, seen):
            against.setdefault(name, []).append(claim)
        elif claim.stance is Stance.FIRST:
            first[name] = None
    ordered, tie_breaks = _ordered(diagnosis.hypotheses, [each for each in first if each not in against], against)
    # Where rules see nothing wrong, a guess would accuse somebody of nothing.
    is_trouble = diagnosis.state in (HealthState.STRESSED, HealthState.CRITICAL)
    return Weighed(
        hypotheses=(
            *(_lowered(each, against.get(_name(each), ()), seen) for each in ordered),
            *(guesses.values() if is_trouble else ()),
        ),
        refutations=len(against),
        tie_breaks=tie_breaks,
    )


def _name(hypothesis: Hypothesis) -> _Name:
    return hypothesis.cause, hypothesis.entity


def _telling(claim: Claim, entity: Entity, seen: Mapping[EvidenceId, Evidence]) -> tuple[EvidenceId, ...]:
    """What the claim cites that names the entity: a quote from elsewhere holds and still says nothing about it."""
    cited = dict.fromkeys(each.evidence for each in claim.citations)
    name = entity.name.lower()
    return tuple(each for each in cited if each in seen and name in f"{seen[each].query}\n{seen[each].excerpt}".lower())


def _refuting(claim: Claim, hypothesis: Hypothesis, seen: Mapping[EvidenceId, Evidence]) -> tuple[EvidenceId, ...]:
    """What of it can speak against the hypothesis: all but what it rests on, which rules have read as support."""
    return tuple(each for each in _telling(claim, hypothesis.entity, seen) if each not in hypothesis.evidence)


def _lowered(hypothesis: Hypothesis, against: Sequence[Claim], seen: Mapping[EvidenceId, Evidence]) -> Hypothesis:
    """One step down, however many claims speak against it."""
    if not against:
        return hypothesis
    confidence = _LOWERED[hypothesis.confidence]
    refuting = (each for claim in against for each in _refuting(claim, hypothesis, seen))
    # As rules have it: what is only a guess gets advice, and no action.
    is_guess = confidence is Confidence.INCONCLUSIVE
    return replace(
        hypothesis,
        confidence=confidence,
        contradicted_by=tuple(dict.fromkeys((*hypothesis.contradicted_by, *refuting))),
        doubts=tuple(dict.fromkeys(each.text for each in against)),
        remediations=tuple(replace(each, action=None) if is_guess else each for each in hypothesis.remediations),
    )


def _ordered(
    hypotheses: Sequence[Hypothesis], wanted: Sequence[_Name], against: Mapping[_Name, object]
) -> tuple[list[Hypothesis], int]:
    """Within each tie those wanted stand first and those refuted last; and how many moved up since they are wanted."""
    ordered: list[Hypothesis] = []
    moved = 0
    for tie in ties(hypotheses):
        first = [each for name in wanted for each in tie if _name(each) == name]
        last = [each for each in tie if _name(each) in against]
        rest = [each for each in tie if each not in first and each not in last]
        moved += sum(place < tie.index(each) for place, each in enumerate(first))
        # The scores stay where they are, highest first: among equals they say nothing of who has which.
        ordered += [replace(each, score=place.score) for each, place in zip([*first, *rest, *last], tie, strict=True)]
    return ordered, moved


def ties(hypotheses: Sequence[Hypothesis]) -> list[list[Hypothesis]]:
    """All of them in order; those that rules cannot tell apart together.

    They are neighbours of one confidence whose scores are within `TIE` of the first of them.
    """
    found: list[list[Hypothesis]] = []
    for each in hypotheses:
        head = found[-1][0] if found else None
        if head and head.confidence is each.confidence and head.score - each.score < TIE:
            found[-1].append(each)
        else:
            found.append([each])
    return found


def _guess(claim: Claim, cause: CauseId, entity: Entity, diagnosis: Diagnosis) -> Hypothesis:
    lowest = min((each.score for each in diagnosis.hypotheses), default=1.0)
    return Hypothesis(
        cause=cause,
        entity=entity,
        title=claim.text,
        confidence=Confidence.INCONCLUSIVE,
        score=min(GUESS_SCORE, lowest),
        evidence=tuple(dict.fromkeys(each.evidence for each in claim.citations)),
    )
