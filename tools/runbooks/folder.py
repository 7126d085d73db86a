"""Runbooks from folders on disk. Reads only; whatever cannot be used is named and left out, never fatal."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.runbooks.document import Runbook, parse

SUFFIXES = frozenset({".md", ".markdown"})
LARGEST_FILE = 512 * 1024
"""Bytes; about a hundred printed pages. What is larger is generated, or no runbook."""
MOST_FILES = 20_000
"""More than that is not a collection of runbooks but the wrong folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where runbooks lie."""

    path: Path
    base_url: str = ""
    """Where the same folder is published, such as a repository's page; empty = nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file or a folder that could not be used, and why, for people."""

    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One file as it was read."""

    id: str
    """Its path below its folder; where an earlier folder has the same, the folder's name stands before it."""
    path: str
    text: str
    base_url: str = ""

    def runbook(self) -> Runbook:
        """The runbook that it is."""
        return parse(self.text, id=self.id, base_url=self.base_url, path=self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What was found in all folders."""

    pages: tuple[Page, ...] = ()
    broken: tuple[Broken, ...] = ()
    """Files that were left out; the rest can be used."""
    unread: tuple[Broken, ...] = ()
    """Folders that could not be read at all: what they hold is unknown."""


def state(folders: Sequence[Folder]) -> str:
    """A digest of names, sizes and times of all files: the same as long as nothing has changed."""
    digest = hashlib.sha256()
    for folder in folders:
        digest.update(f"{folder.path}\0{folder.base_url}\n".encode(errors="surrogateescape"))
        for file in _files(folder.path):
            try:
                seen = file.stat()
            except OSError:
                continue
            digest.update(f"{file}\0{seen.st_size}\0{seen.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def read(folders: Sequence[Folder]) -> Shelf:
    """All runbooks of the folders, in the order of their paths."""
    found: dict[str, Page] = {}
    broken: list[Broken] = []
    unread: list[Broken] = []
    for folder in folders:
        files, why = _listed(folder.path)
        if why:
            unread.append(Broken(path=str(folder.path), why=why))
        for file in files:
            path = file.relative_to(folder.path).as_posix()
            own = path if path not in found else f"{folder.path.name}/{path}"
            text, why = _text(file, folder.path)
            if not why and own in found:
                why = "another runbook has the same path"
            if why:
                broken.append(Broken(path=own, why=why))
            else:
                found[own] = Page(id=own, path=path, text=text, base_url=folder.base_url)
    return Shelf(pages=tuple(found.values()), broken=tuple(broken), unread=tuple(unread))


def _listed(folder: Path) -> tuple[Sequence[Path], str]:
    """The files of a folder, or why there are none."""
    try:
        next(iter(folder.iterdir()), None)
    except OSError as error:
        return (), error.strerror or type(error).__name__
    files = tuple(_files(folder))
    if len(files) > MOST_FILES:
        return (), f"{len(files):,} files; at most {MOST_FILES:,} are read"
    return files, ""


def _files(folder: Path) -> Iterator[Path]:
    """Markdown files below the folder, in a fixed order; hidden folders such as `.git` are passed over."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        shown = (each for each in sorted(names) if not each.startswith("."))
        yield from (Path(at, each) for each in shown if Path(each).suffix.lower() in SUFFIXES)


def _text(file: Path, folder: Path) -> tuple[str, str]:
    """The file's text, or why it cannot be used."""
    try:
        if not file.resolve().is_relative_to(folder.resolve()):
            # A link could show any file of this machine in a thread.
            return "", "it links to a file outside the folder"
        if not file.is_file():
            return "", "not a file"
        with file.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        return "", error.strerror or type(error).__name__
    if len(data) > LARGEST_FILE:
        return "", f"larger than {LARGEST_FILE // 1024} KiB"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return "", f"not UTF-8 at byte {error.start}"
    if "\0" in text:
        return "", "binary"
    return (text, "") if text.strip() else ("", "empty")
