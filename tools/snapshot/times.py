"""Reads the times that snapshots hold. Pure."""

import re
from typing import Any

from whenever import Instant

_IN_LINE = re.compile(
    r"(?:^|(?:time|ts|timestamp)\"?[=:]\s?\"?)"
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?\s?(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)


def moment(value: Any) -> Instant | None:
    """An RFC 3339 time or Unix seconds; `None` when it is neither."""
    try:
        if isinstance(value, str):
            return Instant.parse_iso(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Instant.from_timestamp(value)
    except (ValueError, OverflowError):
        pass
    return None


def unix_seconds(at: Instant) -> float:
    """Unix seconds with their fraction."""
    return at.timestamp(unit="nanosecond") / 1e9


def moment_of_line(line: str) -> Instant | None:
    """When a log line says it was written: a time at its start or in a field named time; no zone means UTC."""
    found = _IN_LINE.search(line[:300])
    if not found:
        return None
    date, time, fraction, zone = found.groups()
    zone = "Z" if zone in (None, "Z", "z") else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    return moment(f"{date}T{time}{'.' + fraction if fraction else ''}{zone}")
