"""Cron schedules as the CronJob controller reads them."""

from itertools import islice

import pytest
from whenever import Instant

from agents.rules.kubernetes.schedules import read

NOW = Instant.from_utc(2026, 3, 10, 12, 0)


@pytest.mark.parametrize(
    ("written", "last"),
    [
        ("30 2 * * *", "2026-03-10T02:30:00Z"),
        ("*/20 * * * *", "2026-03-10T12:00:00Z"),
        ("@daily", "2026-03-10T00:00:00Z"),
        ("0 0 29 2 *", "2024-02-29T00:00:00Z"),
        ("0 22 * * 1-5", "2026-03-09T22:00:00Z"),
        ("5 4 * jan,feb SUN", "2026-02-22T04:05:00Z"),
        # Where day of month and of week are both limited, either is enough.
        ("0 0 1 * 2", "2026-03-10T00:00:00Z"),
        ("CRON_TZ=Europe/Paris 0 1 * * 7", "2026-03-08T01:00:00Z"),
    ],
)
def test_the_last_moment_that_was_due(written: str, last: str) -> None:
    found = read(written)
    assert found
    assert [str(each) for each in islice(found.before(NOW), 1)] == [last]


@pytest.mark.parametrize(
    "written", ["", "every day", "60 0 * * *", "0 0 * *", "0 25 * * *", "5-1 * * * *", "*/0 * * * *"]
)
def test_what_is_no_schedule(written: str) -> None:
    assert read(written) is None


def test_a_day_that_never_comes_is_never_due() -> None:
    found = read("0 4 31 2 *")
    assert found
    assert list(found.before(NOW)) == []
