"""The recorded logs: found by name, read from their end, never whole.

Two layouts: `logs/<namespace>/<pod>/<container>.log`, and the `<namespace>/<pod>/logs.txt` of `kubectl cluster-info
dump`, where the containers of a pod follow each other between marks.
"""

import asyncio
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whenever import Instant, TimeDelta

from tools.errors import ToolNoSource, ToolRetry, ToolUnavailable
from tools.snapshot.folder import Folder
from tools.snapshot.times import moment_of_line
from tools.window import Window

AREA = "logs"
MAX_BYTES = 2 * 2**20
"""Bytes that are read of one log: from its end, or from the end of the window asked for, backwards."""
MAX_TOTAL_BYTES = 128 * 2**20
"""Bytes that one question over many logs may read."""

CAPTURE = TimeDelta(minutes=5)
"""How long a recording may take: it is stamped when it begins, and logs that are read later hold later lines."""
_FAILURES = (b"Request log error: ", b"Create log request error: ")
_START, _END = b"==== START logs for container ", b"==== END logs for container "


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The part of a file that is one container's log."""

    path: Path
    start: int
    end: int
    failure: str = ""
    """What `kubectl` wrote in place of the log when it could not read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pod:
    current: Mapping[str, Stretch]
    previous: Mapping[str, Stretch]


class LogFiles:
    """Which logs there are; none of them is read before it is asked for."""

    def __init__(self, folder: Folder, *, dump: str | None) -> None:
        self._folder = folder
        pods: dict[tuple[str, str], list[Path]] = {}
        # `dump` is the folder that may have the layout of a dump.
        layouts = [(AREA, ".log")] if dump is None else [(AREA, ".log"), (dump, "logs.txt")]
        for below, suffix in layouts:
            for path in folder.files(below, AREA, (suffix,)):
                parts = path.relative_to(folder.root / below).parts
                if len(parts) == 3:
                    pods.setdefault((parts[0], parts[1]), []).append(path)
        self.pods: Mapping[tuple[str, str], Sequence[Path]] = pods
        """The files of each pod, by namespace and name."""

    def of(self, namespace: str, pod: str) -> _Pod:
        """The logs of one pod by container."""
        current: dict[str, Stretch] = {}
        previous: dict[str, Stretch] = {}
        for path in self.pods.get((namespace, pod), ()):
            if path.name == "logs.txt":
                current |= _sections(path)
            else:
                whole = Stretch(path=path, start=0, end=path.stat().st_size)
                name = path.name.removesuffix(".log")
                (previous if name.endswith(".previous") else current)[name.removesuffix(".previous")] = whole
        return _Pod(current=current, previous=previous)

    async def tail(self, namespace: str, pod: str, container: str | None, *, previous: bool, lines: int) -> str:
        """The newest lines of one log; empty when the logs were captured and hold nothing of it.

        Raises:
            ToolNoSource: when logs, or the whole of them, were not captured.
            ToolRetry: when the pod has several containers and none is named.
        """
        return await asyncio.to_thread(self._tail, namespace, pod, container, previous=previous, lines=lines)

    def _tail(self, namespace: str, pod: str, container: str | None, *, previous: bool, lines: int) -> str:
        try:
            logs = self.of(namespace, pod)
            chosen = logs.previous if previous else logs.current
            if not logs.current and not logs.previous:
                return self._absent(namespace, pod)
            if container is None and len({*logs.current, *logs.previous}) > 1:
                names = ", ".join(sorted({*logs.current, *logs.previous}))
                raise ToolRetry(f"pod {pod!r} has several containers, name one of: {names}")
            stretch = chosen.get(container) if container else next(iter(chosen.values()), None)
            if stretch is None:
                return ""
            if stretch.failure:
                raise ToolNoSource(f"the log of {namespace}/{pod} could not be captured: {stretch.failure}")
            return "\n".join(_lines(stretch, stretch.end)[-lines:]) if lines > 0 else ""
        except (OSError, ValueError) as e:
            raise ToolUnavailable(f"the log of {namespace}/{pod} cannot be read from the snapshot: {e}") from e

    def _absent(self, namespace: str, pod: str) -> str:
        if AREA in self._folder.gaps.areas:
            raise ToolNoSource(
                f"no log of pod {namespace}/{pod} was captured, and the logs here are known to be incomplete"
            )
        if not self.pods and not self._folder.holds(AREA):
            raise ToolNoSource("no logs were captured in this snapshot: add logs/<namespace>/<pod>/<container>.log")
        return ""


class SnapshotLogs:
    """The recorded files, asked like a store of log lines."""

    def __init__(self, files: LogFiles, *, captured_at: Instant | None) -> None:
        self._files = files
        self._captured_at = captured_at

    async def lines(
        self, namespace: str | None, pod: str | None, contains: str | None, window: Window, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """Recorded lines of the window; lines without a time of their own share that of the line before."""
        return await asyncio.to_thread(self._read, namespace, pod, contains, window, limit)

    async def query(self, logql: str, window: Window, limit: int) -> Sequence[Mapping[str, Any]]:
        """A snapshot has no query engine."""
        raise ToolNoSource(
            f"a snapshot cannot evaluate LogQL such as {logql!r} over {window}, {limit} lines: ask for lines instead"
        )

    def _read(
        self, namespace: str | None, pod: str | None, contains: str | None, window: Window, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        if self._captured_at and window.end >= self._captured_at:
            window = Window(window.start, window.end + CAPTURE)
        found: list[tuple[Instant | None, Mapping[str, Any]]] = []
        budget = MAX_TOTAL_BYTES
        try:
            for where, name in self._files.pods:
                if (namespace is not None and where != namespace) or not _matches(pod, name):
                    continue
                for container, stretch in self._stretches(where, name):
                    budget -= min(stretch.end - stretch.start, MAX_BYTES)
                    if budget < 0:
                        raise ToolRetry("too many logs for one question: name a namespace or a pod")
                    chosen = [
                        (at, {"at": str(at) if at else None, "namespace": where, "pod": name, "container": container,
                              "line": line})
                        for at, line in _dated(stretch, window)
                        if not contains or contains in line
                    ]  # fmt: skip
                    found.extend(chosen[-limit:] if limit > 0 else ())
        except (OSError, ValueError) as e:
            raise ToolUnavailable(f"the recorded logs cannot be read: {e}") from e
        found.sort(key=lambda pair: pair[0] or window.start)
        return [line for _, line in found[-limit:]]

    def _stretches(self, namespace: str, pod: str) -> Iterator[tuple[str, Stretch]]:
        logs = self._files.of(namespace, pod)
        for each in (logs.previous, logs.current):
            yield from ((container, stretch) for container, stretch in each.items() if not stretch.failure)


def _matches(wanted: str | None, name: str) -> bool:
    if wanted is None:
        return True
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


def _dated(stretch: Stretch, window: Window) -> Iterator[tuple[Instant | None, str]]:
    last: Instant | None = None
    for line in _lines(stretch, _end_of_window(stretch, window.end)):
        last = moment_of_line(line) or last
        if last is None or last in window:
            yield last, line


def _lines(stretch: Stretch, end: int) -> list[str]:
    """The lines before `end`, at most `MAX_BYTES` of them."""
    start = max(stretch.start, end - MAX_BYTES)
    with stretch.path.open("rb") as file:
        file.seek(start)
        content = file.read(end - start)
    # Holes of a sparse or torn file read as zeros; they are no text.
    lines = content.decode("utf-8", errors="replace").replace("\x00", "").split("\n")
    if start > stretch.start and len(lines) > 1:
        lines = lines[1:]
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip("\r") for line in lines]


def _end_of_window(stretch: Stretch, end: Instant) -> int:
    """Where to read a large log backwards from: just behind the last line that the window may want."""
    if stretch.end - stretch.start <= MAX_BYTES:
        return stretch.end
    low, high = stretch.start, stretch.end
    with stretch.path.open("rb") as file:
        while high - low > MAX_BYTES // 4:
            middle = (low + high) // 2
            file.seek(middle)
            lines = file.read(64 * 1024).decode("utf-8", errors="replace").split("\n")[1:]
            at = next((at for line in lines if (at := moment_of_line(line))), None)
            if at is None:
                return stretch.end
            low, high = (low, middle) if at > end else (middle, high)
    return min(stretch.end, high + 64 * 1024)


def _sections(path: Path) -> dict[str, Stretch]:
    if path.stat().st_size == 0:
        return {}
    found: dict[str, Stretch] = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(_START)
        while at >= 0:
            line_end = content.find(b"\n", at)
            if line_end < 0:
                break
            name = content[at + len(_START) : min(line_end, at + 1_000)].split(b" ")[0].decode(errors="replace")
            end = content.find(_END + name.encode() + b" ", line_end)
            following = content.find(_START, line_end)
            stop = end if end >= 0 else following if following >= 0 else len(content)
            start, stop = line_end + 1, max(stop, line_end + 1)
            head = content[start : min(stop, start + 300)]
            failure = head.decode(errors="replace").splitlines()[0] if head.startswith(_FAILURES) else ""
            found[name] = Stretch(path=path, start=start, end=stop, failure=failure)
            at = content.find(_START, stop)
    return found
