"""Volumes that run full, as the kubelet measures them."""

from collections.abc import Iterator

from agents.baseline import hours_until, stands_at
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.scene import Scene

CLAIM = "persistentvolumeclaim"
FULL = 0.9
VERY_FULL = 0.97
SOON_HOURS = 96.0
"""Four days: over a long weekend nobody extends it."""
HALF = 0.5
"""A volume that is less than half full has time, whatever the last hours suggest."""


def _filling(scene: Scene, of: Rule, signal: str, what: str) -> Iterator[Finding]:
    for entity, known in scene.series.items():
        series = known.get(signal) if entity.kind == CLAIM else None
        if series is None:
            continue
        now, left = stands_at(series), hours_until(series, 1.0)
        soon = left is not None and left < SOON_HOURS and now > HALF
        if now <= FULL and not soon:
            continue
        when = f" and will be full in {left:.1f} h" if soon and left is not None else ""
        yield of.finding(
            entity,
            f"{entity} has {now:.0%} of its {what} used{when}.",
            [scene.cite_series(series)],
            severity=Severity.CRITICAL if now > VERY_FULL else Severity.WARNING,
        )


@rule(
    id="volume-full",
    area="storage",
    role=Role.CAUSE,
    title="Volume full or filling",
    meaning="Above 90 %, or full within four days as it goes. One that is used up on purpose stays there.",
    remediation="Extend the claim, or clean what grows; many programs stop writing when it is full.",
    needs=("signals",),
)
def volume_full(scene: Scene) -> Iterator[Finding]:
    yield from _filling(scene, volume_full, "disk_utilization_ratio", "space")


@rule(
    id="volume-inodes-full",
    area="storage",
    role=Role.CAUSE,
    title="Inodes of a volume used up",
    meaning="Above 90 %, or used up within four days: many small files. Writes fail though there is room.",
    remediation="Remove small files, or format with more inodes.",
    needs=("signals",),
)
def volume_inodes_full(scene: Scene) -> Iterator[Finding]:
    yield from _filling(scene, volume_inodes_full, "inode_utilization_ratio", "inodes")
