"""A strict journal in memory, or in a file where another process shall read it."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from approvals.credentials.errors import JournalFailed
from approvals.credentials.journal import Happening, Note, Outstanding

ENDS = {Happening.RETURNED}


class StrictJournal:
    """Takes what a correct broker writes; anything else is an error of the test."""

    def __init__(self, path: Path | None = None) -> None:
        self.notes: list[Note] = []
        self.broken: set[Happening] = set()
        """What cannot be written at present."""
        self.is_unreadable = False
        self._path = path

    async def noted(self, note: Note) -> None:
        if note.happening in self.broken:
            raise JournalFailed("the disk is full")
        assert note.references
        assert note.purpose
        assert note.owner
        if note.happening is Happening.LENT:
            assert note.lease_id
            assert note.lease_id not in {each.lease_id for each in self.notes}, "lent twice"
            assert note.expires_at is not None
        if note.happening in (Happening.RENEWED, Happening.RETURNED, Happening.UNRETURNED) and self._path is None:
            before = [each.happening for each in self.notes if each.lease_id == note.lease_id]
            assert before[:1] == [Happening.LENT] or note.happening is not Happening.RENEWED, "renewed, never lent"
            assert Happening.RETURNED not in before, "something after its end"
        self.notes.append(note)
        if self._path is not None:
            self._append(note)

    async def outstanding(self, owner: str) -> Sequence[Outstanding]:
        if self.is_unreadable:
            raise JournalFailed("the disk is gone")
        if self._path is not None:
            return self._read(owner)
        ended = {each.lease_id for each in self.notes if each.happening in ENDS}
        return [
            Outstanding(
                lease_id=each.lease_id,
                accessor=each.accessor,
                references=each.references,
                purpose=each.purpose,
                request_id=each.request_id,
            )
            for each in self.notes
            if each.happening is Happening.LENT and each.owner == owner and each.lease_id not in ended
        ]

    def happenings(self, lease_id: str | None = None) -> list[Happening]:
        return [each.happening for each in self.notes if lease_id is None or each.lease_id == lease_id]

    @property
    def text(self) -> str:
        """Everything that it holds."""
        return repr(self.notes)

    def _append(self, note: Note) -> None:
        assert self._path is not None
        line = json.dumps(
            [note.happening, note.owner, note.lease_id, note.accessor, list(note.references), note.purpose,
             note.request_id]
        )  # fmt: skip
        with self._path.open("a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, owner: str) -> list[Outstanding]:
        assert self._path is not None
        out: dict[str, Outstanding] = {}
        for line in self._path.read_text().splitlines():
            happening, whose, lease_id, accessor, references, purpose, request_id = json.loads(line)
            if happening == Happening.LENT and whose == owner:
                out[lease_id] = Outstanding(
                    lease_id=lease_id,
                    accessor=accessor,
                    references=tuple(references),
                    purpose=purpose,
                    request_id=request_id,
                )
            elif happening in ENDS:
                out.pop(lease_id, None)
        return list(out.values())
