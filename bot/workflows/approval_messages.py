"""What goes through the histories of approvals: ids, votes, states. What is to be done stays in the ledger."""

from dataclasses import dataclass

APPROVALS_QUEUE = "approvals"
"""Polled by the gateway alone: whoever polls it decides."""
ACTIONS_QUEUE = "actions"
"""Polled by the runner alone: the only holder of write credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """How a request's workflow begins."""

    request_id: str
    incident_id: str
    has_runner: bool
    """Whether a runner prepares and carries it out; else the approval is a grant that lasts until it is released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The request as it was shown to people, as far as the votes need it."""

    refused: str = ""
    """Why nobody was asked; everything else is empty then."""
    digest: str = ""
    quorum: int = 1
    groups: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    risk: str = ""
    policy_version: str = ""
    expires_at: str = ""
    items: int = 1
    timeout_s: int = 0
    """For all items together; of a grant, how long it lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """One click."""

    account: str
    via: str
    choice: str
    key: str
    reason: str = ""
    """Redacted before it came here."""
    only: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the clicker is told."""

    counted: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whom to ask about."""

    request_id: str
    account: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody as they are known right now."""

    principal: str = ""
    groups: tuple[str, ...] = ()
    known_at: str = ""
    stranger: str = ""
    """Why this account decides nothing; empty for a principal."""
    hindrance: str = ""
    """Why nothing may be approved at present, whoever it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """What is to be looked at once more before anything runs."""

    request_id: str
    digest: str
    voters: tuple[Who, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """What it gave."""

    hindrance: str = ""
    voters: tuple[Known, ...] = ()
    """In the order of the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One entry for the audit, with the state that the request is in from then on."""

    request_id: str
    kind: str
    at: str
    actor: str
    state: str = ""
    """Empty: it stays."""
    why: str = ""
    click: Cast | None = None
    reply: Reply | None = None
    principal: str = ""
    helped: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the runner shall do."""

    request_id: str
    digest: str
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How it ended; what was answered stands in the ledger."""

    outcome: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A request's news for the incident that it belongs to."""

    request_id: str
    incident_id: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """What to look for again after an execution."""

    request_id: str
    session_id: str
    since: str
    """When it was done."""
    watched: tuple[tuple[str, str], ...]
    """(cause, entity) of each finding that led to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen."""

    helped: bool | None
    """`None`: it could not be seen."""
    said: str
    """Redacted."""
