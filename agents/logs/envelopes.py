"""What a line says apart from what wraps it: JSON, logfmt, klog, the prefixes of runtimes and of servers. Pure.

The words are outside text: they are matched and quoted, never followed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

from whenever import Instant

from agents.logs.moments import from_number, written_at

LONGEST = 4_096
"""Characters of a line that are read: its beginning, and its end where it is longer."""
_END = 1_024
_DEEPEST = 3
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_RUNTIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.?\d*(?:Z|[+-]\d\d:\d\d) (?:std(?:out|err) [FP] )?")
"""The time that `kubectl logs --timestamps` or the container runtime puts before each line."""
_LOGFMT = re.compile(r"\b(?:level|lvl|severity)=\"?(?P<level>[A-Za-z]+)")
_KLOG = re.compile(r"^(?P<level>[IWEF])\d{4} \d\d:\d\d:\d\d")
_WORD = re.compile(
    r"\b(?P<upper>TRACE|DEBUG|INFO|NOTICE|LOG|WARN(?:ING)?|ERROR|ERR|CRIT(?:ICAL)?|FATAL|PANIC|SEVERE|ALERT|EMERG)\b"
    r"|[\[<(](?P<bracketed>trace|debug|info|notice|warn(?:ing)?|error|err|crit|critical|fatal|alert|emerg)[\])>]"
    r"|^\W{0,3}(?P<first>trace|debug|info|notice|warn(?:ing)?|error|critical|fatal)\b ?:"
)
_MARKS = re.compile(r"^\d+:[MSCX] \d\d \w{3} \d{4} [\d:.]+ (?P<mark>[.\-*#]) ")
"""Redis: its level is one character."""


class Level(IntEnum):
    """How bad the writer thought it to be."""

    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    FATAL = 50


_LEVELS: Mapping[str, Level] = {
    "trace": Level.DEBUG, "verbose": Level.DEBUG, "debug": Level.DEBUG, "d": Level.DEBUG,
    "info": Level.INFO, "information": Level.INFO, "informational": Level.INFO, "notice": Level.INFO,
    "log": Level.INFO, "i": Level.INFO, "default": Level.INFO,
    "warn": Level.WARN, "warning": Level.WARN, "w": Level.WARN,
    "error": Level.ERROR, "err": Level.ERROR, "severe": Level.ERROR, "e": Level.ERROR,
    "crit": Level.FATAL, "critical": Level.FATAL, "fatal": Level.FATAL, "panic": Level.FATAL, "dpanic": Level.FATAL,
    "alert": Level.FATAL, "emerg": Level.FATAL, "emergency": Level.FATAL, "f": Level.FATAL,
}  # fmt: skip
_COUNTED = {
    10: Level.DEBUG, 20: Level.DEBUG, 30: Level.INFO, 40: Level.WARN, 50: Level.ERROR, 60: Level.FATAL,
}  # fmt: skip
"""bunyan and pino count in tens."""
_LEVEL_KEYS = ("level", "severity", "lvl", "levelname", "log.level", "loglevel", "s", "@l", "LogLevel")
_TIME_KEYS = ("time", "ts", "timestamp", "@timestamp", "t", "datetime", "asctime", "@t", "date", "Timestamp")
_MESSAGE_KEYS = ("message", "msg", "log", "event", "@m", "@mt", "textPayload", "Message", "body")
_LOUD_KEYS = (
    "error", "err", "exception", "stack_trace", "stacktrace", "stack", "exc_info", "cause", "reason", "detail",
    "errorVerbose", "@x", "Exception", "error_message", "errmsg",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """What one line says."""

    text: str
    at: Instant | None
    level: Level | None


def shortened(line: str) -> str:
    """Beginning and end of a line that is longer than anybody reads."""
    return line if len(line) <= LONGEST else f"{line[: LONGEST - _END]} … {line[-_END:]}"


def bare(line: str) -> str:
    """The line without colours and without the time that a runtime put before it; indentation stays."""
    line = _ESCAPES.sub("", line) if "\x1b" in line else line
    return _RUNTIME.sub("", line, count=1) if line[:2].isdigit() else line


def opened(line: str, *, now: Instant) -> Words:
    """Time, level and words of a line."""
    line = shortened(line)
    inner = bare(line)
    if inner.lstrip().startswith("{") and (record := _record(inner)):
        return _of_record(record, line, now)
    return Words(inner, written_at(line, now=now), level_of(inner))


def level_of(line: str) -> Level | None:
    """The level that a line of text states at its beginning; `None` where it states none."""
    head = line[:160]
    if found := _KLOG.match(head) or _LOGFMT.search(line[:400]):
        return _LEVELS.get(found["level"].lower())
    if found := _MARKS.match(head):
        return Level.WARN if found["mark"] == "#" else Level.INFO
    found = _WORD.search(head)
    return _LEVELS.get((found["upper"] or found["bracketed"] or found["first"]).lower()) if found else None


def _record(line: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def _of_record(record: Mapping[str, Any], line: str, now: Instant) -> Words:
    said = next((value for key in _MESSAGE_KEYS if isinstance(value := record.get(key), str)), "")
    at = next((found for key in _TIME_KEYS if (found := _time(record.get(key), now))), None)
    level = next((found for key in _LEVEL_KEYS if (found := _level(record.get(key)))), None)
    # Docker wraps what the program wrote as it is.
    inner = opened(said, now=now) if set(record) <= {"log", "stream", "time"} and said else None
    if inner:
        return Words(inner.text, inner.at or at, inner.level)
    rest = [text for key in _LOUD_KEYS for text in _texts(record.get(key), 0)]
    known = {*_MESSAGE_KEYS, *_LOUD_KEYS, *_TIME_KEYS, *_LEVEL_KEYS}
    others = [f"{key}={text}" for key, value in record.items() if key not in known for text in _texts(value, 0)]
    words = " ".join(dict.fromkeys(each for each in (said, *rest, *others) if each))
    # JSON can spell halves of characters that no encoding has.
    whole = words.encode(errors="replace").decode()
    return Words(shortened(whole), at or written_at(line, now=now), level)


def _texts(value: Any, depth: int) -> Iterator[str]:
    """The plain values of a field, nested ones with their keys."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)[:LONGEST]
    elif isinstance(value, dict) and depth < _DEEPEST:
        for key, each in cast("dict[str, Any]", value).items():
            yield from (f"{key}={text}" for text in _texts(each, depth + 1))
    elif isinstance(value, list) and depth < _DEEPEST:
        for each in cast("list[Any]", value)[:20]:
            yield from _texts(each, depth + 1)


def _time(value: Any, now: Instant) -> Instant | None:
    if isinstance(value, dict):
        # MongoDB wraps its times so.
        return _time(cast("dict[str, Any]", value).get("$date"), now)
    if isinstance(value, str):
        return written_at(value, now=now)
    return from_number(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _level(value: Any) -> Level | None:
    if isinstance(value, str):
        return _LEVELS.get(value.strip().lower())
    return _COUNTED.get(value) if isinstance(value, int) and not isinstance(value, bool) else None
