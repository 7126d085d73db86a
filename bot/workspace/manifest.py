"""What the app in the workspace asked for: its scopes, events, commands and shortcuts."""

from dataclasses import dataclass

SCOPES = frozenset(
    {
        "app_mentions:read", "assistant:write", "channels:history", "channels:read", "chat:write", "commands",
        "files:write", "groups:history", "groups:read", "im:history", "im:read", "im:write", "reactions:write",
        "usergroups:read", "users:read", "users:read.email",
    }
)  # fmt: skip

EVENTS = frozenset(
    {
        "agent_session_stopped", "app_home_opened", "app_mention",
        "message.channels", "message.groups", "message.im",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The app's manifest, as far as the platform acts on it."""

    name: str = "Locum"
    scopes: frozenset[str] = SCOPES
    events: frozenset[str] = EVENTS
    commands: tuple[str, ...] = ("/diagnose",)
    shortcuts: tuple[tuple[str, str], ...] = (("diagnose_message", "Diagnose this"),)
    """Message shortcuts: callback id and name."""
