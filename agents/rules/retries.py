"""What callers do when something does not answer: they stop asking, or ask again and again."""

from collections.abc import Iterator

from agents.baseline import above, past
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.scene import Scene

MANY = 2.0
"""Attempts a request: twice the load, put on whoever is already in trouble."""


@rule(
    id="circuit-open",
    area="applications",
    role=Role.SYMPTOM,
    title="A circuit breaker is open",
    meaning="The caller has stopped asking, since too many calls failed: the callee is down, or was. So do tests.",
    remediation="Look at the callee; the breaker closes by itself.",
    needs=("signals",),
)
def circuit_open(scene: Scene) -> Iterator[Finding]:
    for entity, known in scene.series.items():
        found = above(known["circuit_breakers_open"], scene.window, 0.0) if "circuit_breakers_open" in known else None
        if found and not found.is_over:
            yield circuit_open.finding(
                entity,
                f"{entity} has {found.level:.0f} open circuit breakers.",
                [scene.cite_series(found.series)],
                severity=Severity.WARNING,
                first_seen=found.began_at,
                last_seen=found.last_at,
            )


@rule(
    id="retry-storm",
    area="applications",
    role=Role.SYMPTOM,
    title="Callers ask again and again",
    meaning="More than two attempts a request: the callee fails, and retries keep it down.",
    remediation="Look at the callee; limit the retries, with pauses that grow.",
    needs=("signals",),
)
def retry_storm(scene: Scene) -> Iterator[Finding]:
    for entity, known in scene.series.items():
        series = known.get("attempts_per_request")
        found = above(series, scene.window, MANY) if series else None
        usual = past(series, scene.window) if series else None
        if found and not found.is_over and (usual is None or usual <= MANY):
            yield retry_storm.finding(
                entity,
                f"{entity} makes {found.level:.1f} attempts a request.",
                [scene.cite_series(found.series)],
                severity=Severity.WARNING,
                first_seen=found.began_at,
                last_seen=found.last_at,
            )
