"""What a runner saw of an action's target and of what depends on it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whenever import Instant

from approvals.action import Action
from tools.kubernetes.fields import condition, items, mapping, name, namespace, text
from tools.kubernetes.selectors import matches
from tools.world import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The target as it is, and the objects of other kinds that tell who would feel a change of it."""

    action: Action
    target: Object
    related: Mapping[str, Sequence[Object]]
    """By kind, as `Change.related` names them; a kind that the cluster does not serve has none."""
    unread: tuple[str, ...] = ()
    """Kinds that could not be read: what they would have told is unknown."""
    now: Instant

    @property
    def pods(self) -> Sequence[Object]:
        """The pods that the target selects, those that are over left out."""
        spec = mapping(self.target, "spec")
        if self.target.get("kind") == "Service":
            return self.selected({"matchLabels": mapping(spec, "selector")})
        return self.selected(mapping(spec, "selector"))

    def selected(self, selector: Mapping[str, object]) -> Sequence[Object]:
        """The pods of the namespace with these labels; a selector without a condition selects none."""
        if not (mapping(selector, "matchLabels") or items(selector, "matchExpressions")):
            return ()
        return [
            pod
            for pod in self.related.get("Pod", ())
            if namespace(pod) == namespace(self.target)
            and text(pod, "status", "phase") not in ("Succeeded", "Failed")
            and matches(selector, mapping(pod, "metadata", "labels"))
        ]

    def services_of(self, labels: Mapping[str, str]) -> Sequence[str]:
        """Names of the Services that send traffic to pods with these labels."""
        return sorted(
            name(each)
            for each in self.related.get("Service", ())
            if mapping(each, "spec", "selector") and matches({"matchLabels": mapping(each, "spec", "selector")}, labels)
        )

    def budgets_of(self, labels: Mapping[str, str]) -> Sequence[str]:
        """Names of the PodDisruptionBudgets that cover pods with these labels."""
        return sorted(
            name(each)
            for each in self.related.get("PodDisruptionBudget", ())
            if matches(mapping(each, "spec", "selector"), labels)
        )

    @property
    def autoscalers(self) -> Sequence[Object]:
        """The HorizontalPodAutoscalers that own the target's number of replicas."""
        return [
            each
            for each in self.related.get("HorizontalPodAutoscaler", ())
            if text(each, "spec", "scaleTargetRef", "kind") == self.target.get("kind")
            and text(each, "spec", "scaleTargetRef", "name") == name(self.target)
        ]


def ready(pods: Sequence[Object]) -> int:
    """How many of the pods are ready."""
    return sum(1 for pod in pods if text(condition(pod, "Ready"), "status") == "True")


def counted(number: int, noun: str) -> str:
    """`1 pod`, `3 pods`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
