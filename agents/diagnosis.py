"""Ranked causes with support and contradiction; "not known" is a good answer. Pure: no clock, no store, no Slack."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agents.case import SessionId
from agents.finding import CauseId, Finding, FindingId
from agents.health import HealthState, Verdict
from agents.report import Claim, Moment, Usage
from agents.routing import Routing
from agents.runbooks.suggestion import Suggestion
from approvals.action import Action
from tools.entity import Entity
from tools.evidence import Evidence, EvidenceId

_SENTENCES = re.compile(r"(?<=[.!?])\s+")


class Confidence(StrEnum):
    """How sure, by rules: direct and complete evidence confirms, partial makes likely, the rest is inconclusive."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    INCONCLUSIVE = "inconclusive"


class Mode(StrEnum):
    """Who wrote the words. What is decided is decided by rules in both."""

    RULES = "rules"
    MODEL = "model"


RULES = "rules"
MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remediation:
    """A proposal for people. Nothing here can run."""

    summary: str
    action: Action | None = None
    """What rules would have done, with all arguments; `None` where the evidence does not determine them."""
    proposed_by: str = RULES
    """`model` where it chose other numbers for an action of the rules."""
    is_chosen: bool = False
    """Whether the model would take this one first; people are asked for it before the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One possible root cause."""

    cause: CauseId
    entity: Entity
    title: str
    confidence: Confidence
    score: float
    """0..1, comparable within one diagnosis only."""
    evidence: tuple[EvidenceId, ...]
    contradicted_by: tuple[EvidenceId, ...] = ()
    doubts: tuple[str, ...] = ()
    """Why the model refutes it, in its words; what `contradicted_by` names bears them out."""
    explains: tuple[FindingId, ...] = ()
    remediations: tuple[Remediation, ...] = ()

    def __post_init__(self) -> None:
        if not self.evidence:
            raise ValueError(f"hypothesis {self.cause!r} about {self.entity} rests on no evidence")
        if self.contradicted_by and self.confidence is Confidence.CONFIRMED:
            raise ValueError(f"hypothesis {self.cause!r} about {self.entity} is contradicted, hence not confirmed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The whole answer to one case."""

    session_id: SessionId
    question: str
    verdict: Verdict
    mode: Mode
    routing: Routing
    hypotheses: tuple[Hypothesis, ...]
    """Best first."""
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    """What the above cites, then every gap; each id once."""
    timeline: tuple[Moment, ...]
    """Oldest first."""
    summary: str
    """Verdict first, in a few sentences."""
    claims: tuple[Claim, ...] = ()
    """The sentences of the summary that the model wrote, each with its citations."""
    notes: tuple[str, ...] = ()
    """What could not be checked, which specialist failed, why there is no model's word: for people."""
    runbooks: tuple[Suggestion, ...] = ()
    """Own runbooks that fit, best first; empty where none fits well, or none is configured."""
    usage: Usage

    @property
    def state(self) -> HealthState:
        """The health state that the verdict speaks of."""
        return self.verdict.state

    @property
    def opening(self) -> str:
        """The summary's first sentence."""
        return _SENTENCES.split(self.summary.strip(), maxsplit=1)[0]

    @property
    def headline(self) -> str:
        """The opening without the verdict's own word, which is shown apart."""
        word, _, rest = self.opening.partition(": ")
        return rest if rest and word.lower() == self.verdict else self.opening

    @property
    def elaboration(self) -> str:
        """What the summary says after its first sentence."""
        return "".join(_SENTENCES.split(self.summary.strip(), maxsplit=1)[1:])

    @property
    def gaps(self) -> tuple[Evidence, ...]:
        """Looks that gave no answer; what they would have shown is unknown."""
        return tuple(evidence for evidence in self.evidence if evidence.is_gap)

    def to_json(self) -> dict[str, Any]:
        """The published object of `locum diagnose --format json`."""
        return {
            "session_id": self.session_id,
            "verdict": str(self.verdict),
            "state": str(self.state),
            "question": self.question,
            "mode": str(self.mode),
            "routing": self.routing.to_json(),
            "hypotheses": [_hypothesis(rank, each) for rank, each in enumerate(self.hypotheses, 1)],
            "findings": [_finding(each) for each in self.findings],
            "evidence": [_evidence(each) for each in self.evidence],
            "timeline": [
                {"at": str(each.at), "entity": str(each.entity), "what": each.what, "evidence": each.evidence}
                for each in self.timeline
            ],
            "summary": self.summary,
            # Only where there are any: without folders of one's own there is nothing to say.
            **({"runbooks": [_runbook(each) for each in self.runbooks]} if self.runbooks else {}),
            "usage": _usage(self.usage),
        }


def _hypothesis(rank: int, hypothesis: Hypothesis) -> dict[str, Any]:
    return {
        "rank": rank,
        "cause": hypothesis.cause,
        "entity": str(hypothesis.entity),
        "title": hypothesis.title,
        "confidence": str(hypothesis.confidence),
        "score": round(hypothesis.score, 3),
        "evidence": list(hypothesis.evidence),
        "contradicted_by": list(hypothesis.contradicted_by),
        "explains": list(hypothesis.explains),
        "remediations": [
            {"summary": each.summary, "action": each.action.to_json() if each.action else None}
            for each in hypothesis.remediations
        ],
    }


def _usage(usage: Usage) -> dict[str, Any]:
    spent: dict[str, Any] = {
        "seconds": round(usage.seconds, 3),
        "tool_calls": usage.tool_calls,
        "model_calls": usage.model_calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "usd": round(usage.usd, 6),
    }
    if not (usage.model_calls or usage.quality.cached):
        return spent
    quality = usage.quality
    answers = {
        "cached": quality.cached,
        "claims": quality.claims,
        "claims_held": quality.held,
        "refutations": quality.refutations,
        "tie_breaks": quality.tie_breaks,
    }
    return {**spent, "answers": answers}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "cause": finding.cause,
        "entity": str(finding.entity),
        "severity": str(finding.severity),
        "summary": finding.summary,
        "evidence": [each.id for each in finding.evidence],
    }


def _runbook(runbook: Suggestion) -> dict[str, Any]:
    shown = {"id": runbook.id, "title": runbook.title, "score": runbook.score, "why": runbook.why}
    return {**shown, "url": runbook.url} if runbook.url else shown


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "id": evidence.id,
        "tool": evidence.tool,
        "query": evidence.query,
        "window": str(evidence.window) if evidence.window else None,
        "outcome": str(evidence.outcome),
        "excerpt": evidence.why if evidence.is_gap else evidence.excerpt,
    }
