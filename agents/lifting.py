"""What all pods of a workload show is the workload's: one finding instead of as many as there are pods. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from agents.finding import CauseId, Finding, Role, Severity
from agents.report import Edge
from tools.entity import Entity

_WORST = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)
_WORKLOADS = ("deployment", "statefulset", "daemonset")
HALF = 0.5


def lifted(findings: Sequence[Finding], edges: Iterable[Edge]) -> tuple[Finding, ...]:
    """The findings, those about most pods of one workload as one about the workload.

    One of several pods that stands out stays by itself: there the pod, or its node, is what differs. Only owners that
    objects name count; where none were read, a pod stays a pod.
    """
    owners = {edge.upstream: edge.downstream for edge in edges if edge.relation == "owns"}
    pods: defaultdict[Entity, set[Entity]] = defaultdict(set)
    for each in owners:
        if each.kind == "pod":
            pods[_topmost(each, owners)].add(each)
    groups: defaultdict[tuple[CauseId, Entity], list[Finding]] = defaultdict(list)
    for each in findings:
        if each.entity.kind == "pod" and each.role is not Role.CONTEXT and each.entity in owners:
            groups[each.cause, _topmost(each.entity, owners)].append(each)
    taken: dict[str, Finding] = {}
    for (_, workload), several in groups.items():
        count, all_of_them = len(several), len(pods[workload])
        is_most = count == all_of_them or (count >= 2 and count >= HALF * all_of_them)
        if workload.kind in _WORKLOADS and is_most:
            taken |= dict.fromkeys((each.id for each in several), _one(workload, several, all_of_them))
    found = {each.id: taken.get(each.id, each) for each in findings}
    return tuple({each.id: each for each in found.values()}.values())


def _topmost(entity: Entity, owners: dict[Entity, Entity]) -> Entity:
    for _ in range(4):  # pods, sets, workloads, and an operator's own kind; a loop of references ends here too
        entity = owners.get(entity, entity)
    return entity


def _one(workload: Entity, several: Sequence[Finding], pods: int) -> Finding:
    first = max(several, key=lambda each: (_WORST.index(each.severity), each.direct))
    begun = [each.first_seen for each in several if each.first_seen]
    seen = [each.last_seen for each in several if each.last_seen]
    return replace(
        first,
        entity=workload,
        summary=f"{len(several)} of {pods} pods of {workload}: {first.summary}",
        evidence=tuple({one.id: one for each in several for one in each.evidence[:2]}.values()),
        direct=any(each.direct for each in several),
        first_seen=min(begun, default=None),
        last_seen=max(seen, default=None),
    )
