"""Snapshots written by hand, file by file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

Write = Callable[[str, Any], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a snapshot, still empty."""
    root = tmp_path / "case"
    root.mkdir()
    return root


@pytest.fixture
def write(folder: Path) -> Write:
    """Puts a file into the snapshot: text and bytes as they are, anything else as JSON."""

    def put(name: str, content: Any) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        else:
            path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
        return path

    return put


@pytest.fixture
def described(write: Write) -> None:
    write("snapshot.yaml", "version: 1\ncaptured_at: 2026-01-01T11:00:00Z\n")
