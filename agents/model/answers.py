"""What is asked of the model and what comes back, on our side. Pure."""

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
    hypotheses: tuple[Hypothesis, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    """What was seen so far; what findings cite belongs to it by itself."""
    causes: frozenset[CauseId] = frozenset()
    """Causes that a claim may name."""

    @property
    def all_evidence(self) -> tuple[Evidence, ...]:
        """Each once, what findings cite first."""
        cited = [each for finding in self.findings for each in finding.evidence]
        return tuple({each.id: each for each in (*cited, *self.evidence)}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model found out.

    Without claims, `failure` says why; with claims, it may say what ended the work early.
    """

    claims: tuple[Claim, ...] = ()
    """Each with citations that code found again."""
    evidence: tuple[Evidence, ...] = ()
    """What the model's own looks gave, gaps included; claims may cite these."""
    dropped: tuple[Dropped, ...] = ()
    usage: Usage = field(default_factory=Usage)
    failure: Reason | None = None

    @property
    def sentence(self) -> str:
        """Why the model's part is missing or incomplete, for people; empty when it is whole."""
        return self.failure.sentence if self.failure else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The model's words about a diagnosis, which it cannot change."""

    claims: tuple[Claim, ...] = ()
    """Verdict first."""
    proposals: tuple[Claim, ...] = ()
    """Further causes that the model thinks possible; no rule stands behind them."""
    choices: tuple[Choice, ...] = ()
    """Among the actions that rules propose."""
    dropped: tuple[Dropped, ...] = ()
    usage: Usage = field(default_factory=Usage)
    failure: Reason | None = None

    @property
    def sentence(self) -> str:
        """Why there is no explanation, for people; empty when there is one."""
        return self.failure.sentence if self.failure else ""
