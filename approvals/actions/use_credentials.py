"""Read with credentials."""

from pydantic import Field

from approvals.action import ActionArgs, ActionKind, ActionName, Effect
from tools.entity import Entity

INVESTIGATION = "investigation"
"""The kind of the target: one session."""


class UseCredentials(ActionArgs):
    """Which credentials, for how long."""

    references: tuple[str, ...] = Field(min_length=1, max_length=20)
    """Where each value is kept, such as `vault:database/creds/ro#password`; never a value."""
    minutes: int = Field(ge=1, le=60)


def _sentence(target: Entity, args: UseCredentials) -> str:
    return f"Let the investigation {target.name} read with {', '.join(args.references)} for {args.minutes} minutes."


use_credentials = ActionKind(
    name=ActionName("use-credentials"),
    title="Read with credentials",
    meaning="Fetches the named credentials and hands them to the tools that need them, for this investigation alone. "
    "Changes nothing; no value is shown to anyone; they are given back at the end.",
    effect=Effect.READ,
    args=UseCredentials,
    targets=frozenset({INVESTIGATION}),
    runner="",
    sentence=_sentence,
)


def for_session(session_id: str) -> Entity:
    """The target that stands for an investigation."""
    return Entity.of(INVESTIGATION, None, session_id)
