"""Autoscalers that aim at what cannot be scaled, swing, or do not get their trigger."""

from collections.abc import Iterator

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import moment, text
from agents.rules.kubernetes.readings import older_than, short
from agents.scene import Scene

UNSCALABLE = frozenset({"DaemonSet", "Job", "CronJob", "Pod", "Service"})
"""Native kinds without a scale subresource; kinds of others may have one."""
TURNS = 6
HOUR = TimeDelta(hours=1)
FIRST_LOOK = TimeDelta(minutes=3)


@rule(
    id="hpa-target-unsupported",
    area="autoscaling",
    role=Role.CAUSE,
    title="An autoscaler aims at what cannot be scaled",
    meaning="The kind that it names has no scale subresource. Kinds of others may have one and are left out.",
    remediation="Aim it at a Deployment or StatefulSet.",
)
def hpa_target_unsupported(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("HorizontalPodAutoscaler"):
        kind = text(each.raw, "spec", "scaleTargetRef", "kind")
        if kind in UNSCALABLE:
            yield hpa_target_unsupported.finding(
                each.entity,
                f"{each.entity} aims at a {kind}, which cannot be scaled",
                [scene.cite(each, "spec.scaleTargetRef", "status.conditions")],
                severity=Severity.WARNING,
                remedy=f"Aim {each.where} at a Deployment or StatefulSet",
            )


@rule(
    id="hpa-flapping",
    area="autoscaling",
    role=Role.CONTEXT,
    title="An autoscaler swings",
    meaning="More than six changes of size within an hour: its window is short, or the load truly swings.",
    remediation="Lengthen the stabilisation window.",
)
def hpa_flapping(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("HorizontalPodAutoscaler"):
        events = [
            event
            for event in scene.cluster.events_about(each.entity, "SuccessfulRescale")
            if event.last_at and scene.now - event.last_at <= HOUR
        ]
        turns = sum(event.count for event in events)
        if turns > TURNS:
            yield hpa_flapping.finding(
                each.entity,
                f"{each.entity} changed its size {turns} times within an hour",
                [scene.cite_event(event) for event in events[-2:]],
                severity=Severity.INFO,
                remedy=f"Set behavior.scaleDown.stabilizationWindowSeconds of {each.where}",
            )


@rule(
    id="keda-not-ready",
    area="autoscaling",
    role=Role.CAUSE,
    title="A KEDA scaler is not ready",
    meaning="Its trigger or its credentials do not work; it scales nothing. Being idle is fine.",
    remediation="Correct the trigger.",
)
def keda_not_ready(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("ScaledObject"):
        state = each.condition("Ready")
        at = moment(state, "lastTransitionTime")
        if state.get("status") == "False" and older_than(scene, at or each.created_at, FIRST_LOOK):
            yield keda_not_ready.finding(
                each.entity,
                f"{each.entity} is not ready: {short(text(state, 'message') or text(state, 'reason'))}",
                [scene.cite(each, "spec.scaleTargetRef", "spec.triggers[*].type", "status.conditions")],
                severity=Severity.WARNING,
                first_seen=at,
                remedy=f"Correct the trigger of {each.where}; kubectl describe shows its events",
            )
