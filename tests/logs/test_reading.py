"""Times, levels and words out of lines, traces out of several, crashes out of traces."""

import json

import pytest

from agents.logs.envelopes import Level, opened
from agents.logs.joining import end_of
from agents.logs.moments import written_at
from agents.logs.templates import masked
from agents.logs.traces import crash_of
from tests.logs.crashes import ALL, GO, PYTHON, PYTHON_CHAIN
from tests.rules.builders import NOW


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-01T11:55:00Z ready",
        "2026-01-01T12:55:00.123+01:00 ready",
        "2026-01-01 11:55:00,123 INFO ready",
        "2026-01-01 11:55:00.123 UTC [12] LOG:  ready",
        "2026/01/01 11:55:00 [error] 7#7: *1 connect() failed",
        "[2026-01-01 11:55:00 +0000] [7] [INFO] Booting worker",
        "E0101 11:55:00.123456       1 controller.go:12] failed",
        '10.0.0.9 - - [01/Jan/2026:11:55:00 +0000] "GET / HTTP/1.1" 200 12',
        "[Thu Jan 01 11:55:00.123 2026] [core:error] no",
        "1:M 01 Jan 2026 11:55:00.123 * Ready",
        "<34>Jan  1 11:55:00 box app[1]: ready",
        "Jan  1 11:55:00 box app[1]: ready",
        "1767268500.123 ready",
        "2026-01-01T11:55:00.123456789Z stdout F ready",
    ],
)
def test_a_time_is_read_in_the_usual_forms(line: str) -> None:
    at = opened(line, now=NOW).at
    assert at is not None
    assert at.format_iso()[:19] == "2026-01-01T11:55:00"


@pytest.mark.parametrize(
    "line", ["", "no time", "2026-13-45T99:99:99Z no", "9999999999 requests", "E9999 25:61:61 x", "0000-00-00 00:00:00"]
)
def test_what_is_no_time_is_none(line: str) -> None:
    assert written_at(line, now=NOW) is None


def test_a_date_without_a_year_that_lies_ahead_is_one_of_last_year() -> None:
    at = written_at("E1231 23:00:00.000000 1 x.go:1] no", now=NOW)
    assert at is not None
    assert at.format_iso().startswith("2025-12-31")


@pytest.mark.parametrize(
    ("record", "level", "words"),
    [
        ({"ts": 1767268500.1, "level": "error", "msg": "no", "error": "refused"}, Level.ERROR, "no refused"),
        ({"time": 1767268500123, "level": 50, "msg": "no"}, Level.ERROR, "no"),
        ({"t": {"$date": "2026-01-01T11:55:00Z"}, "s": "I", "msg": "a", "attr": {"error": "b"}}, Level.INFO, "error=b"),
        ({"@timestamp": "2026-01-01T11:55:00Z", "log.level": "WARN", "message": "no"}, Level.WARN, "no"),
        ({"log": "ERROR no\n", "stream": "stderr", "time": "2026-01-01T11:55:00Z"}, Level.ERROR, "no"),
        (
            {"time": "2026-01-01T11:55:00Z", "severity": "ERROR", "msg": "x", "stack_trace": "y\n\tat a"},
            Level.ERROR,
            "\tat a",
        ),
    ],
)
def test_json_gives_its_time_level_and_words(record: dict[str, object], level: Level, words: str) -> None:
    found = opened(json.dumps(record), now=NOW)
    assert found.at is not None
    assert found.at.format_iso()[:19] == "2026-01-01T11:55:00"
    assert found.level is level
    assert words in found.text


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ('time="2026-01-01T11:55:00Z" level=warning msg="slow"', Level.WARN),
        ("I0101 11:55:00.1 1 x.go:1] failed: true", Level.INFO),
        ("2026-01-01 11:55:00 [ERROR] no", Level.ERROR),
        ("[emerg] 1#1: host not found", Level.FATAL),
        ("2026-01-01 11:55:00.1 UTC [1] FATAL:  no", Level.FATAL),
        ("info: served", Level.INFO),
        ("\x1b[31mERROR\x1b[0m no", Level.ERROR),
        ("plain words", None),
    ],
)
def test_a_level_is_read_where_a_line_states_one(line: str, level: Level | None) -> None:
    assert opened(line, now=NOW).level is level


@pytest.mark.parametrize(("trace", "language", "kind", "message", "frame"), ALL, ids=[each[2] for each in ALL])
def test_a_crash_tells_its_type_its_message_and_the_first_frame_of_the_application(
    trace: str, language: str, kind: str, message: str, frame: str
) -> None:
    found = crash_of(trace)
    assert found is not None
    assert found.language == language
    assert kind.lower() in found.kind.lower()
    assert message in found.message
    assert frame in found.frame


@pytest.mark.parametrize("trace", [each[0] for each in ALL], ids=[each[2] for each in ALL])
def test_a_trace_is_one_entry_and_the_line_after_it_another(trace: str) -> None:
    lines = [*trace.split("\n"), "2026-01-01T11:56:00Z INFO next"]
    assert end_of(lines, 0) == len(lines) - 1


def test_a_trace_is_one_entry_though_a_runtime_dates_each_of_its_lines() -> None:
    for trace in (PYTHON, PYTHON_CHAIN, GO):
        lines = [f"2026-01-01T11:55:00.000000001Z {each}" for each in (*trace.split("\n"), "INFO next")]
        assert end_of(lines, 0) == len(lines) - 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("took 12ms for order 7", "took 4.5s for order 19"),
        ("user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 left", "user 9d2504e0-4f89-11d3-9a0c-0305e82c3302 left"),
        ("dial 10.1.2.3:80: refused", "dial 10.9.8.7:8080: refused"),
        ("pod cart-7d4f9c8b6-x2x9k gone", "pod cart-6b4d8f7c5-q8z7v gone"),
        ('no item "a"', 'no item "b"'),
    ],
)
def test_lines_that_differ_in_their_values_are_of_one_template(left: str, right: str) -> None:
    assert masked(left) == masked(right)
    assert masked(left) != masked("something else")
