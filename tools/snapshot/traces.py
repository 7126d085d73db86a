"""The recorded traces: OTLP/JSON, as collectors write it to files."""

from collections.abc import Sequence

from tools.snapshot.folder import Folder
from tools.traces.spans import Span, spans
from tools.window import Window

AREA = "traces"
MOST_SPANS = 1_000_000
"""Some three hundred bytes each."""


class SnapshotTraces:
    """The recorded spans."""

    def __init__(self, found: Sequence[Span]) -> None:
        self._spans = found

    async def spans(self, window: Window) -> Sequence[Span]:
        """Recorded spans that began in the window."""
        start, end = window.start.timestamp(), window.end.timestamp()
        return [each for each in self._spans if start <= each.at <= end]


def read(folder: Folder, default_namespace: str) -> SnapshotTraces | None:
    """Reads every export of the area; one object a line is read as well as one object a file."""
    if not folder.holds(AREA):
        return None
    found: list[Span] = []
    for path in folder.files(AREA, AREA, (".json", ".json.gz", ".jsonl", ".jsonl.gz")):
        before = len(found)
        for document in folder.documents(path, AREA):
            found.extend(spans(document, default_namespace))
        if len(found) == before:
            folder.gaps.add(AREA, f"{folder.said(path)}: holds no span of a named service in the form of OTLP/JSON")
        if len(found) > MOST_SPANS:
            folder.gaps.add(AREA, f"{folder.said(path)}: {MOST_SPANS:,} spans were read, no more are")
            break
    return SnapshotTraces(found[:MOST_SPANS])
