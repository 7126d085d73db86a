"""Who feels a change of a workload, in sentences with numbers from the objects themselves. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from approvals.runners.kubernetes.seen import Seen, counted, ready
from tools.kubernetes.fields import mapping, text, value
from tools.world import Object


def of_rollout(seen: Seen, *, staying: int = 0) -> str:
    """A rollout: which pods are replaced, and what serves meanwhile; `staying`: pods that are as they should be."""
    pods = seen.pods
    stay = f" and {staying} would stay" if staying else ""
    sentences = [
        f"{counted(len(pods) - staying, 'pod')} would be replaced{stay}; {ready(pods)} of {wanted(seen)} are ready now."
    ]
    gap = _gap(seen)
    if gap and staying < wanted(seen):
        sentences.append(gap)
    return " ".join([*sentences, *of_workload(seen), *unread(seen)])


def wanted(seen: Seen) -> int:
    """How many pods the workload is to have."""
    is_daemon = seen.target.get("kind") == "DaemonSet"
    found = value(seen.target, *(("status", "desiredNumberScheduled") if is_daemon else ("spec", "replicas")))
    return found if isinstance(found, int) else 1


def of_workload(seen: Seen) -> list[str]:
    """Which Services and budgets stand over the workload's pods."""
    labels = mapping(seen.target, "spec", "template", "metadata", "labels")
    sentences: list[str] = []
    if services := seen.services_of(labels):
        sentences.append(f"{_named('Service', services)} send{_s(services)} traffic to them.")
    if budgets := seen.budgets_of(labels):
        sentences.append(f"{_named('PodDisruptionBudget', budgets)} cover{_s(budgets)} them and would not be asked.")
    return sentences


def unread(seen: Seen) -> list[str]:
    """What nobody could tell because the runner may not read it."""
    return [f"Not known, because it could not be read: {', '.join(seen.unread)}."] if seen.unread else []


def container(obj: Object, wanted_name: str) -> tuple[str, int, Mapping[str, Any]] | None:
    """A container of a pod template: the list that it stands in, its place there, and itself."""
    for listed in ("containers", "initContainers"):
        found: Any = value(obj, "spec", "template", "spec", listed) or []
        for place, each in enumerate(found):
            if text(each, "name") == wanted_name:
                return listed, place, each
    return None


def _gap(seen: Seen) -> str:
    """What a rollout leaves unserved."""
    replicas, kind = wanted(seen), seen.target.get("kind")
    if replicas == 0:
        return ""
    if kind == "DaemonSet":
        return "On each node nothing of it runs while its pod is replaced."
    if kind == "Deployment" and text(seen.target, "spec", "strategy", "type") == "Recreate":
        return "Its strategy is Recreate: all pods end before the first new one starts, an outage."
    if replicas > 1:
        return ""
    if kind == "StatefulSet":
        return "It has a single replica: nothing serves while that is replaced, an outage."
    return "It has a single replica: the old pod goes when the new one is ready."


def _named(kind: str, names: Sequence[str]) -> str:
    return f"{kind if len(names) == 1 else f'{kind}s'} {', '.join(names)}"


def _s(names: Sequence[str]) -> str:
    return "s" if len(names) == 1 else ""
