"""A folder that strangers filled: only regular files inside it are read, bounded, and what could not be read is said.

Links that leave the folder are not followed, pipes and devices are not opened, and hidden entries are passed over.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tools.snapshot.plain_yaml import UnreadableYaml, documents

MAX_JSON_BYTES = 256 * 2**20
"""Bytes of one JSON file; ten thousand pods are about a third of it."""
MAX_YAML_BYTES = 32 * 2**20
"""Bytes of one YAML file, which takes thirty times as long to read as JSON."""
MAX_TABLE_BYTES = 256 * 2**20
"""Bytes of one CSV file after decompression."""


class SnapshotError(ValueError):
    """The folder is no snapshot, or none that this version can read; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What could not be read, collected while a snapshot is opened."""

    notes: list[str] = field(default_factory=list[str])
    areas: set[str] = field(default_factory=set[str])

    def add(self, area: str, sentence: str) -> None:
        """Notes a thing that could not be read: its area is known only in part."""
        if sentence not in self.notes:
            self.notes.append(sentence)
        self.areas.add(area)

    def remark(self, sentence: str) -> None:
        """Notes a thing that a reader should know and that hides no facts."""
        self.notes.append(sentence)


class Folder:
    """Reads the files of one snapshot and keeps count of what it could not read."""

    def __init__(self, root: Path, gaps: Gaps) -> None:
        self.root = root.resolve()
        self.gaps = gaps

    def holds(self, area: str) -> bool:
        """Whether the area's folder is there, and really inside."""
        return (self.root / area).is_dir() and self.is_inside(self.root / area)

    def is_inside(self, path: Path) -> bool:
        """Whether `path` lies in the snapshot once all links are followed."""
        return path.resolve().is_relative_to(self.root)

    def said(self, path: Path) -> str:
        """The name of a file as notes give it."""
        return path.relative_to(self.root).as_posix()

    def files(self, below: str, area: str, suffixes: tuple[str, ...], *, deep: bool = True) -> Iterator[Path]:
        """The readable files below a folder in the order of their names; links that leave the snapshot are noted."""
        if (self.root / below).is_dir() and self.is_inside(self.root / below):
            yield from self._walk(self.root / below, area, suffixes, deep=deep)

    def _walk(self, folder: Path, area: str, suffixes: tuple[str, ...], *, deep: bool) -> Iterator[Path]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as e:
            self.gaps.add(area, f"{self.said(folder)}: cannot be listed ({e.strerror})")
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if deep:
                    yield from self._walk(path, area, suffixes, deep=deep)
            elif entry.is_dir():
                self.gaps.add(area, f"{self.said(path)}: a link to a folder, not followed")
            elif entry.name.lower().endswith(suffixes):
                if entry.is_symlink() and not self.is_inside(path):
                    self.gaps.add(area, f"{self.said(path)}: a link that leaves the snapshot, not followed")
                elif entry.is_file():
                    yield path

    def read(self, path: Path, area: str, *, limit: int) -> bytes | None:
        """The bytes of a file, `.gz` decompressed; `None`, with a note, when it is unreadable or too large."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                self.gaps.add(area, f"{self.said(path)}: not a regular file")
                return None
            content = _unzipped(path, limit) if path.suffix == ".gz" else _plain(path, limit)
        except (OSError, EOFError) as e:
            self.gaps.add(area, f"{self.said(path)}: cannot be read ({e})")
            return None
        if len(content) > limit:
            self.gaps.add(area, f"{self.said(path)}: larger than {limit // 2**20} MB, not read; split it")
            return None
        return content

    def lines(self, path: Path, area: str, *, limit: int) -> Iterator[str]:
        """The lines of a text file, `.gz` decompressed, one at a time; where it cannot be read on, that is noted."""
        import gzip
        import io
        import zlib

        room = limit
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                self.gaps.add(area, f"{self.said(path)}: not a regular file")
                return
            unzipped = gzip.open if path.suffix == ".gz" else open
            with unzipped(path, "rb") as file:
                start = file.read(2)
            encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
            with unzipped(path, "rb") as file, io.TextIOWrapper(file, encoding, errors="replace", newline="") as rows:
                for row in rows:
                    room -= len(row)
                    if room < 0:
                        why = f"larger than {limit // 2**20} MB, read no further; split it"
                        self.gaps.add(area, f"{self.said(path)}: {why}")
                        return
                    yield row
        except (OSError, EOFError, zlib.error) as e:
            self.gaps.add(area, f"{self.said(path)}: cannot be read ({e})")

    def documents(self, path: Path, area: str) -> list[Any]:
        """The JSON values or YAML documents of a file; those before a broken place are kept, the break is noted."""
        is_json = path.name.lower().removesuffix(".gz").endswith((".json", ".jsonl"))
        content = self.read(path, area, limit=MAX_JSON_BYTES if is_json else MAX_YAML_BYTES)
        found: list[Any] = []
        if content is None:
            return found
        try:
            found.extend(_json_values(content) if is_json else documents(text(content)))
        except orjson.JSONDecodeError as e:
            self.gaps.add(area, f"{self.said(path)} line {e.lineno}: {e.msg}")
        except UnreadableYaml as e:
            self.gaps.add(area, f"{self.said(path)} {e}")
        else:
            if not found:
                self.gaps.add(area, f"{self.said(path)}: holds nothing")
        return found


def text(content: bytes) -> str:
    """Text in whatever encoding tools write it, UTF-16 of a redirected PowerShell included; never fails."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def _plain(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        # A buffer of the size asked for is made at once: of the bound only where the file is that large.
        return file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)


def _unzipped(path: Path, limit: int) -> bytes:
    import gzip
    import zlib

    try:
        with gzip.open(path) as file:
            chunks: list[bytes] = []
            room = limit + 1
            while room > 0 and (chunk := file.read(min(room, 2**20))):
                chunks.append(chunk)
                room -= len(chunk)
            return b"".join(chunks)
    except zlib.error as e:
        raise EOFError(str(e)) from e


def _json_values(content: bytes) -> Iterator[Any]:
    """One value, or several one after the other as `kubectl cluster-info dump` prints them."""
    try:
        yield orjson.loads(content)
    except orjson.JSONDecodeError:
        # Only now, because decoding costs as much as parsing: an odd encoding, or several values.
        rest = text(content).strip()
        while rest:
            try:
                value = orjson.loads(rest)
            except orjson.JSONDecodeError as e:
                if "unexpected content after document" not in e.msg or e.pos == 0:
                    raise
                yield orjson.loads(rest[: e.pos])
                rest = rest[e.pos :].strip()
            else:
                yield value
                return
