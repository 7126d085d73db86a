"""A workspace for every test here, in which the app has what its own manifest asks for and no more."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.workspace.manifest import Manifest
from bot.workspace.server import Workspace, serve

ASKED: dict[str, Any] = yaml.safe_load(Path("docs/slack-manifest.yaml").read_text())


@pytest.fixture
async def workspace() -> AsyncGenerator[Workspace]:
    manifest = Manifest(
        scopes=frozenset(ASKED["oauth_config"]["scopes"]["bot"]),
        events=frozenset(ASKED["settings"]["event_subscriptions"]["bot_events"]),
        shortcuts=(),
    )
    async with serve(manifest=manifest) as running:
        yield running
        assert running.violations == []
