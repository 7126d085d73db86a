"""The Kubernetes objects and events that looks brought, indexed once. Everything is linear in what was read.

Pure: no clock, no store, no client library. What was not listed is unknown; `lacks` alone may say that it is absent.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from whenever import Instant, TimeDelta

from agents.objects import Event, Resource, labels_at, matches
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kind import plural
from tools.kubernetes.fields import Fields, items, mapping, text
from tools.kubernetes.kinds import canonical
from tools.window import Window

EVENT_LEAD = TimeDelta(minutes=30)
"""How long before the onset an event may lie: alert rules wait (`for:`), back-offs repeat after minutes only."""
_GET = re.compile(r"\bget\s+(?P<kinds>[\w.,-]+)(?P<rest>.*)", re.DOTALL)
_OF_THE_GONE = frozenset({"Preempted"})
"""Reasons of events about objects that end with what they tell: their absence does not make them old."""
_SOME = re.compile(r"^\s+[^\s-]|--field-selector|(?:^|\s)(?:-l|--selector)\b")
_NAMESPACE = re.compile(r"(?:^|\s)(?:-n|--namespace)[ =](?P<namespace>[\w.-]+)")


class Inventory:
    """What is known of a cluster."""

    def __init__(self, looks: Iterable[Evidence], *, window: Window, now: Instant, is_partial: bool) -> None:
        self._looks = [look for look in looks if not look.is_gap and isinstance(look.data, list)]
        self._from = window.start - EVENT_LEAD
        self._to = max(window.end, now)
        self._is_partial = is_partial

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """Every object, each once, however many looks showed it."""
        found: dict[tuple[str, str, str], Resource] = {}
        for look in self._looks:
            for raw in look.data:
                if not _is_event(raw) and (each := Resource.read(raw, look)):
                    found.setdefault((each.kind, each.namespace, each.name), each)
        return tuple(found.values())

    @cached_property
    def _by_kind(self) -> Mapping[str, tuple[Resource, ...]]:
        found: defaultdict[str, list[Resource]] = defaultdict(list)
        for each in self.resources:
            found[each.kind].append(each)
        return {kind: tuple(several) for kind, several in found.items()}

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str, str], Resource]:
        return {(each.kind.lower(), each.namespace, each.name): each for each in self.resources}

    @cached_property
    def _by_uid(self) -> Mapping[str, Resource]:
        return {each.uid: each for each in self.resources if each.uid}

    @cached_property
    def _listed(self) -> Mapping[str, frozenset[str]]:
        """Kinds to the namespaces that were listed; "" stands for all of them."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for look in self._looks:
            for kind, namespace in listed(look):
                found[kind].add(namespace)
        return {kind: frozenset(namespaces) for kind, namespaces in found.items()}

    def saw(self, kind: str, namespace: str = "") -> bool:
        """Whether objects of that kind were listed, in that namespace or in all."""
        namespaces = self._listed.get(_plural(kind), frozenset())
        return "" in namespaces or (bool(namespaces) if not namespace else namespace in namespaces)

    def lacks(self, kind: str, namespace: str, name: str) -> bool:
        """Whether the object is known to be absent: its kind was listed there, completely, without it."""
        return bool(name) and self.knows(kind, namespace) and self.get(kind, namespace, name) is None

    def knows(self, kind: str, namespace: str = "") -> bool:
        """Whether the listing of that kind is complete, so that what it does not show is absent."""
        return not self._is_partial and self.saw(kind, namespace)

    def all(self, *kinds: str) -> tuple[Resource, ...]:
        """The objects of these kinds."""
        return tuple(each for kind in kinds for each in self._by_kind.get(kind, ()))

    def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        """One object; the kind's case does not matter."""
        return self._by_name.get((kind.lower(), namespace, name))

    def at(self, entity: Entity) -> Resource | None:
        """The object that is this entity."""
        return self._by_name.get((entity.kind, entity.namespace, entity.name))

    # Owners and pods

    def owner(self, child: Resource) -> tuple[Entity, Resource | None] | None:
        """Who controls an object, and that object where it was listed."""
        references = items(child.raw, "metadata", "ownerReferences")
        first = next((each for each in references if each.get("controller") is True), None) or next(
            iter(references), None
        )
        kind, name = text(first, "kind"), text(first, "name")
        if not kind or not name or "/" in kind:
            return None
        known = self._by_uid.get(text(first, "uid")) or self.get(kind, child.namespace, name)
        return (known.entity if known else Entity.of(kind, child.namespace, name)), known

    def workload(self, resource: Resource) -> Entity:
        """The topmost owner: what a person would edit. A ReplicaSet that was not listed still gives its Deployment."""
        return self._workloads.get(id(resource)) or self._climbed(resource)

    @cached_property
    def _workloads(self) -> Mapping[int, Entity]:
        return {id(pod): self._climbed(pod) for pod in self.all("Pod")}

    def _climbed(self, resource: Resource) -> Entity:
        entity, known = resource.entity, resource
        for _ in range(4):  # pods, sets, workloads, and an operator's own kind; a loop of references ends here too
            found = self.owner(known)
            if found is None:
                return self._likely(known) if known.kind == "Pod" else entity
            if found[0].kind == "node":
                return entity
            entity, above = found
            if above is None:
                return self.topmost(entity, resource.labels.get("pod-template-hash", ""))
            known = above
        return entity

    def topmost(self, entity: Entity, template: str = "") -> Entity:
        """What a person would edit, of an entity that need not have been listed; `template` is the hash of its pods."""
        if known := self.at(entity):
            return self.workload(known)
        # A Deployment names its sets after itself and the hash.
        name, _, ending = entity.name.rpartition("-")
        parent = Entity.of("deployment", entity.namespace, name)
        is_set = entity.kind == "replicaset" and bool(name)
        return parent if is_set and (ending == template or self.at(parent) or not self.saw("Deployment")) else entity

    def maker(self, pod: Entity) -> Entity:
        """What a person would edit, of a pod that is gone: a set names its pods after itself."""
        return self.topmost(Entity.of("replicaset", pod.namespace, pod.name.rpartition("-")[0] or pod.name))

    def _likely(self, pod: Resource) -> Entity:
        """The workload of a pod without owners: some captures leave owners out."""
        for each in self._controllers.get(pod.namespace, ()):
            selector = mapping(each.raw, "spec", "selector")
            if matches(selector, pod.labels) if pod.labels and selector else pod.name.startswith(f"{each.name}-"):
                return each.entity
        return pod.entity

    @cached_property
    def _controllers(self) -> Mapping[str, list[Resource]]:
        found: defaultdict[str, list[Resource]] = defaultdict(list)
        for each in self.all("Deployment", "StatefulSet", "DaemonSet"):
            found[each.namespace].append(each)
        return found

    @cached_property
    def _pods_of(self) -> Mapping[Entity, list[Resource]]:
        found: defaultdict[Entity, list[Resource]] = defaultdict(list)
        for pod in self.all("Pod"):
            found[self.workload(pod)].append(pod)
            above = self.owner(pod)
            if above and above[0] != self.workload(pod):
                found[above[0]].append(pod)
        return found

    def pods_of(self, entity: Entity) -> Sequence[Resource]:
        """The pods of a workload or of a ReplicaSet or Job between; of a pod, itself."""
        return self._pods_of.get(entity, ())

    @cached_property
    def _pods_on(self) -> Mapping[str, list[Resource]]:
        found: defaultdict[str, list[Resource]] = defaultdict(list)
        for pod in self.all("Pod"):
            found[text(pod.raw, "spec", "nodeName")].append(pod)
        return found

    def pods_on(self, node: str) -> Sequence[Resource]:
        """The pods of a node."""
        return self._pods_on.get(node, ()) if node else ()

    @cached_property
    def _sets_of(self) -> Mapping[Entity, list[Resource]]:
        found: defaultdict[Entity, list[Resource]] = defaultdict(list)
        for each in self.all("ReplicaSet"):
            if above := self.owner(each):
                found[above[0]].append(each)
        for sets in found.values():
            sets.sort(key=lambda each: each.created_at or Instant.MIN, reverse=True)
        return found

    def replica_sets(self, deployment: Entity) -> Sequence[Resource]:
        """The ReplicaSets of a Deployment, the newest first."""
        return self._sets_of.get(deployment, ())

    @cached_property
    def _by_label(self) -> Mapping[tuple[str, str, str], list[Resource]]:
        found: defaultdict[tuple[str, str, str], list[Resource]] = defaultdict(list)
        for pod in self.all("Pod"):
            for key, value in pod.labels.items():
                found[pod.namespace, key, value].append(pod)
        return found

    @cached_property
    def _pods_in(self) -> Mapping[str, list[Resource]]:
        found: defaultdict[str, list[Resource]] = defaultdict(list)
        for pod in self.all("Pod"):
            found[pod.namespace].append(pod)
        return found

    def pods_in(self, namespace: str) -> Sequence[Resource]:
        """The pods of a namespace."""
        return self._pods_in.get(namespace, ())

    def pods_selected(self, namespace: str, selector: Fields) -> Sequence[Resource]:
        """The pods that a label selector (`matchLabels`, `matchExpressions`) selects; an empty one selects all."""
        wanted = labels_at(selector, "matchLabels")
        groups = [self._by_label.get((namespace, key, value), []) for key, value in wanted.items()]
        smallest = min(groups, key=len) if groups else self.pods_in(namespace)
        return [pod for pod in smallest if matches(selector, pod.labels)]

    def pods_behind(self, service: Resource) -> Sequence[Resource]:
        """The pods that a Service selects; none when it has no selector."""
        selector = mapping(service.raw, "spec", "selector")
        return self.pods_selected(service.namespace, {"matchLabels": selector}) if selector else ()

    # Events

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The events of the window that belong to an object that is still there, each once, oldest first."""
        found: dict[str, Event] = {}
        for look in self._looks:
            for raw in look.data:
                if _is_event(raw) and (each := Event.read(raw, look)) and self._is_current(each):
                    key = text(raw, "metadata", "uid") or f"{each.entity}\x00{each.reason}\x00{each.message}"
                    found.setdefault(key, each)
        return tuple(sorted(found.values(), key=lambda each: each.last_at or Instant.MIN))

    def _is_current(self, event: Event) -> bool:
        if event.last_at is None or not self._from <= event.last_at <= self._to:
            return False
        if event.uid in self._by_uid:
            return True
        same_name = self.get(event.kind, event.namespace, event.name)
        if same_name is None:
            return event.reason in _OF_THE_GONE or not self.knows(event.kind, event.namespace)
        # The kubelet writes a node's name where the uid should be.
        return not event.uid or not same_name.uid or event.kind == "Node"

    @cached_property
    def _events_by_reason(self) -> Mapping[str, list[Event]]:
        found: defaultdict[str, list[Event]] = defaultdict(list)
        for each in self.events:
            found[each.reason].append(each)
        return found

    @cached_property
    def _events_by_entity(self) -> Mapping[Entity, list[Event]]:
        found: defaultdict[Entity, list[Event]] = defaultdict(list)
        for each in self.events:
            found[each.entity].append(each)
        return found

    def events_with(self, *reasons: str) -> Sequence[Event]:
        """The events with one of these reasons."""
        return [each for reason in reasons for each in self._events_by_reason.get(reason, ())]

    def events_about(self, entity: Entity, *reasons: str) -> Sequence[Event]:
        """The events about one object; with one of these reasons, where any are given."""
        about = self._events_by_entity.get(entity, ())
        return [each for each in about if each.reason in reasons] if reasons else about


def listed(look: Evidence) -> Iterable[tuple[str, str]]:
    """Which kinds a look listed completely, and in which namespace ("" = all): read from its kubectl line."""
    line = _GET.search(look.query)
    # A look at one object by its name, or at some by a selector, says nothing about the others.
    if line is None or _SOME.search(line["rest"]):
        return ()
    namespace = _NAMESPACE.search(line["rest"])
    return [(_plural(kind), namespace["namespace"] if namespace else "") for kind in line["kinds"].split(",")]


def _plural(word: str) -> str:
    """One spelling of a kind, without its group: `pods` for `Pod`, `po` and `pods`; kubectl's lines have plurals."""
    known = canonical(word.partition(".")[0])
    return known.lower() if known == known.lower() else plural(known)


def _is_event(raw: object) -> bool:
    return text(raw, "kind") == "Event" or bool(mapping(raw, "involvedObject"))
