"""What the cluster's store says of itself."""

from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.rules.kubernetes.components import pods_of_component
from agents.rules.kubernetes.readings import short
from agents.scene import Scene

SLOW_LINES = 3
"""Slow writes in the store's log; one alone is a snapshot or a defragmentation."""
_SLOW = ("slow fdatasync", "took too long", "failed to send out heartbeat on time", "waiting for ReadIndex response")


@rule(
    id="etcd-slow",
    area="control-plane",
    role=Role.CAUSE,
    title="The cluster's store is slow",
    meaning="etcd itself says that writes or reads took too long, several times: mostly a slow disk. Defragmenting and "
    "snapshots are slow once.",
    remediation="Measure the disk's fsync; give etcd a disk of its own.",
    needs=("kubernetes", "logs"),
)
def etcd_slow(scene: Scene) -> Iterator[Finding]:
    for pod in pods_of_component(scene, "etcd"):
        for log in scene.logs_of(pod):
            slow = [place for place, line in enumerate(log.lines) if any(each in line for each in _SLOW)]
            if len(slow) >= SLOW_LINES:
                yield etcd_slow.finding(
                    pod.entity,
                    f"{pod.entity} says {len(slow)} times that it is slow: {short(log.lines[slow[-1]])}",
                    [scene.cite_log(log, slow[-1])],
                    severity=Severity.WARNING,
                    remedy=f"On the node of {pod.name}: measure fsync of the disk under etcd; who else writes there?",
                )
                break
