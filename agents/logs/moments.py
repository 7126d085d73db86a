"""When a line says that it was written, in the formats that programs and servers use. Pure.

A time without a zone is taken as UTC: containers run in it. One without a year belongs to the year before `now`.
"""

import re
from functools import lru_cache

from whenever import Instant

HEAD = 100
"""Characters at the start of a line among which its time stands."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?P<clock>\d\d:\d\d:\d\d)(?:[.,]\d+)?"
_ZONE = r"(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_MONTH = r"(?P<month>[A-Z][a-z]{2})"
_FORMS: tuple[re.Pattern[str], ...] = (
    # ISO 8601, and the like of Go (2026/01/01 10:00:00), logback (10:00:00,123) and Postgres (10:00:00.123 UTC).
    re.compile(rf"(?<!\d)(?P<year>\d{{4}})[-/](?P<number>\d\d)[-/](?P<day>\d\d)[T ]{_CLOCK}{_ZONE}"),
    # klog: I0102 10:00:00.123456
    re.compile(rf"^[IWEF](?P<number>\d\d)(?P<day>\d\d) {_CLOCK}"),
    # Access logs: [02/Jan/2026:10:00:00 +0000]
    re.compile(rf"(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}}):{_CLOCK}{_ZONE}"),
    # Apache: [Fri Jan 02 10:00:00.123456 2026]
    re.compile(rf"{_MONTH} +(?P<day>\d{{1,2}}) {_CLOCK} (?P<year>\d{{4}})"),
    # Redis: 02 Jan 2026 10:00:00.123
    re.compile(rf"(?<!\d)(?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_CLOCK}"),
    # syslog: Jan  2 10:00:00
    re.compile(rf"(?:^|>){_MONTH} +(?P<day>\d{{1,2}}) {_CLOCK}"),
)
_STAMP = re.compile(r"^\W{0,2}(\d{10})(?:\.\d+|\d{3}|\d{9})?\b")
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800
"""2000 and 2100 in Unix seconds: other numbers are not times."""


def written_at(line: str, *, now: Instant) -> Instant | None:
    """The time of a line of text; `None` where it tells none that can be."""
    head = line[:HEAD]
    for form in _FORMS:
        found = form.search(head)
        if found and (at := _moment(found.groupdict(), now)):
            return at
    stamp = _STAMP.match(head)
    return from_number(int(stamp[1])) if stamp else None


def from_number(value: float) -> Instant | None:
    """Unix time in seconds, milliseconds, microseconds or nanoseconds, told apart by size."""
    for scale in (1, 1e3, 1e6, 1e9):
        if _EARLIEST <= value / scale < _LATEST:
            return Instant.from_timestamp(int(value / scale))
    return None


def _moment(parts: dict[str, str | None], now: Instant) -> Instant | None:
    month = parts.get("number") or _number(parts.get("month") or "")
    zone = parts.get("zone") or "Z"
    zone = "Z" if zone in ("UTC", "GMT") else zone
    day, clock, year = parts["day"] or "", parts["clock"] or "", parts.get("year")
    if year:
        return _parsed(f"{year}-{month}-{day:0>2}T{clock}{_colon(zone)}")
    for year_number in (_year(now), _year(now) - 1):
        at = _parsed(f"{year_number}-{month}-{day:0>2}T{clock}Z")
        # A clock may run a little fast; a date that lies ahead is one of last year.
        if at and (at - now).total("hours") <= 24:
            return at
    return None


def _number(month: str) -> str:
    return f"{_MONTHS.index(month.lower()) + 1:02}" if month.lower() in _MONTHS else ""


def _year(now: Instant) -> int:
    return int(now.format_iso()[:4])


def _colon(zone: str) -> str:
    return zone if zone == "Z" or ":" in zone else f"{zone[:3]}:{zone[3:]}"


@lru_cache(maxsize=4096)
def _parsed(written: str) -> Instant | None:
    try:
        return Instant.parse_iso(written)
    except ValueError:
        return None
