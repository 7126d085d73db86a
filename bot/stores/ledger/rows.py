"""What the ledger keeps beside the audit: requests, intents, votes, freezes, leases. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from whenever import Instant

from approvals.ballot import EDGES, State

PROPOSED = "proposed"
"""A request whose plan is still being made; its body and digest may change until it is shown to people."""
REFUSED = "refused"
"""Policy said no; nobody was asked."""

_ENDED_EARLY = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED, State.FAILED})

NEXT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        PROPOSED: frozenset({REFUSED, State.PENDING}) | _ENDED_EARLY,
        REFUSED: frozenset[str](),
        **{str(state): frozenset[str](after) for state, after in EDGES.items()},
    }
)
"""The only ways from one state to another, enforced by the database too."""

FIRST = frozenset({PROPOSED, REFUSED, str(State.PENDING)})
"""The states in which a request may be opened."""

TERMINAL = frozenset(state for state, after in NEXT.items() if not after)
RUNNABLE = frozenset({str(State.APPROVED), str(State.EXECUTING)})
"""The states in which an execution may be claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One request for approval as the ledger keeps it."""

    id: str
    merge_key: str
    """Equal for requests of the same actions: at most one of them is open."""
    incident_id: str
    session_id: str
    requester: str
    """Whose rate limit it counts against."""
    state: str
    """One of `NEXT`."""
    body: bytes
    """Canonical JSON of the request."""
    digest: str
    created_at: Instant
    updated_at: Instant
    version: int = 1
    """Goes up by one with every change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """That somebody was about to execute a request; there is at most one for each, for ever."""

    request_id: str
    digest: str
    owner: str
    claimed_at: Instant
    outcome: str | None = None
    """`None`: it runs, or nobody lived to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRow:
    """One click that was counted."""

    request_id: str
    vote_key: str
    """The same for every delivery of the same click."""
    principal: str
    choice: str
    body: bytes
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """That nothing may be executed in an environment for now."""

    scope: str
    """An environment, or `*` for all."""
    by: str
    reason: str
    since: Instant
    until: Instant | None = None
    """`None`: until somebody ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A credential that was handed out; never its value."""

    lease_id: str
    accessor: str
    """With which it can be revoked; empty where the lease id does."""
    reference: str
    purpose: str
    request_id: str | None
    owner: str
    """The process that holds it, so that the next one of that name can clean up after it."""
    at: Instant
    outcome: str | None = None
    """`None`: it is still out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a live value of an incident can be recognised by, without being the value; opaque to the ledger."""

    incident_id: str
    reference: str
    fingerprint: bytes
