"""Processes that do not stop when they are told to."""

from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role
from agents.rules.kubernetes.exits import is_killed_by_probe
from agents.rules.kubernetes.readings import (
    Container,
    by_workload,
    containers,
    counted,
    first,
    is_recent,
    severity,
    target,
)
from agents.scene import Scene
from tools.kubernetes.fields import moment, text

KILLED = 137
_TOLD = ("Killing", "FailedKillPod")


@rule(
    id="slow-shutdown",
    area="pods",
    role=Role.CAUSE,
    title="The process ignores the request to stop",
    meaning="Told to stop, it was killed when its grace period was over; neither memory nor a probe was the reason. "
    "Requests under way are cut off, and rollouts are slow.",
    remediation="Handle SIGTERM, or lengthen the grace period.",
)
def slow_shutdown(scene: Scene) -> Iterator[Finding]:
    found = [each for each in containers(scene) if _was_killed(scene, each)]
    for workload, several in by_workload(scene, found).items():
        each = several[0]
        events = scene.cluster.events_about(each.pod.entity, *_TOLD)
        yield slow_shutdown.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))}: container {each.name!r} was told to stop, and"
            " killed after its grace period",
            [scene.cite(each.pod, each.path, "spec.terminationGracePeriodSeconds"), scene.cite_event(events[-1])],
            severity=severity(scene, workload),
            direct=False,
            first_seen=first(event.first_at for event in events),
            last_seen=events[-1].last_at,
            remedy=f"Let {target(workload)} end on SIGTERM; see whether its command is a shell that does not pass "
            f"it on",
        )


def _was_killed(scene: Scene, each: Container) -> bool:
    if each.exit_code != KILLED or text(each.ended, "reason") == "OOMKilled" or is_killed_by_probe(scene, each):
        return False
    told = scene.cluster.events_about(each.pod.entity, *_TOLD)
    return bool(told) and is_recent(scene, moment(each.ended, "finishedAt")) and not each.is_settled(scene.now)
