"""What one specialist brings back; the only thing that crosses from a specialist to the conclusion. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

from whenever import Instant

from agents.finding import CauseId, Finding
from tools.entity import Entity
from tools.evidence import Evidence, EvidenceId


@dataclass(frozen=True, slots=True)
class Edge:
    """One relation of the topology: trouble of `upstream` can show at `downstream`."""

    upstream: Entity
    """What is depended on: the callee, the owned pod, the node that is run on, the selected pod, the mounted claim."""
    downstream: Entity
    """What depends: the caller, the owner, the pod on that node, the Service, the pod that mounts."""
    relation: str
    """`calls`, `owns`, `runs-on`, `selects`, `mounts`, `routes-to`, `scales`, `copies`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of a timeline."""

    at: Instant
    entity: Entity
    what: str
    """Redacted."""
    evidence: EvidenceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A quote that code finds again in the stored evidence."""

    evidence: EvidenceId
    quote: str


class Stance(StrEnum):
    """What a claim does to the cause that it names."""

    FOR = "for"
    """It speaks for it, or of something else."""
    AGAINST = "against"
    """It refutes it."""
    FIRST = "first"
    """Of causes that rules cannot tell apart, this is the one to look at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the model says, after its citations were checked by code."""

    text: str
    citations: tuple[Citation, ...]
    cause: CauseId | None = None
    """A cause of the catalogue, when the claim is about one."""
    entity: Entity | None = None
    stance: Stance = Stance.FOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What the model's answers were good for, as far as code can count it."""

    cached: int = 0
    """Answers that had been given before to the very same request; they cost nothing."""
    claims: int = 0
    """Claims that the model made."""
    held: int = 0
    """Those of them of which code found a quote again."""
    refutations: int = 0
    """Causes of the rules that a claim spoke against, and that were lowered for it."""
    tie_breaks: int = 0
    """Causes that were put first among those that rules cannot tell apart."""

    def __add__(self, other: "Quality") -> "Quality":
        """Sums of both."""
        return Quality(
            cached=self.cached + other.cached,
            claims=self.claims + other.claims,
            held=self.held + other.held,
            refutations=self.refutations + other.refutations,
            tie_breaks=self.tie_breaks + other.tie_breaks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a piece of work cost, and what the model's part of it was good for."""

    seconds: float = 0.0
    tool_calls: int = 0
    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    quality: Quality = field(default_factory=Quality)

    def __add__(self, other: "Usage") -> "Usage":
        """Sums of both; seconds too, so add only what ran one after the other."""
        return Usage(
            seconds=self.seconds + other.seconds,
            tool_calls=self.tool_calls + other.tool_calls,
            model_calls=self.model_calls + other.model_calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=self.usd + other.usd,
            quality=self.quality + other.quality,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One specialist's work on one case."""

    specialist: str
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    """Every look, gaps included; findings cite these or narrower parts of them."""
    edges: frozenset[Edge] = frozenset()
    moments: tuple[Moment, ...] = ()
    claims: tuple[Claim, ...] = ()
    """The model's verified claims; empty without a model."""
    notes: tuple[str, ...] = ()
    """What people should know about the looks as a whole, in sentences."""
    failed_checks: tuple[str, ...] = ()
    """Checks that could not finish, in sentences; what they look for is unknown."""
    usage: Usage = Usage()
    failure: str = ""
    """Why the specialist could not finish, for people; empty when it did."""
    model_failure: str = ""
    """Why the model's part is missing, where a model was asked; the rules' part stands all the same."""
