"""The recorded time series: tidy CSV, `time,entity,signal,value`."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from whenever import Instant

from tools.entity import Entity
from tools.errors import ToolNoSource
from tools.points import LARGEST, Points
from tools.snapshot.folder import Folder
from tools.snapshot.tables import Rows
from tools.snapshot.times import moment, unix_seconds
from tools.window import Window

AREA = "signals"
COLUMNS = ("time", "entity", "signal", "value")
MAX_BYTES = 4 * 2**30
"""Bytes of one table after decompression: read row by row they take time, not memory."""
MOST_SAMPLES = 20_000_000
"""Sixteen bytes each: 50,000 series of 400 points take 320 MB."""


class Series:
    """Samples by entity and signal, kept compactly and in the order of time."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, str], tuple[array[float], array[float]]] = {}
        self._count = 0
        self._times: dict[str, float] = {}
        self._entities: dict[str, str] = {}

    def add(self, time: str, entity: str, signal: str, value: str) -> None:
        """Adds one sample; one that is empty or not a number is a missing one.

        Raises:
            ValueError: when the time, the entity or the value cannot be read.
        """
        at = self._times.get(time)
        if at is None:
            at = self._times[time] = _seconds(time)
        about = self._entities.get(entity)
        if about is None:
            about = self._entities[entity] = str(Entity.parse(entity))
        measured = float(value) if value else float("nan")
        if abs(measured) <= LARGEST:
            known = self._points.get((about, signal))
            if known is None:
                known = self._points[about, signal] = array("d"), array("d")
            known[0].append(at)
            known[1].append(measured)
            self._count += 1

    def is_full(self) -> bool:
        """Whether more would take more memory than a diagnosis may."""
        return self._count >= MOST_SAMPLES

    def sort(self) -> None:
        """Puts the samples of each series in the order of time."""
        for key, (times, values) in self._points.items():
            if any(later < earlier for earlier, later in pairwise(times)):
                pairs = sorted(zip(times, values, strict=True))
                self._points[key] = array("d", (at for at, _ in pairs)), array("d", (value for _, value in pairs))

    def newest(self) -> Instant | None:
        """The time of the newest sample."""
        latest = max((times[-1] for times, _ in self._points.values()), default=None)
        return None if latest is None else Instant.from_timestamp(latest)

    def within(self, names: Sequence[str], namespace: str | None, window: Window) -> Iterator[Mapping[str, Any]]:
        """The series that have samples in the window."""
        wanted = frozenset(names)
        start, end = unix_seconds(window.start), unix_seconds(window.end)
        for (entity, signal), (times, values) in self._points.items():
            if (wanted and signal not in wanted) or (namespace is not None and entity.split("/", 2)[1] != namespace):
                continue
            low, high = bisect_left(times, start), bisect_right(times, end)
            if low < high:
                yield {"entity": entity, "signal": signal, "points": Points.sharing(times, values, low, high)}


class SnapshotMetrics:
    """The recorded signals."""

    def __init__(self, series: Series) -> None:
        self._series = series

    async def signals(self, names: Sequence[str], namespace: str | None, window: Window) -> Sequence[Mapping[str, Any]]:
        """Recorded series of the window."""
        return list(self._series.within(names, namespace, window))

    async def instant(self, promql: str, at: Instant) -> Sequence[Mapping[str, Any]]:
        """A snapshot has no query engine."""
        raise ToolNoSource(f"a snapshot cannot evaluate PromQL such as {promql!r} at {at}: ask for signals by name")

    async def range(self, promql: str, window: Window, step_s: float) -> Sequence[Mapping[str, Any]]:
        """A snapshot has no query engine."""
        raise ToolNoSource(
            f"a snapshot cannot evaluate PromQL such as {promql!r} over {window} by {step_s:g} s: "
            "ask for signals by name"
        )


def read(folder: Folder) -> Series:
    """Reads every table of the area, row by row: a recording may be larger than memory, its samples are not."""
    series = Series()
    for path in folder.files(AREA, AREA, (".csv", ".csv.gz")):
        _read_table(folder, path, series)
    series.sort()
    return series


def _read_table(folder: Folder, path: Path, series: Series) -> None:
    rows = Rows(folder, path, AREA, folder.lines(path, AREA, limit=MAX_BYTES), COLUMNS)
    for line, cells in rows:
        if series.is_full():
            folder.gaps.add(AREA, f"{folder.said(path)} line {line}: {MOST_SAMPLES:,} samples were read, no more are")
            break
        try:
            series.add(*cells)
        except ValueError as e:
            rows.reject(line, str(e))
    rows.report()


def _seconds(time: str) -> float:
    try:
        at = float(time)
    except ValueError:
        found = moment(time)
        if found is None:
            raise ValueError(f"{time!r} is neither an RFC 3339 time nor Unix seconds") from None
        return unix_seconds(found)
    if not moment(at):
        raise ValueError(f"{time!r} is no time that can be")
    return at
