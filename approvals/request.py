"""One request for approval: the actions, why, under which terms; and the digest that binds them. Pure.

What is executed is what was approved: the digest covers everything that decides what happens, and is computed again
from the stored request before anything runs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NewType

from whenever import Instant

from approvals.action import Action, Effect, kinds, read
from approvals.ballot import Principal, Terms
from approvals.canonical import digest
from approvals.plan import Plan
from tools.entity import Entity
from tools.redaction import Redacted, redact

RequestId = NewType("RequestId", str)
"""At least 128 random bits; all that a button carries."""

DIGEST = "locum.request.v1"
ID_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """One item of evidence that a request rests on."""

    id: str
    tool: str
    query: str
    excerpt: Redacted
    is_measured: bool
    """A metric or a status that the system itself writes; outsiders cannot put words there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A finding that led to the request, to be looked for again afterwards."""

    cause: str
    entity: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody would like to be done; nobody was asked yet."""

    actions: tuple[Action, ...]
    """In order; mostly one. A batch is decided as a whole or narrowed."""
    title: str
    """The cause in a few words, by rules."""
    reason: str
    """Why, in one or two sentences, by rules."""
    proposed_by: str
    """`rules`, `model` or a principal."""
    prompted_by: str = ""
    """The Slack user or principal whose question led to it; empty when an alert did."""
    evidence: tuple[Cited, ...]
    watched: tuple[Watched, ...] = ()
    prose: Redacted = Redacted("")
    """The model's own words about it, always shown apart and labelled."""
    rests_on_alert: bool = True
    """Whether it is cancelled when the alert resolves."""
    is_way_back: bool = False
    purposes: Mapping[str, str] = field(default_factory=dict[str, str])
    """For credentials: what each reference is wanted for."""

    def __post_init__(self) -> None:
        if not self.actions:
            raise ValueError("a proposal without an action")
        if self.effect is Effect.WRITE and not self.is_way_back and not any(each.is_measured for each in self.evidence):
            raise ValueError("a change is proposed on nothing but words that an outsider may have written")

    @property
    def effect(self) -> Effect:
        """Whether any of the actions writes."""
        writes = any(kinds()[action.name].effect is Effect.WRITE for action in self.actions)
        return Effect.WRITE if writes else Effect.READ

    def merge_key(self, incident_id: str) -> str:
        """Equal for proposals of the same actions in one incident: one open request stands for all of them."""
        actions = [action.to_json() for action in self.actions]
        return digest("locum.proposal.v1", {"incident": incident_id, "actions": actions})

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it until it is a request, and in the request."""
        return {
            "actions": [action.to_json() for action in self.actions],
            "title": self.title,
            "reason": self.reason,
            "proposed_by": self.proposed_by,
            "prompted_by": self.prompted_by,
            "evidence": [asdict(each) for each in self.evidence],
            "watched": [{"cause": each.cause, "entity": str(each.entity)} for each in self.watched],
            "prose": self.prose,
            "rests_on_alert": self.rests_on_alert,
            "is_way_back": self.is_way_back,
            "purposes": dict(self.purposes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """What people are asked, complete; stored before anyone sees it."""

    id: RequestId
    incident_id: str
    session_id: str
    environment: str
    proposal: Proposal
    items: tuple[Plan, ...]
    """One plan for each action of the proposal, in its order."""
    terms: Terms
    credential: str = ""
    """Reference of the credential that the runner fetches after approval; empty = its own identity."""
    timeout_s: int
    """How long the execution of one item may take."""
    created_at: Instant

    def __post_init__(self) -> None:
        if tuple(item.action for item in self.items) != self.proposal.actions:
            raise ValueError("the plans are not those of the proposed actions")

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides what happens, hex."""
        return digest(
            DIGEST,
            {
                "id": self.id,
                "environment": self.environment,
                "items": [
                    {"action": item.action.to_json(), "fingerprint": dict(item.fingerprint)} for item in self.items
                ],
                "credential": self.credential,
                "timeout_s": self.timeout_s,
                "quorum": self.terms.quorum,
                "groups": sorted(self.terms.groups),
                "barred": sorted(self.terms.barred),
                "policy_version": self.terms.policy_version,
                "expires_at": str(self.terms.expires_at),
            },
        )

    def key(self, item: int) -> str:
        """The idempotency key of one item's execution."""
        return f"{self.id}-{item}"

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it and `locum approvals show` prints it."""
        terms = self.terms
        return {
            "id": self.id,
            "incident_id": self.incident_id,
            "session_id": self.session_id,
            "environment": self.environment,
            "proposal": self.proposal.to_json(),
            "items": [plan_to_json(item) for item in self.items],
            "terms": {
                "risk": terms.risk,
                "quorum": terms.quorum,
                "groups": sorted(terms.groups),
                "barred": sorted(terms.barred),
                "policy_version": terms.policy_version,
                "expires_at": str(terms.expires_at),
            },
            "credential": self.credential,
            "timeout_s": self.timeout_s,
            "created_at": str(self.created_at),
        }


def from_json(data: Mapping[str, Any]) -> ApprovalRequest:
    """The request that `ApprovalRequest.to_json` wrote.

    Raises:
        approvals.action.ActionError: when an action in it is none (any more).
        KeyError, ValueError: when it was not written by `to_json`.
    """
    terms = data["terms"]
    return ApprovalRequest(
        id=RequestId(data["id"]),
        incident_id=data["incident_id"],
        session_id=data["session_id"],
        environment=data["environment"],
        proposal=proposal_from_json(data["proposal"]),
        items=tuple(plan_from_json(each) for each in data["items"]),
        terms=Terms(
            risk=terms["risk"],
            quorum=terms["quorum"],
            groups=frozenset(terms["groups"]),
            barred=frozenset(Principal(each) for each in terms["barred"]),
            policy_version=terms["policy_version"],
            expires_at=Instant.parse_iso(terms["expires_at"]),
        ),
        credential=data["credential"],
        timeout_s=data["timeout_s"],
        created_at=Instant.parse_iso(data["created_at"]),
    )


def proposal_from_json(data: Mapping[str, Any]) -> Proposal:
    """The proposal that `Proposal.to_json` wrote; raises as `from_json` does."""
    return Proposal(
        actions=tuple(read(each) for each in data["actions"]),
        title=data["title"],
        reason=data["reason"],
        proposed_by=data["proposed_by"],
        prompted_by=data["prompted_by"],
        evidence=tuple(
            Cited(
                id=each["id"],
                tool=each["tool"],
                query=each["query"],
                excerpt=redact(each["excerpt"]),
                is_measured=each["is_measured"],
            )
            for each in data["evidence"]
        ),
        watched=tuple(Watched(cause=each["cause"], entity=Entity.parse(each["entity"])) for each in data["watched"]),
        prose=redact(data["prose"]),
        rests_on_alert=data["rests_on_alert"],
        is_way_back=data["is_way_back"],
        purposes=data["purposes"],
    )


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """A plan in plain JSON values."""
    return {
        "action": plan.action.to_json(),
        "fingerprint": dict(plan.fingerprint),
        "diff": plan.diff,
        "blast_radius": plan.blast_radius,
        "dry_run": plan.dry_run,
        "undo": plan.undo.to_json() if plan.undo else None,
    }


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """The plan that `plan_to_json` wrote; raises as `from_json` does."""
    return Plan(
        action=read(data["action"]),
        fingerprint=dict(data["fingerprint"]),
        diff=redact(data["diff"]),
        blast_radius=redact(data["blast_radius"]),
        dry_run=data["dry_run"],
        undo=read(data["undo"]) if data["undo"] else None,
    )
