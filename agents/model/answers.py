"""What is asked of the model and what comes back, on our side. Pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from agents.case import Case
from agents.diagnosis import Hypothesis
from agents.finding import CauseId, Finding
from agents.model.choosing import Choice
from agents.model.citations import Dropped
from agents.model.failures import Reason
from agents.report import Claim, Usage
from tools.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What one specialist's model is told at first."""

    case: Case
    specialist: str
    instructions: str
    """The specialist's own; beside the house rules."""
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    """What was seen so far; what findings cite belongs to it by itself."""
    causes: frozenset[CauseId] = frozenset()
    """Causes that a claim may name."""

    @property
    def all_evidence(self) -> tuple[Evidence, ...]:
        """Each once, what findings cite first."""
        cited = [each for finding in self.findings for each in finding.evidence]
        return tuple({each.id: each for each in (*cited, *self.evidence)}.values())


def digest(findings: Iterable[Finding], evidence: Iterable[Evidence], hypotheses: Iterable[Hypothesis] = ()) -> str:
    """Of all that is known, whether there is room to tell it or not: one digit that is another makes another digest."""
    content = hashlib.sha256()
    for finding in findings:
        seen = (str(finding.severity), finding.summary, str(finding.first_seen), str(finding.last_seen))
        content.update(repr((finding.id, *seen, [each.id for each in finding.evidence])).encode())
    for hypothesis in hypotheses:
        content.update(
            repr((hypothesis.cause, str(hypothesis.entity), str(hypothesis.confidence), hypothesis.score)).encode()
        )
    for each in evidence:
        content.update(repr((each.id, each.query, str(each.outcome), each.excerpt, each.why)).encode())
    return content.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model said that code could check.

    Without claims, `failure` says why; with claims, it may say what ended the work early.
    """

    claims: tuple[Claim, ...] = ()
    """Each with citations that code found again; of an explanation, verdict first."""
    proposals: tuple[Claim, ...] = ()
    """Further causes that the model thinks possible; no rule stands behind them."""
    choices: tuple[Choice, ...] = ()
    """Among the actions that rules propose."""
    evidence: tuple[Evidence, ...] = ()
    """What the model's own looks gave, gaps included; claims may cite these."""
    dropped: tuple[Dropped, ...] = ()
    usage: Usage = field(default_factory=Usage)
    failure: Reason | None = None

    @property
    def sentence(self) -> str:
        """Why the model's part is missing or incomplete, for people; empty when it is whole."""
        return self.failure.sentence if self.failure else ""
