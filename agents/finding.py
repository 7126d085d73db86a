"""What a rule saw. A finding cannot be built without evidence. Pure."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from whenever import Instant

from approvals.action import Action
from tools.entity import Entity
from tools.evidence import Evidence
from tools.redaction import redact

CauseId = NewType("CauseId", str)
"""An id of the published catalogue of causes."""
FindingId = NewType("FindingId", str)


TOLD = 0.2
"""Strength from which on what series suggest is told; below it stays a hint for whoever must look further."""


class Role(StrEnum):
    """What a finding can be in an explanation."""

    CAUSE = "cause"
    SYMPTOM = "symptom"
    CONTEXT = "context"
    """Advice; never a root cause."""


class Severity(StrEnum):
    """How bad it is for whoever uses the entity; decided by the rule that saw it."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing, about one entity."""

    cause: CauseId
    entity: Entity
    role: Role
    severity: Severity
    summary: str
    """One sentence with the values that were seen; redacted, since it may repeat outside text."""
    evidence: tuple[Evidence, ...]
    direct: bool
    """Whether the evidence shows the mechanism itself, or the rule infers it."""
    first_seen: Instant | None = None
    """When it began, as far as the evidence tells."""
    last_seen: Instant | None = None
    title: str = ""
    """What it is called, where it is not of the published catalogue."""
    remedy: str = ""
    """What to do about this very case, with names filled in; empty = the catalogue's general advice."""
    strength: float | None = None
    """0..1, of what series alone suggest: how much of the trouble it accounts for, and how sure that it is no chance.
    Comparable within one scene; `None` for what rests on more than a number that moved."""
    actions: tuple[Action, ...] = ()
    """What would address it, with all arguments filled from what was seen; mostly one or none."""

    def __post_init__(self) -> None:
        if not self.evidence or any(evidence.is_gap for evidence in self.evidence):
            raise ValueError(
                f"finding {self.cause!r} about {self.entity} does not rest on evidence that says something"
            )
        object.__setattr__(self, "summary", redact(self.summary))
        object.__setattr__(self, "remedy", redact(self.remedy))

    @property
    def is_hint(self) -> bool:
        """Whether it is too faint to be told where anything else is known."""
        return self.strength is not None and self.strength < TOLD

    @property
    def id(self) -> FindingId:
        """The same cause seen at the same entity is the same finding, whoever saw it."""
        return FindingId("fi_" + hashlib.sha256(f"{self.cause}\x00{self.entity}".encode()).hexdigest()[:10])
