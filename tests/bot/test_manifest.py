"""The manifest asks for what the code uses, and for nothing else."""

from pathlib import Path
from typing import Any

import yaml

from bot.slack.calls import Method
from bot.slack.cards import lines
from bot.slack.checking import SCOPES
from bot.workspace.methods import load

MANIFEST: dict[str, Any] = yaml.safe_load(Path("docs/slack-manifest.yaml").read_text())
EVENTS = {"app_mention": "app_mentions:read"} | {
    f"message.{kind}": f"{kind}:history" for kind in ("channels", "groups", "im")
}
AGENT = "assistant:write"
"""For the agent view; no method that we call."""
EMAIL = "users:read.email"
"""For what `users.info` says about an account: who approves is known by their address."""


def test_the_manifest_asks_for_the_scopes_of_our_methods_and_events_and_no_others() -> None:
    methods = load()
    needed = (
        {scope for name in Method for scope in methods[name].scopes} | set(EVENTS.values()) | {AGENT, EMAIL, "commands"}
    )
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == needed == SCOPES


def test_the_manifest_subscribes_to_the_events_that_the_code_listens_to() -> None:
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == set(EVENTS)


def test_the_manifest_has_our_command_and_reserves_nothing_that_is_not_there() -> None:
    (command,) = MANIFEST["features"]["slash_commands"]
    assert command["command"] == "/diagnose"
    assert command["command"] in lines.USAGE
    assert "shortcuts" not in MANIFEST["features"]


def test_the_manifest_lets_buttons_and_modals_reach_the_listeners() -> None:
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
