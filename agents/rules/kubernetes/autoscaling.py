"""Autoscalers that cannot scale, and disruption budgets that stop a drain."""

import re
from collections.abc import Iterator

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, Resource, items, mapping, moment, number, text
from agents.rules.kubernetes.readings import older_than, short
from agents.scene import Scene

FIRST_METRICS = TimeDelta(minutes=3)
"""A new autoscaler has no metrics yet; neither has one whose pods just started."""
AT_MAX = TimeDelta(minutes=10)
SCALABLE = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})
_RESOURCES = "spec.template.spec.containers[*].resources"
_NO_SUCH = re.compile(r"not found|could not find|no matches for kind", re.IGNORECASE)


def _shown(resource: Resource) -> str:
    return f"kubectl describe hpa {resource.name} -n {resource.namespace}"


@rule(
    id="hpa-metrics-missing",
    area="autoscaling",
    role=Role.CAUSE,
    title="An autoscaler gets no metrics",
    meaning="The metrics API does not answer, or has nothing for these pods. The first minutes are left out.",
    remediation="Look at the metrics server, then at the pods' requests.",
)
def hpa_metrics_missing(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("HorizontalPodAutoscaler"):
        active = each.condition("ScalingActive")
        at = moment(active, "lastTransitionTime")
        # Switched off because the target is at zero: on purpose.
        if active.get("status") != "False" or text(active, "reason") == "ScalingDisabled":
            continue
        if not older_than(scene, at or each.created_at, FIRST_METRICS):
            continue
        yield hpa_metrics_missing.finding(
            each.entity,
            f"{each.entity} cannot scale: {short(text(active, 'message') or text(active, 'reason'))}",
            [scene.cite(each, "spec.scaleTargetRef", "spec.metrics", "status.conditions")],
            severity=Severity.WARNING,
            first_seen=at,
            remedy=f"{_shown(each)}; kubectl get apiservice v1beta1.metrics.k8s.io",
        )


@rule(
    id="hpa-target-missing",
    area="autoscaling",
    role=Role.CAUSE,
    title="An autoscaler's target does not exist",
    meaning="The reference is wrong, or the workload is gone.",
    remediation="Correct the reference, or delete the autoscaler.",
)
def hpa_target_missing(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("HorizontalPodAutoscaler"):
        kind, name = (text(each.raw, "spec", "scaleTargetRef", part) for part in ("kind", "name"))
        able = each.condition("AbleToScale")
        told = able.get("status") == "False" and text(able, "reason") == "FailedGetScale"
        told = told and bool(_NO_SUCH.search(text(able, "message")))
        if told or (kind in SCALABLE and scene.cluster.lacks(kind, each.namespace, name)):
            yield hpa_target_missing.finding(
                each.entity,
                f"{each.entity} scales {kind.lower()} {name!r}, which does not exist in {each.namespace}",
                [scene.cite(each, "spec.scaleTargetRef", "status.conditions")],
                severity=Severity.WARNING,
                first_seen=moment(able, "lastTransitionTime"),
                remedy=f"Correct spec.scaleTargetRef of {each.where}",
            )


@rule(
    id="hpa-no-requests",
    area="autoscaling",
    role=Role.CAUSE,
    title="An autoscaler divides by a request that is not set",
    meaning="A share of the request is wanted and a container states none. Other kinds of metrics need no request.",
    remediation="Set the request.",
)
def hpa_no_requests(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("HorizontalPodAutoscaler"):
        kind, name = (text(each.raw, "spec", "scaleTargetRef", part) for part in ("kind", "name"))
        workload = scene.cluster.get(kind, each.namespace, name)
        listed = items(workload.raw if workload else None, "spec", "template", "spec", "containers")
        for metric in items(each.raw, "spec", "metrics"):
            resource = text(metric, "resource", "name")
            shared = number(metric, "resource", "target", "averageUtilization") is not None
            bare = [text(one, "name") for one in listed if resource not in _asked(one)]
            if workload and resource and shared and bare:
                yield hpa_no_requests.finding(
                    each.entity,
                    f"{each.entity} wants a share of the {resource} request, which container {bare[0]!r} of"
                    f" {workload.entity} does not state",
                    [scene.cite(each, "spec.metrics"), scene.cite(workload, _RESOURCES)],
                    severity=Severity.WARNING,
                    remedy=f"kubectl set resources {kind.lower()}/{name} -n {each.namespace} -c {bare[0]}"
                    f" --requests={resource}=<usual use>",
                )


def _asked(container: Fields) -> Fields:
    """Requests; a limit alone is taken as the request."""
    return {**mapping(container, "resources", "limits"), **mapping(container, "resources", "requests")}


@rule(
    id="hpa-at-max",
    area="autoscaling",
    role=Role.CAUSE,
    title="An autoscaler is at its maximum and wants more",
    meaning="Limited by the maximum for over ten minutes. Being limited at the minimum is fine.",
    remediation="Find the load, then raise the maximum.",
)
def hpa_at_max(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("HorizontalPodAutoscaler"):
        limited = each.condition("ScalingLimited")
        most, now = number(each.raw, "spec", "maxReplicas"), number(each.raw, "status", "currentReplicas")
        at = moment(limited, "lastTransitionTime")
        if limited.get("status") != "True" or text(limited, "reason") != "TooManyReplicas" or not most or not now:
            continue
        if now < most or not older_than(scene, at, AT_MAX) or not _is_over(each):
            continue
        yield hpa_at_max.finding(
            each.entity,
            f"{each.entity} stands at its maximum of {most} replicas and wants more",
            [scene.cite(each, "spec.maxReplicas", "spec.metrics", "status")],
            severity=Severity.WARNING,
            first_seen=at,
            remedy=f'Find the load; then kubectl patch {each.where} -p \'{{"spec":{{"maxReplicas":{most * 2}}}}}\'',
        )


def _is_over(scaler: Resource) -> bool:
    """Whether a metric lies over its target; where the figures are missing, the condition is believed."""
    targets = {
        text(each, "resource", "name"): number(each, "resource", "target", "averageUtilization")
        for each in items(scaler.raw, "spec", "metrics")
    }
    figures = [
        (number(each, "resource", "current", "averageUtilization"), targets.get(text(each, "resource", "name")))
        for each in items(scaler.raw, "status", "currentMetrics")
    ]
    known = [now >= target for now, target in figures if now is not None and target is not None]
    return not known or any(known)


@rule(
    id="pdb-blocks",
    area="autoscaling",
    role=Role.CAUSE,
    title="A disruption budget stops a drain",
    meaning="All pods are healthy and none may be evicted while a node is drained. With sick pods it is a symptom.",
    remediation="Relax the budget, or add a replica.",
)
def pdb_blocks(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("PodDisruptionBudget"):
        allowed = number(each.raw, "status", "disruptionsAllowed")
        healthy, desired = (number(each.raw, "status", name) for name in ("currentHealthy", "desiredHealthy"))
        if allowed != 0 or healthy is None or desired is None or healthy < desired or not healthy:
            continue
        pods = scene.cluster.pods_selected(each.namespace, mapping(each.raw, "spec", "selector"))
        drained = [node for pod in pods if (node := _draining(scene, pod))]
        if drained:
            node = drained[0]
            yield pdb_blocks.finding(
                each.entity,
                f"{each.entity} allows no disruption ({healthy} healthy, {desired} needed) while {node.entity} drains",
                [scene.cite(each, "spec", "status"), scene.cite(node, "spec.unschedulable", "spec.taints")],
                severity=Severity.WARNING,
                remedy=f"Relax {each.where}, or add a replica to what it selects",
            )


def _draining(scene: Scene, pod: Resource) -> Resource | None:
    node = scene.cluster.get("Node", "", text(pod.raw, "spec", "nodeName"))
    return node if node and node.spec.get("unschedulable") is True else None


@rule(
    id="pdb-no-pods",
    area="autoscaling",
    role=Role.CONTEXT,
    title="A disruption budget selects nothing",
    meaning="A typing error, or pods that are gone: a drain will not respect what was meant.",
    remediation="Correct the selector.",
)
def pdb_no_pods(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("PodDisruptionBudget"):
        selector = mapping(each.raw, "spec", "selector")
        if not selector or not scene.cluster.knows("Pod", each.namespace):
            continue
        if not scene.cluster.pods_selected(each.namespace, selector):
            yield pdb_no_pods.finding(
                each.entity,
                f"{each.entity} selects no pod of {each.namespace}",
                [scene.cite(each, "spec", "status")],
                severity=Severity.INFO,
                remedy=f"Correct the selector of {each.where}",
            )
