"""Machines that were taken away."""

import re
from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.rules.kubernetes.readings import is_recent, short
from agents.scene import Scene

_RECLAIMED = re.compile(r"spot|preempt|interruption|terminationnotice|reclaim", re.IGNORECASE)


@rule(
    id="node-churn",
    area="nodes",
    role=Role.CAUSE,
    title="A machine was taken away",
    meaning="The cloud reclaimed it shortly before: its pods had to move. Planned scaling says so in other words.",
    remediation="Spread over more machines and kinds; keep what matters off machines that may be reclaimed.",
)
def node_churn(scene: Scene) -> Iterator[Finding]:
    for event in scene.cluster.events:
        said = f"{event.reason} {event.message}"
        if event.kind == "Node" and _RECLAIMED.search(said) and is_recent(scene, event.last_at) and event.is_warning:
            yield node_churn.finding(
                event.entity,
                f"{event.entity} was taken away ({event.reason}): {short(event.message)}",
                [scene.cite_event(event)],
                severity=Severity.WARNING,
                first_seen=event.first_at,
                last_seen=event.last_at,
                remedy=f"Look at what ran on {event.name} and whether it found another place",
            )
