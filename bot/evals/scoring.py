"""How good one answer is. Pure: an answer and the truth in, a score out.

An answer is what a reader of `locum diagnose --format json` has, so that a stranger's scorer comes to the same result.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.diagnosis import Confidence, Diagnosis, Hypothesis
from agents.health import HealthState
from bot.evals.naming import UNKNOWN, category, right_causes
from bot.evals.recorded import AnswerRule, Truth

DEPTHS = (1, 3, 5)
"""A@k is given for these."""
HEALTHY = "healthy"
_IN_FRONT = frozenset({"service", "deployment", "statefulset", "daemonset", "replicaset", "job", "cronjob", "rollout"})
"""A workload and the Service in front of it, of the same namespace and name, are one culprit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One answer, judged. Ranks count from 1; `None` = among no hypothesis."""

    rank: int | None
    """Of the first hypothesis about a right entity; `None` too where the truth names none."""
    near_rank: int | None
    """Of the first about a right entity or a near miss."""
    cause_rank: int | None
    """Of the first about a right entity *and* with a right cause."""
    state_right: bool
    false_alarm: bool
    """Somebody is accused where nothing is wrong."""
    unsupported: int
    """Hypotheses and sentences that their evidence does not carry."""
    answer_faults: tuple[str, ...] | None
    """Why the words of the answer are wrong; empty = they are right; `None` = the data set does not ask for words."""


def score(diagnosis: Diagnosis, truth: Truth) -> Score:
    """Judges one answer."""
    hypotheses = diagnosis.hypotheses
    causes, right = right_causes(truth), culprits(truth.entities)
    is_well = diagnosis.state is HealthState.HAPPY
    accused = not is_well and bool(hypotheses)
    return Score(
        rank=_first(culprit(str(each.entity)) in right for each in hypotheses),
        near_rank=_first(culprit(str(each.entity)) in right | culprits(truth.also) for each in hypotheses),
        cause_rank=_first(culprit(str(each.entity)) in right and each.cause in causes for each in hypotheses),
        state_right=not accused if truth.healthy else diagnosis.state in (HealthState.STRESSED, HealthState.CRITICAL),
        false_alarm=truth.healthy and accused,
        unsupported=unsupported(diagnosis),
        answer_faults=tuple(_answer_faults(diagnosis, truth, truth.answer)) if truth.answer else None,
    )


def culprit(entity: str) -> str:
    """An entity in the form in which two names of the same culprit are equal."""
    kind, _, rest = entity.strip().lower().partition("/")
    return f"workload/{rest}" if kind in _IN_FRONT else f"{kind}/{rest}"


def culprits(entities: Iterable[str]) -> frozenset[str]:
    """All of them in that form."""
    return frozenset(culprit(each) for each in entities)


def unsupported(diagnosis: Diagnosis) -> int:
    """How many hypotheses cite nothing that was seen, and how many sentences a quote that does not stand there."""
    seen = {each.id: each for each in diagnosis.evidence if not each.is_gap}
    hypotheses = sum(not _is_carried(each, seen) for each in diagnosis.hypotheses)
    sentences = sum(
        not any(cited.evidence in seen and seen[cited.evidence].bears_out(cited.quote) for cited in claim.citations)
        for claim in diagnosis.claims
    )
    return hypotheses + sentences


def _is_carried(hypothesis: Hypothesis, seen: Iterable[str]) -> bool:
    known = set(seen)
    contradicted = bool(hypothesis.contradicted_by) and hypothesis.confidence is Confidence.CONFIRMED
    return bool(hypothesis.evidence) and known.issuperset(hypothesis.evidence) and not contradicted


def words(diagnosis: Diagnosis) -> str:
    """What the answer says in words: everything that is written for people, but not the raw excerpts."""
    said = [diagnosis.summary, *diagnosis.notes]
    for each in diagnosis.hypotheses:
        said += [each.title, each.cause, str(each.entity), *(remedy.summary for remedy in each.remediations)]
    said += [f"{each.entity} {each.cause} {each.summary}" for each in diagnosis.findings]
    said += [f"{each.entity} {each.what}" for each in diagnosis.timeline]
    return _plain("\n".join(said))


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _answer_faults(diagnosis: Diagnosis, truth: Truth, rule: AnswerRule) -> Iterable[str]:
    said, given = words(diagnosis), answer_category(diagnosis)
    yield from (f"does not say {each!r}" for each in rule.required_keywords if _plain(each) not in said)
    yield from (f"says {each!r}" for each in rule.forbidden_keywords if _plain(each) in said)
    if given in rule.forbidden_categories or (given == HEALTHY) is not truth.healthy:
        yield f"is of category {given!r}"


def answer_category(diagnosis: Diagnosis) -> str:
    """The category that the answer falls into, by its first hypothesis."""
    if diagnosis.state is HealthState.HAPPY:
        return HEALTHY
    return category(diagnosis.hypotheses[0].cause) if diagnosis.hypotheses else UNKNOWN


def _first(hits: Iterable[bool]) -> int | None:
    return next((rank for rank, hit in enumerate(hits, 1) if hit), None)


def at_depths(ranks: Sequence[int | None]) -> dict[str, float | None]:
    """A@1, A@3, A@5 of the ranks of all cases that can be scored; `None` where there are none."""
    return {
        f"a{depth}": ratio(sum(rank is not None and rank <= depth for rank in ranks), len(ranks)) for depth in DEPTHS
    }


def ratio(part: int, whole: int) -> float | None:
    """A share to four digits; `None` of nothing."""
    return round(part / whole, 4) if whole else None
