"""Copies of what leaves the process: complete, for their owner alone, and bounded."""

import json
import logging
import os
from pathlib import Path

import pytest
from whenever import Instant, TimeDelta

from bot.proving import recording
from bot.proving.recording import Kind, LogHandler, Recorder, recorded
from bot.setting_groups import Telemetry
from bot.telemetry import traces


def one(files: list[Path] | None) -> Path:
    """The only file that was recorded."""
    assert files is not None
    (file,) = files
    return file


def test_files_are_for_their_owner_alone_and_have_what_was_told(tmp_path: Path) -> None:
    folder = tmp_path / "record"
    with recording.recording(folder) as recorder:
        assert recorder
        recorder.model({"messages": [{"content": "why\nis it \ud83d slow"}]})
        logger = logging.getLogger("of the test")
        logger.addHandler(LogHandler(recorder))
        # An earlier test may have made the whole process quiet.
        logger.setLevel(logging.WARNING)
        logger.warning("a line\nof two")
        logger.handlers.clear()
    for kind, told in ((Kind.MODEL, "is it"), (Kind.LOGS, "a line of two"), (Kind.TRACES, "")):
        file = one(recorded(folder, kind, Instant.now()))
        header, *lines = file.read_text().splitlines()
        assert json.loads(header)["recorded"] == kind
        assert told in "".join(lines)
        assert len(lines) == bool(told)
        assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_nothing_is_recorded_where_no_folder_is_named() -> None:
    with recording.recording(None) as recorder:
        assert recorder is None


def test_files_do_not_grow_without_end_and_what_is_gone_is_not_called_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "FILE_BYTES", 200)
    began = Instant.now()
    recorder = Recorder(tmp_path)
    assert recorded(tmp_path, Kind.LOGS, Instant.now())
    for number in range(100):
        recorder.log(f"line {number} " + "x" * 50)
    recorder.close()
    recorder.log("after the end")
    files = sorted(tmp_path.glob("logs-*"))
    assert len(files) == recording.KEPT_FILES
    assert "line 99" in files[-1].read_text()
    assert all(file.stat().st_size <= 200 for file in files)
    # The first lines are gone: of that time nothing can be said.
    assert recorded(tmp_path, Kind.LOGS, began) is None
    assert recorded(tmp_path, Kind.MODEL, began - TimeDelta(hours=1)) is None


def test_files_from_before_an_incident_are_not_searched(tmp_path: Path) -> None:
    Recorder(tmp_path).close()
    (file,) = tmp_path.glob("logs-*")
    os.utime(file, (1, 1))
    assert recorded(tmp_path, Kind.LOGS, Instant.now()) == []


async def test_spans_are_recorded_as_they_are_sent(tmp_path: Path) -> None:
    recorder, began = Recorder(tmp_path), Instant.now()
    settings = Telemetry(otlp_endpoint="http://127.0.0.1:9")
    async with traces.sending(settings, recording.exporter(recorder)):
        with traces.span("webhook", source="generic"):
            pass
    recorder.close()
    file = one(recorded(tmp_path, Kind.TRACES, began))
    _, line = file.read_text().splitlines()
    assert json.loads(line)["attributes"] == {"locum.source": "generic"}
