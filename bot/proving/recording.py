"""Keeps a copy of what leaves the process and is nowhere else afterwards: requests to the model, logs, traces.

Off unless the settings name a folder. What is kept is what went out, redacted; the files are for their owner alone.
"""

import contextlib
import json
import logging
import os
from collections.abc import Generator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from whenever import Instant

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

FILE_BYTES = 64 << 20
KEPT_FILES = 8
"""Of each kind and process; the oldest goes, and what was told in it is then said not to be recorded."""


class Kind(StrEnum):
    """What is recorded."""

    MODEL = "model"
    LOGS = "logs"
    TRACES = "traces"


class Recorder:
    """The files of one process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._open: dict[Kind, IO[str]] = {}
        self._written: dict[Kind, int] = {}
        # Also of what is never told: that nothing was said is known only where somebody listened.
        for kind in Kind:
            self._begin(kind)

    def model(self, body: Mapping[str, Any]) -> None:
        """A request to the model, as it is sent."""
        self._write(Kind.MODEL, json.dumps(body, ensure_ascii=False, default=str))

    def log(self, line: str) -> None:
        """A line of the logs."""
        self._write(Kind.LOGS, line)

    def span(self, span: str) -> None:
        """A span, as JSON."""
        self._write(Kind.TRACES, span)

    def close(self) -> None:
        """Ends the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _write(self, kind: Kind, text: str) -> None:
        if kind not in self._open:
            return
        line = " ".join(text.splitlines()) + "\n"
        if self._written[kind] + len(line) > FILE_BYTES:
            self._begin(kind)
        self._open[kind].write(line)
        self._written[kind] += len(line)

    def _begin(self, kind: Kind) -> None:
        if kind in self._open:
            self._open[kind].close()
        own = sorted(self._folder.glob(f"{kind}-*-{os.getpid()}.log"))
        for old in own[: max(0, len(own) - KEPT_FILES + 1)]:
            old.unlink(missing_ok=True)
        since = Instant.now()
        path = self._folder / f"{kind}-{since.timestamp(unit='nanosecond')}-{os.getpid()}.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._open[kind] = os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace", buffering=1)
        header = json.dumps({"recorded": kind, "since": str(since)}) + "\n"
        self._open[kind].write(header)
        self._written[kind] = len(header)


class LogHandler(logging.Handler):
    """Writes what the other handler writes."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._recorder.log(self.format(record))


def exporter(recorder: Recorder) -> "SpanExporter":
    """Takes the spans that the other exporter takes."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Exporter(SpanExporter):
        def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
            for span in spans:
                recorder.span(span.to_json(indent=None))  # pyright: ignore[reportArgumentType]
            return SpanExportResult.SUCCESS

    return Exporter()


@contextlib.contextmanager
def recording(folder: Path | None) -> Generator[Recorder | None]:
    """A recorder for this process, where a folder is named."""
    if folder is None:
        yield None
        return
    recorder = Recorder(folder.expanduser())
    try:
        yield recorder
    finally:
        recorder.close()


def recorded(folder: Path, kind: Kind, since: Instant) -> list[Path] | None:
    """The files in which something from `since` on may stand; `None` when recording began later, or never did."""
    files = sorted(folder.expanduser().glob(f"{kind}-*-*.log"))
    began = [_since(file) for file in files]
    if not began or min(began) > since:
        return None
    return [file for file in files if file.stat().st_mtime >= since.timestamp() - 1]


def _since(file: Path) -> Instant:
    return Instant.from_timestamp(int(file.name.split("-")[1]), unit="nanosecond")
