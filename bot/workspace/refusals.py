"""How the workspace says no, and which rules of Slack the app broke."""

from dataclasses import dataclass, field
from typing import Any

from whenever import Instant

WORLD = frozenset(
    {
        "account_inactive",
        "already_reacted",
        "channel_not_found",
        "hash_conflict",
        "is_archived",
        "message_not_found",
        "message_not_in_streaming_state",
        "no_reaction",
        "not_in_channel",
        "ratelimited",
        "stopped_by_user",
        "thread_not_found",
        "token_revoked",
        "user_not_found",
        "user_not_in_channel",
        "users_not_found",
    }
)
"""Answers that a correct app may get, because the world changed under it; every other refusal is a broken rule."""


class Refused(Exception):
    """The answer `{"ok": false, "error": code}`.

    Args:
        code: Slack's word for it.
        details: What the answer says besides, such as `needed` and `provided`.
        problems: In words, for `violations` and `response_metadata.messages`.
    """

    def __init__(self, code: str, *, problems: list[str] | None = None, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.problems = problems or []
        self.details = details


class NotPossible(Exception):
    """A person cannot do this in Slack now: the button is gone, the channel is not theirs, the field is required."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One rule of Slack that the app broke."""

    at: Instant
    where: str
    """The method, event or URL."""
    rule: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}"


@dataclass(slots=True)
class Violations:
    """Every rule broken so far."""

    found: list[Violation] = field(default_factory=list[Violation])

    def add(self, at: Instant, where: str, rule: str) -> None:
        self.found.append(Violation(at=at, where=where, rule=rule))
