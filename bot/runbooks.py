"""Runbooks for threads: the folders of the settings, read once and again when a file in them changes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.case import Case
from agents.diagnosis import Diagnosis
from bot.setting_groups import RunbookFolder
from tools.redaction import redact

if TYPE_CHECKING:
    from agents.runbooks.search import Index
    from tools.runbooks.folder import Folder, Shelf

LOOK_AGAIN_S = 60.0
"""Between two looks at whether a file has changed; nobody waits for an edit in a runbook while an incident runs."""
PATIENCE_S = 20.0
"""So long a conclusion waits for folders that are read for the first time: 5,000 runbooks take about half of it."""
BROKEN_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Opened:
    state: str
    index: "Index"
    unread: tuple[str, ...]


class Library:
    """All runbooks of this process."""

    def __init__(self, folders: Sequence[RunbookFolder]) -> None:
        self._folders = tuple(folders)
        self._opened: _Opened | None = None
        self._looked_at = 0.0
        self._reading: asyncio.Task[_Opened] | None = None

    def begin(self) -> None:
        """Starts to read now, so that the first conclusion need not wait for it; in a running loop."""
        if self._folders and self._reading is None:
            self._reading = asyncio.create_task(asyncio.to_thread(_read, _folders(self._folders), self._opened))

    async def beside(self, case: Case, diagnosis: Diagnosis) -> Diagnosis:
        """The diagnosis with the runbooks that fit; a folder that cannot be read is said, and costs nothing else."""
        if not self._folders:
            return diagnosis
        try:
            async with asyncio.timeout(PATIENCE_S):
                opened = await self._open()
        except TimeoutError:
            note = f"Runbooks were not looked at: they could not be read within {PATIENCE_S:g} s."
            return replace(diagnosis, notes=(*diagnosis.notes, note))
        except OSError as error:
            note = f"Runbooks were not looked at: {redact(str(error))}."
            return replace(diagnosis, notes=(*diagnosis.notes, note))
        # Here, for the search library is loaded only where there are runbooks.
        from agents.runbooks.fitting import fitting

        found = await asyncio.to_thread(fitting, case, diagnosis, opened.index)
        return replace(diagnosis, runbooks=found, notes=(*diagnosis.notes, *opened.unread))

    async def _open(self) -> _Opened:
        if self._opened is None or time.monotonic() - self._looked_at >= LOOK_AGAIN_S:
            self.begin()
        if self._reading is not None:
            # Shielded, for whoever stops waiting must not stop the reading, which the next one needs.
            reading = self._reading
            try:
                self._opened = await asyncio.shield(reading)
            finally:
                if reading.done() and self._reading is reading:
                    self._reading, self._looked_at = None, time.monotonic()
        assert self._opened is not None  # noqa: S101 - read just now, or before
        return self._opened


def shelf(folders: Sequence[RunbookFolder]) -> "Shelf":
    """What lies in the folders now; blocks while it is read."""
    from tools.runbooks.folder import read

    return read(_folders(folders))


def described(found: "Shelf") -> str:
    """What was read and what was left out, on one line for people."""
    said = f"{len(found.pages):,} runbooks"
    if not found.broken:
        return said
    named = ", ".join(f"{each.path} ({each.why})" for each in found.broken[:BROKEN_NAMED])
    more = len(found.broken) - BROKEN_NAMED
    return f"{said}; left out: {named}{f' and {more:,} more' if more > 0 else ''}"


def _folders(folders: Sequence[RunbookFolder]) -> "tuple[Folder, ...]":
    from tools.runbooks.folder import Folder

    return tuple(Folder(path=each.folder.expanduser(), base_url=each.url or "") for each in folders)


def _read(folders: "tuple[Folder, ...]", before: _Opened | None) -> _Opened:
    from agents.runbooks.search import Index, entry
    from tools.runbooks.folder import read, state

    now = state(folders)
    if before is not None and before.state == now:
        return before
    found = read(folders)
    index = Index([entry(page.runbook()) for page in found.pages])
    unread = tuple(redact(f"Runbooks in {each.path} could not be read: {each.why}.") for each in found.unread)
    return _Opened(now, index, unread)
