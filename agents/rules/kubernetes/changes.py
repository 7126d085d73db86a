"""What changed shortly before the trouble began. A candidate, never more than inferred.

Names and shapes are told, never the values of settings that may be secrets, nor what Secrets hold.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from whenever import Instant, TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.nearness import Distance
from agents.objects import Fields, Resource, items, labels_at, mapping, moment, text
from agents.rules.kubernetes.readings import is_leaving, is_ready, is_recent, short, target
from agents.rules.standing import near_of
from agents.scene import Scene
from tools.entity import Entity

BEFORE = TimeDelta(minutes=60)
"""How long before the onset a change counts (checks.md: 60 minutes)."""
MOST = 6
"""Differences that a summary names."""
SETTLING = TimeDelta(minutes=2)
"""Writes so soon after an object was made are part of making it."""
_DEEPEST = 5
_SECRET = re.compile(r"\.env\..*(?:pass|secret|token|key|cred|auth|dsn|private)", re.IGNORECASE)
"""Settings whose values are not repeated, whatever they look like."""
# Never the values of settings: redaction knows shapes of secrets, and a plain word has none.
_SHOWN = tuple(
    f"spec.template.spec.containers[*].{field}"
    for field in ("image", "command", "args", "ports", "resources", "livenessProbe", "readinessProbe", "startupProbe")
)
_TELLING = ("image", "command", "args", "env", "envFrom", "resources", "Probe", "ports", "volume", "nodeSelector")
"""What a difference is mostly about, the most telling first; the others come after."""
_NOISE = frozenset({"terminationMessagePath", "terminationMessagePolicy", "schedulerName", "dnsPolicy"})
"""Defaults that the API server fills in."""
_WRITTEN = (
    "ConfigMap", "Secret", "Service", "Ingress", "NetworkPolicy", "ResourceQuota", "LimitRange", "StatefulSet",
    "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "PersistentVolumeClaim", "Role", "RoleBinding",
)  # fmt: skip
"""Kinds that people write; that one was written is all that is known of it."""
_RESTRICTING = frozenset({"NetworkPolicy", "ResourceQuota", "LimitRange"})
"""Kinds that change what others may do from the moment they are made."""
_RUNS = ("Deployment", "StatefulSet", "DaemonSet")


@rule(
    id="recent-change",
    area="workloads",
    role=Role.CAUSE,
    title="It was changed shortly before",
    meaning="A new version, an edited object, a scale-down or a recorded change within the hour before the onset, with "
    "trouble on its path. A change with nothing wrong near it is a coincidence, and not told.",
    remediation="Read the difference; roll back if the trouble began with it.",
    needs=(),
)
def recent_change(scene: Scene) -> Iterator[Finding]:
    yield from _rollouts(scene)
    yield from _recorded(scene)
    yield from _scaled_down(scene)
    yield from _written(scene)


def _recorded(scene: Scene) -> Iterator[Finding]:
    for record, look in scene.records("changes"):
        at, entity = moment(record, "at"), _entity(text(record, "entity"))
        if at is None or entity is None or not _is_near(scene, at) or not _matters(scene, entity):
            continue
        who = f" by {text(record, 'who')}" if text(record, "who") else ""
        line = f"{at} {text(record, 'kind')} {entity}{who}: {text(record, 'summary')}\n{text(record, 'diff')}"
        yield recent_change.finding(
            entity,
            f"{entity} was changed at {at}{who}: {short(text(record, 'summary'))}",
            [look.narrowed(f"{look.query} # {entity}", line)],
            severity=Severity.WARNING,
            direct=False,
            first_seen=at,
            last_seen=at,
        )


def _entity(written: str) -> Entity | None:
    try:
        return Entity.parse(written)
    except ValueError:
        return None


def _is_near(scene: Scene, at: Instant) -> bool:
    return scene.window.start - BEFORE <= at <= scene.now


def _matters(scene: Scene, entity: Entity) -> bool:
    """Whether trouble lies on its path: the case is about what it reaches, or what it reaches is not well.

    Where nothing that it reaches was seen, nobody can say that all is well there.
    """
    near = scene.once(near_of)
    if near.entities and near.distance(entity) is Distance.JOINED:
        return True
    pods = [pod for place in near.topology.shows_at(entity) for pod in _pods(scene, place)]
    return not pods or any(_is_ill(scene, pod) for pod in pods)


def _pods(scene: Scene, place: Entity) -> Iterator[Resource]:
    if place.kind == "pod" and (one := scene.cluster.at(place)):
        yield one
    # The topology has one spelling for a workload and the Service in front of it.
    kinds = [each.lower() for each in _RUNS] if place.kind == "service" else [place.kind]
    for kind in kinds:
        yield from scene.cluster.pods_of(Entity.of(kind, place.namespace, place.name))


def _is_ill(scene: Scene, pod: Resource) -> bool:
    return not is_leaving(pod) and pod.status.get("phase") != "Succeeded" and (not is_ready(pod) or _ended(scene, pod))


def _ended(scene: Scene, pod: Resource) -> bool:
    """Whether a container of it ended lately; a count of restarts alone may be old."""
    return any(
        each.get("restartCount") and is_recent(scene, moment(each, "lastState", "terminated", "finishedAt"))
        for each in items(pod.raw, "status", "containerStatuses")
    )


def _rollouts(scene: Scene) -> Iterator[Finding]:
    for deployment in scene.cluster.all("Deployment"):
        sets = scene.cluster.replica_sets(deployment.entity)
        if len(sets) < 2:
            continue
        newest, before = sets[0], sets[1]
        at = newest.created_at
        if at is None or not _is_near(scene, at) or not _is_in_trouble(scene, deployment, newest):
            continue
        changed = differences(before, newest)
        if not changed:
            continue
        shown = "; ".join(changed[:MOST]) + (f"; {len(changed) - MOST} more" if len(changed) > MOST else "")
        yield recent_change.finding(
            deployment.entity,
            f"{deployment.entity} got a new version at {at} ({newest.name}): {shown}",
            [scene.cite(newest, "metadata.creationTimestamp", *_SHOWN), scene.cite(before, *_SHOWN)],
            severity=Severity.WARNING,
            direct=False,
            first_seen=at,
            last_seen=at,
            remedy=f"kubectl rollout undo {target(deployment.entity)}",
        )


def _is_in_trouble(scene: Scene, deployment: Resource, newest: Resource) -> bool:
    """Whether a change of it matters: the case is about it, or its newest pods are not well."""
    about = {(each.namespace, each.name) for each in scene.case.scope.entities}
    pods = [pod for pod in scene.cluster.pods_of(newest.entity) if not is_leaving(pod)]
    if any((each.namespace, each.name) in about for each in (deployment, *pods)):
        return True
    return not pods or any(_is_ill(scene, pod) for pod in pods)


def _scaled_down(scene: Scene) -> Iterator[Finding]:
    """Autoscalers that took capacity away; that they add some is the cure and not the cause."""
    for event in scene.cluster.events_with("SuccessfulRescale"):
        at, scaler = event.last_at, scene.cluster.at(event.entity)
        if at and scaler and "below target" in event.message and _is_near(scene, at):
            kind, name = (text(scaler.raw, "spec", "scaleTargetRef", part) for part in ("kind", "name"))
            if not kind or not name or "/" in kind:
                continue
            entity = Entity.of(kind, scaler.namespace, name)
            if _matters(scene, entity):
                yield recent_change.finding(
                    entity,
                    f"{entity} was scaled down by its autoscaler at {at}: {short(event.message)}",
                    [scene.cite_event(event)],
                    direct=False,
                    first_seen=at,
                    last_seen=at,
                )


def _written(scene: Scene) -> Iterator[Finding]:
    """Objects that somebody edited, where all that is known is when; a new version of a Deployment tells more."""
    rolled = {
        each.entity for each in scene.cluster.all("Deployment") if len(scene.cluster.replica_sets(each.entity)) > 1
    }
    for each in scene.cluster.all(*_WRITTEN):
        at = _changed_at(scene, each)
        if at and each.entity not in rolled and _is_near(scene, at) and _matters(scene, each.entity):
            how = "was made" if at == each.created_at else "was edited"
            yield recent_change.finding(
                each.entity,
                f"{each.entity} {how} at {at}{_contents(each)}",
                [scene.cite(each, "metadata.creationTimestamp", "metadata.managedFields")],
                direct=False,
                first_seen=at,
                last_seen=at,
            )


def _changed_at(scene: Scene, each: Resource) -> Instant | None:
    """When it was written after it was made; of what restricts others, also when it was made after them."""
    made = each.created_at
    times = [at for field in items(each.raw, "metadata", "managedFields") if (at := moment(field, "time"))]
    written = max(times, default=None)
    if made and written and written - made > SETTLING:
        return written
    if each.kind in _RESTRICTING and made and _is_later_than_others(scene, each, made):
        return made
    return None


def _is_later_than_others(scene: Scene, each: Resource, made: Instant) -> bool:
    there = [
        other.created_at
        for other in scene.cluster.all(*_RUNS)
        if other.namespace == each.namespace and other.created_at
    ]
    return bool(there) and made - max(there) > SETTLING


def _contents(each: Resource) -> str:
    """The names of what a ConfigMap or a Secret holds, never the values."""
    if each.kind not in ("ConfigMap", "Secret"):
        return ""
    keys = sorted({*mapping(each.raw, "data"), *mapping(each.raw, "binaryData")}, key=str)
    more = f" and {len(keys) - MOST} more" if len(keys) > MOST else ""
    return f" (it holds {', '.join(map(str, keys[:MOST]))}{more})" if keys else ""


def differences(before: Resource, after: Resource) -> list[str]:
    """What differs between the pod templates of two sets, leaf by leaf, the most telling first."""
    old, new = (_flat(mapping(each.raw, "spec", "template")) for each in (before, after))
    found = [
        f"{place} changed" if _SECRET.search(place) else f"{place} {_brief(old.get(place))} -> {_brief(new.get(place))}"
        for place in sorted({*old, *new})
        if old.get(place) != new.get(place)
    ]
    return sorted(found, key=_rank)


def _rank(difference: str) -> int:
    place = difference.partition(" ")[0]
    return next((rank for rank, each in enumerate(_TELLING) if f".{each}" in f".{place}"), len(_TELLING))


def _flat(template: Fields) -> Mapping[str, Any]:
    spec = mapping(template, "spec")
    found: dict[str, Any] = {}
    for key, value in labels_at(template, "metadata", "labels").items():
        # Differs in every set and was written by the controller.
        if key != "pod-template-hash":
            found[f"labels.{key}"] = value
    for field, value in spec.items():
        if field not in ("containers", "initContainers", *_NOISE):
            found |= _leaves(str(field), value, _DEEPEST)
    for container in (*items(spec, "initContainers"), *items(spec, "containers")):
        name = text(container, "name") or "?"
        for field, value in container.items():
            if field == "env":
                found |= {f"{name}.env.{text(each, 'name')}": _setting(each) for each in items(container, "env")}
            elif field not in ("name", *_NOISE):
                found |= _leaves(f"{name}.{field}", value, _DEEPEST)
    return found


def _leaves(place: str, value: Any, deep: int) -> dict[str, Any]:
    """A field by its leaves; lists stay whole."""
    inner = mapping({"of": value}, "of")
    if not inner or not deep:
        return {place: value}
    found: dict[str, Any] = {}
    for key, each in inner.items():
        found |= _leaves(f"{place}.{key}", each, deep - 1)
    return found


def _setting(variable: Fields) -> Any:
    return variable["value"] if "value" in variable else variable.get("valueFrom")


def _brief(value: Any) -> str:
    if value is None:
        return "absent"
    return short(value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True), 90)
