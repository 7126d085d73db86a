"""Reads cron schedules as the CronJob controller does. Pure: when one is due, and whether it ever is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from whenever import Instant

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
LONGEST_DAYS = 8 * 366
"""Between two 29ths of February lie eight years at most (1896 to 1904 is how it comes about)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The values of each field."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Whether the day of the month or of the week is enough: so when both are limited."""

    def falls_on(self, day: date) -> bool:
        """Whether it runs on that day."""
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_date or by_weekday) if self.either else (by_date and by_weekday)

    def before(self, now: Instant) -> Iterator[Instant]:
        """The moments at which it was due, the latest first, in UTC."""
        today = date.fromisoformat(now.format_iso()[:10])
        for back in range(min(LONGEST_DAYS, today.toordinal() - 1)):
            day = today - timedelta(days=back)
            if self.falls_on(day):
                for hour in sorted(self.hours, reverse=True):
                    for minute in sorted(self.minutes, reverse=True):
                        due = Instant.from_utc(day.year, day.month, day.day, hour, minute)
                        if due <= now:
                            yield due


def read(written: str) -> Schedule | None:
    """A schedule of five fields or a macro; `None` when it is none, or `@every`, which has no fixed moments."""
    fields = [each for each in MACROS.get(written, written).split() if not each.startswith(("TZ=", "CRON_TZ="))]
    if len(fields) != 5:
        return None
    ranges = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (0, 7, DAYS))
    values = [_values(field, low, high, tuple(names)) for field, (low, high, names) in zip(fields, ranges, strict=True)]
    if not all(values):
        return None
    minutes, hours, days, months, weekdays = values
    return Schedule(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(each % 7 for each in weekdays),
        either=not (fields[2][0] in "*?" or fields[4][0] in "*?"),
    )


def _values(field: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    """What one field allows; empty when it cannot be read."""
    found: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            begin, end = low, high
        else:
            begin = _value(first, low, names)
            end = _value(last, low, names) if dash else (high if step else begin)
        if step and not (step.isascii() and step.isdigit() and int(step[:5]) > 0):
            return frozenset()
        if not low <= begin <= end <= high:
            return frozenset()
        found.update(range(begin, end + 1, int(step[:5]) if step else 1))
    return frozenset(found)


def _value(written: str, low: int, names: tuple[str, ...]) -> int:
    if written in names:
        return names.index(written) + low
    return int(written[:5]) if written.isascii() and written.isdigit() else -1
