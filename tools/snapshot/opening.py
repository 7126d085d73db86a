"""Opens a snapshot: a folder in which somebody kept what Locum's tools would have read from a live system.

What is missing is a source that is not there; what is broken is noted and the rest is read. Logs are looked up when
they are asked for, everything else is read at once, so that the notes are complete before anything is said.
"""

import asyncio
import gc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from whenever import Instant

from tools.snapshot import objects, records, signals, traces
from tools.snapshot.folder import Folder, Gaps, SnapshotError
from tools.snapshot.logs import LogFiles, SnapshotLogs
from tools.snapshot.times import moment
from tools.window import Window
from tools.world import World

VERSION = 1
DESCRIPTION = "snapshot.yaml"

_AREAS = (
    "kubernetes", "logs", "signals", "traces", "alerts", "probes", "changes", "mongodb", "postgres", "redis", "host",
)  # fmt: skip
_KEYS = frozenset(("version", "captured_at", "window", "default_namespace", "partial", "notes"))
_DUMPED = tuple(
    f"{kind}{suffix}"
    for kind in ("nodes", "pods", "events", "services", "deployments", "replicasets", "daemonsets")
    for suffix in (".json", ".yaml")
)
_EXPECTED = (
    f"expected {DESCRIPTION}, one of {', '.join(f'{area}/' for area in _AREAS)} or topology.csv, or a folder "
    "that `kubectl cluster-info dump --output-directory` wrote"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Description:
    captured_at: Instant | None = None
    window: Window | None = None
    default_namespace: str | None = None


async def open_snapshot(folder: Path) -> World:
    """The world that was recorded in `folder`.

    Raises:
        SnapshotError: when there is no such folder, it is empty or holds no snapshot, or one of another version.
    """
    return await asyncio.to_thread(_without_collection, folder)


def _without_collection(path: Path) -> World:
    # Half of the time would go into looking for garbage among values that all stay.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return _open(path)
    finally:
        if was_enabled:
            gc.enable()


def _open(path: Path) -> World:
    if not path.is_dir():
        raise SnapshotError(f"{str(path)!r} is {'not a folder' if path.exists() else 'not there'}: {_EXPECTED}")
    gaps = Gaps()
    folder = Folder(path, gaps)
    is_dump = _is_dump(folder)
    if not is_dump and not _has_area(folder) and not (folder.root / DESCRIPTION).is_file():
        state = "is empty" if not any(path.iterdir()) else "holds no snapshot"
        raise SnapshotError(f"{str(path)!r} {state}: {_EXPECTED}")

    for area in _AREAS:
        if (folder.root / area).is_dir() and not folder.holds(area):
            gaps.add(area, f"{area}: a link that leaves the snapshot, not followed")
    description = _describe(folder)
    below = "" if is_dump else objects.AREA
    found = objects.read(folder, below) if is_dump or folder.holds(objects.AREA) else None
    series = signals.read(folder) if folder.holds(signals.AREA) else None
    files = LogFiles(folder, dump=below if found is not None else None)
    captured_at = description.captured_at or _newest(folder, found, series)
    world = World(
        name=path.resolve().name,
        captured_at=captured_at,
        window=description.window,
        default_namespace=description.default_namespace,
        cluster=None if found is None else objects.SnapshotCluster(found, files),
        metrics=None if series is None else signals.SnapshotMetrics(series),
        logs=SnapshotLogs(files, captured_at=captured_at) if is_dump or folder.holds("logs") or files.pods else None,
        alerts=records.read_alerts(folder),
        network=records.read_network(folder),
        history=records.read_history(folder),
        mongodb=records.read_mongodb(folder),
        postgres=records.read_postgres(folder),
        redis=records.read_redis(folder),
        host=records.read_host(folder),
        traces=traces.read(folder, description.default_namespace or ""),
    )
    # Last, when everything that could go wrong has been noted.
    return replace(world, partial=frozenset(gaps.areas), notes=tuple(gaps.notes))


def _has_area(folder: Folder) -> bool:
    return any(folder.holds(area) for area in _AREAS) or (folder.root / "topology.csv").is_file()


def _is_dump(folder: Folder) -> bool:
    """Whether the folder itself is what `kubectl cluster-info dump --output-directory` writes."""
    if _has_area(folder) or (folder.root / DESCRIPTION).exists():
        return False
    places = [folder.root, *(path for path in folder.root.iterdir() if path.is_dir() and path.name[0] != ".")]
    return any((place / name).is_file() for place in places for name in _DUMPED)


def _describe(folder: Folder) -> _Description:
    path = folder.root / DESCRIPTION
    if not path.exists():
        folder.gaps.remark(f"no {DESCRIPTION}: the newest time found in the data counts as the time of capture")
        return _Description()
    if not folder.is_inside(path):
        raise SnapshotError(f"{DESCRIPTION} is a link that leaves the snapshot")
    documents = folder.documents(path, "description")
    folder.gaps.areas.discard("description")
    if not documents:
        return _Description()
    if not isinstance(documents[0], dict):
        raise SnapshotError(f"{DESCRIPTION} holds {documents[0]!r:.80}: expected keys such as version and captured_at")
    known = cast("dict[str, Any]", documents[0])
    if known.get("version", VERSION) != VERSION:
        raise SnapshotError(f"{DESCRIPTION} says version {known['version']!r:.80}: this Locum reads version {VERSION}")
    if unknown := sorted(known.keys() - _KEYS):
        folder.gaps.remark(f"{DESCRIPTION}: unknown keys {', '.join(unknown)[:200]} were passed over")
    folder.gaps.areas.update(_words(known, "partial"))
    folder.gaps.notes.extend(_words(known, "notes"))
    namespace = known.get("default_namespace")
    return _Description(
        captured_at=None if known.get("captured_at") is None else _time(known, "captured_at"),
        window=_window(known),
        default_namespace=namespace if isinstance(namespace, str) and namespace else None,
    )


def _window(known: Mapping[str, Any]) -> Window | None:
    window = known.get("window")
    if window is None:
        return None
    if not isinstance(window, dict):
        raise SnapshotError(f"{DESCRIPTION}: window is {window!r:.80}, expected start and end")
    bounds = cast("dict[str, Any]", window)
    try:
        return Window(_time(bounds, "start"), _time(bounds, "end"))
    except ValueError as e:
        raise SnapshotError(f"{DESCRIPTION}: {e}") from e


def _time(known: Mapping[str, Any], key: str) -> Instant:
    value = known.get(key)
    at = moment(value) if isinstance(value, str) else None
    if at is None:
        raise SnapshotError(f"{DESCRIPTION}: {key} is {value!r:.80}, expected a time such as 2026-01-01T10:00:00Z")
    return at


def _words(known: Mapping[str, Any], key: str) -> list[str]:
    words = known.get(key)
    return [word for word in cast("list[Any]", words) if isinstance(word, str)] if isinstance(words, list) else []


def _newest(folder: Folder, found: objects.Objects | None, series: signals.Series | None) -> Instant:
    """When a snapshot that does not say so was taken: the newest time in it, else the newest date of its files."""
    times = [
        moment(found.newest()) if found is not None else None,
        series.newest() if series is not None else None,
    ]
    if known := [at for at in times if at is not None]:
        return max(known)
    folder.gaps.remark("nothing in the snapshot says when it was taken: the newest date of its files is used")
    dates = [path.stat().st_mtime for path in folder.files("", "description", ("",))]
    return Instant.from_timestamp(int(max(dates, default=folder.root.stat().st_mtime)))
