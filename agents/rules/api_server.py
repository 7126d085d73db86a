"""The API server by its own figures: what it fails, and whom it puts off."""

from collections.abc import Iterator

from agents.baseline import above, past
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.scene import Scene

MUCH = 0.01
"""Of its requests; an objective of 99 % is what its own alert rules use."""
MINUTES = 5.0


def _refuses(scene: Scene, of: Rule, signal: str, what: str) -> Iterator[Finding]:
    for entity, known in scene.series.items():
        series = known.get(signal)
        found = above(series, scene.window, MUCH, minutes=MINUTES) if series else None
        usual = past(series, scene.window) if series else None
        if found and not found.is_over and (usual is None or usual <= MUCH):
            yield of.finding(
                entity,
                f"{entity} {what} {found.level:.1%} of its requests.",
                [scene.cite_series(found.series)],
                severity=Severity.WARNING,
                first_seen=found.began_at,
                last_seen=found.last_at,
            )


@rule(
    id="api-server-errors",
    area="control-plane",
    role=Role.CAUSE,
    title="The API server fails requests",
    meaning="More than 1 % are 5xx for five minutes: overload, its store, a webhook. A restart breaks watches.",
    remediation="Look at etcd and at admission webhooks, then at who asks most.",
    needs=("signals",),
)
def api_server_errors(scene: Scene) -> Iterator[Finding]:
    yield from _refuses(scene, api_server_errors, "api_error_ratio", "fails")


@rule(
    id="api-throttled",
    area="control-plane",
    role=Role.CAUSE,
    title="The API server puts clients off",
    meaning="More than 1 % get 429 for five minutes: somebody asks too much. Restarts of watches burst once.",
    remediation="Find the client that asks most; give it a flow schema of its own.",
    needs=("signals",),
)
def api_throttled(scene: Scene) -> Iterator[Finding]:
    yield from _refuses(scene, api_throttled, "api_throttled_ratio", "puts off")
