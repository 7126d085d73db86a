"""The worlds that cases are about: the live one, one snapshot, or a folder of recorded worlds.

Among recorded worlds the alert's `cluster` label chooses; a question goes to the world whose things it names.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.alert import Alert
from agents.case import Case
from approvals.runners.overlay import overlaid
from bot.settings import Settings
from bot.wiring import open_world
from tools.snapshot.opening import DESCRIPTION, open_snapshot
from tools.world import World

_WORDS = re.compile(r"[a-z0-9][a-z0-9-]*[a-z0-9]")


class Worlds:
    """Worlds by cluster name; the empty name is the one that everything else is about."""

    def __init__(self, worlds: Mapping[str, World], *, recordings: Mapping[str, Path], overlay: Path) -> None:
        self._worlds = dict(worlds)
        self._recordings = recordings
        """The folder of each recorded world, by cluster name."""
        self._overlay = overlay
        self._opened: dict[str, Path] = {}
        self._names: dict[str, frozenset[str]] = {}

    async def refresh(self) -> None:
        """Reads anew the recorded worlds that an action changed since they were read.

        Raises:
            tools.snapshot.folder.SnapshotError: when one cannot be read at all.
        """
        for name, folder in self._recordings.items():
            current = await asyncio.to_thread(overlaid, folder, self._overlay)
            if self._opened.get(name) != current:
                self._worlds[name] = replace(await open_snapshot(current), name=folder.name)
                self._opened[name] = current
                # What was in trouble when it was recorded stays what people ask about.
                self._names.setdefault(name, await _names(name, self._worlds[name]))

    def of(self, case: Case) -> World:
        """The world that a case is about."""
        return self.about(case.question, case.alerts)

    def about(self, question: str, alerts: Sequence[Alert]) -> World:
        """The world of the first alert whose cluster is known, else the one whose things the question names most."""
        for alert in alerts:
            if world := self._worlds.get(alert.labels.get("cluster", "")):
                return world
        if only := self._worlds.get(""):
            return only
        words = frozenset(_WORDS.findall(question.lower()))
        return self._worlds[max(self._worlds, key=lambda name: len(words & self._names[name]))]


@contextlib.asynccontextmanager
async def open_worlds(settings: Settings) -> AsyncGenerator[Worlds]:
    """All worlds of the settings.

    Raises:
        tools.snapshot.folder.SnapshotError: when a snapshot cannot be read at all.
        bot.wiring.ConnectorError: when a connector's settings cannot be used.
    """
    folder, overlay = settings.snapshot, overlay_of(settings)
    if folder is not None:
        parts = await asyncio.to_thread(_parts, folder)
        recordings = {each.name: each for each in parts} if parts else {"": folder}
        worlds = Worlds({}, recordings=recordings, overlay=overlay)
        await worlds.refresh()
        yield worlds
        return
    async with open_world(settings) as world:
        yield Worlds({"": world}, recordings={}, overlay=overlay)


def overlay_of(settings: Settings) -> Path:
    """Where the changes of recorded worlds lie, for those who make them and those who read them."""
    return settings.data_dir.resolve() / "worlds"


def _parts(folder: Path) -> list[Path]:
    # A folder that is itself a snapshot has no parts.
    if not folder.is_dir() or (folder / DESCRIPTION).is_file():
        return []
    return [each for each in sorted(folder.iterdir()) if (each / DESCRIPTION).is_file()]


async def _names(cluster: str, world: World) -> frozenset[str]:
    # What was in trouble there is what people will ask about: the words of its alerts and its own name.
    alerts: Sequence[Mapping[str, Any]] = await world.alerts.active() if world.alerts else ()
    labels: list[Mapping[str, Any]] = [alert.get("labels", {}) for alert in alerts]
    texts = [cluster, *(str(value) for each in labels for value in each.values())]
    return frozenset(word for text in texts for word in _WORDS.findall(text.lower()))
