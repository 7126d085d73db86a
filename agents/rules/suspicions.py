"""How what series alone suggest is told: with its strength, as past where it is over, not at all where it is faint."""

from collections.abc import Iterator

from whenever import Instant

from agents.causes import Rule
from agents.finding import TOLD, Finding, Severity
from agents.scene import Scene, Series
from agents.signals.changes import Change
from agents.signals.reading import Reading
from tools.evidence import Evidence

HINT = 0.1
"""Fainter than this nothing is even a hint."""


def suspected(
    scene: Scene, of: Rule, shown: tuple[Series, Change], strength: float, summary: str, *also: Evidence
) -> Iterator[Finding]:
    """The finding that a series and its change suggest; none where they hardly do.

    While it is reported and still felt, what was out in the window counts, though its own last points may be usual.
    """
    if strength < HINT:
        return
    series, change = shown
    is_over = not change.is_now and (not scene.case.is_reported or scene.once(Reading).is_past)
    yield of.finding(
        series.entity,
        f"{summary}{' It is over.' if is_over else ''}",
        [*also, scene.cite_series(series)],
        severity=Severity.WARNING if strength >= TOLD and not is_over else Severity.INFO,
        direct=False,
        first_seen=Instant.from_timestamp(int(change.began_at)),
        last_seen=Instant.from_timestamp(int(change.last_at)),
        strength=min(1.0, strength),
    )
