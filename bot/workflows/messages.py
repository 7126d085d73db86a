"""What goes through Temporal's histories: ids and numbers. Payloads, words of people and secrets stay in the store."""

from dataclasses import dataclass

TASK_QUEUE = "investigations"
PROPOSALS_QUEUE = "proposals"
"""Polled by the gateway: where investigations ask for something that people decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How an incident's workflow begins, or goes on in a new run."""

    incident_id: str
    quiet_s: float
    """It closes this long after its last news, when nothing fires."""
    firing_quiet_s: float = 86_400.0
    """The same while something fires: sources repeat what fires, so such long silence means that the source is gone."""
    long_history: int = 2_000
    """Events after which a quiet moment is used to go on in a new run. Carried, for a history must be replayed by the
    limit that it was made with."""
    has_approvals: bool = False
    """Whether anybody could approve something: without a policy nothing is proposed."""
    is_open: bool = False
    """Goes on: the thread is there."""
    firing: int = 0
    queue: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    investigated: bool = False
    rechecked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One activity's subject."""

    incident_id: str
    session_id: str = ""
    specialist: str = ""
    reason: str = ""
    """A short word of ours, never outside text."""
    grant: str = ""
    """The request whose approval lets the session read with credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How an incident stands."""

    firing: int
    """0 also when a person said that it is over."""
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """Credentials that an investigation would read with."""

    incident_id: str
    session_id: str
    purposes: tuple[tuple[str, str], ...] = ()
    """(reference, what for); empty = none are needed."""
    minutes: int = 15
    """How long they would be used at most."""
    wait: float = 5.0
    """Minutes that the investigation waits for a decision."""
